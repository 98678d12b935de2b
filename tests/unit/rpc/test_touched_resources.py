"""Handlers name what only they learn: the subject behind a schema id, the schema behind a selector; before they act."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from llm_schema_engines.model.compatibility import CompatibilityLevel
from llm_schema_engines.model.schema import SchemaType
from llm_schema_registry.v1 import answers_pb2, conformance_pb2, lifecycle_pb2, providers_pb2, tools_pb2
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry_server.auth.granting import GrantBook
from llm_schema_registry_server.auth.permissions import PERMISSIONS, Roles
from llm_schema_registry_server.auth.tickets import Tickets
from llm_schema_registry_server.background import make_counting
from llm_schema_registry_server.calls.answer_cache import AnswerCache
from llm_schema_registry_server.calls.call import Call
from llm_schema_registry_server.calls.operation import Resource, ResourceKind
from llm_schema_registry_server.calls.pipeline import Pipeline
from llm_schema_registry_server.errors import PermissionDenied, RegistryError
from llm_schema_registry_server.faces import services
from llm_schema_registry_server.model.principal import Principal
from llm_schema_registry_server.model.pushed import Pushed
from llm_schema_registry_server.registry.configuration import built_in
from llm_schema_registry_server.registry.granting import GrantRules
from llm_schema_registry_server.registry.health import Health
from llm_schema_registry_server.registry.use_cases import Credentials, Rules, UseCases, build
from llm_schema_registry_server.rpc import methods
from llm_schema_registry_server.rpc.cached_answers import CACHED_METHODS, PreparedAnswers
from llm_schema_registry_server.rpc.convert import MessageConverter
from llm_schema_registry_server.rpc.protobuf.rpcs import Rpcs, bind
from llm_schema_registry_server.rpc.protobuf.shared_answer import Answer, serialized
from llm_schema_registry_server.settings import StatisticsSettings
from tests.support.registry import ADMIN, LIMITS, World, world

TABLE = {m.name: m for m in methods.load()}
ORDERS = Resource(ResourceKind.SUBJECT, "orders")
SCHEMA = ResourceKind.SCHEMA


@pytest.fixture
async def registry() -> AsyncIterator[World]:
    async with world() as made:
        yield made


def use_cases(registry: World) -> UseCases:
    async def stage(content: object) -> None:
        """Nothing is stored elsewhere."""

    return build(
        registry.store,
        registry.library,
        {SchemaType.JSON: registry.engine},
        registry.feed,
        registry.coherence,
        Health({}, vital=frozenset(), version="0", clock=registry.clock),
        make_counting(StatisticsSettings(), registry.store, registry.clock),
        Rules(built_in(CompatibilityLevel.BACKWARD), LIMITS, record_failures=False),
        Credentials(
            Roles().of,
            lambda name, roles: (),
            lambda change: None,
            keys=10,
            revoked=10,
            leeway=timedelta(),
        ),
        GrantRules(Roles().of, (), lambda grants: (), most=10),
        lambda policies, version: (),
        registry.clock,
        stage=stage,
        validated=lambda schema_id: None,
    )


def serve(registry: World) -> tuple[Rpcs, AnswerCache]:
    cache = AnswerCache(1 << 20, count_reads=True)
    handlers = services(
        use_cases(registry),
        MessageConverter(registry.store.registry_id),
        registry.clock,
        GrantBook(Roles()),
        Tickets(registry.store),
        cache.count_read,
        1 << 20,
    )
    return Rpcs(TABLE.values(), Pipeline(bind(list(TABLE.values()), handlers), (), cache)), cache


def call(name: str) -> Call:
    return Call(TABLE[name].operation, {}, "", "grpc", "id-1", principal=Principal("ada", PERMISSIONS))


async def ask(rpcs: Rpcs, name: str, request: Any) -> Call:
    made = call(name)
    await rpcs.unary(TABLE[name], made, request.SerializeToString())
    return made


async def test_a_read_touches_the_version_it_hands_out_and_its_subject(registry: World) -> None:
    schema_id = (await registry.register("orders", "a")).version.schema_id
    rpcs, _ = serve(registry)
    for name, request in (
        ("GetSchema", pb.GetSchemaRequest(schema_id=schema_id)),
        ("GetSchemaByVersion", pb.GetSchemaByVersionRequest(subject="orders", version="1")),
        ("GetLatestVersion", pb.GetLatestVersionRequest(subject=":.:orders")),
    ):
        made = await ask(rpcs, name, request)
        assert set(made.resources) == {ORDERS, Resource(SCHEMA, schema_id)}, name
        assert made.schema_id == schema_id
        again = call(name)
        assert rpcs.pipeline.cached_at_once(again, request.SerializeToString()) is not None
        assert again.resources == made.resources


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("UpdateSchemaMetadata", pb.UpdateSchemaMetadataRequest(tags=["new"])),
        ("DeleteSchema", pb.DeleteSchemaRequest(soft_delete=True)),
        ("UndeleteSchema", lifecycle_pb2.UndeleteSchemaRequest()),
    ],
)
async def test_a_write_by_id_names_the_subject_before_it_acts(
    registry: World, name: str, request_: Any
) -> None:
    schema_id = (await registry.register("orders", "a")).version.schema_id
    if name == "UndeleteSchema":
        await registry.deletion.delete(schema_id, permanent=False, by=ADMIN)
    rpcs, _ = serve(registry)
    request_.schema_id = schema_id
    before = await registry.changes()

    def refuse(resource: Resource) -> None:
        if resource.kind is ResourceKind.SUBJECT:
            raise PermissionDenied(f"not {resource.name}")

    made = call(name)
    made.watch(refuse)
    with pytest.raises(PermissionDenied, match="not orders"):
        await rpcs.unary(TABLE[name], made, request_.SerializeToString())
    assert await registry.changes() == before

    made = await ask(rpcs, name, request_)
    assert made.resources == (Resource(SCHEMA, schema_id), ORDERS)
    assert await registry.changes() != before


READS_BY_ID: list[tuple[str, Callable[[str], Any]]] = [
    ("ValidateData", lambda i: pb.ValidateDataRequest(schema_id=i, data=b"a")),
    ("ValidateItems", lambda i: tools_pb2.ValidateItemsRequest(schema_id=i, items=[b"a"])),
    ("ReaskAnswer", lambda i: answers_pb2.ReaskAnswerRequest(schema_id=i, data=b"a")),
    ("CoerceAnswer", lambda i: answers_pb2.CoerceAnswerRequest(schema_id=i, data=b"a", kinds=[1])),
    (
        "CheckProfile",
        lambda i: providers_pb2.CheckProfileRequest(
            schema=tools_pb2.SchemaOperand(schema_id=i), profiles=["cohere"]
        ),
    ),
    (
        "CompileForProvider",
        lambda i: providers_pb2.CompileForProviderRequest(
            schema=tools_pb2.SchemaOperand(schema_id=i), profile="cohere"
        ),
    ),
    (
        "DecodeAnswer",
        lambda i: providers_pb2.DecodeAnswerRequest(decoder=b'{"format": 1}', data=b'"x"', schema_id=i),
    ),
    (
        "GrammarFor",
        lambda i: providers_pb2.GrammarForRequest(schema=tools_pb2.SchemaOperand(schema_id=i), syntax=1),
    ),
    (
        "ReportOutcomes",
        lambda i: conformance_pb2.ReportOutcomesRequest(
            report_id="r", items=[conformance_pb2.ModelOutcomes(schema_id=i, model="m", answers=1)]
        ),
    ),
    ("GetDependencies", lambda i: pb.GetDependenciesRequest(schema_id=i)),
    ("GetDependents", lambda i: pb.GetDependentsRequest(schema_id=i)),
    ("GetSchemaHistory", lambda i: lifecycle_pb2.GetSchemaHistoryRequest(schema_id=i)),
    (
        "DiffSchemas",
        lambda i: tools_pb2.DiffSchemasRequest(
            old=tools_pb2.SchemaOperand(schema_id=i), new=tools_pb2.SchemaOperand(schema_id=i)
        ),
    ),
    (
        "ConvertSchema",
        lambda i: tools_pb2.ConvertSchemaRequest(
            source=tools_pb2.SchemaOperand(schema_id=i), target_type=pb.SCHEMA_TYPE_JSON
        ),
    ),
]


def test_every_rpc_that_takes_a_schema_id_is_known_to_name_the_subject() -> None:
    by_id = {
        name
        for name, method in TABLE.items()
        if not method.operation.client_streaming
        and any(f.name == "schema_id" for m in _messages(method.request_type.DESCRIPTOR) for f in m.fields)
    }

    # Ids of references are of the answer; those of RegisterSchema and its like are names that are resolved.
    assert by_id - {
        "RegisterSchema",
        "ValidateSchema",
        "CheckCompatibility",
        "CertifyCompatibility",
        "FindFixes",
    } == {
        "GetSchema",
        "UpdateSchemaMetadata",
        "DeleteSchema",
        "UndeleteSchema",
        *(name for name, _ in READS_BY_ID),
    }


def _messages(kind: Any, above: tuple[Any, ...] = ()) -> Iterator[Any]:
    yield kind
    for field in kind.fields:
        if field.message_type is not None and field.message_type not in (kind, *above):
            yield from _messages(field.message_type, (*above, kind))


@pytest.mark.parametrize(("name", "make"), READS_BY_ID, ids=[name for name, _ in READS_BY_ID])
async def test_a_read_by_id_names_the_subject_before_it_acts(
    registry: World, name: str, make: Callable[[str], Any]
) -> None:
    schema_id = (await registry.register("orders", "a")).version.schema_id
    rpcs, _ = serve(registry)

    def refuse(resource: Resource) -> None:
        if resource.kind is ResourceKind.SUBJECT:
            raise PermissionDenied(f"not {resource.name}")

    made = call(name)
    made.watch(refuse)
    with pytest.raises(PermissionDenied, match="not orders"):
        await rpcs.unary(TABLE[name], made, make(schema_id).SerializeToString())
    with suppress(RegistryError):  # the engine of words converts nothing
        made = call(name)
        await rpcs.unary(TABLE[name], made, make(schema_id).SerializeToString())
    assert made.resources == (Resource(SCHEMA, schema_id), ORDERS)


async def test_dependents_are_named_before_the_answer_tells_of_them(registry: World) -> None:
    schema_id = (await registry.register("orders", "a")).version.schema_id
    await registry.register("bills", "b @r", references=[("r", "orders", "latest")])
    rpcs, _ = serve(registry)
    made = await ask(rpcs, "GetDependents", pb.GetDependentsRequest(schema_id=schema_id))

    assert made.resources == (Resource(SCHEMA, schema_id), ORDERS, Resource(ResourceKind.SUBJECT, "bills"))


async def test_each_item_of_a_batch_names_its_subject(registry: World) -> None:
    ids = [(await registry.register(subject, "a")).version.schema_id for subject in ("orders", "bills")]
    rpcs, _ = serve(registry)

    async def requests() -> AsyncIterator[bytes]:
        yield pb.ValidateDataRequest(schema_id=ids[0], data=b"a").SerializeToString()
        yield b"\xff"
        yield pb.ValidateDataRequest(schema_id=ids[1], data=b"a").SerializeToString()

    def refuse(resource: Resource) -> None:
        if resource == ORDERS:
            raise PermissionDenied("not orders")

    made = call("BatchValidate")
    made.watch(refuse)
    reports = [
        pb.ValidationReport.FromString(answer)
        async for answer in rpcs.stream(TABLE["BatchValidate"], made, requests())
    ]
    assert [report.index for report in reports] == [0, 1, 2]
    assert [report.errors[0].error_type for report in reports[:2]] == [
        "PERMISSION_DENIED",
        "MALFORMED_REQUEST",
    ]
    assert not reports[2].HasField("error")


def changes_of(rpcs: Rpcs, made: Call, *subjects: str, gather: int = 0) -> Any:
    request = pb.StreamRequest(subjects=subjects, from_revision="earliest")
    request.gather.FromMilliseconds(gather)
    return rpcs.stream(TABLE["StreamSchemaChanges"], made, request.SerializeToString())


def apart(answer: bytes) -> list[pb.SchemaChangeEvent]:
    """The events of one message."""
    event = pb.SchemaChangeEvent.FromString(answer)
    return [event, *event.more]


@pytest.mark.parametrize("gather", [0, 50])
async def test_a_stream_names_what_it_watches_and_a_guard_leaves_subjects_out(
    registry: World, gather: int
) -> None:
    for subject in ("orders", "bills", "orders"):
        await registry.register(subject, f"a {subject}" if subject == "bills" else "a")
    await registry.register("users", "a")
    rpcs, _ = serve(registry)
    asked: list[Resource] = []

    def select(resource: Resource) -> bool:
        asked.append(resource)
        return resource != ORDERS

    made = call("StreamSchemaChanges")
    made.select(select)
    answers = changes_of(rpcs, made, "orders", "b*", "users", gather=gather)
    seen: list[str] = []
    while len(seen) < 2:
        seen += [event.subject for event in apart(await anext(answers))]
    await answers.aclose()

    assert seen == ["bills", "users"]
    assert made.resources == (
        ORDERS,
        Resource(ResourceKind.PATTERN, "b*"),
        Resource(ResourceKind.SUBJECT, "users"),
    )
    assert ORDERS in asked
    listed = call("ListSchemas")
    listed.select(select)
    versions = rpcs.stream(TABLE["ListSchemas"], listed, b"")
    assert [pb.SchemaInfo.FromString(v).subject async for v in versions] == ["bills", "users"]


@pytest.mark.parametrize("gather", [0, 50])
async def test_a_stream_ends_at_what_a_watcher_refuses(registry: World, gather: int) -> None:
    await registry.register("users", "a")
    await registry.register("orders", "a")
    rpcs, _ = serve(registry)

    def refuse(resource: Resource) -> None:
        if resource == ORDERS:
            raise PermissionDenied("not orders")

    made = call("StreamSchemaChanges")
    made.watch(refuse)
    answers = changes_of(rpcs, made, gather=gather)
    assert pb.SchemaChangeEvent.FromString(await anext(answers)).subject == "users"
    with pytest.raises(PermissionDenied, match="not orders"):
        await anext(answers)


@pytest.mark.parametrize("with_schemas", [False, True])
async def test_what_is_sent_together_without_the_task_is_looked_at_change_by_change(
    registry: World, with_schemas: bool
) -> None:
    rpcs, _ = serve(registry)
    told: list[pb.SchemaChangeEvent] = []
    pushed = 0

    def push(answer: Answer) -> Pushed:
        nonlocal pushed
        pushed += 1
        told.extend(apart(serialized(answer)))
        return Pushed.SENT

    def refuse(resource: Resource) -> None:
        if resource == Resource(ResourceKind.SUBJECT, "secret"):
            raise PermissionDenied("not that")

    made = call("StreamSchemaChanges")
    made.push = push
    made.select(lambda resource: resource != ORDERS)
    made.watch(refuse)
    request = pb.StreamRequest(include_schema=with_schemas)
    request.gather.FromMilliseconds(20)

    async def follow() -> None:
        async for answer in rpcs.stream(TABLE["StreamSchemaChanges"], made, request.SerializeToString()):
            told.extend(apart(answer))

    following = asyncio.create_task(follow())
    while not registry.feed.subscribers:  # noqa: ASYNC110
        await asyncio.sleep(0)
    for number, name in enumerate(["orders", "a", "b", "orders", "c", "orders"]):
        level = CompatibilityLevel.NONE if name == "orders" else None
        await registry.register(name, f"w{number}", level=level)
    while len(told) < 3:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    assert pushed
    assert [event.subject for event in told] == ["a", "b", "c"]
    assert [event.HasField("schema") for event in told] == [with_schemas] * 3
    for name in ("d", "e", "secret", "f"):
        await registry.register(name, "w")
    with pytest.raises(PermissionDenied, match="not that"):
        await following

    assert [event.subject for event in told] == ["a", "b", "c", "d", "e"]
    assert made.resume_revision == told[-1].revision


async def test_an_answer_depends_on_every_subject_that_its_request_names(registry: World) -> None:
    await registry.register("address", "street")
    await registry.register("orders", "a")
    rpcs, cache = serve(registry)
    request = pb.CompatibilityCheckRequest(
        subject="orders",
        new_schema=b"a @r",
        references=[pb.SchemaReference(name="r", subject="address", version="latest")],
    )
    for changed in ("address", "orders"):
        await ask(rpcs, "CheckCompatibility", request)
        assert cache.stats().entries == 1
        cache.invalidate(changed)
        assert cache.stats().entries == 0


async def test_prepared_answers_are_those_that_callers_would_get(registry: World) -> None:
    found = await registry.reading.by_id((await registry.register("orders", "a")).version.schema_id)
    rpcs, cache = serve(registry)
    prepared = PreparedAnswers(cache, MessageConverter(registry.store.registry_id))
    schema_id = found.version.schema_id
    for latest, name, request in (
        (False, "GetSchema", pb.GetSchemaRequest(schema_id=schema_id)),
        (True, "GetLatestVersion", pb.GetLatestVersionRequest(subject="orders")),
    ):
        key = request.SerializeToString()
        made = await ask(rpcs, name, request)
        fresh = rpcs.pipeline.cached_at_once(call(name), key)
        cache.clear()
        prepared.keep(cache.begin(), found, latest=latest)
        assert rpcs.pipeline.cached_at_once(call(name), key) == fresh
        assert fresh is not None
        assert set(fresh.resources) == set(made.resources)


def test_only_answers_of_which_the_subjects_are_known_are_cached() -> None:
    assert {m.path for m in TABLE.values() if m.operation.cached} == CACHED_METHODS
