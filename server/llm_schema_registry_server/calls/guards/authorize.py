"""Whether the principal may make this call: the permission that the operation declares must hold for what the call touches.

What a caller may not know of is answered as if it were not there. What the request itself names is decided by its name
alone, so that the answer tells nothing; of what the handler learns (the subject behind a schema id), the handler is told
that there is no such subject, after it has looked for it as it does for everyone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

from ...errors import DeadlineExceeded, PermissionDenied, RegistryError, SubjectNotFound, Unauthenticated
from ...model.principal import READ, Principal, Rights
from ...model.scope import Scope
from ..call import NEVER_SECONDS, Call
from ..guard import QUICK, Guard, Rank
from ..operation import NO_PERMISSION, Resource, ResourceKind, Unnamed

_SUBJECT, _REFERENCE, _CONTEXT = ResourceKind.SUBJECT, ResourceKind.REFERENCE, ResourceKind.CONTEXT
_REGISTRY = ResourceKind.REGISTRY

ANSWERED_WHEN_MISSING = frozenset({"schema:write", "compatibility:config:read", "compatibility:config:write"})
"""Permissions of operations that do not fail for a subject that is not there: NOT_FOUND would be no answer of theirs."""


class Policies(Protocol):
    """Access policies: they narrow what grants give."""

    @property
    def on(self) -> bool:
        """Whether they have a say."""
        ...

    def rights(self, principal: Principal, address: Callable[[], str]) -> Rights:
        """What a caller from an address may do."""
        ...


class Changing(Protocol):
    """What grants and policies say, which may change while a stream is open."""

    @property
    def policies(self) -> Policies:
        """The access policies."""
        ...

    def now(self, principal: Principal) -> Principal:
        """A principal as it is by now."""
        ...

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change until it is forgotten."""
        ...

    def forget(self, listener: Callable[[], None]) -> None: ...


class Authorize:
    """Refuses calls without the permission; an operation that declares `none` is open. With `grants`, streams are decided anew when
    those change."""

    rank, on_cached = Rank.AUTHORIZE, QUICK

    def __init__(self, grants: Changing | None = None) -> None:
        self._grants = grants
        self._policies = None if grants is None else grants.policies

    def __call__(self, call: Call) -> Guard:
        return _Authorized(call, self._grants)

    def quick(self, call: Call) -> bool:
        """Decides at once where permissions hold everywhere, or where all is known that the call touches. Raises
        PermissionDenied, Unauthenticated."""
        needed, permissions = call.operation.permission, call.principal.permissions
        if self._policies is not None and self._policies.on:
            if needed == NO_PERMISSION:
                return True
            if not call.complete:
                return False
            _bind_rights(call, self._policies)
            return all(map(_Decision(call).allows, call.resources))
        if needed in permissions and READ in permissions:
            return True
        if needed == NO_PERMISSION:
            return True
        demand_somewhere(call)
        return call.complete and all(map(_Decision(call).allows, call.resources))


class _Authorized(Guard):
    __slots__ = ("_ended", "_grants", "_watches")

    def __init__(self, call: Call, grants: Changing | None) -> None:
        super().__init__(call)
        self._grants = grants
        self._watches = False
        self._ended: RegistryError | None = None

    async def __aenter__(self) -> None:
        call = self.call
        if call.operation.permission == NO_PERMISSION:
            return
        self._enter()
        if call.operation.streams:
            call.principal_changed = self._decide_anew
            if self._grants is not None:
                self._grants.listen(self._changed)
                if (
                    call.deadline is None
                ):  # of a caller without credentials: what waits without one cannot be ended
                    call.deadline = time.monotonic() + NEVER_SECONDS

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._grants is not None and self.call.operation.streams:
            self._grants.forget(self._changed)
        if self._ended is not None and isinstance(error, DeadlineExceeded):
            raise self._ended from error

    def _enter(self) -> None:
        call = self.call
        self._bind_rights()
        demand_somewhere(call)
        decision = _Decision(call)
        for resource in call.resources[: call.named] if call.complete else call.resources:
            decision.demand_named(resource)
        if not decision.scoped:
            return
        unnamed = not call.resources and call.operation.unnamed is Unnamed.REFUSED
        if unnamed and not call.rights.may(call.operation.permission):
            raise decision.denied("everywhere")
        # Who may not have the kept answer has it computed, and learns what all learn who ask for what is not there.
        call.complete = call.complete and all(map(decision.allows, call.resources))
        if not call.complete:
            self._watch()

    def _bind_rights(self) -> None:
        if self._grants is not None:
            _bind_rights(self.call, self._grants.policies)

    def _watch(self) -> None:
        if not self._watches:
            self._watches = True
            self.call.watchers += (self._seen,)
            self.call.select(self._shows)

    def _seen(self, resource: Resource) -> None:
        if self._ended is not None:
            raise self._ended
        _Decision(self.call).demand(resource)

    def _shows(self, resource: Resource) -> bool:
        if self._ended is not None:
            raise self._ended
        return _Decision(self.call).allows(resource)

    def _changed(self) -> None:
        """Grants have changed: from the next item on they count."""
        assert self._grants is not None
        self.call.principal = self._grants.now(self.call.principal)
        self._decide_anew()

    def _decide_anew(self) -> None:
        """The principal of a stream is another one than before."""
        call = self.call
        self._bind_rights()
        self._ended = None
        try:
            demand_somewhere(call)
        except RegistryError as error:
            self._ended = error
            call.end_at(time.monotonic())
        if self._ended is not None or _Decision(call).scoped:
            self._watch()


