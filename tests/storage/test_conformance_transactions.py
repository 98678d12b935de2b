"""Every back end: what is written together is seen together, in order, or not at all."""

import asyncio
from datetime import timedelta

import pytest

from llm_schema_registry_server.errors import ConcurrentUpdate, StorageUnavailable
from llm_schema_registry_server.model.change import Change, EventType
from llm_schema_registry_server.model.config import Config
from llm_schema_registry_server.model.lifecycle import SchemaState, Transition
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.storage.store import Store, WriteTx
from llm_schema_registry_server.storage.values import LogPage, Page, SchemaFilter
from tests.support.storage import START, change, changes_so_far, content, insert, register, seen, version

ORDERS = Subject.parse("orders")


class Deliberate(Exception):
    """Raised by the tests in the middle of a transaction."""


async def write_everything(tx: WriteTx) -> None:
    await register(tx, "orders", "{}")
    await tx.record_transitions([Transition("id", None, SchemaState.DRAFT, "create", "ada", START)])
    await tx.set_config("registry", Config(apply_defaults=True))


async def assert_empty(store: Store) -> None:
    async with store.read() as tx:
        assert await tx.versions(ORDERS, include_deleted=True) == []
        assert await tx.subjects(include_deleted=True, page=Page(10)) == []
        assert await tx.count_subjects(include_deleted=True) == 0
        assert await tx.count_versions(SchemaFilter(include_deleted=True)) == 0
        assert list(await tx.changes(0, 10)) == []
        assert await tx.change_bounds() == (0, 0)
        assert list(await tx.history("id")) == []
        assert await tx.config("registry") is None


async def test_a_block_that_raises_is_undone(store: Store) -> None:
    async def fails() -> None:
        async with store.write() as tx:
            await write_everything(tx)
            raise Deliberate

    with pytest.raises(Deliberate):
        await fails()

    await assert_empty(store)
    async with store.write() as tx:
        assert (await register(tx, "orders")).ordinal == 1


async def test_a_block_that_is_cancelled_is_undone(store: Store) -> None:
    reached = asyncio.Event()

    async def writes() -> None:
        async with store.write() as tx:
            await write_everything(tx)
            reached.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(writes())
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await assert_empty(store)


async def test_cancellation_at_any_step_leaves_all_or_nothing(store: Store) -> None:
    for steps in range(40):
        subject = f"s{steps}"

        async def writes(subject: str = subject) -> None:
            async with store.write() as tx:
                await tx.put_content(f"large {subject}", content("x" * 200_000))
                await register(tx, subject, f'"{subject}"')
                await tx.insert_version(version(subject, 2), tuple(f"n{i}" * 50 for i in range(1000)))

        task = asyncio.create_task(writes())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with store.read() as tx:
            ordinals = [v.ordinal for v in await tx.versions(Subject.parse(subject))]
        logged = [c for c in await changes_so_far(store) if str(c.subject) == subject]
        assert (ordinals, len(logged)) in (([], 0), ([1, 2], 1))


