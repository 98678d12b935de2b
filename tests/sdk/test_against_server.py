"""Both clients against the real server, on both of its gRPC engines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from llm_schema_registry import (
    ChangeClass,
    CompatibilityLevel,
    DataRefused,
    EventType,
    HasDependents,
    HealthStatus,
    IncompatibleSchema,
    InvalidRequest,
    InvalidSchema,
    InvalidSubject,
    NotSoftDeleted,
    ReferenceNotFound,
    RetryPolicy,
    RevisionUnknown,
    SchemaNotFound,
    SchemaOperand,
    SchemaReference,
    SchemaState,
    SchemaTooLarge,
    SchemaType,
    SubjectNotFound,
    TransitionRefused,
    UnsupportedSchemaType,
    VersionNotFound,
)
from tests.api.server import ServerProcess
from tests.sdk.conftest import Face, collect, connect
from tests.support.ports import HeldPort

ENGINES = ("native", "grpcio")

OBJECT = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
WIDER = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "note": {"type": "string"}},
    "required": ["id"],
}
NARROWER = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id", "total"]}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, ServerProcess]]:
    home = tmp_path_factory.mktemp("sdk")
    running = {
        engine: ServerProcess(home / engine, GRPC__ENGINE=engine, LIMITS__PAGE_BYTES="8000000")
        for engine in ENGINES
    }
    yield running
    assert {server.stop() for server in running.values()} == {0}
    assert [event for server in running.values() for event in server.events("call_crashed")] == []


@pytest.fixture(params=ENGINES)
def server(request: pytest.FixtureRequest, servers: dict[str, ServerProcess]) -> ServerProcess:
    return servers[request.param]


@pytest.fixture
async def registry(server: ServerProcess, kind: str) -> AsyncIterator[Face]:
    async with connect(kind, server.grpc) as face:
        yield face


@pytest.fixture
def name() -> Callable[[str], str]:
    unique = f"sdk-{uuid4().hex[:12]}"
    return lambda text="s": f"{unique}.{text}"


Names = Callable[..., str]


async def test_a_schema_from_registration_to_the_grave(registry: Face, name: Names) -> None:
    subject = name()
    first = await registry.register_schema(
        subject,
        OBJECT,
        description="An order",
        tags=["a"],
        metadata={"owner": "me"},
        compatibility_level="full",
    )
    assert (first.version, first.ordinal, first.created, first.state) == (
        "1.0.0",
        1,
        True,
        SchemaState.ACTIVE,
    )

    again = await registry.register_schema(subject, OBJECT)
    assert (again.schema_id, again.created) == (first.schema_id, False)

    found = await registry.get_schema(first.schema_id)
    assert found.json() == OBJECT
    assert (found.subject, found.description, found.tags) == (subject, "An order", ("a",))
    assert (found.metadata, found.compatibility_level) == ({"owner": "me"}, CompatibilityLevel.FULL)
    assert found == await registry.get_schema_by_version(subject, 1)
    assert found == await registry.get_schema_by_version(subject, "^1.0")
    assert found == await registry.get_latest_version(subject)
    assert (await registry.get_content(first.schema_id)).content == found.content

    changed = await registry.update_schema_metadata(
        first.schema_id, tags=[], state="deprecated", reason="old"
    )
    assert (changed.tags, changed.state, changed.metadata) == ((), SchemaState.DEPRECATED, {"owner": "me"})
    last = (await registry.get_schema_history(first.schema_id))[-1]
    assert (last.from_state, last.to_state, last.reason) == (
        SchemaState.ACTIVE,
        SchemaState.DEPRECATED,
        "old",
    )
    with pytest.raises(TransitionRefused):
        await registry.update_schema_metadata(first.schema_id, state="draft")

    with pytest.raises(NotSoftDeleted):
        await registry.delete_schema(first.schema_id, permanent=True)
    await registry.delete_schema(first.schema_id)
    assert (await registry.get_schema(first.schema_id)).deleted_at is not None
    (gone,) = await registry.get_subject_versions(subject, include_deleted=True)
    assert gone.deleted_at is not None
    back = await registry.undelete_schema(first.schema_id)
    assert (back.version, back.deleted_at) == ("1.0.0", None)
    assert await registry.delete_subject(subject) == ("1.0.0",)
    assert await registry.delete_subject(subject, permanent=True) == ("1.0.0",)
    with pytest.raises(SchemaNotFound):
        await registry.get_schema(first.schema_id)


async def test_what_is_incompatible_is_refused_with_the_report(registry: Face, name: Names) -> None:
    subject = name()
    await registry.register_schema(subject, OBJECT)

    with pytest.raises(IncompatibleSchema) as caught:
        await registry.register_schema(subject, NARROWER)
    report = caught.value.report
    assert report is not None
    assert not report.compatible
    assert report.violations
    assert report.compared_versions == ("1.0.0",)
    assert caught.value.request_id
    checked = await registry.check_compatibility(subject, NARROWER)
    assert checked.violations == report.violations
    assert [v.version for v in await registry.get_subject_versions(subject)] == ["1.0.0"]


async def test_what_changed_is_told(registry: Face, name: Names) -> None:
    subject = name()
    done = await registry.register_schema(subject, OBJECT)
    old = await registry.get_schema(done.schema_id)

    diff = await registry.diff_schemas(old, SchemaOperand(content=NARROWER))
    assert diff.differences
    assert (diff.backward.compatible, diff.change_class) == (False, ChangeClass.BREAKING)
    same = await registry.diff_schemas(SchemaOperand(subject), SchemaOperand(schema_id=done.schema_id))
    assert same.differences == ()


async def test_a_schema_in_another_language(registry: Face, name: Names) -> None:
    done = await registry.register_schema(name(), OBJECT)

    converted = await registry.convert_schema(
        SchemaOperand(schema_id=done.schema_id), "avro", data={"id": "x"}
    )
    assert converted.schema_type is SchemaType.AVRO
    assert (await registry.validate_schema(converted.content, "avro")).valid
    assert converted.data
    with pytest.raises(DataRefused):
        await registry.convert_schema(SchemaOperand(schema_id=done.schema_id), "avro", data={"id": 7})


async def test_a_report_too_large_for_trailers_still_says_why(registry: Face, name: Names) -> None:
    subject = name()
    wide = {"type": "object", "properties": {f"property-{n:03}": {"type": "string"} for n in range(200)}}
    narrow = {"type": "object", "properties": {f"property-{n:03}": {"type": "boolean"} for n in range(200)}}
    await registry.register_schema(subject, wide)

    with pytest.raises(IncompatibleSchema) as caught:
        await registry.register_schema(subject, narrow)
    assert subject in caught.value.message
    assert caught.value.report is not None
    assert caught.value.report.violations


async def test_an_invalid_schema_says_where(registry: Face, name: Names) -> None:
    with pytest.raises(InvalidSchema) as caught:
        await registry.register_schema(name(), '{\n  "type": "objekt"\n}')
    issue = caught.value.issues[0]
    assert (issue.pointer, issue.line) == ("/type", 2)
    report = await registry.validate_schema('{"type": "objekt"}')
    assert not report.valid
    assert report.issues[0].pointer == "/type"
    assert (await registry.validate_schema(OBJECT)).fingerprints is not None


@pytest.mark.parametrize(
    ("kind_", "good", "bad_", "data"),
    [
        (SchemaType.JSON, OBJECT, {"id": 1}, {"id": "x"}),
        (
            SchemaType.AVRO,
            {"type": "record", "name": "R", "fields": [{"name": "id", "type": "string"}]},
            {"id": 1},
            {"id": "x"},
        ),
        (SchemaType.PROTOBUF, 'syntax = "proto3"; message R { string id = 1; }', {"id": {}}, {"id": "x"}),
    ],
    ids=["json", "avro", "protobuf"],
)
async def test_data_is_judged_in_each_format(
    kind_: SchemaType, good: Any, bad_: Any, data: Any, registry: Face, name: Names
) -> None:
    schema_id = (await registry.register_schema(name(), good, kind_)).schema_id

    assert (await registry.validate_data(schema_id, data)).valid
    report = await registry.validate_data(schema_id, bad_)
    assert not report.valid
    assert report.errors[0].message


async def test_batches_keep_order_and_survive_a_bad_item(registry: Face, name: Names) -> None:
    subject = name()
    schema_id = (await registry.register_schema(subject, OBJECT)).schema_id
    items = [(schema_id, {"id": str(n)} if n % 2 else {}) for n in range(150)]
    items[70] = (str(uuid4()), {"id": "x"})

    reports = await collect(registry.validate_many(items, window=16))
    assert [r.index for r in reports] == list(range(150))
    assert isinstance(reports[70].error, SchemaNotFound)
    assert [r.valid for r in reports] == [n % 2 == 1 and n != 70 for n in range(150)]

    checks = [(subject, OBJECT), (name("missing"), OBJECT), (subject, NARROWER), (subject, "{")]
    same, missing, narrower, broken = await collect(registry.check_many(checks))
    assert same.compatible
    assert missing.compatible or missing.error is not None
    assert not narrower.compatible
    assert narrower.error is None
    assert isinstance(broken.error, InvalidSchema)


async def test_lists_pages_and_search(registry: Face, name: Names) -> None:
    subjects = [name(f"s{n}") for n in range(7)]
    for subject in subjects:
        await registry.register_schema(subject, OBJECT, tags=["paged"])

    prefix = name("")
    assert await collect(registry.iter_subjects(prefix=prefix, limit=3)) == subjects
    page = await registry.list_subjects(prefix=prefix, limit=3)
    assert (list(page), page.total, bool(page.next_page_token)) == (subjects[:3], 7, True)
    assert [s.subject for s in await collect(registry.list_schemas(subject_prefix=prefix))] == subjects
    assert len(await collect(registry.list_schemas(subject_prefix=prefix, limit=2, offset=1))) == 2
    found = await collect(registry.iter_search(subject_pattern=f"{prefix}*", tags=["paged"], limit=2))
    assert sorted(s.subject for s in found) == subjects
    assert await collect(registry.iter_versions(subjects[0])) == ["1.0.0"]


async def test_references_are_followed_and_protected(registry: Face, name: Names) -> None:
    money, order = name("money"), name("order")
    used = await registry.register_schema(money, {"type": "number"})
    user = await registry.register_schema(
        order,
        {"type": "object", "properties": {"total": {"$ref": "money.json"}}},
        references=[SchemaReference("money.json", money)],
    )

    (reference,) = (await registry.get_schema(user.schema_id)).references
    assert (reference.name, reference.version, reference.schema_id) == ("money.json", "1.0.0", used.schema_id)
    (dependency,) = await registry.get_dependencies(user.schema_id, transitive=True)
    assert (dependency.subject, dependency.depth) == (money, 1)
    (dependent,) = await registry.get_dependents(used.schema_id)
    assert dependent.subject == order
    await registry.delete_schema(used.schema_id)
    with pytest.raises(HasDependents):
        await registry.delete_schema(used.schema_id, permanent=True)
    with pytest.raises(ReferenceNotFound):
        await registry.register_schema(name("x"), {}, references=[SchemaReference("a", name("nothing"))])


async def test_settings_of_a_subject(registry: Face, name: Names) -> None:
    subject = name()
    view = await registry.set_config(subject, compatibility_level="none", mode="readwrite")
    assert view.effective.compatibility_level is CompatibilityLevel.NONE
    assert view.sources["compatibility_level"] == f"subject:{subject}"
    assert view.revision
    await registry.register_schema(subject, OBJECT)
    assert (await registry.register_schema(subject, NARROWER)).change_class is ChangeClass.BREAKING
    await registry.delete_config(subject)
    assert (await registry.get_config(subject)).config.compatibility_level is None


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (SchemaNotFound, lambda c, n: c.get_schema("0198c0de-0000-7000-8000-000000000001")),
        (SubjectNotFound, lambda c, n: c.get_latest_version(n("none"))),
        (InvalidSubject, lambda c, n: c.register_schema("", OBJECT)),
        (InvalidSubject, lambda c, n: c.register_schema("x" * 10_000, OBJECT)),
        (InvalidSchema, lambda c, n: c.register_schema(n(), b"\xff\xfe")),
        (InvalidRequest, lambda c, n: c.register_schema(n(), "")),
        (SchemaTooLarge, lambda c, n: c.register_schema(n(), '"' + "x" * (2 << 20) + '"')),
        (UnsupportedSchemaType, lambda c, n: c.register_schema(n(), "struct A {}", "thrift")),
    ],
)
async def test_failures_arrive_as_their_classes(error: Any, call: Any, registry: Face, name: Names) -> None:
    with pytest.raises(error) as caught:
        await call(registry, name)
    assert caught.value.reason == error.REASON
    assert caught.value.request_id


async def test_a_version_that_is_not_there(registry: Face, name: Names) -> None:
    await registry.register_schema(name(), OBJECT)
    with pytest.raises(VersionNotFound):
        await registry.get_schema_by_version(name(), 9)


async def test_a_read_sees_the_write_before_it(server: ServerProcess, kind: str, name: Names) -> None:
    async with connect(kind, server.grpc, read_your_writes=True) as registry:
        for tag in "abcdef":
            done = await registry.register_schema(name(), OBJECT)
            await registry.update_schema_metadata(done.schema_id, tags=[tag])
            assert (await registry.get_schema(done.schema_id)).tags == (tag,)
        assert registry.client._transport._last_write.revision


async def test_health(registry: Face) -> None:
    health = await registry.health_check()
    assert health.status is HealthStatus.HEALTHY
    assert "storage" in health.components


async def test_odd_names_survive(registry: Face, name: Names) -> None:
    for odd in ("a/b c", "%2F", "ü-名", "a..b", "'\";--"):
        subject = name(odd)
        done = await registry.register_schema(subject, OBJECT)
        assert (await registry.get_latest_version(subject)).id == done.schema_id


async def test_an_answer_larger_than_grpc_s_own_limit(registry: Face, name: Names) -> None:
    for n in range(6):
        await registry.register_schema(name(f"big{n}"), {"title": "x" * 900_000})

    page = await registry.search_schemas(subject_pattern=name("big*"))
    assert sum(len(s.content) for s in page) > 4 * 1024 * 1024


async def test_many_calls_at_once(registry: Face, name: Names) -> None:
    done = await registry.register_schema(name(), OBJECT)
    found = await asyncio.gather(*(registry.get_schema(done.schema_id) for _ in range(200)))
    assert {s.id for s in found} == {done.schema_id}


async def test_a_watch_sees_what_happens(registry: Face, name: Names) -> None:
    watch = registry.watch(
        subjects=[name("*")], event_types=["schema_registered"], include_schema=True, heartbeats=True
    )
    start = (await collect(watch, 1))[0]
    assert start.heartbeat
    done = await registry.register_schema(name("a"), OBJECT)
    await registry.update_schema_metadata(done.schema_id, tags=["unseen"])
    await registry.register_schema(name("b"), WIDER)

    first, second = await collect(watch, 2)
    await watch.aclose()
    assert [e.subject for e in (first, second)] == [name("a"), name("b")]
    assert first.event_type is EventType.SCHEMA_REGISTERED
    assert first.schema is not None
    assert first.schema.json() == OBJECT
    assert first.revision == done.revision
    resumed = registry.watch(
        subjects=[name("*")], event_types=["schema_registered"], from_revision=first.revision
    )
    (again,) = await collect(resumed, 1)
    await resumed.aclose()
    assert again.revision == second.revision == resumed.revision


async def test_a_revision_of_another_registry_is_refused(registry: Face) -> None:
    watch = registry.watch(from_revision="00000000.0000000000000001")
    with pytest.raises(RevisionUnknown):
        await collect(watch, 1)


@asynccontextmanager
async def short_lived(home: Path, engine: str, port: HeldPort) -> AsyncIterator[ServerProcess]:
    server = await asyncio.to_thread(
        ServerProcess, home, GRPC__ENGINE=engine, GRPC__PORT=str(port), DRAIN_SECONDS="2"
    )
    try:
        yield server
    finally:
        await asyncio.to_thread(server.kill)


@pytest.mark.parametrize(("engine", "end"), [("native", "killed"), ("grpcio", "drained")])
async def test_a_watch_outlives_the_server(engine: str, end: str, kind: str, tmp_path: Path) -> None:
    port = HeldPort()
    async with short_lived(tmp_path, engine, port) as first:
        retry = RetryPolicy(attempts=100, first=0.05, longest=0.2)
        async with connect(kind, first.grpc, retry=retry) as registry:
            watch = registry.watch(event_types=["schema_registered"], heartbeats=True)
            await collect(watch, 1)
            await registry.register_schema("a", OBJECT)
            (seen,) = await collect(watch, 1)
            assert seen.subject == "a"
            await asyncio.to_thread(first.stop if end == "drained" else first.kill)
            async with short_lived(tmp_path, engine, port):
                await registry.register_schema("b", OBJECT)
                events = [e async for e in until(watch, "b")]
                await watch.aclose()
    assert [e.subject for e in events if not e.heartbeat] == ["b"]


async def until(watch: Any, subject: str) -> AsyncIterator[Any]:
    async for event in watch:
        yield event
        if event.subject == subject:
            return


async def test_a_batch_outlives_the_server(kind: str, tmp_path: Path) -> None:
    port = HeldPort()
    async with short_lived(tmp_path, "native", port) as first:
        retry = RetryPolicy(attempts=100, first=0.05, longest=0.2)
        async with (
            connect(kind, first.grpc, retry=retry) as registry,
            short_lived_later(tmp_path, port) as later,
        ):
            schema_id = (await registry.register_schema("a", OBJECT)).schema_id
            reports = []
            async for report in registry.validate_many(
                [(schema_id, {"id": str(n)}) for n in range(300)], window=8
            ):
                reports.append(report)
                if len(reports) == 100:
                    await asyncio.to_thread(first.kill)
                    await later()
    assert [r.index for r in reports] == list(range(300))
    assert all(r.valid for r in reports)


@asynccontextmanager
async def short_lived_later(home: Path, port: HeldPort) -> AsyncIterator[Callable[[], Any]]:
    """A server that starts when it is called."""
    started: list[ServerProcess] = []

    async def start() -> None:
        started.append(await asyncio.to_thread(ServerProcess, home, GRPC__PORT=str(port)))

    try:
        yield start
    finally:
        for server in started:
            await asyncio.to_thread(server.kill)
