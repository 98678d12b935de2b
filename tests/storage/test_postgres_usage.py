"""PostgreSQL: counting how often versions are read leaves the rest of the database alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest_asyncio

from llm_schema_registry_server.errors import ConcurrentUpdate
from llm_schema_registry_server.model.usage import Uses
from llm_schema_registry_server.storage.postgres import PostgresStore, queries
from tests.support.postgres import WAITERS, Postgres
from tests.support.storage import START, insert, version
from tests.support.waiting import until

HOT = "SELECT pg_stat_get_xact_tuples_updated('usage'::regclass), pg_stat_get_xact_tuples_hot_updated('usage'::regclass)"


@pytest_asyncio.fixture
async def opened(postgres: Postgres) -> AsyncIterator[tuple[PostgresStore, asyncpg.Connection]]:
    dsn = await postgres.empty_database()
    store = PostgresStore(dsn)
    await store.open()
    beside = await asyncpg.connect(dsn)
    try:
        yield store, beside
    finally:
        await beside.close()
        await store.close()


async def test_most_updates_touch_no_index(opened: tuple[PostgresStore, asyncpg.Connection]) -> None:
    store, beside = opened
    versions = [version("orders", n + 1) for n in range(200)]
    await insert(store, *versions)
    uses = {v.schema_id: Uses(50) for v in versions}
    async with store.write() as tx:
        await tx.record_usage(uses, START)

    async with beside.transaction():
        long_ago = [1.0] * 200  # so that no score moves
        await beside.execute(queries.RECORD_USAGE, list(uses), [50] * 200, [0] * 200, long_ago, [1] * 200)
        updated, hot = await beside.fetchrow(HOT)

    assert updated == 200
    assert hot > 150


async def test_a_version_that_is_removed_meanwhile_is_told_or_left_out(
    opened: tuple[PostgresStore, asyncpg.Connection],
) -> None:
    store, beside = opened
    kept, going = version("orders", 1), version("orders", 2)
    await insert(store, kept, going)
    removal = beside.transaction()
    await removal.start()
    await beside.execute("DELETE FROM versions WHERE schema_id = $1", going.schema_id)

    async def count() -> bool:
        try:
            async with store.write() as tx:
                await tx.record_usage({kept.schema_id: Uses(1), going.schema_id: Uses(1)}, START)
        except ConcurrentUpdate:
            return False
        return True

    async def waits() -> bool:
        return bool(await beside.fetchval(WAITERS))

    counting = asyncio.create_task(count())
    await until(waits)
    await removal.commit()

    assert not await counting
    assert await count()
    async with store.read() as tx:
        assert [u.schema_id for u in await tx.most_used(9)] == [kept.schema_id]
