"""PostgreSQL: what a read costs in round trips to the database, once its statements are prepared."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest_asyncio

from llm_schema_registry_server.model.schema import SchemaVersion
from llm_schema_registry_server.model.selector import Exact, Latest, Ordinal
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.storage.postgres import PostgresOptions, PostgresStore
from tests.support.postgres import Postgres
from tests.support.proxies import CountingProxy
from tests.support.storage import register

ORDERS = Subject.parse("orders")


Watched = tuple[PostgresStore, CountingProxy, SchemaVersion]


@pytest_asyncio.fixture
async def watched(postgres: Postgres) -> AsyncIterator[Watched]:
    """A store behind a proxy that counts, and the version in it. Nobody writes, and it looks for changes every minute."""
    dsn = await postgres.empty_database()
    writer = PostgresStore(dsn)
    await writer.open()
    async with writer.write() as tx:
        made = await register(tx, "orders")
    await writer.close()
    async with CountingProxy(postgres.port) as proxy:
        options = PostgresOptions(pool_max=1, poll_seconds=60.0)
        store = PostgresStore(dsn.replace(str(postgres.port), str(proxy.port)), options)
        await store.open()
        yield store, proxy, made
        await store.close()


async def trips(proxy: CountingProxy, act: Callable[[], Awaitable[object]]) -> int:
    """The fewest of some times: the first prepares the statement, and the store's watcher may still be connecting."""
    counted = []
    for _ in range(20):
        before = proxy.trips
        assert await act()
        counted.append(proxy.trips - before)
    return min(counted)


async def test_what_is_asked_alone_costs_one(watched: Watched) -> None:
    store, proxy, made = watched

    assert await trips(proxy, lambda: store.version(made.schema_id)) == 1
    assert await trips(proxy, lambda: store.contents([made.identity])) == 1
    assert await trips(proxy, lambda: store.versions_since(ORDERS, 0)) == 1
    for selector in (Latest(), Ordinal(1), Exact(made.version)):
        assert await trips(proxy, lambda s=selector: store.selected(ORDERS, s)) == 1  # type: ignore[misc]
