"""What is recorded of a call that the storage does not record itself: whether, as what, and about what."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import pytest
import pytest_asyncio

from llm_schema_registry_server.audit.recording import Recorder, audited_store
from llm_schema_registry_server.audit.trail import Trail
from llm_schema_registry_server.auth.authenticator import GUESSES
from llm_schema_registry_server.calls.call import Call
from llm_schema_registry_server.calls.guards.audit import Audit
from llm_schema_registry_server.calls.operation import Operation, Resource, ResourceKind
from llm_schema_registry_server.calls.peer import TrustedProxies
from llm_schema_registry_server.calls.pipeline import Pipeline
from llm_schema_registry_server.errors import (
    LimitExceeded,
    PermissionDenied,
    RateLimited,
    RegistryError,
    SchemaNotFound,
    StorageUnavailable,
    SubjectNotFound,
    Unauthenticated,
)
from llm_schema_registry_server.model.audit import (
    MOST_RESOURCES,
    AuditEntry,
    AuditEvent,
    AuditOutcome,
    AuditResource,
    decode,
)
from llm_schema_registry_server.model.principal import Principal
from llm_schema_registry_server.storage.memory import MemoryStore
from llm_schema_registry_server.storage.values import Hiding
from tests.support.storage import START, change, insert, version

E, O = AuditEvent, AuditOutcome  # noqa: E741
READ = Operation("/t/GetSchema", "GetSchema", "schema:read", cached=True)
CHECK = Operation("/t/ValidateData", "ValidateData", "schema:validate")
WRITE = Operation("/t/RegisterSchema", "RegisterSchema", "schema:write", mutates=True)
DELETE = Operation("/t/DeleteSubject", "DeleteSubject", "subject:delete", mutates=True)
OPERATIONS = (READ, CHECK, WRITE, DELETE)


@dataclass
class World:
    """A pipeline whose handlers do what their request says: an error is raised, resources are touched; `write` really writes."""

    store: MemoryStore
    trail: Trail
    pipeline: Pipeline

    async def call(self, operation: Operation, request: object = None, **options: object) -> Call:
        made = call(operation, **options)
        if isinstance(request, RegistryError):
            with pytest.raises(type(request)):
                await self.pipeline.unary(made, [request])
        else:
            await self.pipeline.unary(made, request)
        return made

    async def records(self) -> Sequence[AuditEntry]:
        """Those of the trail and those of writes, in the order in which they were stored."""
        await self.trail.flush()
        async with self.store.write() as tx:
            return [decode(noted.entry) for noted in await tx.take_audit(1000)]


def call(
    operation: Operation, *, principal: Principal | None = None, refused: int = 0, touched: int = 0
) -> Call:
    made = Call(operation, {"user-agent": "curl/8"}, "10.0.0.7:4711", "grpc", "request-1")
    made.principal = principal or Principal("ada", credential="token j-1")
    made.resources = tuple(Resource(ResourceKind.SUBJECT, f"s{n}") for n in range(touched))
    for number in range(refused):
        made.refuse(Resource(ResourceKind.SUBJECT, f"hidden{number}"))
    return made


async def world(store: MemoryStore, *, reads: bool) -> World:
    recording = audited_store(store, Recorder())

    async def handle(request: object, call: Call) -> None:
        match request:
            case [RegistryError() as error]:
                raise error
            case "write":
                async with recording.write() as tx:
                    await tx.append_change(change(correlation_id=call.request_id))
            case "hide":
                told = [change(correlation_id=call.request_id, ordinal=n) for n in range(250)]
                made = [version("s", n, schema_id=f"id-{n}") for n in range(250)]
                await insert(store, *made)
                subject = made[0].subject
                held = (await store.subject_snapshot(subject, [], "")).precondition
                await recording.hide(held, Hiding(subject, [v.schema_id for v in made], told, START))

    trail = Trail(store, lambda: START, most=1000)
    guard = Audit(trail, lambda: START, reads=reads)
    # Requests of these tests name nothing; what the call touches was set before.
    return World(store, trail, Pipeline([(each, handle) for each in OPERATIONS], [guard]))


@pytest_asyncio.fixture
async def store() -> AsyncIterator[MemoryStore]:
    made = MemoryStore()
    await made.open()
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("error", "event"),
    [
        (Unauthenticated("who"), E.AUTHENTICATION_FAILURE),
        (PermissionDenied("no"), E.AUTHORIZATION_DENIED),
        (RateLimited("slower"), E.RATE_LIMIT_EXCEEDED),
        (LimitExceeded("full"), E.RATE_LIMIT_EXCEEDED),
    ],
)
@pytest.mark.parametrize("operation", [READ, WRITE], ids=lambda o: o.name)
async def test_a_refused_call_is_recorded_once_whatever_it_would_have_done(
    store: MemoryStore, operation: Operation, error: RegistryError, event: AuditEvent
) -> None:
    made = await world(store, reads=False)
    await made.call(operation, error)
    (record,) = await made.records()
    assert (record.event, record.outcome) == (event, O.DENIED)
    assert (record.code, record.reason) == (error.code.name, error.reason)
    assert (record.principal, record.credential, record.address) == ("ada", "token j-1", "10.0.0.7")
    assert (record.operation, record.permission, record.wire) == (
        operation.name,
        operation.permission,
        "grpc",
    )
    assert (record.user_agent, record.request_id, record.via) == ("curl/8", "request-1", "")


async def test_versions_that_are_hidden_together_have_a_record_each_and_the_call_has_none(
    store: MemoryStore,
) -> None:
    made = await world(store, reads=True)
    await made.call(WRITE, "hide")

    records = await made.records()
    assert len(records) == 250
    assert {(r.operation, r.principal, r.request_id) for r in records} == {(WRITE.name, "ada", "request-1")}
    async with store.read() as tx:
        assert (await tx.subject_totals()).live == 0


async def test_guesses_are_suspicious(store: MemoryStore) -> None:
    made = await world(store, reads=False)
    guessing = call(READ)
    guessing.guesses = True
    with pytest.raises(LimitExceeded):
        await made.pipeline.unary(guessing, [LimitExceeded("wait", what=GUESSES)])
    assert [record.event for record in await made.records()] == [E.SUSPICIOUS_ACTIVITY]


async def test_what_was_hidden_from_a_caller_is_recorded_as_denied_with_its_name(store: MemoryStore) -> None:
    made = await world(store, reads=False)
    hiding = call(READ, refused=1, touched=3)
    with pytest.raises(SubjectNotFound):
        await made.pipeline.unary(hiding, [SubjectNotFound("hidden0")])
    (record,) = await made.records()
    assert (record.event, record.outcome, record.reason) == (
        E.AUTHORIZATION_DENIED,
        O.DENIED,
        "SUBJECT_NOT_FOUND",
    )
    assert record.resources == (AuditResource("subject", "hidden0"),)


async def test_a_write_that_left_something_out_is_recorded_as_both(store: MemoryStore) -> None:
    made = await world(store, reads=False)
    await made.pipeline.unary(call(DELETE, refused=2), None)
    denied, allowed = await made.records()
    assert (denied.event, denied.outcome, denied.code) == (E.AUTHORIZATION_DENIED, O.DENIED, "OK")
    assert [resource.name for resource in denied.resources] == ["hidden0", "hidden1"]
    assert (allowed.event, allowed.outcome) == (E.SCHEMA_DELETED, O.ALLOWED)


async def test_a_write_is_recorded_once_by_the_storage_or_by_the_guard(store: MemoryStore) -> None:
    made = await world(store, reads=False)
    await made.call(WRITE, "write")
    (written,) = await made.records()
    assert (written.event, written.outcome, written.operation) == (
        E.SCHEMA_REGISTERED,
        O.ALLOWED,
        "RegisterSchema",
    )
    await made.call(WRITE, "nothing to write")
    await made.call(WRITE, StorageUnavailable("away"))
    unwritten, failed = await made.records()
    assert (unwritten.event, unwritten.outcome) == (E.SCHEMA_REGISTERED, O.ALLOWED)
    assert (failed.outcome, failed.reason) == (O.FAILED, "STORAGE_UNAVAILABLE")


async def test_reads_are_recorded_where_that_is_wanted_and_only_there(store: MemoryStore) -> None:
    for reads in (False, True):
        made = await world(store, reads=reads)
        await made.call(READ)
        await made.call(CHECK)
        await made.call(READ, SchemaNotFound("x"))
        found = [(record.event, record.outcome) for record in await made.records()]
        assert found == [
            (E.AUTHORIZATION_GRANTED, O.ALLOWED),
            (E.SCHEMA_VALIDATED, O.ALLOWED),
            (E.AUTHORIZATION_GRANTED, O.FAILED),
        ] * int(reads)


async def test_a_kept_answer_is_a_read(store: MemoryStore) -> None:
    trail = Trail(store, lambda: START, most=1000)
    guard = Audit(trail, lambda: START, reads=True)
    guard.answered(call(READ, touched=1))
    await trail.flush()
    async with store.write() as tx:
        (record,) = [decode(noted.entry) for noted in await tx.take_audit(10)]
    assert (record.event, record.outcome, record.code) == (E.AUTHORIZATION_GRANTED, O.ALLOWED, "OK")
    assert not hasattr(Audit(trail, lambda: START, reads=False), "answered")


async def test_of_many_resources_the_first_are_named_and_the_others_counted(store: MemoryStore) -> None:
    made = await world(store, reads=True)
    await made.pipeline.unary(call(CHECK, refused=MOST_RESOURCES + 4), None)
    denied, _ = await made.records()
    assert (len(denied.resources), denied.more_resources) == (MOST_RESOURCES, 4)


async def test_calls_alike_are_counted_together(store: MemoryStore) -> None:
    made = await world(store, reads=False)
    for _ in range(500):
        await made.call(READ, PermissionDenied("no"))
    records = await made.records()
    assert sum(record.count for record in records) == 500
    assert len(records) < 50


async def test_who_speaks_for_others_is_recorded_beside_them(store: MemoryStore) -> None:
    made = await world(store, reads=False)
    proxied = Call(
        READ,
        {"x-forwarded-for": "192.0.2.1"},
        "10.0.0.7:4711",
        "http",
        "request-2",
        proxies=TrustedProxies([ipaddress.ip_network("10.0.0.0/8")]),
    )
    with pytest.raises(Unauthenticated):
        await made.pipeline.unary(proxied, [Unauthenticated("who")])
    (record,) = await made.records()
    assert (record.kind, record.address, record.via) == ("anonymous", "192.0.2.1", "10.0.0.7:4711")
