"""Every back end: how often versions are used, which of them most of late, and many versions by id at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from llm_schema_registry_server.model.schema import SchemaVersion
from llm_schema_registry_server.model.usage import HALF_LIFE, Usage, Uses
from llm_schema_registry_server.storage.store import Store
from tests.support.storage import START, changes_so_far, insert, version


class Deliberate(Exception):
    """Raised in the middle of a transaction."""


async def record(store: Store, *reads: tuple[SchemaVersion, int], at: datetime = START) -> None:
    async with store.write() as tx:
        await tx.record_usage({version.schema_id: Uses(count) for version, count in reads}, at)


async def most_used(store: Store, limit: int = 100) -> list[Usage]:
    async with store.read() as tx:
        return list(await tx.most_used(limit))


async def stored(store: Store, count: int) -> list[SchemaVersion]:
    versions = [version("orders", n + 1) for n in range(count)]
    await insert(store, *versions)
    return versions


async def test_nothing_is_used_at_first(store: Store) -> None:
    await stored(store, 1)

    assert await most_used(store) == []


async def test_uses_add_up(store: Store) -> None:
    (one,) = await stored(store, 1)
    async with store.write() as tx:
        await tx.record_usage({one.schema_id: Uses(3, 1)}, START)
    async with store.write() as tx:
        await tx.record_usage({one.schema_id: Uses(2**40, 5)}, START + timedelta(minutes=1))

    (usage,) = await most_used(store)
    assert (usage.schema_id, usage.uses) == (one.schema_id, Uses(2**40 + 3, 6))
    assert usage.used_at == START + timedelta(minutes=1)


async def test_a_report_that_comes_late_does_not_turn_the_time_back(store: Store) -> None:
    (one,) = await stored(store, 1)
    await record(store, (one, 1))
    await record(store, (one, 1), at=START - timedelta(days=3))

    (usage,) = await most_used(store)
    assert (usage.used_at, usage.uses) == (START, Uses(2))
    assert usage.recent(START) == pytest.approx(1 + 1 / 8)


async def test_old_uses_fade(store: Store) -> None:
    (one,) = await stored(store, 1)
    for days, reads in ((0, 80), (1, 20), (3, 5)):
        await record(store, (one, reads), at=START + days * HALF_LIFE)

    (usage,) = await most_used(store)
    assert usage.recent(START + 3 * HALF_LIFE) == pytest.approx(80 / 8 + 20 / 4 + 5)
    assert usage.recent(START + 4 * HALF_LIFE) == pytest.approx((80 / 8 + 20 / 4 + 5) / 2)


async def test_the_most_used_come_first_by_what_was_lately(store: Store) -> None:
    once, even, today = await stored(store, 3)
    await record(store, (once, 1000), (even, 100))
    await record(store, (even, 100), (today, 210), at=START + 5 * HALF_LIFE)

    assert [u.schema_id for u in await most_used(store)] == [v.schema_id for v in (today, even, once)]
    assert [u.schema_id for u in await most_used(store, 2)] == [today.schema_id, even.schema_id]


async def test_close_scores_are_in_order(store: Store) -> None:
    versions = await stored(store, 40)
    await record(store, *((v, n + 1) for n, v in enumerate(versions)))

    assert [u.schema_id for u in await most_used(store)] == [v.schema_id for v in reversed(versions)]


async def test_equal_scores_are_in_the_order_of_ids(store: Store) -> None:
    versions = await stored(store, 10)
    await record(store, *((v, 7) for v in versions))

    assert [u.schema_id for u in await most_used(store)] == sorted(v.schema_id for v in versions)


async def test_what_was_used_a_century_ago_can_be_used_again(store: Store) -> None:
    (one,) = await stored(store, 1)
    await record(store, (one, 5))
    later = START + timedelta(days=36500)
    await record(store, (one, 1), at=later)

    (usage,) = await most_used(store)
    assert usage.uses == Uses(6)
    assert usage.recent(later) == pytest.approx(1)


async def test_versions_that_are_gone_are_not_counted(store: Store) -> None:
    kept, gone = await stored(store, 2)
    await record(store, (kept, 1), (gone, 9))
    async with store.write() as tx:
        await tx.remove_version(gone.schema_id)
    assert [u.schema_id for u in await most_used(store)] == [kept.schema_id]

    await record(store, (gone, 1), (kept, 1), (version("never there"), 1))
    assert [(u.schema_id, u.uses) for u in await most_used(store)] == [(kept.schema_id, Uses(2))]


async def test_versions_that_are_softly_deleted_are_counted(store: Store) -> None:
    (one,) = await stored(store, 1)
    async with store.write() as tx:
        await tx.update_version(replace(one, deleted_at=START))
    await record(store, (one, 1))

    assert [u.schema_id for u in await most_used(store)] == [one.schema_id]


async def test_counting_changes_nothing_else(store: Store) -> None:
    (one,) = await stored(store, 1)
    await record(store, (one, 1))

    async with store.read() as tx:
        assert await tx.version(one.schema_id) == one
        assert await tx.subject_stamp(one.subject) == (1, one.revision)
    assert await changes_so_far(store) == []


async def test_a_block_that_fails_counts_nothing(store: Store) -> None:
    (one,) = await stored(store, 1)

    async def fails() -> None:
        async with store.write() as tx:
            await tx.record_usage({one.schema_id: Uses(1)}, START)
            raise Deliberate

    with pytest.raises(Deliberate):
        await fails()

    assert await most_used(store) == []


async def test_many_count_the_same_versions_at_once_and_nothing_is_lost(store: Store) -> None:
    versions = await stored(store, 50)
    forth = [(v, 1) for v in versions]

    await asyncio.gather(*(record(store, *uses) for _ in range(5) for uses in (forth, forth[::-1])))

    assert {u.schema_id: u.uses.reads for u in await most_used(store)} == {v.schema_id: 10 for v in versions}


async def test_many_versions_are_read_by_id_at_once(store: Store) -> None:
    versions = await stored(store, 150)
    async with store.write() as tx:
        await tx.update_version(replace(versions[7], deleted_at=START))
    for wanted in (versions[:3], versions[5:]):
        ids = [v.schema_id for v in wanted]
        async with store.read() as tx:
            found = await tx.versions_by_id([*ids, "unknown", ids[0]])
            assert found.keys() == set(ids)
            assert [await tx.version(i) for i in ids] == [found[i] for i in ids]
            assert await tx.versions_by_id([]) == {}


async def test_uses_of_a_clock_that_was_far_ahead_do_not_stay_the_most_recent(store: Store) -> None:
    poisoned, later, other = await stored(store, 3)
    await record(store, (poisoned, 4), (later, 2), at=START + timedelta(days=73_000))

    await record(store, (other, 8), (later, 1))  # moves those of both to now
    first = await most_used(store)
    await record(store, (other, 1), at=START + 4 * HALF_LIFE)
    second = await most_used(store)

    assert [u.schema_id for u in first] == [v.schema_id for v in (other, poisoned, later)]
    assert [u.recent(START) for u in first] == pytest.approx([8, 4, 3])
    assert {u.used_at for u in first} == {START}
    assert [u.uses for u in first] == [Uses(8), Uses(4), Uses(3)]
    assert second[0].recent(START + 4 * HALF_LIFE) == pytest.approx(1.5)
