"""Why a call is allowed or refused: what grants give, and what each policy says."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..model.grant import RoleGrant
from ..model.policy import Classification, PolicySet
from ..model.principal import Principal
from .granting import GrantBook
from .policies import Decider, PolicyRights, PolicyTrace, Verdict


@dataclass(frozen=True, slots=True)
class AccessQuestion:
    """May a principal, as its credentials say it is, use a permission for a subject (None: about the registry as a whole), from an
    address and at a time (seconds since 1970)? policies: asked instead of those in force."""

    principal: Principal
    permission: str
    subject: str | None = None
    address: str = ""
    at: float | None = None
    policies: PolicySet | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """grants: those that give the permission there. verdict: of the policies, None where they have no say."""

    granted: bool
    grants: Sequence[RoleGrant]
    verdict: Verdict | None
    traces: Sequence[PolicyTrace]
    resource: Classification | None
    version: int

    @property
    def allowed(self) -> bool:
        return self.granted and (self.verdict is None or self.verdict.allowed)

    @property
    def reason(self) -> str:
        """A sentence."""
        verdict = self.verdict
        if not self.granted:
            return "no role and no grant gives the permission there"
        if verdict is None:
            return "roles or grants give the permission, and there are no policies"
        if verdict.allowed:
            return f"policy {verdict.policy!r} allows it, and none denies it"
        if not verdict.policy:
            return "no policy allows it"
        if verdict.unsure:
            return f"policy {verdict.policy!r} denies it: what it asks about is not known"
        return f"policy {verdict.policy!r} denies it"


def explain(book: GrantBook, question: AccessQuestion) -> Explanation:
    """The answer, as a call of that principal would get it."""
    principal = book.granted(question.principal)
    if question.policies is None:
        decider, version = book.policies.decider, book.policies.version
    else:
        decider, version = Decider(question.policies), 0
    at = time.time() if question.at is None else question.at
    rights = PolicyRights(principal, decider, lambda: question.address, lambda: at)
    permission, subject = question.permission, question.subject
    return Explanation(
        granted=principal.may(permission, subject),
        grants=[g for g in _held(principal) if _gives(book, g, permission, subject)],
        verdict=rights.verdict(permission, subject) if decider.on else None,
        traces=rights.traces(permission, subject) if decider.on else (),
        resource=decider.classification(subject),
        version=version,
    )


def keeps(principal: Principal, address: str, permission: str, policies: PolicySet) -> bool:
    """Whether a caller could still use a permission everywhere if these policies were in force."""
    decider = Decider(policies)
    return not decider.on or PolicyRights(principal, decider, lambda: address).may(permission)


def asked_of(principal: Principal) -> Principal:
    """A principal as its credentials say it is, for AccessQuestion."""
    return principal.origin or replace(principal, grants=())


def _held(principal: Principal) -> Sequence[RoleGrant]:
    return [*(RoleGrant(role) for role in sorted(principal.roles)), *principal.grants]


def _gives(book: GrantBook, grant: RoleGrant, permission: str, subject: str | None) -> bool:
    if permission not in book.roles.permissions([grant.role]):
        return False
    return grant.scope.everything or (subject is not None and grant.scope.contains(subject))
