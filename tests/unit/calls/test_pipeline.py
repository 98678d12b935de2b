"""A server that cannot answer everything does not start; every call passes every guard."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from types import TracebackType

import pytest

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry_server.calls.answer_cache import AnswerCache
from llm_schema_registry_server.calls.call import Call, request_id
from llm_schema_registry_server.calls.guard import Guard
from llm_schema_registry_server.calls.guards.authenticate import Authenticate
from llm_schema_registry_server.calls.guards.authorize import Authorize
from llm_schema_registry_server.calls.pipeline import Pipeline
from llm_schema_registry_server.errors import (
    DeadlineExceeded,
    MalformedRequest,
    PermissionDenied,
    SchemaNotFound,
)
from llm_schema_registry_server.model.principal import Principal
from tests.unit.transports.toy import CONFIG, GET_SCHEMA, METHODS, REGISTRY, ToyConfig, ToyRegistry, tags
from tests.unit.transports.toy import pipeline as toy_pipeline

TABLE = {m.path: m for m in METHODS}


def call(name: str, *, deadline: float | None = None, **metadata: str) -> Call:
    headers = {k.replace("_", "-"): v for k, v in metadata.items()}
    return Call(TABLE[f"/{REGISTRY}/{name}"], headers, "peer", "grpc", "id-1", deadline)


class Missing(ToyRegistry):
    get_schema = None  # type: ignore[assignment]


class WrongShape(ToyRegistry):
    async def list_schemas(self, request: object, call: Call) -> object:  # type: ignore[override]
        return request


class Trace:
    """A guard that notes when it is entered and left."""

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
    services = {REGISTRY: ToyRegistry(), CONFIG: ToyConfig()}
    return Pipeline(METHODS, services, (Trace("a", seen), Trace("b", seen)))


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
        Pipeline(METHODS, made, ())


async def test_a_hot_path_that_is_no_method_stops_the_start() -> None:
    with pytest.raises(TypeError, match="/x/Y"):
        Pipeline(
            METHODS, {REGISTRY: ToyRegistry(), CONFIG: ToyConfig()}, (), AnswerCache(("/x/Y",), tags, 1000)
        )


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
    pipeline = toy_pipeline(ToyRegistry())
    with pytest.raises(MalformedRequest):
        await pipeline.raw_unary(call("GetSchema"), b"\xff\xff")
    with pytest.raises(MalformedRequest):
        async with aclosing(pipeline.raw_stream(call("ListSchemas"), b"\xff\xff")) as answers:
            await anext(answers)


async def test_a_unary_call_without_deadline_gets_the_default() -> None:
    pipeline = toy_pipeline(ToyRegistry(), default_deadline=0.01)

    with pytest.raises(DeadlineExceeded):
        await pipeline.unary(call("GetSchema"), pb.GetSchemaRequest(schema_id="wait"))


async def test_a_stream_is_cut_at_its_deadline_and_ends_its_handler() -> None:
    registry = ToyRegistry()
    waiting = call("StreamSchemaChanges", deadline=time.monotonic() + 0.01)
    async with aclosing(toy_pipeline(registry).stream(waiting, pb.StreamRequest())) as answers:
        for revision in "123":
            assert (await anext(answers)).revision == revision  # type: ignore[attr-defined]
        with pytest.raises(DeadlineExceeded):
            await anext(answers)

    assert registry.ended.is_set()


async def test_cancellation_passes_through_and_frees_the_slot() -> None:
    registry = ToyRegistry()
    task = asyncio.create_task(
        toy_pipeline(registry).unary(call("GetSchema"), pb.GetSchemaRequest(schema_id="wait"))
    )
    await registry.entered.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert registry.ended.is_set()


async def test_the_actor_header_names_the_principal_in_open_mode() -> None:
    registry = ToyRegistry()
    await toy_pipeline(registry).unary(call("GetSchema", x_registry_actor="ada"), pb.GetSchemaRequest())
    await toy_pipeline(registry).unary(call("GetSchema"), pb.GetSchemaRequest())

    assert [c.principal.name for c in registry.calls] == ["ada", "anonymous"]


async def test_without_the_permission_nothing_is_answered_not_even_from_memory() -> None:
    class ByName:
        def known(self, metadata: dict[str, str]) -> Principal:
            allowed = frozenset({"schema:read"}) if metadata.get("who") == "reader" else frozenset[str]()
            return Principal(metadata.get("who", ""), allowed)

        async def authenticate(self, metadata: dict[str, str]) -> Principal:
            return self.known(metadata)

    hot = AnswerCache((GET_SCHEMA,), tags, 1 << 20)
    pipeline = Pipeline(
        METHODS,
        {REGISTRY: ToyRegistry(), CONFIG: ToyConfig()},
        (Authenticate(ByName()), Authorize()),  # type: ignore[arg-type]
        hot,
    )
    request = pb.GetSchemaRequest(schema_id="a").SerializeToString()
    await pipeline.raw_unary(call("GetSchema", who="reader"), request)

    assert pipeline.hot_answer(call("GetSchema", who="reader"), request) is not None
    assert pipeline.hot_answer(call("GetSchema", who="stranger"), request) is None
    with pytest.raises(PermissionDenied):
        await pipeline.raw_unary(call("GetSchema", who="stranger"), request)
    assert await pipeline.unary(call("HealthCheck", who="stranger"), pb.GetSchemaRequest())


async def test_an_answer_made_stale_while_it_was_computed_is_not_kept() -> None:
    registry = ToyRegistry()
    hot = AnswerCache((GET_SCHEMA,), tags, 1 << 20)
    pipeline = Pipeline(METHODS, {REGISTRY: registry, CONFIG: ToyConfig()}, (), hot)
    request = pb.GetSchemaRequest(schema_id="wait").SerializeToString()
    task = asyncio.create_task(pipeline.raw_unary(call("GetSchema"), request))
    await registry.entered.wait()
    hot.invalidate("schema:wait")
    registry.released.set()
    await task

    assert hot.stats().entries == 0


@pytest.mark.parametrize("bad", ["", "a b", "x" * 65, "line\nbreak", "ünï"])
def test_a_request_id_that_could_spoil_a_log_is_replaced(bad: str) -> None:
    assert request_id({"x-request-id": "abc-1"}) == "abc-1"
    assert request_id({"x-request-id": bad}) not in (bad, request_id({}))
