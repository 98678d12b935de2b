"""What access policies decide: a matching denial wins; otherwise one that allows is needed. They narrow what grants give."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..model.policy import (
    ACTIONS,
    All,
    Any,
    CallerFacts,
    Classification,
    Condition,
    Effect,
    IpInRange,
    LocationIs,
    Not,
    PolicySet,
)
from ..model.principal import REGISTER, TELLING, Principal, holders_of
from ..model.scope import EVERYWHERE, NOTHING, SubjectScope
from .conditions import Facts, Test, Truth, address_of, compiled

DEPARTMENT, CLEARANCE = "department", "clearance"
"""Attributes of a principal that conditions ask about."""
_MOST_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the policies say. policy: the one that decided, "" when none allowed. unsure: it denied because it could not be told
    whether its condition holds."""

    allowed: bool
    policy: str = ""
    unsure: bool = False


@dataclass(frozen=True, slots=True)
class PolicyTrace:
    """What one policy says of a call; None: it cannot be told whether its condition holds."""

    name: str
    effect: Effect
    holds: Truth


_NOTHING_ALLOWS = Verdict(False)
Key = tuple[int, str, int, str]
"""Identity of a principal, permission, identity of a classification, and address ("" where none is asked about)."""


@dataclass(frozen=True, slots=True)
class _About:
    """What is known of a principal whatever it does; see Facts."""

    holders: frozenset[str]
    department: str
    clearance: int | None


class Decider:
    """A set of policies, made ready. on: whether it has any that is not disabled; one without has no say."""

    def __init__(self, policies: PolicySet) -> None:
        active = [policy for policy in policies.policies if not policy.disabled]
        tests = [(policy, _test(policy.condition, policies)) for policy in active]
        self.on = bool(active)
        self._all = tests
        self._denials = tuple((q.name, test) for q, test in tests if q.effect is Effect.DENY)
        self._allowances = tuple(
            (Verdict(True, q.name), test) for q, test in tests if q.effect is Effect.ALLOW
        )
        self._classes = tuple((SubjectScope(c.scopes), c) for c in policies.classifications)
        self._registry = next((c for c in policies.classifications if EVERYWHERE in c.scopes), None)
        self._callers: Mapping[str, CallerFacts] = {c.holder: c for c in reversed(policies.callers)}
        self._class_of: dict[str, Classification | None] = {}
        self._known: dict[int, tuple[Principal, _About]] = {}
        self._second = 0
        self._verdicts: dict[Key, tuple[Principal, Verdict]] = {}
        self.asks_address = any(q.condition is not None and _asks_address(q.condition) for q in active)

    def decide(self, facts: Facts) -> Verdict:
        """A denial counts unless its condition surely does not hold; what allows, only when it surely does."""
        for name, test in self._denials:
            truth = test(facts)
            if truth is not False:
                return Verdict(False, name, unsure=truth is None)
        for verdict, test in self._allowances:
            if test(facts):
                return verdict
        return _NOTHING_ALLOWS

    def lately(self, key: Key, second: int) -> tuple[Principal, Verdict] | None:
        """A decision of this second (since 1970), if there is one: times of policies are whole minutes."""
        if second != self._second:
            self._verdicts.clear()
            self._second = second
        return self._verdicts.get(key)

    def remember(self, key: Key, decided: tuple[Principal, Verdict]) -> tuple[Principal, Verdict]:
        """Keeps a decision for the rest of the second."""
        if len(self._verdicts) < _MOST_REMEMBERED:
            self._verdicts[key] = decided
        return decided

    def traces(self, facts: Facts) -> Sequence[PolicyTrace]:
        """What each policy says, in their order."""
        return [PolicyTrace(policy.name, policy.effect, test(facts)) for policy, test in self._all]

    def classification(self, subject: str | None) -> Classification | None:
        """What is known of a subject, by its qualified name; for None, of the registry as a whole."""
        if subject is None:
            return self._registry
        try:
            return self._class_of[subject]
        except KeyError:
            found = next((c for scope, c in self._classes if scope.contains(subject)), None)
            if len(self._class_of) >= _MOST_REMEMBERED:
                self._class_of.clear()
            self._class_of[subject] = found
            return found

    def narrowed(self, scope: SubjectScope, allows: Callable[[Classification | None], bool]) -> SubjectScope:
        """The subjects of a scope whose classifications are allowed."""
        layers = [(each, allows(c)) for _, c in self._classes for each in c.scopes]
        return SubjectScope(scope.included, [*scope.layers, *layers, (EVERYWHERE, allows(None))])

    def facts(self, principal: Principal, address: Callable[[], str]) -> Facts:
        """What is known of a caller, by its credentials first. address: asked only where a condition asks."""
        found = self._known.get(id(principal))
        if found is None:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            # The principal is kept with it, so that no other one gets its identity.
            found = self._known[id(principal)] = (principal, self._about(principal))
        about = found[1]
        return Facts(
            roles=principal.roles,
            holders=about.holders,
            department=about.department,
            clearance=about.clearance,
            address=address_of(address()) if self.asks_address else None,
        )

    def _about(self, principal: Principal) -> _About:
        holders = holders_of(principal)
        known = next((self._callers[h] for h in holders if h in self._callers), None)
        return _About(
            frozenset(holders),
            principal.attributes.get(DEPARTMENT, "") or (known.department if known else ""),
            _clearance(principal, known),
        )


