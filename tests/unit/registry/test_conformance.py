"""Outcomes of answers: a report counts once and is stored when it is answered, models are bounded, and a drop is found and ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

import pytest
import pytest_asyncio

from llm_schema_registry_server.errors import (
    InvalidRequest,
    LimitExceeded,
    PageTokenInvalid,
    SchemaNotFound,
    ShuttingDown,
    StorageUnavailable,
    SubjectNotFound,
    VersionNotFound,
)
from llm_schema_registry_server.model.outcomes import Outcomes
from llm_schema_registry_server.model.schema import SchemaVersion
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.registry.conformance import (
    Conformance,
    ConformanceCounters,
    ConformanceLimits,
    ConformanceQuestion,
    Reported,
    ReportedItem,
)
from llm_schema_registry_server.registry.drops import DropRules
from llm_schema_registry_server.registry.observing import Observing
from llm_schema_registry_server.registry.outcome_sweep import OutcomeSweep
from llm_schema_registry_server.registry.profiles import Profiles
from llm_schema_registry_server.storage.store import Store, WriteTx
from llm_schema_registry_server.storage.wrappers.forwarding import forwarding
from tests.support.registry import LIMITS, World, world

GOOD, BAD = Outcomes(1000, 950), Outcomes(1000, 800, 150, 20, 30)
SUBJECT = Subject.parse("answers")


class CountingStore(Store):
    """Counts write transactions; `away` makes them fail."""

    def __init__(self, inner: Store) -> None:
        self._inner = inner
        self.writes, self.away = 0, False

    def write(self) -> AbstractAsyncContextManager[WriteTx]:
        self.writes += 1
        if self.away:
            raise StorageUnavailable("away")
        return self._inner.write()


counting_store = forwarding(CountingStore)


class Bench:
    """A registry with two versions of a subject, and its counters."""

    def __init__(self, made: World, ids: list[str]) -> None:
        self.world, self.ids = made, ids
        self.store = counting_store(made.store)
        self.use = self.counters()
        self.reports = 0

    def counters(self, **limits: object) -> ConformanceCounters:
        bounds = ConformanceLimits(**{"pause_seconds": 0.0, **limits})  # type: ignore[arg-type]
        return ConformanceCounters(self.store, self.world.clock, LIMITS, bounds)

    async def report(
        self, number: int, outcomes: Outcomes, model: str = "m", *, report_id: str = "", by: str = "ada"
    ) -> Reported:
        self.reports += 1
        item = ReportedItem(self.ids[number - 1], "", "", model, outcomes)
        done = await self.use.report(report_id or f"r{self.reports}", [item], by, _nothing)
        if self.use._reports._task is not None:  # drops are looked for
            await asyncio.wait([self.use._reports._task])
        return done

    async def all(self, version: str = "", **asked: object) -> list[Conformance]:
        found, token = await self.use.of_subject(ConformanceQuestion(SUBJECT, version, **asked))  # type: ignore[arg-type]
        assert token == ""
        return list(found)


def _nothing(version: SchemaVersion, schema_id: str) -> None:
    """Everybody may know everything."""


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    async with world() as made:
        ids = [(await made.register("answers", text)).version.schema_id for text in ("a", "a b", "a b c")]
        yield Bench(made, ids)


async def test_a_report_counts_once_for_each_caller(bench: Bench) -> None:
    assert (await bench.report(1, GOOD, report_id="same")).counted
    assert not (await bench.report(1, GOOD, report_id="same")).counted
    assert (await bench.report(1, GOOD, report_id="same", by="bob")).counted
    both = await asyncio.gather(*(bench.report(1, GOOD, report_id="together") for _ in range(5)))
    assert sorted(each.counted for each in both) == [False] * 4 + [True]

    assert [each.outcomes for each in await bench.all()] == [GOOD + GOOD + GOOD]


async def test_reports_that_come_together_are_written_together(bench: Bench) -> None:
    await asyncio.gather(*(bench.report(1, Outcomes(1, 1)) for _ in range(300)))

    assert bench.store.writes <= 3
    assert [each.outcomes for each in await bench.all()] == [Outcomes(300, 300)]


async def test_large_reports_are_written_in_parts(bench: Bench) -> None:
    items = [ReportedItem(bench.ids[0], "", "", f"m{n}", Outcomes(1, 1)) for n in range(700)]
    await asyncio.gather(*(bench.use.report(f"large{n}", items, "ada", _nothing) for n in range(3)))

    assert bench.store.writes == 3


async def test_what_the_store_does_not_take_is_told_and_may_be_sent_again(bench: Bench) -> None:
    bench.store.away = True
    with pytest.raises(StorageUnavailable):
        await bench.report(1, GOOD, report_id="again")
    bench.store.away = False
    assert (await bench.report(1, GOOD, report_id="again")).counted


async def test_a_caller_that_leaves_takes_nobody_along(bench: Bench) -> None:
    tasks = [asyncio.create_task(bench.report(1, Outcomes(1, 1))) for _ in range(3)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)

    assert isinstance(done[0], asyncio.CancelledError)
    assert done[1:] == [Reported(True, [])] * 2


async def test_too_much_that_waits_is_refused(bench: Bench) -> None:
    bench.use = bench.counters(waiting=1000)
    items = [ReportedItem(bench.ids[0], "", "", f"m{n}", Outcomes(1, 1)) for n in range(600)]
    first, second = await asyncio.gather(
        *(bench.use.report(f"w{n}", items, "ada", _nothing) for n in range(2)), return_exceptions=True
    )

    assert isinstance(first, Reported)
    assert isinstance(second, LimitExceeded)
    assert second.metadata["setting"] == "conformance.waiting"
    assert second.retry_seconds
    assert (await bench.use.report("w1", items, "ada", _nothing)).counted


async def test_stop_writes_what_waits_and_then_takes_nothing(bench: Bench) -> None:
    bench.use = bench.counters(pause_seconds=3600.0)
    await bench.report(1, GOOD)
    waiting = asyncio.create_task(bench.report(1, GOOD))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    await bench.use.stop()

    assert (await waiting).counted
    with pytest.raises(ShuttingDown):
        await bench.report(1, GOOD)


async def test_models_beyond_those_that_are_told_apart_are_counted_together(bench: Bench) -> None:
    bench.use = bench.counters(models=2)
    for model in ("a", "b", "c", "d", "a"):
        await bench.report(1, Outcomes(1, 1), model)
    await bench.report(2, BAD, "other")

    found = await bench.all()
    assert [(f.all.model, f.all.place, f.outcomes.answers) for f in found] == [
        ("a", 1, 2),
        ("b", 2, 1),
        ("other", 0, 2),
        ("other", 0, 1000),
    ]
    assert [f.drop for f in found] == [None] * 4


async def test_a_drop_is_found_marked_and_ends(bench: Bench) -> None:
    await bench.report(1, GOOD)
    assert [f.drop for f in await bench.all()] == [None]
    await bench.report(2, Outcomes(20, 16))
    (unsure,) = await bench.all("2")
    assert unsure.drop is not None
    assert not unsure.drop.found

    await bench.report(2, BAD)
    (sure,) = await bench.all("2")
    assert sure.drop is not None
    assert sure.drop.found
    assert sure.drop.evidence >= sure.drop.needed
    assert sure.before is not None
    assert sure.before.ordinal == 1
    assert sure.all.dropped_at is not None
    assert sure.first_pass.bounds.high < 0.9

    await bench.report(2, Outcomes(50_000, 48_000))
    (well,) = await bench.all("2")
    assert (well.drop is not None and well.drop.found, well.all.dropped_at) == (False, None)


async def test_a_drop_within_the_margin_is_none(bench: Bench) -> None:
    bench.use = bench.counters(rules=DropRules(0.01, margin=0.2))
    await bench.report(1, GOOD)
    await bench.report(2, BAD)

    assert [f.drop is not None and f.drop.found for f in await bench.all("2")] == [False]


async def test_a_version_without_reports_of_the_model_is_passed_over(bench: Bench) -> None:
    await bench.report(1, GOOD)
    await bench.report(2, GOOD, "another")
    await bench.report(3, BAD)

    (found,) = await bench.all("3")
    assert found.before is not None
    assert found.before.ordinal == 1


async def test_days_are_asked_for_and_forgotten(bench: Bench) -> None:
    await bench.report(1, GOOD)
    began = bench.world.clock()
    bench.world.clock.now += timedelta(days=3)
    await bench.report(1, BAD)
    now = bench.world.clock()

    async def answers(**asked: object) -> list[int]:
        return [f.outcomes.answers for f in await bench.all(**asked)]

    assert await answers() == [2000]
    assert await answers(since=now) == [1000]
    assert await answers(until=now) == [1000]
    assert await answers(since=began) == [2000]
    assert await answers(since=now + timedelta(days=2)) == []
    with pytest.raises(InvalidRequest, match="at least a day"):
        await answers(since=now, until=now)

    async def confirmed(tx: WriteTx) -> None:
        """Nobody else is at it."""

    await OutcomeSweep(bench.store, bench.world.clock, keep_days=2, confirm=confirmed).run()
    assert await answers(since=began) == [1000]
    assert await answers() == [2000]
    assert (await bench.report(1, GOOD, report_id="r1")).counted, "a report is forgotten after a day"
    assert not (await bench.report(1, GOOD, report_id="r1")).counted


async def test_pages_go_on_where_the_one_before_ended(bench: Bench) -> None:
    for number in (1, 2):
        for model in ("a", "b", "c"):
            await bench.report(number, Outcomes(1, 1), model)
    shown: list[tuple[int, str]] = []
    token = ""
    for _ in range(3):
        found, token = await bench.use.of_subject(ConformanceQuestion(SUBJECT, limit=2, page_token=token))
        shown += [(f.version.ordinal, f.all.model) for f in found]

    assert shown == [(number, model) for number in (1, 2) for model in ("a", "b", "c")]
    assert token == ""
    for wrong in ("x", "WzEsIDJd", "WzEsICJhIGIiXQ"):
        with pytest.raises(PageTokenInvalid):
            await bench.use.of_subject(ConformanceQuestion(SUBJECT, page_token=wrong))


async def test_items_of_what_is_not_there_are_left_out(bench: Bench) -> None:
    nobody = ReportedItem("0198c0de-0000-7000-8000-000000000009", "", "", "m", GOOD)
    strange = ReportedItem("\x00", "", "", "m", GOOD)
    there = ReportedItem("", "answers", "1", "m", GOOD)
    done = await bench.use.report("r", [nobody, there, strange], "ada", _nothing)

    assert done == Reported(True, [0, 2])
    with pytest.raises(SchemaNotFound):
        await bench.use.report("s", [nobody], "ada", _nothing)
    with pytest.raises(VersionNotFound):
        await bench.use.report("s", [ReportedItem("", "answers", "9", "m", GOOD)], "ada", _nothing)
    with pytest.raises(SubjectNotFound):
        await bench.use.report("s", [ReportedItem("", "nobody", "1", "m", GOOD)], "ada", _nothing)
    with pytest.raises(SubjectNotFound):
        await bench.use.of_subject(ConformanceQuestion(Subject.parse("nobody")))
    with pytest.raises(VersionNotFound):
        await bench.use.of_subject(ConformanceQuestion(SUBJECT, "9"))


async def test_the_metrics_learn_of_drops_for_a_week(bench: Bench) -> None:
    observing = Observing(bench.store, Profiles(bench.store, bench.world.clock), bench.world.clock)
    await bench.report(1, GOOD)
    await observing.read()
    assert observing.newest is not None
    assert observing.newest.drops == 0
    assert observing.newest.pending > 0, "no watch has judged anything here"
    assert observing.newest.behind == 3

    await bench.report(2, BAD)
    await observing.read()
    assert observing.newest.drops == 1
    bench.world.clock.now += timedelta(days=8)
    await observing.read()
    assert observing.newest.drops == 0
