"""Answers that are computed without waiting pass the same guards as all others, and are noted once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from llm_schema_registry_server.calls.call import OK, Call
from llm_schema_registry_server.calls.guard import IN_FULL, Guard, Rank
from llm_schema_registry_server.calls.guards.authenticate import Authenticate
from llm_schema_registry_server.calls.guards.authorize import Authorize
from llm_schema_registry_server.calls.guards.observe import Observe
from llm_schema_registry_server.calls.operation import Operation, Resource, ResourceKind
from llm_schema_registry_server.calls.pipeline import AtOnce, Pipeline
from llm_schema_registry_server.errors import InvalidRequest, SubjectNotFound
from llm_schema_registry_server.model.principal import Principal
from llm_schema_registry_server.model.scope import Scope, SubjectScope
from llm_schema_registry_server.telemetry.metrics import Metrics

ORDERS = Resource(ResourceKind.SUBJECT, "orders")
OPERATION = Operation("/tools/judge", "Judge", "schema:read", resources=lambda request: (ORDERS,))


class ByName:
    """Callers by what they may read: one everything, the others what begins with their names."""

    def known(self, metadata: dict[str, str]) -> Principal:
        who = metadata["who"]
        if who == "anything":
            return Principal(who, frozenset({"schema:read"}))
        return Principal(who, scoped={"schema:read": SubjectScope([Scope.parse(f"{who}*")])})


def call(who: str = "anything", **metadata: str) -> Call:
    return Call(OPERATION, {"who": who, **metadata}, "ipv4:10.0.0.7:1", "grpc", "id")


class Judging:
    """The handler, its quick twin, and the pipeline around them."""

    def __init__(self, *guards: Any) -> None:
        self.handled: list[str] = []
        self.metrics = Metrics()
        self.pipeline = Pipeline(
            [(OPERATION, self.handle)],
            (Observe(self.metrics), Authenticate(ByName()), *guards, Authorize()),  # type: ignore[arg-type]
        )

    async def handle(self, request: str, call: Call) -> str:
        self.handled.append(request)
        call.touch(ORDERS)
        return f"handled {request}"

    def quick(self, request: str) -> AtOnce | None:
        if request == "unknown":
            return None
        computed: dict[str, Callable[[], str | None]] = {"dear": lambda: None, "bad": self.fails}
        return AtOnce((ORDERS,), 1, computed.get(request, lambda: f"computed {request}"))

    def fails(self) -> str:
        raise InvalidRequest("data", "is bad")

    def counted(self) -> tuple[float, float]:
        """Calls that went well, and cached answers, by the metrics."""
        samples = [sample for family in self.metrics.registry.collect() for sample in family.samples]
        handled = (s for s in samples if s.name == "schema_registry_calls_total" and s.labels["code"] == "OK")
        hits = (s for s in samples if s.name == "schema_registry_answer_cache_hits_total")
        return sum(s.value for s in handled), sum(s.value for s in hits)


async def test_the_answer_is_computed_and_noted_as_a_call_that_was_not_cached() -> None:
    judging, made = Judging(), call()

    assert judging.pipeline.computed_at_once(made, "a", judging.quick) == "computed a"
    assert made.outcome == OK
    assert not made.kept
    assert made.resources == (ORDERS,)
    assert not judging.handled
    assert judging.counted() == (1, 0)


@pytest.mark.parametrize("request_", ["unknown", "dear", "bad"])
async def test_what_cannot_be_computed_at_once_goes_the_long_way_as_if_nothing_had_been(
    request_: str,
) -> None:
    judging, made = Judging(), call()

    assert judging.pipeline.computed_at_once(made, request_, judging.quick) is None
    assert made.outcome is None
    assert made.watchers == ()
    assert await judging.pipeline.unary(made, request_) == f"handled {request_}"
    assert made.outcome == OK


async def test_who_may_not_read_the_subject_gets_nothing_and_is_refused_on_the_long_way() -> None:
    judging, made = Judging(), call("payments")

    assert judging.pipeline.computed_at_once(made, "a", judging.quick) is None
    assert made.outcome is None
    with pytest.raises(SubjectNotFound):
        await judging.pipeline.unary(made, "a")


async def test_who_may_read_that_subject_only_gets_the_answer() -> None:
    judging = Judging()

    assert judging.pipeline.computed_at_once(call("orders"), "a", judging.quick) == "computed a"


@pytest.mark.parametrize("name", ["cache-control", "x-registry-min-revision"])
async def test_a_call_that_wants_it_computed_anew_or_later_goes_the_long_way(name: str) -> None:
    judging = Judging()

    assert judging.pipeline.computed_at_once(call(**{name: "no-cache"}), "a", judging.quick) is None


async def test_a_guard_that_surrounds_every_call_is_not_passed_by() -> None:
    class Surrounding:
        rank, on_cached = Rank.QUOTA, IN_FULL

        def __call__(self, call: Call) -> Guard:
            return Guard(call)

    judging = Judging(Surrounding())

    assert judging.pipeline.computed_at_once(call(), "a", judging.quick) is None
