"""Records every write in its own transaction: a store whose changes are noted in the audit log, whoever makes them."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from operator import attrgetter
from types import TracebackType

from llm_schema_engines.model.fast_init import fast_init, fast_replace

from ..model.audit import EFFECT, LESS, LEVEL, AuditEntry, AuditEvent, AuditOutcome, AuditResource, encode
from ..model.change import Change, EventType, Kind, ServerEvent
from ..model.schema import SchemaVersion
from ..storage.audit_rows import Noted
from ..storage.store import Store, WriteTx
from ..storage.values import Hiding, NewVersion, Precondition
from ..storage.wrappers.forwarding import forwarding

_AT_ONCE = 100
"""Records that are made before others have their turn on the event loop: some milliseconds."""
SYSTEM = "system"
"""The kind of caller that the server itself is."""


@fast_init
@dataclass(frozen=True, slots=True)
class Source:
    """Who does something, from where and by which operation: the fields of an entry with these names. event: what the operation
    does."""

    principal: str
    kind: str = "user"
    credential: str = ""
    address: str = ""
    via: str = ""
    user_agent: str = ""
    wire: str = ""
    operation: str = ""
    permission: str = ""
    request_id: str = ""
    event: AuditEvent = AuditEvent.AUTHORIZATION_GRANTED


class Recorded:
    """One call as the audit sees it. source: asked once, when there is something to record. written: whether something that the call
    has written was recorded with it."""

    __slots__ = ("_found", "_source", "request_id", "written")

    def __init__(self, request_id: str, source: Callable[[], Source]) -> None:
        self.request_id = request_id
        self.written = False
        self._source = source
        self._found: Source | None = None

    @property
    def source(self) -> Source:
        if self._found is None:
            self._found = self._source()
        return self._found


_RECORDED: ContextVar[Recorded | None] = ContextVar("audited_call", default=None)


def bind(call: Recorded | None) -> None:
    """Make it the call of the running asyncio task, and of those that it starts from now on."""
    _RECORDED.set(call)


_PREFIX = secrets.token_hex(8)


def _ticks() -> Iterator[int]:
    last = 0
    while True:
        last = max(last + 1, time.time_ns() // 1000)
        yield last


_TICKS = _ticks()


def new_id() -> str:
    """Distinct for each record: the process, and the time at which there was no other."""
    return f"{_PREFIX}-{next(_TICKS):x}"


E, K = AuditEvent, EventType
EVENTS: Mapping[Kind, AuditEvent] = {
    K.SCHEMA_REGISTERED: E.SCHEMA_REGISTERED,
    K.SCHEMA_CREATED: E.SCHEMA_REGISTERED,
    K.SCHEMA_UPDATED: E.SCHEMA_UPDATED,
    K.SCHEMA_DELETED: E.SCHEMA_DELETED,
    K.SCHEMA_UNDELETED: E.SCHEMA_UPDATED,
    K.SCHEMA_DEPRECATED: E.SCHEMA_DEPRECATED,
    K.SCHEMA_VALIDATED: E.SCHEMA_VALIDATED,
    K.SCHEMA_ACTIVATED: E.SCHEMA_PUBLISHED,
    K.SCHEMA_ARCHIVED: E.SCHEMA_UPDATED,
    K.SCHEMA_ROLLED_BACK: E.SCHEMA_UPDATED,
    K.COMPATIBILITY_CHECK_FAILED: E.SCHEMA_VALIDATED,
    K.VALIDATION_FAILED: E.SCHEMA_VALIDATED,
    K.CONSUMER_REGISTERED: E.SCHEMA_UPDATED,
    K.CONSUMER_UNREGISTERED: E.SCHEMA_UPDATED,
    K.USAGE_THRESHOLD_EXCEEDED: E.SUSPICIOUS_ACTIVITY,
    K.CONFIG_UPDATED: E.CONFIGURATION_CHANGED,
    K.PROFILE_VERDICT_CHANGED: E.SCHEMA_VALIDATED,
}
"""The event of each kind of change but ACCESS_UPDATED, whose event is that of the operation; see `_event_of`."""
_FAILURES = frozenset({K.COMPATIBILITY_CHECK_FAILED, K.VALIDATION_FAILED})


def entry_of(change: Change, source: Source | None) -> AuditEntry:
    """What is recorded of a change. source: None outside of calls."""
    source = source or Source(
        change.actor or "schema-registry-server", SYSTEM, request_id=change.correlation_id
    )
    failed = change.event_type in _FAILURES
    return AuditEntry(
        id=new_id(),
        at=change.at,
        event=_event_of(change, source),
        outcome=AuditOutcome.FAILED if failed else AuditOutcome.ALLOWED,
        resources=_resources(change),
        code="FAILED_PRECONDITION" if failed else "OK",
        reason=change.event_type.name if failed else "",
        facts={"change": change.event_type.name, **_facts(change)},
        **dict(zip(SHARED, _shared(source), strict=True)),
    )


def _event_of(change: Change, source: Source) -> AuditEvent:
    noted = change.noted
    if change.event_type is ServerEvent.ACCESS_UPDATED and noted.get(EFFECT) == LESS:
        return E.PERMISSION_REVOKED
    if change.event_type is K.CONFIG_UPDATED and LEVEL in noted:
        return E.COMPATIBILITY_MODE_CHANGED
    return EVENTS.get(change.event_type, source.event)


SHARED = (
    "principal", "kind", "credential", "address", "via", "user_agent", "wire", "operation", "permission", "request_id",
)  # fmt: skip
"""Fields that a source and an entry have alike."""
_shared = attrgetter(*SHARED)


def _resources(change: Change) -> tuple[AuditResource, ...]:
    if change.event_type is ServerEvent.ACCESS_UPDATED:
        return (AuditResource(change.metadata.get("access", ""), change.metadata.get("item", "")),)
    found = []
    if change.subject is not None:
        found.append(AuditResource("subject", str(change.subject)))
    if change.schema_id:
        found.append(AuditResource("schema", change.schema_id))
    return tuple(found)


def _facts(change: Change) -> dict[str, str]:
    version = {"version": change.version} if change.version else {}
    if change.event_type is ServerEvent.ACCESS_UPDATED:  # whose metadata are its resource
        return {**version, **change.noted}
    return {**version, **change.metadata, **change.noted}


class Recorder:
    """Makes the records of changes, for the call of the running task."""

    def noted(self, change: Change) -> tuple[str, Recorded | None]:
        """The record of a change, without its revision, and the call that makes it."""
        call = _RECORDED.get()
        if call is not None and call.request_id != change.correlation_id:
            call = None  # made by something that a call has started, and that outlives it
        return encode(entry_of(change, None if call is None else call.source)), call


class AuditedWriteTx(WriteTx):
    """See store.WriteTx for the meaning of each method."""

    def __init__(self, inner: WriteTx, recorder: Recorder) -> None:
        self._inner, self._recorder = inner, recorder
        self.calls: list[Recorded] = []

    async def append_change(self, change: Change) -> int:
        return (await self.append_changes([change]))[0]

    async def append_changes(self, changes: Sequence[Change]) -> Sequence[int]:
        noted = [self._recorder.noted(change) for change in changes]
        revisions = await self._inner.append_changes(changes)
        await self._inner.note_audit([Noted(n[0], r) for n, r in zip(noted, revisions, strict=True)])
        self.calls += {call for _, call in noted if call is not None}
        return revisions


audited_write_tx = forwarding(AuditedWriteTx)


class _Writing(AbstractAsyncContextManager[WriteTx]):
    """A transaction; calls are told that they were recorded once it is committed."""

    __slots__ = ("_inner", "_recorder", "_tx")

    def __init__(self, inner: AbstractAsyncContextManager[WriteTx], recorder: Recorder) -> None:
        self._inner, self._recorder = inner, recorder

    async def __aenter__(self) -> WriteTx:
        self._tx = audited_write_tx(await self._inner.__aenter__(), self._recorder)
        return self._tx

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        swallowed = await self._inner.__aexit__(kind, error, trace)
        if error is None:
            for call in self._tx.calls:
                call.written = True
        return swallowed


class AuditedStore(Store):
    """See store.Store for the meaning of each method. `audited_store` makes one."""

    def __init__(self, inner: Store, recorder: Recorder) -> None:
        self._inner, self._recorder = inner, recorder

    def write(self) -> AbstractAsyncContextManager[WriteTx]:
        return _Writing(self._inner.write(), self._recorder)

    async def append(self, precondition: Precondition, entry: NewVersion) -> SchemaVersion | None:
        text, call = self._recorder.noted(entry.change)
        made = await self._inner.append(precondition, fast_replace(entry, audit=text))
        if made is not None and call is not None:
            call.written = True
        return made

    async def hide(self, precondition: Precondition, hiding: Hiding) -> int | None:
        texts, calls = list[str](), set[Recorded]()
        for change in hiding.changes:
            if len(texts) % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
            text, call = self._recorder.noted(change)
            texts.append(text)
            if call is not None:
                calls.add(call)
        last = await self._inner.hide(precondition, replace(hiding, audit=texts))
        if last is not None:
            for call in calls:
                call.written = True
        return last


audited_store = forwarding(AuditedStore)
