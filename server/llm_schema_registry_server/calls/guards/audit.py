"""Records calls in the audit log: refused ones always, those that change something, and reads where that is wanted.

What a call writes is recorded by the store, in the same transaction; the guard only says whose call it is. It stands outside of
those that refuse, and sees what became of the call when it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from datetime import datetime
from types import TracebackType

from ...audit.recording import SHARED, Recorded, Source, bind, new_id
from ...audit.trail import Trail
from ...model.audit import MOST_RESOURCES, AuditEntry, AuditEvent, AuditOutcome, AuditResource
from ..call import OK, Call, Outcome
from ..guard import NOTIFIED, Guard, OnCached, Rank, not_needed
from ..operation import Operation

E = AuditEvent
EVENTS: Mapping[str, AuditEvent] = {
    "RegisterSchema": E.SCHEMA_REGISTERED,
    "UpdateSchemaMetadata": E.SCHEMA_UPDATED,
    "DeleteSchema": E.SCHEMA_DELETED,
    "DeleteSubject": E.SCHEMA_DELETED,
    "UndeleteSchema": E.SCHEMA_UPDATED,
    "SetConfig": E.CONFIGURATION_CHANGED,
    "DeleteConfig": E.CONFIGURATION_CHANGED,
    "PutProfile": E.CONFIGURATION_CHANGED,
    "DeleteProfile": E.CONFIGURATION_CHANGED,
    "SetGrant": E.ROLE_ASSIGNED,
    "DeleteGrant": E.ROLE_REVOKED,
    "SetPolicies": E.POLICIES_CHANGED,
    "CreateApiKey": E.TOKEN_GENERATED,
    "UpdateApiKey": E.PERMISSION_GRANTED,
    "RotateApiKey": E.TOKEN_GENERATED,
    "DeleteApiKey": E.TOKEN_REVOKED,
    "RevokeToken": E.TOKEN_REVOKED,
    "ReportOutcomes": E.SCHEMA_VALIDATED,
}
"""What operations that change something do."""
_READS = dict.fromkeys(
    ("ValidateData", "ValidateItems", "BatchValidate", "ValidateSchema"), E.SCHEMA_VALIDATED
)
"""What others do that are more than AUTHORIZATION_GRANTED."""
_OPERATIONS = {**EVENTS, **_READS}

_DENIED = {
    "UNAUTHENTICATED": E.AUTHENTICATION_FAILURE,
    "PERMISSION_DENIED": E.AUTHORIZATION_DENIED,
    "RESOURCE_EXHAUSTED": E.RATE_LIMIT_EXCEEDED,
}
"""Codes of calls that were refused for who makes them or how many."""
_ENDED = {True: AuditOutcome.ALLOWED, False: AuditOutcome.FAILED}
_AGENT = "user-agent"


def event_of(operation: Operation) -> AuditEvent:
    """What a call of it does."""
    return _OPERATIONS.get(operation.name, E.AUTHORIZATION_GRANTED)


class Audit:
    """Records into a trail. reads: also calls that change nothing and that nobody refuses."""

    rank = Rank.AUDIT

    def __init__(self, trail: Trail, clock: Callable[[], datetime], *, reads: bool) -> None:
        self._trail, self._clock, self._reads = trail, clock, reads
        self.on_cached: OnCached = NOTIFIED if reads else not_needed("reads are not recorded")
        if reads:
            self.answered = self._answered

    def __call__(self, call: Call) -> Guard:
        return _Audited(call, self)

    def _answered(self, call: Call) -> None:
        """Records a cached answer that went out at once."""
        self._record(call, OK, event_of(call.operation), AuditOutcome.ALLOWED)

    def ended(self, call: Call, recorded: Recorded | None) -> None:
        """Records how a call ended, as far as that is to be recorded."""
        outcome = call.outcome
        assert outcome is not None  # the pipeline notes it before it leaves any guard
        well = outcome.code == OK.code
        denied = _DENIED.get(outcome.code)
        if denied is None and call.refused:  # hidden as if it were not there, or an item among others
            denied = E.AUTHORIZATION_DENIED
        if denied is not None:
            if call.guesses:
                denied = E.SUSPICIOUS_ACTIVITY
            self._record(call, outcome, denied, AuditOutcome.DENIED)
            if not well:
                return
        if call.operation.mutates:
            if not (well and recorded is not None and recorded.written):
                self._record(call, outcome, event_of(call.operation), _ENDED[well])
        elif self._reads:
            self._record(call, outcome, event_of(call.operation), _ENDED[well])

    def _record(self, call: Call, outcome: Outcome, event: AuditEvent, ended: AuditOutcome) -> None:
        resources = _resources(call, ended)
        principal, address = call.principal.label, call.peer.address
        alike: tuple[Hashable, ...] = ((principal, address, call.operation.id, event, outcome, resources),)
        if ended is AuditOutcome.DENIED:
            alike = (event, (principal, address, event), *alike)
        if self._trail.counted(alike):
            return
        source = source_of(call)
        named = len(call.refused) if ended is AuditOutcome.DENIED and call.refused else len(call.resources)
        entry = AuditEntry(
            id=new_id(),
            at=self._clock(),
            event=event,
            outcome=ended,
            resources=resources,
            more_resources=max(0, named - len(resources)),
            code=outcome.code,
            reason=outcome.reason,
            **{name: getattr(source, name) for name in SHARED},
        )
        self._trail.add(entry, alike)


def source_of(call: Call) -> Source:
    """Who calls, from where."""
    principal, peer = call.principal, call.peer
    return Source(
        principal=principal.label,
        kind="anonymous" if principal.anonymous else principal.kind,
        credential=principal.credential,
        address=peer.address,
        via=peer.connection if peer.forwarded else "",
        user_agent=call.metadata.get(_AGENT, ""),
        wire=call.face,
        operation=call.operation.name,
        permission=call.operation.permission,
        request_id=call.request_id,
        event=event_of(call.operation),
    )


def _resources(call: Call, ended: AuditOutcome) -> tuple[AuditResource, ...]:
    """What the call touched; of a refused one, what it was refused for, if that is known."""
    named = call.refused if ended is AuditOutcome.DENIED and call.refused else call.resources
    return tuple(AuditResource(kind.value, name) for kind, name in named[:MOST_RESOURCES])


class _Audited(Guard):
    __slots__ = ("_audit", "_recorded")

    def __init__(self, call: Call, audit: Audit) -> None:
        super().__init__(call)
        self._audit = audit
        self._recorded: Recorded | None = None

    async def __aenter__(self) -> None:
        call = self.call
        if call.operation.mutates:
            self._recorded = Recorded(call.request_id, lambda: source_of(call))
            bind(self._recorded)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._audit.ended(self.call, self._recorded)
