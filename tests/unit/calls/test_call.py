"""A call knows what it touches, how it ended, and who is asked before a handler goes on."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from types import TracebackType

import pytest

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry_server.calls.answer_cache import AnswerCache
from llm_schema_registry_server.calls.call import CANCELLED, INTERNAL, MOST_RESOURCES, OK, Call, Outcome
from llm_schema_registry_server.calls.guard import IN_FULL, Guard, Rank
from llm_schema_registry_server.calls.operation import Idempotency, Operation, Resource, ResourceKind
from llm_schema_registry_server.calls.pipeline import Pipeline
from llm_schema_registry_server.errors import LimitExceeded, PermissionDenied, RegistryError
from tests.unit.transports.toy import METHODS, ToyRegistry, handlers, rpcs

TABLE = {m.name: m.operation for m in METHODS}
SUBJECT = Resource(ResourceKind.SUBJECT, "orders")
DEADLINE_EXCEEDED = Outcome("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED")


def call(name: str, deadline: float | None = None) -> Call:
    return Call(TABLE[name], {}, "127.0.0.1:1", "grpc", "id-1", deadline)


class Audit:
    """Notes the outcome that it finds on its way out."""

    def __init__(self, rank: Rank = Rank.AUDIT, *, refuses: bool = False, fails: bool = False) -> None:
        self.rank, self.on_cached = rank, IN_FULL
        self.refuses, self.fails = refuses, fails
        self.seen: list[Outcome | None] = []

    def __call__(self, call: Call) -> Guard:
        audit = self

        class Audited(Guard):
            async def __aenter__(self) -> None:
                if audit.refuses:
                    raise LimitExceeded("enough")

            async def __aexit__(
                self,
                kind: type[BaseException] | None,
                error: BaseException | None,
                trace: TracebackType | None,
            ) -> None:
                audit.seen.append(self.call.outcome)
                if audit.fails:
                    raise LimitExceeded("the audit log is full")

        return Audited(call)


async def ends(name: str, request: object, *guards: Audit) -> Outcome | None:
    """How the call ends."""
    pipeline = rpcs(ToyRegistry(), extra=guards, default_deadline=0.01).pipeline
    made = call(name)
    assert made.outcome is None
    with suppress(RegistryError, ZeroDivisionError):
        if TABLE[name].streams:
            async with aclosing(pipeline.stream(made, request)) as answers:
                async for _ in answers:
                    pass
        else:
            await pipeline.unary(made, request)
    return made.outcome


@pytest.mark.parametrize(
    ("schema_id", "outcome"),
    [
        ("a", OK),
        ("missing", Outcome("NOT_FOUND", "SCHEMA_NOT_FOUND")),
        ("crash", INTERNAL),
        ("wait", DEADLINE_EXCEEDED),
    ],
)
async def test_guards_find_out_how_a_call_ended(schema_id: str, outcome: Outcome) -> None:
    outer, inner = Audit(Rank.OBSERVE), Audit(Rank.AUDIT)
    assert await ends("GetSchema", pb.GetSchemaRequest(schema_id=schema_id), outer, inner) == outcome

    assert (outer.seen, inner.seen) == ([outcome], [outcome])


@pytest.mark.parametrize(
    ("prefix", "outcome"), [("", OK), ("missing", Outcome("NOT_FOUND", "SCHEMA_NOT_FOUND"))]
)
async def test_guards_find_out_how_a_stream_ended(prefix: str, outcome: Outcome) -> None:
    outer, inner = Audit(Rank.OBSERVE), Audit(Rank.AUDIT)
    assert await ends("ListSchemas", pb.ListSchemasRequest(subject_prefix=prefix), outer, inner) == outcome

    assert (outer.seen, inner.seen) == ([outcome], [outcome])


@pytest.mark.parametrize("name", ["GetSchema", "ListSchemas"])
async def test_what_a_guard_refuses_or_fails_at_is_the_outcome_for_those_around_it(name: str) -> None:
    full = Outcome("RESOURCE_EXHAUSTED", "LIMIT_EXCEEDED")
    request = pb.GetSchemaRequest(schema_id="a") if name == "GetSchema" else pb.ListSchemasRequest()
    outer, refusing = Audit(Rank.OBSERVE), Audit(refuses=True)
    assert await ends(name, request, outer, refusing) == full
    assert (outer.seen, refusing.seen) == ([full], [])

    outer, failing = Audit(Rank.OBSERVE), Audit(fails=True)
    assert await ends(name, request, outer, failing) == full
    assert (outer.seen, failing.seen) == ([full], [OK])


async def test_a_caller_that_leaves_is_a_cancellation() -> None:
    audit, registry = Audit(), ToyRegistry()
    pipeline = rpcs(registry, extra=[audit]).pipeline
    task = asyncio.create_task(pipeline.unary(call("GetSchema"), pb.GetSchemaRequest(schema_id="wait")))
    await registry.entered.wait()
    task.cancel()
    await asyncio.wait([task])
    async with aclosing(pipeline.stream(call("ListSchemas"), pb.ListSchemasRequest())) as answers:
        await anext(answers)

    assert audit.seen == [CANCELLED, CANCELLED]


async def test_what_a_handler_learns_it_touches_a_watcher_may_refuse() -> None:
    touched: list[Resource] = []

    def watcher(resource: Resource) -> None:
        touched.append(resource)
        if resource == SUBJECT:
            raise PermissionDenied("not orders")

    made = call("GetSchema")
    made.watch(watcher)
    with pytest.raises(PermissionDenied):
        await rpcs(ToyRegistry()).pipeline.unary(made, pb.GetSchemaRequest(schema_id="a"))

    assert touched == [SUBJECT]
    assert made.resources == (Resource(ResourceKind.SCHEMA, "a"),)


def test_each_resource_is_told_once_and_a_long_stream_of_them_takes_no_memory() -> None:
    told: list[Resource] = []
    made = call("BatchValidate")
    made.watch(told.append)
    for number in range(1000):
        made.touches(pb.ValidateDataRequest(schema_id=str(number)))
    made.touches(pb.ValidateDataRequest(schema_id="0"))

    assert len(told) == 1000
    assert len(made.resources) == MOST_RESOURCES


async def test_an_answer_that_may_depend_on_more_than_is_known_is_not_cached() -> None:
    class Far(ToyRegistry):
        async def get_schema(self, request: pb.GetSchemaRequest, call: Call) -> pb.GetSchemaResponse:
            for number in range(int(request.schema_id)):
                call.touch(Resource(ResourceKind.SUBJECT, str(number)))
            return pb.GetSchemaResponse()

    cache = AnswerCache(1 << 20)
    pipeline = Pipeline(handlers(Far()), (), cache)
    for count in (MOST_RESOURCES - 2, MOST_RESOURCES):
        made = call("GetSchema")
        await pipeline.unary(made, pb.GetSchemaRequest(schema_id=str(count)))
        pipeline.cache(pipeline.begin(), made, str(count).encode(), b"body")

    assert cache.stats().entries == 1


@pytest.mark.parametrize(
    ("declared", "complaint"),
    [
        ({"permission": ""}, "declares no permission"),
        ({"mutates": True, "idempotency": Idempotency.NO_SIDE_EFFECTS}, "mutates and yet declares"),
        ({"mutates": True, "cached": True}, "cannot be cached"),
        ({"server_streaming": True, "cached": True}, "cannot be cached"),
        ({"client_streaming": True, "cached": True}, "cannot be cached"),
    ],
)
def test_an_operation_that_contradicts_itself_stops_the_start(
    declared: dict[str, object], complaint: str
) -> None:
    with pytest.raises(TypeError, match=complaint):
        Operation(**{"id": "/s/M", "name": "M", "permission": "none", **declared})  # type: ignore[arg-type]