class PolicyRights:
    """What a caller may do in a call: what its grants give, as far as the policies allow it. See model.principal.Rights."""

    __slots__ = ("_address", "_clock", "_decider", "_facts", "_principal")

    def __init__(
        self,
        principal: Principal,
        decider: Decider,
        address: Callable[[], str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._principal, self._decider, self._address, self._clock = principal, decider, address, clock
        self._facts: Facts | None = None

    def may(self, permission: str, subject: str | None = None) -> bool:
        return self._principal.may(permission, subject) and self.verdict(permission, subject).allowed

    def where(self, permission: str) -> SubjectScope:
        held = self._principal.where(permission)
        if held.nothing:
            return NOTHING
        return self._decider.narrowed(held, lambda resource: self._verdict(permission, resource).allowed)

    def knows(self, subject: str) -> bool:
        held = (*self._principal.permissions, *self._principal.scoped)
        return any(self.may(permission, subject) for permission in held if permission.startswith(TELLING))

    def creates(self, subject: str) -> bool:
        return self._principal.creates(subject) and self.verdict(REGISTER, subject).allowed

    def verdict(self, permission: str, subject: str | None) -> Verdict:
        """What the policies say of a permission for a subject, or for the registry as a whole."""
        return self._verdict(permission, self._decider.classification(subject))

    def traces(self, permission: str, subject: str | None) -> Sequence[PolicyTrace]:
        """What each policy says of it."""
        resource = self._decider.classification(subject)
        return self._decider.traces(self._at(permission, resource, self._clock()))

    def _verdict(self, permission: str, resource: Classification | None) -> Verdict:
        """The one of this second: no condition changes within it."""
        decider, now = self._decider, self._clock()
        address = self._address() if decider.asks_address else ""
        key = id(self._principal), permission, id(resource), address
        found = decider.lately(key, int(now))
        if found is None:
            verdict = decider.decide(self._at(permission, resource, now))
            # The principal is kept with it, so that no other one gets its identity.
            found = decider.remember(key, (self._principal, verdict))
        return found[1]

    def _at(self, permission: str, resource: Classification | None, now: float) -> Facts:
        facts = self._facts
        if facts is None:
            facts = self._facts = self._decider.facts(self._principal, self._address)
        facts.action, facts.resource, facts.now = ACTIONS[permission], resource, now
        return facts


class PolicyBook:
    """The policies in force. on: whether they have a say."""

    def __init__(self) -> None:
        self.on, self.version = False, 0
        self.decider = Decider(PolicySet())

    def replace(self, policies: PolicySet, version: int) -> None:
        """These are in force from now on."""
        self.decider, self.version = Decider(policies), version
        self.on = self.decider.on

    def rights(self, principal: Principal, address: Callable[[], str]) -> PolicyRights:
        """What a caller from an address may do."""
        return PolicyRights(principal, self.decider, address)


def _test(condition: Condition | None, policies: PolicySet) -> Test:
    return _always if condition is None else compiled(condition, policies.locations)


def _asks_address(condition: Condition) -> bool:
    match condition:
        case IpInRange() | LocationIs():
            return True
        case All(conditions) | Any(conditions):
            return any(map(_asks_address, conditions))
        case Not(inner):
            return _asks_address(inner)
        case _:
            return False


def _always(facts: Facts) -> Truth:
    return True


def _clearance(principal: Principal, known: CallerFacts | None) -> int | None:
    said = principal.attributes.get(CLEARANCE)
    if said is not None:
        return int(said) if said.isascii() and said.isdigit() and len(said) == 1 else None
    return known.clearance if known else None
