"""A new kind of task is one class: this file defines two, and nothing else knows of them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from llm_schema_engines.formats.engine import Engines
from llm_schema_engines.model.schema import SchemaType
from llm_schema_registry_server.errors import LimitExceeded, Unavailable
from llm_schema_registry_server.settings import WorkersSettings
from llm_schema_registry_server.telemetry import context
from llm_schema_registry_server.telemetry.context import CallContext
from llm_schema_registry_server.workers.inline import InlineWorkers
from llm_schema_registry_server.workers.placement import PlacedWorkers
from llm_schema_registry_server.workers.processes import ProcessWorkers
from llm_schema_registry_server.workers.task import Task, TaskFailure, TimeLimits
from tests.support.workers import run

from .fakes import make, obey

pytestmark = pytest.mark.slow  # each test starts a process


@dataclass(frozen=True, slots=True)
class Letters:
    """How often each letter occurs; where and for which call that was found out."""

    counts: dict[str, int]
    process: int
    request_id: str
    traceparent: str


@dataclass(frozen=True, slots=True)
class CountLetters(Task[Letters]):
    """Short texts are counted inline."""

    text: str

    def run(self, engines: Engines) -> Letters:
        obey(self.text.encode())
        counts = {letter: self.text.count(letter) for letter in self.text}
        now = context.current()
        return Letters(counts, os.getpid(), now.request_id, now.traceparent)

    def seconds(self, limits: TimeLimits) -> float:
        return 0.3 if self.text == "spin" else 30

    def failed(self, failure: TaskFailure) -> Letters:
        if failure.timed_out:
            return Letters({}, 0, "", "")
        raise LimitExceeded(f"counting letters {failure.cause}")

    def runs_inline(self) -> bool:
        return len(self.text) < 4


@dataclass(frozen=True, slots=True)
class CountQuickly(CountLetters):
    """Texts of one letter are not even counted."""

    def shortcut(self, engines: Engines) -> Letters | None:
        return Letters({self.text: 1}, -1, "", "") if len(self.text) == 1 else None


@pytest_asyncio.fixture
async def workers() -> AsyncIterator[PlacedWorkers]:
    engines = make(SchemaType.JSON)
    bounds = WorkersSettings(processes=1, memory_bytes=1 << 29)
    placed = PlacedWorkers(
        InlineWorkers(engines), ProcessWorkers(bounds, "tests.unit.workers.fakes:make", SchemaType.JSON)
    )
    await placed.start()
    yield placed
    await placed.stop()


async def test_a_new_task_runs_inline_and_in_a_process(workers: PlacedWorkers) -> None:
    small, large = await run(workers, CountLetters("aba")), await run(workers, CountLetters("abacus"))

    assert small.counts == {"a": 2, "b": 1}
    assert large.counts == {"a": 2, "b": 1, "c": 1, "u": 1, "s": 1}
    assert small.process == os.getpid() != large.process


async def test_a_new_task_may_know_its_result_at_once(workers: PlacedWorkers) -> None:
    assert workers.run_now(CountQuickly("a")) == Letters({"a": 1}, -1, "", "")
    assert workers.facts()["inline_tasks"] == "0"


async def test_a_new_task_says_what_its_failure_means(workers: PlacedWorkers) -> None:
    while True:
        try:
            assert await run(workers, CountLetters("spin")) == Letters({}, 0, "", "")
        except Unavailable:  # a machine that gives it no processor is no reason to judge it: "try again"
            continue
        break
    with pytest.raises(LimitExceeded, match="counting letters was ended by SIGABRT"):
        await run(workers, CountLetters("abort"))


async def test_a_task_carries_the_context_of_its_call_into_the_process(workers: PlacedWorkers) -> None:
    context.bind(CallContext("call-1", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
    first = await run(workers, CountLetters("abacus"))
    context.bind(context.NONE)
    second = await run(workers, CountLetters("abacus"))

    assert (first.request_id, first.traceparent[:7]) == ("call-1", "00-0af7")
    assert (second.request_id, second.traceparent) == ("", "")
