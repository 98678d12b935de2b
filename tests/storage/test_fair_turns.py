"""One caller that asks for very much keeps others waiting for one turn, not for all that it has asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from llm_schema_registry_server.model.selector import Latest
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.queues import caller as callers
from llm_schema_registry_server.queues.caller import Caller
from llm_schema_registry_server.storage.postgres import PostgresOptions, PostgresStore
from llm_schema_registry_server.storage.postgres import store as postgres_store
from llm_schema_registry_server.storage.sqlite import SqliteStore
from llm_schema_registry_server.storage.sqlite import store as sqlite_store
from tests.support.postgres import Postgres

CONNECTIONS = 2
GREEDY = 30
Act = Callable[[PostgresStore], Awaitable[object]]


@pytest_asyncio.fixture
async def dsn(postgres: Postgres) -> str:
    return await postgres.empty_database()


@pytest_asyncio.fixture
async def store(dsn: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PostgresStore]:
    monkeypatch.setattr(postgres_store, "_LANES", 1)
    monkeypatch.setattr(postgres_store, "_TOGETHER", 1)
    made = PostgresStore(
        dsn, PostgresOptions(pool_max=CONNECTIONS, statement_seconds=30.0, lock_seconds=30.0)
    )
    await made.open()
    yield made
    await made.close()


async def in_write(store: PostgresStore) -> None:
    async with store.write() as tx:
        await tx.next_ordinal(Subject.parse("a"))
        await tx.version("x")


async def in_read(store: PostgresStore) -> None:
    async with store.read() as tx:
        await tx.version("x")


@pytest.mark.parametrize(
    "act",
    [
        in_read,
        in_write,
        lambda store: store.version("x"),
        lambda store: store.selected(Subject.parse("a"), Latest()),
        lambda store: store.versions_since(Subject.parse("a"), 0),
        lambda store: store.subject_snapshot(Subject.parse("a"), (), "x"),
    ],
    ids=["read", "write", "version", "selected", "versions_since", "subject_snapshot"],
)
async def test_postgres_serves_a_second_caller_before_the_rest_of_a_greedy_one(
    dsn: str, store: PostgresStore, act: Act
) -> None:
    await act(store)  # opens connections and prepares statements
    served: list[str] = []

    async def ask(key: str) -> None:
        callers.bind(Caller(key))
        await act(store)
        served.append(key)

    gate = await asyncpg.connect(dsn)
    try:
        async with gate.transaction():
            await gate.execute("LOCK TABLE versions IN ACCESS EXCLUSIVE MODE")
            asked = [asyncio.create_task(ask("greedy")) for _ in range(GREEDY)]
            await asyncio.sleep(0.05)
            asked.append(asyncio.create_task(ask("honest")))
            await asyncio.sleep(0.05)
        await asyncio.gather(*asked)
    finally:
        await gate.close()

    assert served.index("honest") <= 2 * (3 + CONNECTIONS)


async def test_sqlite_writes_for_a_second_caller_before_the_rest_of_a_greedy_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_store, "MOST", 1)
    store = SqliteStore(tmp_path / "registry.db", synchronous="normal")
    await store.open()
    served: list[str] = []
    opened = asyncio.Event()

    async def ask(key: str) -> None:
        callers.bind(Caller(key))
        async with store.write():
            await opened.wait()
            served.append(key)

    try:
        asked = [asyncio.create_task(ask("greedy")) for _ in range(GREEDY)]
        await asyncio.sleep(0)
        asked.append(asyncio.create_task(ask("honest")))
        await asyncio.sleep(0)
        opened.set()
        await asyncio.gather(*asked)
    finally:
        await store.close()

    assert served.index("honest") <= 4
