"""A server that cannot answer everything does not start; every call passes every guard."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from functools import partial
from types import TracebackType

import pytest

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry_server.calls.answer_cache import AnswerCache, CachedAnswer
from llm_schema_registry_server.calls.call import OK, Call, request_id
from llm_schema_registry_server.calls.guard import IN_FULL, Guard, Rank
from llm_schema_registry_server.calls.guards.authenticate import Authenticate
from llm_schema_registry_server.calls.guards.authorize import Authorize
from llm_schema_registry_server.calls.guards.observe import Observe
from llm_schema_registry_server.calls.operation import Operation, Resource, ResourceKind
from llm_schema_registry_server.calls.pipeline import Invoke, Pipeline
from llm_schema_registry_server.errors import (
    DeadlineExceeded,
    MalformedRequest,
    PermissionDenied,
    SchemaNotFound,
)
from llm_schema_registry_server.model.principal import Principal
from llm_schema_registry_server.rpc.protobuf.rpcs import Rpcs, bind
from llm_schema_registry_server.telemetry.metrics import Metrics
from tests.unit.transports.toy import (
    CONFIG,
    GET_SCHEMA,
    METHODS,
    REGISTRY,
    ToyConfig,
    ToyRegistry,
    handlers,
    rpcs,
)

TABLE = {m.path: m for m in METHODS}
METHOD = TABLE[GET_SCHEMA]


def call(name: str, *, deadline: float | None = None, **metadata: str) -> Call:
    headers = {k.replace("_", "-"): v for k, v in metadata.items()}
    return Call(TABLE[f"/{REGISTRY}/{name}"].operation, headers, "peer", "grpc", "id-1", deadline)


class Missing(ToyRegistry):
    get_schema = None  # type: ignore[assignment]


class WrongShape(ToyRegistry):
    async def list_schemas(self, request: object, call: Call) -> object:  # type: ignore[override]
        return request


class Trace:
    """A guard that notes when it is entered and left."""

    rank, on_cached = Rank.AUDIT, IN_FULL

    def __init__(self, name: str, seen: list[str]) -> None:
        self.name, self.seen = name, seen

    def __call__(self, call: Call) -> Guard:
        trace = self

        class Traced(Guard):
            async def __aenter__(self) -> None:
                trace.seen.append(f"+{trace.name}")

            async def __aexit__(
                self,
                kind: type[BaseException] | None,
                error: BaseException | None,
                trace_back: TracebackType | None,
            ) -> None:
                trace.seen.append(f"-{trace.name}:{kind.__name__ if kind else 'ok'}")

        return Traced(call)


def traced(seen: list[str]) -> Pipeline:
    return Pipeline(handlers(ToyRegistry()), (Trace("a", seen), Trace("b", seen)))


@pytest.mark.parametrize(
    ("services", "complaint"),
    [
        ({CONFIG: ToyConfig()}, f"nobody serves {REGISTRY}"),
        ({REGISTRY: Missing, CONFIG: ToyConfig()}, r"no handler get_schema\(\)"),
        ({REGISTRY: WrongShape, CONFIG: ToyConfig()}, "must be an asynchronous generator"),
    ],
)
async def test_a_missing_or_misshapen_handler_stops_the_start(
    services: dict[str, object], complaint: str
) -> None:
    made = {name: s() if isinstance(s, type) else s for name, s in services.items()}

    with pytest.raises(TypeError, match=complaint):
        Pipeline(bind(METHODS, made), ())


async def test_two_operations_with_one_id_stop_the_start() -> None:
    with pytest.raises(TypeError, match="id of two operations"):
        Pipeline([*handlers(ToyRegistry()), *handlers(ToyRegistry())], ())


async def test_guards_are_entered_in_order_and_left_in_reverse() -> None:
    seen: list[str] = []
    with pytest.raises(SchemaNotFound):
        await traced(seen).unary(call("GetSchema"), pb.GetSchemaRequest(schema_id="missing"))

    assert seen == ["+a", "+b", "-b:SchemaNotFound", "-a:SchemaNotFound"]


async def test_a_reader_that_leaves_a_stream_ends_its_guards() -> None:
    seen: list[str] = []
    async with aclosing(traced(seen).stream(call("ListSchemas"), pb.ListSchemasRequest())) as answers:
        await anext(answers)

    assert seen == ["+a", "+b", "-b:GeneratorExit", "-a:GeneratorExit"]


async def test_bytes_that_are_no_message_are_malformed_in_both_shapes() -> None:
    toy = rpcs(ToyRegistry())
    with pytest.raises(MalformedRequest):
        await toy.unary(METHOD, call("GetSchema"), b"\xff\xff")
    listing = toy.stream(TABLE[f"/{REGISTRY}/ListSchemas"], call("ListSchemas"), b"\xff\xff")
    async with aclosing(listing) as answers:
        with pytest.raises(MalformedRequest):
            await anext(answers)


async def test_a_unary_call_without_deadline_gets_the_default() -> None:
    pipeline = rpcs(ToyRegistry(), default_deadline=0.01).pipeline

    with pytest.raises(DeadlineExceeded):
        await pipeline.unary(call("GetSchema"), pb.GetSchemaRequest(schema_id="wait"))


async def test_a_stream_is_cut_at_its_deadline_and_ends_its_handler() -> None:
    registry = ToyRegistry()
    waiting = call("StreamSchemaChanges", deadline=time.monotonic() + 0.01)
    async with aclosing(rpcs(registry).pipeline.stream(waiting, pb.StreamRequest())) as answers:
        for revision in "123":
            assert (await anext(answers)).revision == revision  # type: ignore[attr-defined]
        with pytest.raises(DeadlineExceeded):
            await anext(answers)

    assert registry.ended.is_set()


async def test_cancellation_passes_through_and_frees_the_slot() -> None:
    registry = ToyRegistry()
    task = asyncio.create_task(
        rpcs(registry).pipeline.unary(call("GetSchema"), pb.GetSchemaRequest(schema_id="wait"))
    )
    await registry.entered.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert registry.ended.is_set()


async def test_the_actor_header_names_the_principal_in_open_mode() -> None:
    registry = ToyRegistry()
    await rpcs(registry).pipeline.unary(call("GetSchema", x_registry_actor="ada"), pb.GetSchemaRequest())
    await rpcs(registry).pipeline.unary(call("GetSchema"), pb.GetSchemaRequest())

    assert [c.principal.name for c in registry.calls] == ["ada", "anonymous"]


async def test_without_the_permission_nothing_is_answered_not_even_from_memory() -> None:
    class ByName:
        def known(self, metadata: dict[str, str]) -> Principal:
            allowed = frozenset({"schema:read"}) if metadata.get("who") == "reader" else frozenset[str]()
            return Principal(metadata.get("who", ""), allowed)

        async def authenticate(self, metadata: dict[str, str]) -> Principal:
            return self.known(metadata)

    guards = (Authenticate(ByName()), Authorize())  # type: ignore[arg-type]
    pipeline = Pipeline(handlers(ToyRegistry()), guards, AnswerCache(1 << 20))
    toy = Rpcs(METHODS, pipeline)
    request = pb.GetSchemaRequest(schema_id="a").SerializeToString()
    await toy.unary(METHOD, call("GetSchema", who="reader"), request)

    assert pipeline.cached_at_once(call("GetSchema", who="reader"), request) is not None
    assert pipeline.cached_at_once(call("GetSchema", who="stranger"), request) is None
    with pytest.raises(PermissionDenied):
        await toy.unary(METHOD, call("GetSchema", who="stranger"), request)
    assert await pipeline.unary(call("HealthCheck", who="stranger"), pb.GetSchemaRequest())


async def test_an_answer_made_stale_while_it_was_computed_is_not_kept() -> None:
    registry = ToyRegistry()
    cache = AnswerCache(1 << 20)
    toy = Rpcs(METHODS, Pipeline(handlers(registry), (), cache))
    request = pb.GetSchemaRequest(schema_id="wait").SerializeToString()
    task = asyncio.create_task(toy.unary(METHOD, call("GetSchema"), request))
    await registry.entered.wait()
    cache.invalidate("orders")
    registry.released.set()
    await task

    assert cache.stats().entries == 0


@pytest.mark.parametrize("bad", ["", "a b", "x" * 65, "line\nbreak", "ünï"])
def test_a_request_id_that_could_spoil_a_log_is_replaced(bad: str) -> None:
    assert request_id({"x-request-id": "abc-1"}) == "abc-1"
    assert request_id({"x-request-id": bad}) not in (bad, request_id({}))


async def test_a_face_of_any_name_with_requests_of_any_form_is_answered_from_the_cache() -> None:
    asked: list[object] = []
    operation = Operation(
        "/tools/read",
        "Read",
        "none",
        cached=True,
        resources=lambda request: (Resource(ResourceKind.SUBJECT, request["subject"]),),
    )

    async def read(request: dict[str, str], call: Call) -> str:
        asked.append(request)
        return request["subject"].upper()

    cache = AnswerCache(1 << 20)
    metrics = Metrics()
    pipeline = Pipeline([(operation, read)], (Observe(metrics),), cache)

    async def make(invoke: Invoke, call: Call) -> CachedAnswer:
        token = pipeline.begin()
        return pipeline.cache(token, call, b"key", (await invoke({"subject": "orders"})).encode())

    for _ in range(3):
        made = Call(operation, {}, "", "tools", "id-1")
        answer = pipeline.cached_at_once(made, b"key")
        if answer is None:
            answer = await pipeline.answer(made, b"key", partial(make, call=made))
        assert (answer.body, made.outcome) == (b"ORDERS", OK)
        assert made.resources == (Resource(ResourceKind.SUBJECT, "orders"),)

    labels = {"method": "/tools/read", "wire": "tools"}
    assert metrics.registry.get_sample_value("schema_registry_answer_cache_hits_total", labels) == 2
    assert asked == [{"subject": "orders"}]
    assert (cache.stats().misses, cache.stats().entries) == (1, 1)
    cache.invalidate("orders")
    assert pipeline.cached_at_once(Call(operation, {}, "", "tools", "id-2"), b"key") is None


async def test_an_answer_is_not_found_in_another_face_or_operation() -> None:
    toy = rpcs(ToyRegistry())
    request = pb.GetSchemaRequest(schema_id="a").SerializeToString()
    await toy.unary(METHOD, call("GetSchema"), request)
    elsewhere = call("GetSchema")
    elsewhere.face = "http"

    assert toy.pipeline.cached_at_once(elsewhere, request) is None
    assert toy.pipeline.cached_at_once(call("GetSchemaByVersion"), request) is None