class _Decision:
    """What the caller may do in a call."""

    __slots__ = ("_call", "_needed", "_rights")

    def __init__(self, call: Call) -> None:
        self._call, self._needed, self._rights = call, call.operation.permission, call.rights

    @property
    def scoped(self) -> bool:
        """Whether resources decide: the permission, or that to read what is referenced, does not hold everywhere; or policies
        narrow it."""
        if self._rights is not self._call.principal:
            return True
        return not (self._rights.may(self._needed) and self._rights.may(READ))

    def allows(self, resource: Resource) -> bool:
        """Whether the caller may have an answer that tells of a resource."""
        kind, name = resource
        if kind is _SUBJECT:
            lookup = self._call.operation.lookup
            return self._rights.may(self._needed, name) or bool(lookup and self._rights.may(lookup, name))
        if kind is _REFERENCE:
            return self._rights.may(READ, name)
        if kind is _REGISTRY:
            return self._rights.where(self._needed).everything
        return kind is not _CONTEXT or self._rights.where(self._needed).covers(Scope(name))

    def demand(self, resource: Resource) -> None:
        """Raises PermissionDenied for what the call may not touch; SubjectNotFound for what its caller may not know of. What
        is referenced is looked for where references are resolved, which is told what may be read."""
        if resource.kind is _REFERENCE or self.allows(resource):
            return
        self._call.refuse(resource)
        if resource.kind is _SUBJECT and not self._rights.knows(resource.name):
            raise SubjectNotFound(resource.name)
        raise self.denied(f"for {resource.kind} {resource.name!r}", resource)

    def demand_named(self, resource: Resource) -> None:
        """As `demand`, of what the request names: known by its name alone, whether it is there or not."""
        try:
            self.demand(resource)
        except SubjectNotFound:
            if self._needed in ANSWERED_WHEN_MISSING or self._call.operation.unnamed is Unnamed.FILTERED:
                raise self.denied(f"for {resource.kind} {resource.name!r}", resource) from None
            raise

    def denied(self, where: str, resource: Resource | None = None) -> RegistryError:
        """The refusal of a permission that does not hold there, or that the policies narrow."""
        call = self._call
        subject = resource.name if resource is not None and resource.kind is _SUBJECT else None
        if call.principal.may(self._needed, subject):
            return refused_by_policies(call, where)
        if call.principal.anonymous:
            return Unauthenticated(
                f"{call.operation.name} needs credentials; send `authorization: Bearer TOKEN`",
                permission=self._needed,
            )
        return PermissionDenied(
            f"{call.operation.name} needs permission {self._needed!r} {where}, which {call.principal.name!r} does not have",
            permission=self._needed,
            principal=call.principal.name,
        )


def refused_by_policies(call: Call, where: str) -> PermissionDenied:
    """The refusal of what grants give, and policies do not."""
    return PermissionDenied(
        f"the access policies do not allow {call.principal.name!r} to call {call.operation.name}{' ' * bool(where)}{where}",
        permission=call.operation.permission,
        principal=call.principal.name,
    )


def _bind_rights(call: Call, policies: Policies) -> None:
    """What the caller may do in the call, as the policies are now."""
    principal = call.principal
    call.rights = policies.rights(principal, lambda: call.peer.address) if policies.on else principal


def demand_somewhere(call: Call) -> None:
    """Raises PermissionDenied when what the call's operation declares holds nowhere; Unauthenticated when its principal is nobody."""
    operation, principal = call.operation, call.principal
    needed, rights = operation.permission, call.rights
    if needed == NO_PERMISSION or rights.may(needed) or not rights.where(needed).nothing:
        return
    if operation.lookup and not rights.where(operation.lookup).nothing:
        return
    if not principal.where(needed).nothing:
        raise refused_by_policies(call, "")
    if principal.anonymous:
        raise Unauthenticated(
            f"{operation.name} needs credentials; send `authorization: Bearer TOKEN`",
            permission=needed,
        )
    raise PermissionDenied(
        f"{operation.name} needs permission {needed!r}, which {principal.name!r} does not have",
        permission=needed,
        principal=principal.name,
    )
