"""Every back end: leases that one holder has at a time, with tokens that only grow, and cursors that outlive their readers."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from llm_schema_registry_server.storage.leases import Cursor, Lease, LeaseLost, is_held
from llm_schema_registry_server.storage.store import Store

HOUR = 3600.0


class Deliberate(Exception):
    pass


async def acquire(
    store: Store, name: str = "job", holder: str = "one", seconds: float = HOUR
) -> Lease | None:
    async with store.write() as tx:
        return await tx.acquire_lease(name, holder, seconds)


async def acquired(store: Store, name: str = "job", holder: str = "one", seconds: float = HOUR) -> Lease:
    lease = await acquire(store, name, holder, seconds)
    assert lease is not None
    return lease


async def confirm(store: Store, lease: Lease) -> None:
    async with store.write() as tx:
        await tx.confirm_lease(lease)


async def renew(store: Store, lease: Lease, seconds: float) -> Lease:
    async with store.write() as tx:
        return await tx.renew_lease(lease, seconds)


async def release(store: Store, lease: Lease) -> None:
    async with store.write() as tx:
        await tx.release_lease(lease)


async def cursors(store: Store) -> list[tuple[str, int]]:
    async with store.read() as tx:
        return [(cursor.name, cursor.sequence) for cursor in await tx.cursors()]


async def set_cursor(store: Store, name: str, sequence: int) -> None:
    async with store.write() as tx:
        await tx.set_cursor(name, sequence)


async def test_one_holder_at_a_time(store: Store) -> None:
    lease = await acquired(store)

    assert (lease.name, lease.holder) == ("job", "one")
    assert timedelta(minutes=59) < lease.expires_at - datetime.now(UTC) < timedelta(minutes=61)
    assert await acquire(store, holder="two") is None
    assert await acquire(store, holder="one") is None
    assert (await acquired(store, "another-job", "two")).token > lease.token
    await confirm(store, lease)


async def test_of_many_who_ask_at_once_one_acquires(store: Store) -> None:
    found = await asyncio.gather(*(acquire(store, holder=f"holder-{n}") for n in range(8)))

    assert sum(lease is not None for lease in found) == 1


async def test_an_expired_lease_goes_to_the_next_with_a_greater_token(store: Store) -> None:
    first = await acquired(store, seconds=0)
    await confirm(store, first)  # nobody else has acquired it

    second = await acquired(store, holder="two")

    assert second.token > first.token
    with pytest.raises(LeaseLost, match="one has lost the lease 'job'"):
        await confirm(store, first)
    with pytest.raises(LeaseLost):
        await renew(store, first, HOUR)
    await release(store, first)  # does nothing: it is the other's
    await confirm(store, second)
    assert await acquire(store, holder="three") is None


async def test_a_lease_is_renewed_also_when_it_has_just_expired(store: Store) -> None:
    lease = await acquired(store, seconds=0)

    renewed = await renew(store, lease, HOUR)

    assert (renewed.token, renewed.holder) == (lease.token, "one")
    assert renewed.expires_at > lease.expires_at + timedelta(minutes=59)
    assert await acquire(store, holder="two") is None
    await renew(store, renewed, 0)
    assert await acquire(store, holder="two") is not None


async def test_a_released_lease_is_free_and_its_holder_has_lost_it(store: Store) -> None:
    lease = await acquired(store)
    await release(store, lease)

    with pytest.raises(LeaseLost):
        await confirm(store, lease)
    with pytest.raises(LeaseLost):
        await renew(store, lease, HOUR)
    assert (await acquired(store, holder="two")).token > lease.token


async def test_a_lease_that_was_acquired_in_an_undone_transaction_is_free(store: Store) -> None:
    async def give_up() -> None:
        async with store.write() as tx:
            assert await tx.acquire_lease("job", "one", HOUR) is not None
            raise Deliberate

    with pytest.raises(Deliberate):
        await give_up()

    assert await acquire(store, holder="two") is not None


async def test_nobody_acquires_a_lease_while_its_holder_writes(store: Store) -> None:
    lease = await acquired(store, seconds=0)
    async with store.write() as tx:
        await tx.confirm_lease(lease)
        taking = asyncio.create_task(acquire(store, holder="two"))
        for _ in range(20):
            await asyncio.sleep(0)
        await tx.set_cursor("job", 7)

    taken = await taking
    assert taken is not None
    assert taken.token > lease.token
    assert await cursors(store) == [("job", 7)]

    async def write_late() -> None:
        async with store.write() as tx:
            await tx.set_cursor("job", 9)
            await tx.confirm_lease(lease)

    with pytest.raises(LeaseLost):
        await write_late()
    assert await cursors(store) == [("job", 7)]


@pytest.mark.parametrize("seconds", [-1, 86_401, float("nan"), float("inf")])
async def test_a_lease_is_held_for_a_day_at_most(store: Store, seconds: float) -> None:
    with pytest.raises(ValueError, match="0 to 86400 seconds"):
        await acquire(store, seconds=seconds)
    lease = await acquired(store)
    with pytest.raises(ValueError, match="0 to 86400 seconds"):
        await renew(store, lease, seconds)


@pytest.mark.parametrize("name", ["", "x" * 201, "two words", "naïve", "nul\0"])
async def test_names_are_short_and_visible(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match="1 to 200 visible ASCII characters"):
        await acquire(store, name)
    with pytest.raises(ValueError, match="1 to 200 visible ASCII characters"):
        await acquire(store, holder=name)
    with pytest.raises(ValueError, match="1 to 200 visible ASCII characters"):
        await set_cursor(store, name, 1)
    assert await cursors(store) == []
    assert await acquire(store) is not None


async def test_cursors_are_set_moved_and_removed(store: Store) -> None:
    for name, sequence in (("webhook:b", 5), ("audit", 2**62), ("webhook:b", 3), ("Audit", 0), ("gone", 1)):
        await set_cursor(store, name, sequence)
    async with store.write() as tx:
        await tx.remove_cursor("gone")
        await tx.remove_cursor("never there")
        assert len(await tx.cursors()) == 3

    assert await cursors(store) == [("Audit", 0), ("audit", 2**62), ("webhook:b", 3)]


async def test_a_cursor_says_when_it_was_set(store: Store) -> None:
    async def set_at() -> datetime:
        await set_cursor(store, "audit", 5)
        async with store.read() as tx:
            (cursor,) = await tx.cursors()
        assert cursor == Cursor("audit", 5, cursor.updated_at)
        return cursor.updated_at

    first = await set_at()
    assert abs(datetime.now(UTC) - first) < timedelta(minutes=1)
    assert await set_at() > first


async def test_a_cursor_moves_together_with_what_else_is_written(store: Store) -> None:
    await set_cursor(store, "audit", 1)

    async def give_up() -> None:
        async with store.write() as tx:
            await tx.set_cursor("audit", 2)
            await tx.set_cursor("other", 2)
            raise Deliberate

    with pytest.raises(Deliberate):
        await give_up()

    assert await cursors(store) == [("audit", 1)]


def test_a_lease_from_the_future_is_not_held() -> None:
    now, hour = datetime(2026, 1, 1, tzinfo=UTC), timedelta(hours=1)

    assert is_held(now, now + hour, now)
    assert not is_held(now - hour, now, now)
    assert not is_held(now + hour, now + 2 * hour, now)  # the clock was set back
