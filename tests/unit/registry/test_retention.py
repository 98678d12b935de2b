"""Retention forgets the old beginning of the log and nothing else; whoever misses something by it is told."""

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest

from llm_schema_registry_server.errors import RevisionCompacted
from llm_schema_registry_server.model.change import format_revision
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.registry.periodic import PeriodicWork
from llm_schema_registry_server.registry.retention import (
    BATCH,
    Retention,
    RetentionPolicy,
    SweepProgress,
    old,
    sweep_all,
)
from llm_schema_registry_server.registry.subscribers import MOST_PENDING, ChangeFilter
from llm_schema_registry_server.registry.subscribing import Heartbeat
from llm_schema_registry_server.storage.memory import MemoryStore
from llm_schema_registry_server.storage.store import Store
from tests.support.registry import World
from tests.support.storage import change

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
ALL = ChangeFilter.of([], [])


async def store_with(*ages: timedelta) -> MemoryStore:
    store = MemoryStore()
    await store.open()
    async with store.write() as tx:
        for age in ages:
            await tx.append_change(change(at=NOW - age))
    return store


async def sweep(store: Store, keep: RetentionPolicy, *, dry_run: bool = False) -> list[SweepProgress]:
    return [s async for s in Retention(store, keep, lambda: NOW).sweep(dry_run=dry_run, pause=0)]


async def bounds(store: Store) -> tuple[int, int]:
    async with store.read() as tx:
        return await tx.change_bounds()


@pytest.mark.parametrize(
    ("ages", "count", "more"),
    [
        ([], 0, True),
        ([3, 2], 2, True),
        ([3, 0.5, 3], 1, False),  # a young change ends it, whatever comes after
        ([0, 3], 0, False),
        ([3, -9, 3, 0.5], 3, False),  # a time in the future is passed over ...
        ([3, -9, 0.5], 1, False),  # ... and goes only with an old change after it
        ([-9, -9], 0, True),
    ],
)
def test_the_old_part_is_a_beginning_whatever_the_clocks_said(
    ages: list[float], count: int, more: bool
) -> None:
    times = [(n, NOW - age * DAY) for n, age in enumerate(ages)]

    assert old(times, before=NOW - DAY, now=NOW) == (count, more)


@pytest.mark.parametrize(
    ("keep", "oldest"),
    [
        (RetentionPolicy(), 0),
        (RetentionPolicy(age=DAY), 3),
        (RetentionPolicy(newest=4), 1),
        (RetentionPolicy(newest=0), 5),
        (RetentionPolicy(newest=9), 0),
        (RetentionPolicy(age=DAY, newest=4), 3),
        (RetentionPolicy(age=DAY, newest=1), 4),
    ],
)
async def test_a_change_stays_while_it_is_young_enough_and_new_enough(
    keep: RetentionPolicy, oldest: int
) -> None:
    store = await store_with(4 * DAY, 3 * DAY, 2 * DAY, DAY / 2, DAY / 3)

    foreseen = await sweep(store, keep, dry_run=True)
    assert await bounds(store) == (0, 5)
    assert await sweep(store, keep) == foreseen
    assert await bounds(store) == (oldest, 5)
    assert await sweep(store, keep) == []


@pytest.mark.parametrize(
    ("cursors", "hold", "oldest"),
    [
        ((), RetentionPolicy(age=9 * DAY), 4),
        ((5,), RetentionPolicy(age=9 * DAY), 4),  # it needs none of the old ones
        ((4,), RetentionPolicy(age=9 * DAY), 4),
        ((2, 5), RetentionPolicy(age=9 * DAY), 2),  # the slowest decides
        ((0,), RetentionPolicy(age=9 * DAY), 0),
        ((0,), RetentionPolicy(), 0),
        ((0,), RetentionPolicy(age=2.5 * DAY), 3),  # not for ever: by age ...
        ((0,), RetentionPolicy(newest=4), 2),  # ... and by number
        ((3,), RetentionPolicy(newest=4), 3),
        ((0,), RetentionPolicy(age=2.5 * DAY, newest=4), 3),  # past either
        ((0,), RetentionPolicy(age=4.5 * DAY, newest=4), 2),
        ((0,), RetentionPolicy(newest=0), 4),
        ((0,), RetentionPolicy(age=0 * DAY), 4),
        ((0,), RetentionPolicy(newest=99), 0),
    ],
)
async def test_a_slow_cursor_holds_back_what_it_has_not_passed_within_bounds(
    cursors: tuple[int, ...], hold: RetentionPolicy, oldest: int
) -> None:
    store = await store_with(5 * DAY, 4 * DAY, 3 * DAY, 2 * DAY, DAY / 2, DAY / 3)
    async with store.write() as tx:
        for n, sequence in enumerate(cursors):
            await tx.set_cursor(f"reader-{n}", sequence)
    retention = Retention(store, RetentionPolicy(age=DAY), lambda: NOW, hold)

    foreseen = [step async for step in retention.sweep(dry_run=True, pause=0)]
    assert [step async for step in retention.sweep(pause=0)] == foreseen
    assert await bounds(store) == (oldest, 6)


async def test_a_cursor_ends_what_goes_in_the_middle_of_a_long_log() -> None:
    store = await store_with(*[2 * DAY] * (2 * BATCH + 1), timedelta())
    async with store.write() as tx:
        await tx.set_cursor("audit", BATCH + 7)

    assert await sweep(store, RetentionPolicy(age=DAY)) == [
        SweepProgress(count, count) for count in (BATCH, BATCH + 7)
    ]
    async with store.write() as tx:
        await tx.remove_cursor("audit")
    assert await sweep(store, RetentionPolicy(age=DAY)) == [
        SweepProgress(count, BATCH + 7 + count) for count in (BATCH - 6,)
    ]


