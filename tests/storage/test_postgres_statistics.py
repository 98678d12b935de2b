"""PostgreSQL: counting holds up nobody; the refresh of a materialized view would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest
import pytest_asyncio

from llm_schema_registry_server.errors import StorageUnavailable
from llm_schema_registry_server.model.statistics import Statistics
from llm_schema_registry_server.storage.postgres import PostgresStore
from llm_schema_registry_server.storage.store import Store
from tests.support.gates import Gate, closed_gate
from tests.support.postgres import Postgres
from tests.support.storage import START, change, register, seen
from tests.support.waiting import until

NOW = START + timedelta(days=1)


@pytest_asyncio.fixture
async def store(postgres: Postgres) -> AsyncIterator[PostgresStore]:
    made = PostgresStore(await postgres.empty_database())
    await made.open()
    async with made.write() as tx:
        await register(tx, "first")
        mark = await tx.append_change(change())
    await seen(made, mark)
    yield made
    await made.close()


@pytest_asyncio.fixture
async def gate(store: PostgresStore) -> AsyncIterator[Gate]:
    async with closed_gate(store._dsn) as made:
        yield made


async def count(store: Store, seconds: float = 60) -> Statistics:
    async with store.read() as tx:
        return await tx.count_everything(NOW, seconds)


async def write(store: Store, subject: str) -> int:
    async with store.write() as tx:
        await register(tx, subject)
        return await tx.append_change(change())


async def test_a_count_holds_up_neither_writers_nor_the_change_log(store: PostgresStore, gate: Gate) -> None:
    counting = asyncio.create_task(count(store))
    await gate.reached()

    for number in range(5):
        await seen(store, await write(store, f"during {number}"))

    assert await gate.transaction_ids() == []
    assert not counting.done()
    await gate.open()
    assert (await counting).versions == 1  # of the moment when it began
    assert (await count(store)).versions == 6


async def test_why_no_materialized_view_is_refreshed(store: PostgresStore, gate: Gate) -> None:
    await gate.connection.execute(
        "CREATE MATERIALIZED VIEW subject_versions_as_of AS SELECT * FROM subject_versions WITH NO DATA"
    )
    refreshing = await asyncpg.connect(store._dsn)
    try:
        task = asyncio.create_task(refreshing.execute("REFRESH MATERIALIZED VIEW subject_versions_as_of"))
        await gate.reached()

        written = await write(store, "during")

        assert len(await gate.transaction_ids()) == 1
        async with store.read() as tx:
            assert (await tx.change_bounds())[1] < written  # committed, and told to nobody
        await gate.open()
        await task
        await seen(store, written)
    finally:
        await refreshing.close()
        await gate.connection.execute("DROP MATERIALIZED VIEW subject_versions_as_of")


async def test_a_count_that_takes_too_long_is_ended_by_the_server(store: PostgresStore, gate: Gate) -> None:
    with pytest.raises(StorageUnavailable, match="took too long"):
        await count(store, 0.05)

    assert await gate.waiting() == 0


async def test_the_limit_of_a_count_is_its_own(store: PostgresStore) -> None:
    await count(store, 3600)
    async with store.read() as tx:
        assert await tx._session.value("SHOW statement_timeout") == "10s"


async def test_a_cancelled_count_ends_at_the_server_too(store: PostgresStore, gate: Gate) -> None:
    counting = asyncio.create_task(count(store))
    await gate.reached()
    counting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await counting

    async def ended() -> bool:
        return not await gate.waiting()

    await until(ended)


async def test_people_with_psql_see_each_subject(store: PostgresStore) -> None:
    await write(store, ":.staging:team.orders")
    connection = await asyncpg.connect(store._dsn)
    rows = await connection.fetch(
        "SELECT subject, context, prefix, versions, deleted, size FROM subject_versions ORDER BY subject"
    )
    await connection.close()

    assert [tuple(row) for row in rows] == [
        (":.staging:team.orders", ".staging", ":.staging:team.", 1, 0, 2),
        ("first", ".", None, 1, 0, 2),
    ]
