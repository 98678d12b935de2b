"""PostgreSQL: what a read costs in round trips to the database, once its statements are prepared."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest_asyncio

from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.model.version import Exact, Latest, Ordinal
from llm_schema_registry_server.storage.postgres import PostgresOptions, PostgresStore
from tests.support.postgres import Postgres
from tests.support.proxies import CountingProxy
from tests.support.storage import register

ORDERS = Subject.parse("orders")


@pytest_asyncio.fixture
async def watched(postgres: Postgres) -> AsyncIterator[tuple[PostgresStore, CountingProxy]]:
    """A store whose one connection of the pool goes through a proxy that counts; its watcher looks every minute."""
    dsn = await postgres.empty_database()
    async with CountingProxy(postgres.port) as proxy:
        options = PostgresOptions(pool_max=1, poll_seconds=60.0)
        store = PostgresStore(dsn.replace(str(postgres.port), str(proxy.port)), options)
        await store.open()
        yield store, proxy
        await store.close()


async def trips(proxy: CountingProxy, act: Callable[[], Awaitable[object]]) -> int:
    """Of the second time: the first prepares the statement."""
    assert await act()
    before = proxy.trips
    assert await act()
    return proxy.trips - before


async def test_one_version_and_its_content_cost_one(watched: tuple[PostgresStore, CountingProxy]) -> None:
    store, proxy = watched
    async with store.write() as tx:
        made = await register(tx, "orders")

    assert await trips(proxy, lambda: store.version(made.schema_id)) == 1
    assert await trips(proxy, lambda: store.contents([made.identity])) == 1
    assert await trips(proxy, lambda: store.versions_since(ORDERS, 0)) == 1
    for selector in (Latest(), Ordinal(1), Exact(made.version)):
        assert await trips(proxy, lambda s=selector: store.selected(ORDERS, s)) == 1  # type: ignore[misc]