async def test_a_waiting_writer_that_is_cancelled_does_not_hold_up_the_others(store: Store) -> None:
    release = asyncio.Event()

    async def first() -> None:
        async with store.write() as tx:
            await tx.lock_subject(ORDERS)
            await release.wait()
            await register(tx, "orders")

    async def another() -> None:
        async with store.write() as tx:
            await register(tx, "orders")

    running = asyncio.create_task(first())
    waiting = [asyncio.create_task(another()) for _ in range(6)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for task in waiting[::2]:
        task.cancel()
    release.set()
    await asyncio.gather(running, *waiting, return_exceptions=True)

    async with store.read() as tx:
        assert [v.ordinal for v in await tx.versions(ORDERS)] == [1, 2, 3, 4]


async def test_a_failing_transaction_takes_none_of_its_neighbours_with_it(store: Store) -> None:
    async def writes(n: int) -> None:
        async with store.write() as tx:
            await register(tx, "orders", str(n))
            if n % 3 == 0:
                raise Deliberate

    results = await asyncio.gather(*(writes(n) for n in range(60)), return_exceptions=True)

    assert [isinstance(r, Deliberate) for r in results] == [n % 3 == 0 for n in range(60)]
    async with store.read() as tx:
        assert [v.ordinal for v in await tx.versions(ORDERS)] == list(range(1, 41))
    assert [c.ordinal for c in await changes_so_far(store)] == list(range(1, 41))


async def test_twenty_writers_on_one_subject_lose_nothing(store: Store) -> None:
    async def writes(worker: int) -> list[int]:
        ordinals = []
        for n in range(5):
            async with store.write() as tx:
                ordinals.append((await register(tx, "orders", f"{worker} {n}")).ordinal)
        return ordinals

    alloted = await asyncio.gather(*(writes(worker) for worker in range(20)))

    assert sorted(n for some in alloted for n in some) == list(range(1, 101))
    assert all(some == sorted(some) for some in alloted)
    async with store.read() as tx:
        versions = await tx.versions(ORDERS)
    changes = await changes_so_far(store)
    assert [v.ordinal for v in versions] == list(range(1, 101))
    assert len({v.global_id for v in versions}) == 100
    assert [c.ordinal for c in changes] == list(range(1, 101))


async def test_a_writer_sees_its_own_writes(store: Store) -> None:
    async with store.write() as tx:
        made = await register(tx, "orders", "true")
        await tx.update_version(version("orders", schema_id=made.schema_id, description="needle"))
        assert [v.ordinal for v in await tx.versions(ORDERS)] == [1]
        assert await tx.count_versions(SchemaFilter(text="needle")) == 1
        assert await tx.contents([made.identity])


async def test_a_reader_sees_no_half_transaction_and_no_later_one(store: Store) -> None:
    await insert(store, version())
    async with store.read() as before, store.write() as tx:
        await tx.insert_version(version(ordinal=2), ())
        await tx.append_change(change())
        assert len(await before.versions(ORDERS)) == 1
        async with store.read() as during:
            assert len(await during.versions(ORDERS)) == 1

    await changes_so_far(store)
    async with store.read() as old:
        logged = len(await old.changes(0, 10))
        async with store.write() as tx:
            await tx.insert_version(version(ordinal=3), ())
            await tx.append_change(change())
        assert len(await old.versions(ORDERS)) == 2
        assert await old.count_versions(SchemaFilter()) == 2
        assert len(await old.changes(0, 10)) == logged
    async with store.read() as after:
        assert len(await after.versions(ORDERS)) == 3


async def test_more_readers_than_connections_all_get_an_answer(store: Store) -> None:
    await insert(store, *(version(ordinal=n) for n in range(1, 100)))

    async def reads() -> int:
        async with store.read() as tx:
            return len(await tx.scan_versions(SchemaFilter(), Page(1000)))

    assert set(await asyncio.gather(*(reads() for _ in range(50)))) == {99}


async def test_a_cancelled_reader_gives_its_place_back(store: Store) -> None:
    await insert(store, *(version(ordinal=n) for n in range(1, 300)))

    async def reads() -> None:
        async with store.read() as tx:
            await tx.scan_versions(SchemaFilter(text="orders"), Page(1000))

    for steps in range(20):
        tasks = [asyncio.create_task(reads()) for _ in range(8)]
        for _ in range(steps):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await reads()


async def test_changes_are_dense_enough_ordered_and_complete(store: Store) -> None:
    first = change(subject=None, event_type=EventType.CONFIG_UPDATED, schema_id="", version="", ordinal=0)
    second = change(correlation_id="c\0", metadata={"k": "v"}, subject=Subject.parse(":.ctx:a"))
    async with store.write() as tx:
        one, two = await tx.append_change(first), await tx.append_change(second)

    assert 0 < one < two
    await seen(store, two)
    async with store.read() as tx:
        kept: list[Change] = list(await tx.changes(0, 10))
        assert [c.sequence for c in kept] == [one, two]
        assert [(c.subject, c.event_type, c.correlation_id, dict(c.metadata)) for c in kept] == [
            (None, EventType.CONFIG_UPDATED, "", {}),
            (Subject.parse(":.ctx:a"), EventType.SCHEMA_REGISTERED, "c\0", {"k": "v"}),
        ]
        assert [c.sequence for c in await tx.changes(0, 1)] == [one]
        assert [c.sequence for c in await tx.changes(one, 10)] == [two]
        assert list(await tx.changes(two, 10)) == []
        assert await tx.change_bounds() == (0, two)


async def test_a_follower_misses_nothing_while_many_write(store: Store) -> None:
    seen: list[int] = []

    async def follow() -> None:
        position = 0
        while len(seen) < 100:
            async with store.read() as tx:
                for each in await tx.changes(position, 7):
                    seen.append(each.ordinal)
                    position = each.sequence
            if len(seen) < 100:
                await store.wait_for_change(position, 10)

    async def writes(worker: int) -> None:
        for n in range(5):
            async with store.write() as tx:
                await tx.append_change(change(ordinal=worker * 5 + n))

    await asyncio.gather(follow(), *(writes(worker) for worker in range(20)))

    assert sorted(seen) == list(range(100))
    async with store.read() as tx:
        assert [c.ordinal for c in await tx.changes(0, 1000)] == seen


async def test_waiting_ends_with_a_change_or_with_the_time(store: Store) -> None:
    await store.wait_for_change(0, 0.01)
    waiting = asyncio.create_task(store.wait_for_change(0, 100))
    async with store.write() as tx:
        sequence = await tx.append_change(change())
    await waiting
    await store.wait_for_change(sequence - 1, 100)


async def test_a_compacted_log_says_where_it_begins(store: Store) -> None:
    async with store.write() as tx:
        sequences = [await tx.append_change(change(ordinal=n)) for n in range(5)]
    await seen(store, sequences[4])
    async with store.write() as tx:
        assert await tx.compact_changes(sequences[2])

    async with store.read() as tx:
        assert await tx.change_bounds() == (sequences[2], sequences[4])
        assert [c.sequence for c in await tx.changes(0, 10)] == sequences[3:]
    async with store.write() as tx:
        await tx.compact_changes(sequences[0])
        await tx.compact_changes(sequences[4] + 100)
    async with store.write() as tx:
        following = await tx.append_change(change())
        assert following > sequences[4]
    await seen(store, following)
    async with store.read() as tx:
        assert await tx.change_bounds() == (sequences[4], following)


async def test_a_page_of_the_log_tells_what_is_forgotten_before_it(store: Store) -> None:
    async with store.read() as tx:
        assert await tx.log_page(0, 10) == LogPage(0, [])
    async with store.write() as tx:
        sequences = [await tx.append_change(change(ordinal=n)) for n in range(5)]
    await seen(store, sequences[4])
    async with store.write() as tx:
        assert await tx.compact_changes(sequences[1])

    async with store.read() as tx:
        page = await tx.log_page(0, 2)
        assert (page.oldest, list(page.changes)) == (sequences[1], list(await tx.changes(0, 2)))
        assert [c.sequence for c in page.changes] == sequences[2:4]
        assert [c.sequence for c in (await tx.log_page(sequences[3], 9)).changes] == sequences[4:]
        assert await tx.log_page(sequences[4], 9) == LogPage(sequences[1], [])
        assert await tx.log_page(2**64 - 1, 9) == LogPage(sequences[1], [])
    assert await store.log_page(0, 2) == page
    assert await store.log_page(2**64 - 1, 9) == LogPage(sequences[1], [])


async def test_the_log_tells_its_times_and_where_its_newest_part_begins(store: Store) -> None:
    times = [START + timedelta(seconds=n) for n in (5, 3, 4)]
    async with store.write() as tx:
        sequences = [await tx.append_change(change(at=at)) for at in times]
    await seen(store, sequences[2])

    async with store.read() as tx:
        pairs = list(zip(sequences, times, strict=True))
        assert list(await tx.change_times(0, 10)) == pairs
        assert list(await tx.change_times(sequences[0], 1)) == pairs[1:2]
        assert [await tx.newest_but(n) for n in (0, 1, 2)] == sequences[::-1]
        assert [await tx.newest_but(n) for n in (3, 4, 10**30)] == [0, 0, 0]
    async with store.write() as tx:
        await tx.compact_changes(sequences[0])
    async with store.read() as tx:
        assert [await tx.newest_but(n) for n in (1, 2, 3)] == [sequences[1], sequences[0], sequences[0]]


async def test_a_store_that_is_not_open_says_so(store: Store) -> None:
    await store.close()

    with pytest.raises(StorageUnavailable, match="not open"):
        async with store.read():
            raise AssertionError("must not open a transaction")
    with pytest.raises(StorageUnavailable, match="not open"):
        async with store.write():
            raise AssertionError("must not open a transaction")


async def test_a_conflict_between_transactions_is_told(store: Store) -> None:
    await insert(store, version())

    with pytest.raises(ConcurrentUpdate, match="orders"):
        await insert(store, version())