async def test_a_long_log_goes_in_small_steps() -> None:
    store = await store_with(*[2 * DAY] * (2 * BATCH + 1), timedelta())

    assert await sweep(store, RetentionPolicy(age=DAY)) == [
        SweepProgress(count, count) for count in (BATCH, 2 * BATCH, 2 * BATCH + 1)
    ]


async def test_a_clock_that_ran_ahead_for_long_does_not_keep_the_log() -> None:
    store = await store_with(*[-300 * DAY] * (BATCH + 1), 2 * DAY, timedelta())

    assert await sweep(store, RetentionPolicy(age=DAY)) == [SweepProgress(BATCH + 2, BATCH + 2)]


async def test_sweeping_goes_on_beside_the_server() -> None:
    store = await store_with(2 * DAY)
    swept: list[SweepProgress] = []
    told = asyncio.Event()

    def tell(step: SweepProgress) -> None:
        swept.append(step)
        told.set()

    retention = Retention(store, RetentionPolicy(age=DAY), lambda: NOW)
    sweeper = PeriodicWork("retention", lambda: sweep_all(retention, tell), lambda: NOW, every_seconds=0.01)
    sweeper.start()
    await told.wait()
    told.clear()
    async with store.write() as tx:
        await tx.append_change(change(at=NOW - 2 * DAY))
    await told.wait()
    await sweeper.stop()

    assert swept == [SweepProgress(1, 1), SweepProgress(1, 2)]


async def many(registry: World, count: int, subject: str = "orders") -> None:
    name = Subject.parse(subject)
    async with registry.store.write() as tx:
        last = [await tx.append_change(change(subject=name, ordinal=n)) for n in range(count)][-1]
    await registry.feed.reach(last)
    while registry.feed.offered < last:  # noqa: ASYNC110  # the next turn is soon enough
        await asyncio.sleep(0)


async def compact(registry: World, upto: int) -> None:
    async with registry.store.write() as tx:
        assert await tx.compact_changes(upto)


def token(registry: World, sequence: int) -> str:
    return format_revision(registry.store.registry_id, sequence)


async def test_resuming_from_before_the_bound_says_where_to_start_again(registry: World) -> None:
    await many(registry, 30)
    await compact(registry, 10)

    with pytest.raises(RevisionCompacted) as caught:
        await anext(registry.subscribing(ALL, token(registry, 9), None))
    assert caught.value.metadata["oldest"] == token(registry, 10)
    async with aclosing(registry.subscribing(ALL, token(registry, 10), None)) as stream:
        assert await anext(stream) == Heartbeat(10)
    async with aclosing(registry.subscribing(ALL, "earliest", None)) as stream:
        assert await anext(stream) == Heartbeat(10)


async def test_what_is_still_in_memory_is_served_though_the_store_has_forgotten_it(registry: World) -> None:
    await many(registry, 30)  # the ring holds at least the last eight
    await compact(registry, 30)

    async with aclosing(registry.subscribing(ALL, token(registry, 25), None)) as stream:
        assert await anext(stream) == Heartbeat(25)
        assert [(await anext(stream)).sequence for _ in range(5)] == [26, 27, 28, 29, 30]


async def test_a_subscriber_that_lags_behind_the_bound_is_told_and_never_skips(registry: World) -> None:
    async with aclosing(registry.subscribing(ALL, "", 60.0)) as stream:
        await anext(stream)
        following = asyncio.ensure_future(anext(stream))
        await many(registry, 1)
        await following
        await many(registry, MOST_PENDING + 50)
        await compact(registry, 500)

        with pytest.raises(RevisionCompacted) as caught:
            await anext(stream)
    assert caught.value.metadata == {"revision": token(registry, 1), "oldest": token(registry, 500)}


async def test_a_subscriber_that_waits_for_others_things_is_not_overtaken(registry: World) -> None:
    async with aclosing(registry.subscribing(ChangeFilter.of(["wanted"], []), "", 60.0)) as stream:
        await anext(stream)
        following = asyncio.ensure_future(anext(stream))
        await many(registry, 30)
        await compact(registry, 30)
        await many(registry, MOST_PENDING + 50, "wanted")

        assert (await following).sequence == 31
        assert [(await anext(stream)).sequence for _ in range(1049)] == list(range(32, 1081))


async def test_an_instance_that_was_cut_off_for_too_long_drops_what_it_keeps_and_tells_its_subscribers(
    registry: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = asyncio.Event()
    waited = registry.store.wait_for_change

    async def cut_off(after: int, timeout: float) -> None:
        await away.wait()
        await waited(after, timeout)

    await many(registry, 3)
    stream = registry.subscribing(ALL, "", 60.0)
    at_three = token(registry, 3)
    async with aclosing(stream):
        await anext(stream)
        following = asyncio.ensure_future(anext(stream))
        monkeypatch.setattr(registry.store, "wait_for_change", cut_off)
        await many(registry, 1)
        await following
        async with registry.store.write() as tx:
            for n in range(20):
                last = await tx.append_change(change(ordinal=n))
        await compact(registry, last - 5)
        away.set()

        with pytest.raises(RevisionCompacted) as caught:
            await anext(stream)
    await registry.feed.reach(last)
    assert registry.gaps == 1
    assert [c.sequence for c in registry.seen[-5:]] == list(range(last - 4, last + 1))
    assert caught.value.metadata["oldest"] == token(registry, last - 5)
    with pytest.raises(RevisionCompacted):  # the ring has a gap there, and does not hide it
        await anext(registry.subscribing(ALL, at_three, None))
