"""Who makes a call, and what it may do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from .grant import ANONYMOUS, EVERYONE, RoleGrant
from .scope import EVERYTHING, NOTHING, SubjectScope

REGISTER = "schema:write"
READ = "schema:read"
STATISTICS = "metrics:read"
TELLING = ("schema:", "subject:", "compatibility:")
"""How permissions begin that tell whoever holds one for a subject that there is one."""


class Rights(Protocol):
    """What the caller of one call may do. Subjects are given by their qualified names."""

    def may(self, permission: str, subject: str | None = None) -> bool:
        """Whether a permission holds for a subject; for None, everywhere."""
        ...

    def where(self, permission: str) -> SubjectScope:
        """The subjects for which a permission holds."""
        ...

    def knows(self, subject: str) -> bool:
        """Whether the caller may know that there is such a subject: some permission to do with subjects holds for it."""
        ...

    def creates(self, subject: str) -> bool:
        """Whether registering content that the subject does not have adds it; otherwise it is only looked up."""
        ...


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller: its name, the permissions (`schema:read` ...) that hold everywhere, and those in `scoped`, which
    hold for some subjects.

    `roles` are those that its credentials name, also roles that only grants and policies know. `grants` are the roles on
    scopes that its credentials carry. Both become `permissions` and `scoped` in auth/granting.py.
    """

    name: str
    permissions: frozenset[str] = frozenset()
    anonymous: bool = False
    expires: float | None = None
    """When what it showed ceases to count, in seconds since 1970; None for never."""
    kind: str = "user"
    """What its name is the name of: `user`, `key`, `cert`. Grants to one kind are none of another's."""
    roles: frozenset[str] = frozenset()
    grants: tuple[RoleGrant, ...] = ()
    scoped: Mapping[str, SubjectScope] = field(default_factory=dict, hash=False)
    lookup_only: SubjectScope = NOTHING
    """Where it registers nothing new, whatever it may write."""
    attributes: Mapping[str, str] = field(default_factory=dict, hash=False)
    """What else its credentials say about it, for policies: `department`, `clearance` ..."""
    origin: Principal | None = field(default=None, repr=False, compare=False)
    """The principal without what is granted to it, where something may be."""
    credential: str = ""
    """What it has shown, without any secret: `key ID`, `token JTI`, `password NAME`; "" when it has shown nothing."""

    @property
    def label(self) -> str:
        """Its name in records and among queues, distinct from those of other kinds of callers: `ada`, `key:ci`."""
        return self.name if self.kind == "user" else f"{self.kind}:{self.name}"

    def may(self, permission: str, subject: str | None = None) -> bool:
        """See Rights."""
        if permission in self.permissions:
            return True
        scope = self.scoped.get(permission)
        return scope is not None and subject is not None and scope.contains(subject)

    def where(self, permission: str) -> SubjectScope:
        """See Rights."""
        return EVERYTHING if permission in self.permissions else self.scoped.get(permission, NOTHING)

    def knows(self, subject: str) -> bool:
        """See Rights."""
        return any(p.startswith(TELLING) for p in self.permissions) or any(
            scope.contains(subject) for p, scope in self.scoped.items() if p.startswith(TELLING)
        )

    def creates(self, subject: str) -> bool:
        """See Rights."""
        return self.may(REGISTER, subject) and not self.lookup_only.contains(subject)


def holders_of(principal: Principal) -> Sequence[str]:
    """The holders that a principal is."""
    if principal.anonymous:
        return (ANONYMOUS,)
    return (
        f"{principal.kind}:{principal.name}",
        EVERYONE,
        *(f"role:{role}" for role in sorted(principal.roles)),
    )


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, and in which call: both are recorded with what was done. `rights`: what it may do in this call, as its
    principal says unless something narrows that."""

    principal: Principal
    correlation_id: str = ""
    rights: Rights | None = None

    @property
    def name(self) -> str:
        return self.principal.label

    @property
    def allowed(self) -> Rights:
        return self.rights or self.principal

    def may(self, permission: str, subject: str | None = None) -> bool:
        return self.allowed.may(permission, subject)

    @property
    def readable(self) -> SubjectScope:
        """The subjects whose schemas it may read."""
        return self.allowed.where(READ)
