"""Periodic work goes on whatever it raises, tells how it is, ends within a bound, and one server of a store does it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from llm_schema_registry_server.errors import StorageUnavailable
from llm_schema_registry_server.model.health import ComponentStatus
from llm_schema_registry_server.registry.leasing import LeaseKeeper
from llm_schema_registry_server.registry.periodic import LONGEST_BACK_OFF, PeriodicWork, WorkState, component
from llm_schema_registry_server.storage.leases import LeaseLost
from llm_schema_registry_server.storage.memory.store import MemoryStore
from tests.unit.conftest import LogLines

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def periodic(work: Callable[[], Awaitable[None]], **how: Any) -> PeriodicWork:
    return PeriodicWork("tidy", work, lambda: NOW, **{"every_seconds": 3600, **how})


def told(log_lines: LogLines) -> list[dict[str, Any]]:
    """What was logged of the work, without what asyncio logs."""
    return [line for line in log_lines() if line["logger"] == "background"]


class Runs:
    """Work that counts its runs, and fails with `error` if there is one."""

    def __init__(self) -> None:
        self.count = 0
        self.error: Exception | None = None
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def __call__(self) -> None:
        self.count += 1
        self.begun.set()
        await self.may_end.wait()
        if self.error is not None:
            raise self.error

    async def next(self) -> None:
        """Wait until a run begins."""
        await self.begun.wait()
        self.begun.clear()


@pytest.fixture
def runs() -> Runs:
    return Runs()


async def test_it_runs_at_the_start_and_again_after_each_pause(runs: Runs) -> None:
    work = periodic(runs, every_seconds=0.001)
    work.start()
    for _ in range(3):
        await runs.next()
    await work.stop()

    assert work.state == WorkState(NOW)


async def test_it_runs_at_once_when_asked(runs: Runs) -> None:
    work = periodic(runs)
    work.start()
    await runs.next()
    work.run_soon()
    await runs.next()
    await work.stop()

    assert runs.count == 2


async def test_who_asks_during_a_run_gets_another_one(runs: Runs) -> None:
    work = periodic(runs)
    runs.may_end.clear()
    work.start()
    await runs.next()
    work.run_soon()
    work.run_soon()
    runs.may_end.set()
    await runs.next()
    await work.stop()

    assert runs.count == 2


async def test_failures_and_the_recovery_are_logged_once_each(runs: Runs, log_lines: LogLines) -> None:
    work = periodic(runs)
    runs.error = StorageUnavailable("away")
    await work.run_once()
    await work.run_once()
    failing = work.state
    runs.error = None
    await work.run_once()
    await work.run_once()

    assert failing == WorkState(None, "away", 2)
    assert work.state == WorkState(NOW)
    assert [(line["event"], line["work"]) for line in told(log_lines)] == [
        ("background_work_failed", "tidy"),
        ("background_work_recovered", "tidy"),
    ]


async def test_a_bug_ends_nothing_and_is_logged_with_its_stack(runs: Runs, log_lines: LogLines) -> None:
    work = periodic(runs, every_seconds=0.001)
    runs.error = KeyError("a bug")
    work.start()
    await runs.next()
    await runs.next()
    await work.stop()

    (line,) = told(log_lines)
    assert line["error"] == "KeyError('a bug')"
    assert line["exception"]
    assert "bug" in work.state.trouble


@pytest.mark.parametrize(
    ("failures", "retry", "pause"),
    [
        (0, 0, 10),
        (1, 0, 10),
        (2, 0, 20),
        (3, 0, 40),
        (100, 0, 10 * LONGEST_BACK_OFF),
        (0, 99, 10),
        (1, 99, 99),
    ],
)
async def test_pauses_grow_with_failures_up_to_a_limit(
    runs: Runs, failures: int, retry: float, pause: float
) -> None:
    work = periodic(runs, every_seconds=10, retry_seconds=retry)
    runs.error = StorageUnavailable("away")
    for _ in range(failures):
        await work.run_once()

    assert work.pause_seconds == pause


async def test_the_pause_is_varied(runs: Runs) -> None:
    varied: list[float] = []

    def vary() -> float:
        varied.append(0.0)
        return 0.0

    work = periodic(runs, vary=vary)
    work.start()
    await runs.next()
    await runs.next()  # an hour later, times 0
    await work.stop()

    assert varied


async def test_stopping_runs_a_last_time_only_when_that_is_wanted(runs: Runs) -> None:
    for last, expected in ((True, 1), (False, 0)):
        runs.count = 0
        work = periodic(runs, waits_first=True, runs_at_stop=last)
        work.start()
        await work.stop()

        assert runs.count == expected


@pytest.mark.parametrize("last", [True, False])
async def test_work_that_cannot_be_cancelled_does_not_hold_up_the_end(last: bool) -> None:
    begun, end = asyncio.Event(), asyncio.Event()

    async def stubborn() -> None:
        begun.set()
        while not end.is_set():
            try:
                await end.wait()
            except asyncio.CancelledError:
                continue

    work = periodic(stubborn, runs_at_stop=last, stop_seconds=0.01)
    work.start()
    await begun.wait()
    await work.stop()  # returns
    end.set()


async def test_one_server_works_and_another_one_goes_on_when_it_stops(runs: Runs) -> None:
    store, others = MemoryStore(), Runs()
    await store.open()
    first = periodic(runs, lease=LeaseKeeper(store, "tidy", 60))
    second = periodic(others, lease=LeaseKeeper(store, "tidy", 60))
    first.start()
    await runs.next()
    await first.run_once()
    await second.run_once()
    assert (runs.count, others.count) == (2, 0)
    assert second.state == WorkState(elsewhere=True)

    await first.stop()
    await second.run_once()
    assert (others.count, second.state) == (1, WorkState(NOW))


async def test_work_that_lost_its_lease_is_cancelled_and_cannot_write(runs: Runs) -> None:
    store = MemoryStore()
    await store.open()
    keeper = LeaseKeeper(store, "tidy", 0.02)
    refused: list[LeaseLost] = []

    async def work() -> None:
        async with store.write() as tx:
            await tx.confirm_lease(keeper._lease)  # type: ignore[arg-type]  # still its own
            await tx.release_lease(keeper._lease)  # type: ignore[arg-type]  # as when it expired
            assert await tx.acquire_lease("tidy", "another", 60)
        try:
            async with store.write() as tx:
                await keeper.confirm(tx)
        except LeaseLost as error:
            refused.append(error)
        await asyncio.Event().wait()  # until it is cancelled

    losing = periodic(work, lease=keeper)
    await losing.run_once()

    assert len(refused) == 1
    assert "lost the lease 'tidy'" in losing.state.trouble
    assert not keeper.held
    await losing.run_once()
    assert losing.state.elsewhere


async def test_a_long_run_keeps_its_lease(runs: Runs) -> None:
    """Longer than the lease is held without renewals."""
    store = MemoryStore()
    await store.open()
    renewed = asyncio.Event()

    class Counting(LeaseKeeper):
        async def _renewed(self) -> bool:
            done = await super()._renewed()
            if done:
                renewed.set()
            return done

    keeper = Counting(store, "tidy", 0.5)
    work = periodic(renewed.wait, lease=keeper)
    await work.run_once()

    assert work.state == WorkState(NOW)


async def test_the_health_report_tells_of_each_work(runs: Runs) -> None:
    good, bad = periodic(runs), periodic(Runs())
    await good.run_once()
    bad.name, bad.state = "count", WorkState(None, "away", 1)

    health = component([good, bad])
    assert health.status is ComponentStatus.UP
    assert health.details == {"tidy_last_success": "2026-01-02T03:04:05+00:00", "count_trouble": "away"}
