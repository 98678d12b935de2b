"""Counting: what is kept is told, one server counts, and trouble ends nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import pytest_asyncio

from llm_schema_registry_server.errors import StorageUnavailable
from llm_schema_registry_server.model.statistics import Statistics
from llm_schema_registry_server.model.usage import Uses
from llm_schema_registry_server.registry.statistics import LEASE, LEAST_SECONDS, StatisticsCounter
from llm_schema_registry_server.storage.memory import MemoryStore
from llm_schema_registry_server.storage.memory.reading import MemoryReadTx
from tests.support.storage import START, insert, version
from tests.support.waiting import until as awaited


async def until(condition: Callable[[], object]) -> None:
    async def holds() -> bool:
        return bool(condition())

    await awaited(holds)


class SlowStore(MemoryStore):
    """Long reads begin when `go` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.go.set()
        self.long_reads = 0

    @asynccontextmanager
    async def read_elsewhere(self) -> AsyncIterator[MemoryReadTx]:  # type: ignore[override]
        self.long_reads += 1
        await self.go.wait()
        async with self.read() as tx:
            yield tx


@pytest_asyncio.fixture
async def store() -> AsyncIterator[SlowStore]:
    made = SlowStore()
    await made.open()
    yield made
    await made.close()


class Clock:
    def __init__(self) -> None:
        self.now = START + timedelta(days=1)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def counting(
    store: MemoryStore,
    clock: Clock,
    *,
    every: float = 0,
    timeout: float = 60,
) -> StatisticsCounter:
    return StatisticsCounter(
        store,
        clock,
        every_seconds=every,
        timeout_seconds=timeout,
        on_counted=lambda seconds: None,
        timer=lambda: clock.now.timestamp(),
    )


async def test_what_is_kept_is_told_until_somebody_wants_it_fresh(store: SlowStore) -> None:
    clock = Clock()
    ask = counting(store, clock)
    store.go.clear()
    asked = asyncio.create_task(ask())
    await until(lambda: store.long_reads)
    clock.advance(2)  # so long does it take
    store.go.set()
    assert (await asked).statistics.versions == 0
    await insert(store, version("a", 1))

    clock.advance(LEAST_SECONDS - 3)
    assert (await ask(fresh=True)).statistics.versions == 0
    clock.advance(1)
    assert (await ask()).statistics.versions == 0
    fresh = (await ask(fresh=True)).statistics

    assert (fresh.versions, fresh.at) == (1, clock.now)
    assert ask.newest == fresh
    assert store.long_reads == 2


async def test_what_costs_little_is_counted_whenever_somebody_wants_it_fresh(store: SlowStore) -> None:
    ask = counting(store, Clock())
    await ask()
    await insert(store, version("a", 1))

    assert (await ask()).statistics.versions == 0
    assert (await ask(fresh=True)).statistics.versions == 1


async def test_statistics_of_the_future_are_not_fresh(store: SlowStore) -> None:
    clock = Clock()
    ask = counting(store, clock)
    await ask()
    clock.advance(-3600)

    assert (await ask(fresh=True)).statistics.at == clock.now


async def test_of_those_who_ask_together_one_counts(store: SlowStore) -> None:
    clock = Clock()
    servers = [counting(store, clock) for _ in range(3)]
    store.go.clear()
    asked = [asyncio.create_task(server()) for server in servers for _ in range(3)]
    await until(lambda: store.long_reads)
    await insert(store, version("a", 1))  # a writer does not wait for it

    store.go.set()
    told = await asyncio.gather(*asked)

    assert store.long_reads == 1
    assert {each.statistics.versions for each in told} == {1}


