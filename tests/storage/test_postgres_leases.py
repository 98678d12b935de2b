"""PostgreSQL: leases of several servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import asyncpg
import pytest
import pytest_asyncio

from llm_schema_registry_server.storage.leases import Lease, LeaseLost
from llm_schema_registry_server.storage.postgres import PostgresStore
from tests.support.postgres import Postgres
from tests.support.waiting import until

SERVERS = 4
WAITING = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"


@pytest_asyncio.fixture
async def stores(postgres: Postgres) -> AsyncIterator[list[PostgresStore]]:
    """Servers of one database."""
    dsn = await postgres.empty_database()
    async with AsyncExitStack() as stack:
        stores = [PostgresStore(dsn) for _ in range(SERVERS)]
        for store in stores:
            await store.open()
            stack.push_async_callback(store.close)
        yield stores


async def acquire(store: PostgresStore, holder: str, seconds: float) -> Lease | None:
    async with store.write() as tx:
        return await tx.acquire_lease("job", holder, seconds)


async def test_servers_that_take_turns_never_hold_a_lease_together(stores: list[PostgresStore]) -> None:
    """Each acquires, works and releases many times; what the holder of a lost lease writes is refused."""
    holding: set[str] = set()
    tokens: list[int] = []

    async def work(store: PostgresStore, holder: str) -> None:
        done = 0
        while done < 10:
            lease = await acquire(store, holder, 60)
            if lease is None:
                await asyncio.sleep(0)
                continue
            assert not holding
            holding.add(holder)
            tokens.append(lease.token)
            async with store.write() as tx:
                await tx.confirm_lease(lease)
                await tx.set_cursor("job", lease.token)
            holding.remove(holder)
            async with store.write() as tx:
                await tx.release_lease(lease)
            done += 1

    await asyncio.gather(*(work(store, f"server-{n}") for n, store in enumerate(stores)))

    assert tokens == sorted(set(tokens))
    assert len(tokens) == 10 * SERVERS
    async with stores[0].read() as tx:
        assert [cursor.sequence for cursor in await tx.cursors()] == [tokens[-1]]


async def test_tokens_grow_in_the_order_in_which_expired_leases_are_taken(
    stores: list[PostgresStore],
) -> None:
    """All take it from one another at once: of two who have it, the later has the greater token."""
    leases = [
        lease
        for _ in range(5)
        for lease in await asyncio.gather(
            *(acquire(store, f"server-{n}", 0) for n, store in enumerate(stores))
        )
        if lease is not None
    ]

    assert len(leases) == 5 * SERVERS
    by_token = sorted(leases, key=lambda lease: lease.token)
    assert by_token == sorted(leases, key=lambda lease: lease.expires_at)
    for lease in by_token[:-1]:
        with pytest.raises(LeaseLost):
            async with stores[0].write() as tx:
                await tx.confirm_lease(lease)
    async with stores[0].write() as tx:
        await tx.confirm_lease(by_token[-1])


async def test_a_taker_waits_for_the_transaction_of_the_holder(stores: list[PostgresStore]) -> None:
    lease = await acquire(stores[0], "holder", 0)
    assert lease is not None
    observer = await asyncpg.connect(stores[0]._dsn)
    try:
        async with stores[0].write() as tx:
            await tx.confirm_lease(lease)
            taking = asyncio.create_task(acquire(stores[1], "taker", 60))
            await until(lambda: observer.fetchval(WAITING))
            assert not taking.done()
            await tx.set_cursor("job", 5)
        assert await taking is not None
    finally:
        await observer.close()


async def test_a_clock_that_was_set_back_makes_nobody_wait(stores: list[PostgresStore]) -> None:
    assert await acquire(stores[0], "one", 60) is not None
    connection = await asyncpg.connect(stores[0]._dsn)
    try:
        await connection.execute(
            "UPDATE leases SET renewed_at = now() + interval '1 hour', expires_at = now() + interval '2 hours'"
        )
    finally:
        await connection.close()

    assert await acquire(stores[1], "two", 60) is not None


async def test_a_token_is_drawn_when_nobody_else_can_acquire_the_lease(stores: list[PostgresStore]) -> None:
    """Else a server that waits could get the lease with a smaller token than the one before."""
    observer = await asyncpg.connect(stores[0]._dsn)
    try:
        async with stores[0].write() as tx:
            first = await tx.acquire_lease("job", "first", 0)
            assert first is not None
            waiting = asyncio.create_task(acquire(stores[1], "second", 60))
            await until(lambda: observer.fetchval(WAITING))
            assert await observer.fetchval("SELECT last_value FROM leases_token_seq") == first.token
        second = await waiting
        assert second is not None
        assert second.token > first.token
    finally:
        await observer.close()
