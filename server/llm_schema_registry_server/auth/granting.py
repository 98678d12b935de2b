"""Grants become permissions: what the settings and the storage say about who has which role where, for each principal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from ..model.grant import Grant, RoleGrant
from ..model.policy import PolicySet
from ..model.principal import Principal, holders_of
from ..model.scope import EVERYWHERE, NOTHING, Scope, SubjectScope
from ..telemetry import logs
from .permissions import Roles
from .policies import PolicyBook

MOST_OF_A_PRINCIPAL = 300
"""Grants that count for one principal: what a look at a name costs grows with those that have wildcards."""

_LOG = logs.get("auth")


@dataclass(frozen=True, slots=True)
class CreationRule:
    """In these scopes only these holders register what is new; all others only look up."""

    scopes: tuple[Scope, ...]
    holders: frozenset[str]


class GrantBook:
    """Who has which role where. `fixed` grants come from the settings; `replace` takes those that are managed at run time.

    Raises ValueError for a fixed grant of a role that there is not.
    """

    def __init__(
        self, roles: Roles, fixed: Iterable[Grant] = (), creation: Sequence[CreationRule] = ()
    ) -> None:
        self.roles, self._creation = roles, tuple(creation)
        self.fixed = tuple(fixed)
        if unknown := {grant.role for grant in self.fixed} - roles.names:
            raise ValueError(
                f"no role is called {', '.join(sorted(unknown))}; there are {', '.join(sorted(roles.names))}"
            )
        self._by_holder: Mapping[str, Sequence[RoleGrant]] = {}
        self.policies = PolicyBook()
        self._caches: list[Callable[[], None]] = []
        self._listeners: dict[Callable[[], None], None] = {}
        self.replace(())

    @property
    def empty(self) -> bool:
        """Whether it adds nothing to what principals bring along."""
        return not self._by_holder and not self._creation

    def replace(self, stored: Iterable[Grant]) -> Sequence[Callable[[], None]]:
        """Take these instead of the stored grants before. What is returned is to be called by and by: it lets open streams know."""
        found: defaultdict[str, list[RoleGrant]] = defaultdict(list)
        for grant in (*self.fixed, *stored):
            found[grant.holder].append(RoleGrant(grant.role, grant.scope))
        self._by_holder = dict(found)
        for forget in self._caches:
            forget()
        return tuple(self._listeners)

    def replace_policies(self, policies: PolicySet, version: int) -> Sequence[Callable[[], None]]:
        """As `replace`, for the access policies."""
        self.policies.replace(policies, version)
        return tuple(self._listeners)

    def derive(self, forget: Callable[[], None]) -> None:
        """`forget` is called at each change: what was made of the grants before counts no more."""
        self._caches.append(forget)

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change until it is forgotten."""
        self._listeners[listener] = None

    def forget(self, listener: Callable[[], None]) -> None:
        """Does nothing when it does not listen."""
        self._listeners.pop(listener, None)

    def granted(self, principal: Principal) -> Principal:
        """A principal with all that it holds: what its credentials say, what they carry, and what is granted to it."""
        holders = holders_of(principal)
        held = [*principal.grants, *(g for holder in holders for g in self._by_holder.get(holder, ()))]
        if len(held) > MOST_OF_A_PRINCIPAL:
            _LOG.warning(
                "grants_left_out", principal=principal.name, grants=len(held), counted=MOST_OF_A_PRINCIPAL
            )
            del held[MOST_OF_A_PRINCIPAL:]
        permissions, scoped = self._permissions(principal.permissions, held)
        rules = (rule for rule in self._creation if not rule.holders.intersection(holders))
        lookup_only = [scope for rule in rules for scope in rule.scopes]
        return replace(
            principal,
            permissions=permissions,
            grants=tuple(held),
            scoped=scoped,
            lookup_only=SubjectScope(lookup_only) if lookup_only else NOTHING,
            origin=principal,
        )

    def of_key(self, name: str, roles: frozenset[str]) -> Sequence[RoleGrant]:
        """What is granted to an API key of this name that carries these roles everywhere, beside what it brings."""
        key = Principal(name, kind="key", roles=roles)
        return [grant for holder in holders_of(key) for grant in self._by_holder.get(holder, ())]

    def now(self, principal: Principal) -> Principal:
        """A principal that was made here with what it holds by now."""
        return self.granted(principal.origin or principal)

    def _permissions(
        self, everywhere: frozenset[str], held: Iterable[RoleGrant]
    ) -> tuple[frozenset[str], Mapping[str, SubjectScope]]:
        """The permissions that hold everywhere, and the others with where they hold. Roles that are not known (any more) hold none."""
        scopes: defaultdict[str, set[Scope]] = defaultdict(set)
        for grant in held:
            for permission in self.roles.permissions([grant.role]):
                scopes[permission].add(grant.scope)
        everywhere |= {permission for permission, where in scopes.items() if EVERYWHERE in where}
        made: dict[frozenset[Scope], SubjectScope] = {}  # of a role all permissions hold in the same scopes
        scoped = {
            permission: made.setdefault(frozenset(where), SubjectScope(where))
            for permission, where in scopes.items()
            if permission not in everywhere
        }
        return everywhere, MappingProxyType(scoped)
