"""Which calls are traced, and what their spans say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from llm_schema_registry_server.calls.answer_cache import AnswerCache, CachedAnswer
from llm_schema_registry_server.calls.call import Call
from llm_schema_registry_server.calls.guards.trace import Trace
from llm_schema_registry_server.calls.operation import Operation, Resource, ResourceKind
from llm_schema_registry_server.calls.pipeline import Invoke, Pipeline
from llm_schema_registry_server.errors import MalformedRequest, RegistryError, SchemaNotFound
from llm_schema_registry_server.telemetry import names, tracing
from llm_schema_registry_server.telemetry.otel import Options, OtelBackend

TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ASKED, NOT_ASKED = (f"00-{TRACE_ID}-{SPAN_ID}-{flag}" for flag in ("01", "00"))
READ = Operation(
    "/t.Service/GetSchema",
    "GetSchema",
    "schema:read",
    cached=True,
    resources=lambda names: tuple(Resource(ResourceKind.SUBJECT, name) for name in names),
)


@dataclass
class World:
    """`made` is a guard with such a share and such a budget; `now` its clock; `current` the spans in which handlers ran."""

    exporter: InMemorySpanExporter
    backend: OtelBackend
    now: float = 0.0
    current: list[str] = field(default_factory=list)

    def pipeline(self, *, share: float = 0.0, per_second: int = 10, chance: float = 0.5) -> Pipeline:
        guard = Trace(
            self.backend, share=share, per_second=per_second, chance=lambda: chance, clock=lambda: self.now
        )

        async def read(request: list[str], call: Call) -> str:
            self.current.append(tracing.traceparent())
            if "missing" in request:
                raise SchemaNotFound("missing")
            if "crash" in request:
                raise ZeroDivisionError("a value of a caller")
            return "body"

        return Pipeline([(READ, read)], [guard], AnswerCache(1 << 20))

    @property
    def spans(self) -> list[ReadableSpan]:
        self.backend._provider.force_flush()
        return list(self.exporter.get_finished_spans())


@pytest.fixture
def world() -> Iterator[World]:
    exporter = InMemorySpanExporter()
    backend = OtelBackend(Options("http://127.0.0.1:1", "http", "registry", "1"), exporter)
    yield World(exporter, backend)
    tracing.set_current(None)
    backend.close()


def call(**metadata: str) -> Call:
    return Call(READ, metadata, "10.0.0.7:4711", "grpc", "request-1")


async def run(pipeline: Pipeline, made: Call, *subjects: str) -> Call:
    await pipeline.unary(made, list(subjects))
    return made


async def test_a_caller_that_traces_gets_a_span_in_its_trace(world: World) -> None:
    made = await run(world.pipeline(), call(traceparent=ASKED, tracestate="vendor=1"), "orders")
    (span,) = world.spans
    assert span.parent is not None
    assert (f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE_ID, SPAN_ID)
    assert span.context.trace_state.to_header() == "vendor=1"
    assert span.name == "t.Service/GetSchema"
    assert dict(span.attributes or {}) == {
        names.RPC_METHOD: "t.Service/GetSchema",
        names.RPC_SYSTEM_NAME: "grpc",
        names.REQUEST_ID: "request-1",
        names.CLIENT_ADDRESS: "10.0.0.7",
        names.SUBJECT: "orders",
        names.RPC_RESPONSE_STATUS_CODE: "OK",
    }
    assert world.current == [made.traceparent], "the handler runs in it"
    assert made.own_metadata == ((tracing.TRACERESPONSE, made.traceparent),)
    assert tracing.current() is None


async def test_over_http_a_span_has_the_name_of_its_route(world: World) -> None:
    made = call(traceparent=ASKED)
    made.route = ("GET", "/api/v1/schemas/{schema_id}")
    await run(world.pipeline(), made)
    (span,) = world.spans
    assert span.name == "GET /api/v1/schemas/{schema_id}"
    attributes = dict(span.attributes or {})
    assert (attributes[names.HTTP_REQUEST_METHOD], attributes[names.HTTP_ROUTE]) == made.route
    assert names.RPC_RESPONSE_STATUS_CODE not in attributes


@pytest.mark.parametrize(
    ("metadata", "share", "chance", "traced"),
    [
        ({}, 0.1, 0.05, True),
        ({}, 0.1, 0.2, False),
        ({}, 0.0, 0.0, False),
        ({"traceparent": NOT_ASKED}, 1.0, 0.0, False),
        ({"traceparent": "junk"}, 1.0, 0.0, True),
        ({"traceparent": "junk"}, 0.0, 0.0, False),
    ],
)
async def test_who_says_nothing_is_traced_by_chance_and_who_says_no_is_not(
    world: World, metadata: dict[str, str], share: float, chance: float, traced: bool
) -> None:
    made = await run(world.pipeline(share=share, chance=chance), call(**metadata))
    assert bool(made.traceparent) is traced
    assert len(world.spans) == traced


async def test_callers_that_ask_get_only_so_many_in_a_second(world: World) -> None:
    pipeline = world.pipeline(per_second=3)
    for _ in range(10):
        await run(pipeline, call(traceparent=ASKED))
    assert len(world.spans) == 3
    world.now += 1
    await run(pipeline, call(traceparent=ASKED))
    assert len(world.spans) == 4


@pytest.mark.parametrize(
    ("request_", "error", "code", "reason"),
    [
        ("missing", SchemaNotFound, "NOT_FOUND", "SCHEMA_NOT_FOUND"),
        ("crash", ZeroDivisionError, "INTERNAL", "INTERNAL"),
    ],
)
async def test_a_failed_call_has_its_code_and_reason_and_no_message(
    world: World, request_: str, error: type[Exception], code: str, reason: str
) -> None:
    with pytest.raises(error):
        await run(world.pipeline(), call(traceparent=ASKED), request_)
    (span,) = world.spans
    attributes = dict(span.attributes or {})
    assert not span.status.is_ok
    assert span.status.description is None
    assert (attributes[names.ERROR_TYPE], attributes[names.REASON]) == (code, reason)
    assert attributes[names.RPC_RESPONSE_STATUS_CODE] == code
    assert not span.events


async def test_a_caller_that_leaves_has_no_reason(world: World) -> None:
    trace = Trace(world.backend, share=0, per_second=1)
    made = call(traceparent=ASKED)
    guard = trace(made)
    await guard.__aenter__()
    made.ended(GeneratorExit())
    await guard.__aexit__(GeneratorExit, GeneratorExit(), None)
    (span,) = world.spans
    assert names.REASON not in dict(span.attributes or {})
    assert dict(span.attributes or {})[names.ERROR_TYPE] == "CANCELLED"


async def test_a_span_names_a_few_subjects_and_cuts_their_names(world: World) -> None:
    await run(world.pipeline(), call(traceparent=ASKED), "a" * 1000, "b", "c", "d")
    (span,) = world.spans
    assert dict(span.attributes or {})[names.SUBJECT] == f"{'a' * 256}, b, c"


async def test_a_kept_answer_has_a_span_of_its_whole_time(world: World) -> None:
    pipeline = world.pipeline()
    token = pipeline.begin()

    async def make(invoke: Invoke, made: Call) -> CachedAnswer:
        return pipeline.cache(token, made, b"key", (await invoke(["orders"])).encode())

    first = call()
    await pipeline.answer(first, b"key", lambda invoke: make(invoke, first))
    made = call(traceparent=ASKED)
    assert pipeline.cached_at_once(made, b"key") is not None
    (span,) = world.spans
    attributes = dict(span.attributes or {})
    assert attributes[names.CACHED_ANSWER] is True
    assert attributes[names.SUBJECT] == "orders"
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.start_time <= span.end_time
    assert pipeline.cached_at_once(call(), b"key") is not None
    assert len(world.spans) == 1, "who does not ask has none"


@pytest.mark.parametrize("asked", [True, False])
async def test_a_call_that_its_face_refuses_has_a_span_too(world: World, asked: bool) -> None:
    refused: Callable[[Call, RegistryError], None] = world.pipeline().turned_away
    refused(call(**({"traceparent": ASKED} if asked else {})), MalformedRequest("", "no message"))
    found = [dict(span.attributes or {})[names.REASON] for span in world.spans]
    assert found == ["MALFORMED_REQUEST"] * asked