async def test_who_is_overtaken_between_look_and_count_does_not_count_again(
    store: SlowStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    one, other = counting(store, clock), counting(store, clock)
    look = one.look

    async def overtaken() -> Statistics | None:
        kept = await look()
        if other.newest is None:
            await other.refresh()
            clock.advance(1)
        return kept

    monkeypatch.setattr(one, "look", overtaken)

    assert (await one()).statistics == other.newest
    assert store.long_reads == 1


async def test_a_count_goes_on_when_who_asked_for_it_leaves(store: SlowStore) -> None:
    ask = counting(store, Clock())
    store.go.clear()
    first, second = (asyncio.create_task(ask()) for _ in range(2))
    await until(lambda: store.long_reads)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first

    store.go.set()

    assert (await second).statistics.versions == 0
    assert store.long_reads == 1


async def test_a_count_that_somebody_asked_for_ends_with_the_server(store: SlowStore) -> None:
    ask = counting(store, Clock())
    store.go.clear()
    asked = asyncio.create_task(ask())
    await until(lambda: store.long_reads)

    await ask.stop()

    with pytest.raises(asyncio.CancelledError):
        await asked
    assert ask.newest is None


async def test_it_counts_by_itself_and_others_take_over_what_it_counted(store: SlowStore) -> None:
    clock = Clock()
    one, two = (counting(store, clock, every=0.05) for _ in range(2))
    one.start()
    two.start()
    try:
        await until(lambda: one.newest and two.newest)
        assert store.long_reads == 1
        await insert(store, version("a", 1))
        clock.advance(1)
        await until(lambda: all(s.newest and s.newest.versions == 1 for s in (one, two)))
    finally:
        await one.stop()
        await two.stop()


async def test_trouble_is_told_and_it_goes_on(store: SlowStore) -> None:
    ask = counting(store, Clock(), every=0.02, timeout=0.02)
    store.go.clear()
    ask.start()
    try:
        await until(lambda: ask.work.state.trouble)
        trouble = ask.work.state.trouble
        store.go.set()
        await until(lambda: ask.newest)
    finally:
        await ask.stop()
    assert "statistics.timeout_seconds" in trouble
    assert not ask.work.state.trouble


async def test_a_count_that_takes_too_long_is_unavailable(store: SlowStore) -> None:
    store.go.clear()

    with pytest.raises(StorageUnavailable, match=r"longer than 0\.01 s"):
        await counting(store, Clock(), timeout=0.01)()


async def test_a_count_that_was_overtaken_is_not_saved(store: SlowStore) -> None:
    """Another server has acquired the lease, and saves its own."""
    counter = counting(store, Clock())
    store.go.clear()
    counted = asyncio.create_task(counter.refresh())
    await until(lambda: store.long_reads)
    held = store._tables.leases.get(LEASE)
    assert held is not None
    async with store.write() as tx:
        await tx.release_lease(held.lease)
        taken = await tx.acquire_lease(LEASE, "another-server", 60)
        assert taken is not None
    store.go.set()

    assert await counted is None
    async with store.write() as tx:
        assert await tx.statistics() is None
        await tx.confirm_lease(taken)


async def test_one_server_counts_at_a_time_and_the_next_when_it_has_saved(store: SlowStore) -> None:
    one, two = (counting(store, Clock()) for _ in range(2))
    store.go.clear()
    first = asyncio.create_task(one.refresh())
    await until(lambda: store.long_reads)

    assert await two.refresh() is None
    assert store.long_reads == 1
    store.go.set()
    assert await first is not None
    assert await two.refresh() is not None


async def test_after_a_failed_count_the_others_wait_until_the_lease_expires(store: SlowStore) -> None:
    one, two = counting(store, Clock(), timeout=0.01), counting(store, Clock())
    store.go.clear()
    with pytest.raises(StorageUnavailable):
        await one.refresh()
    store.go.set()
    held = store._tables.leases.get(LEASE)
    assert held is not None
    async with store.write() as tx:
        await tx.renew_lease(held.lease, 60)
    assert await two.refresh() is None
    async with store.write() as tx:
        await tx.renew_lease(held.lease, 0)

    assert await two.refresh() is not None


async def test_live_versions_that_are_used_most(store: SlowStore) -> None:
    clock = Clock()
    made = [version("a", n) for n in (1, 2, 3)]
    await insert(store, *made)
    async with store.write() as tx:
        used = {v.schema_id: Uses(reads=n, validations=1) for n, v in enumerate(made, 1)}
        await tx.record_usage(used, clock.now)
        await tx.update_version(replace(made[1], deleted_at=START))

    popular = (await counting(store, clock)()).popular

    assert [(p.version.ordinal, p.usage.uses.reads, round(p.recent)) for p in popular] == [
        (3, 3, 4),
        (1, 1, 2),
    ]
