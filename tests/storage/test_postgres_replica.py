"""PostgreSQL with a streaming replica: it answers when it has all that we know of, and is not missed when it has not."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest
import pytest_asyncio

from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.storage.postgres import PostgresOptions, PostgresStore
from tests.support.postgres import Postgres, own_server
from tests.support.storage import START, register
from tests.support.waiting import until

OPTIONS = PostgresOptions(pool_max=4, connect_seconds=2)
ORDERS = Subject.parse("orders")


@pytest.fixture(scope="module")
def primary() -> Iterator[Postgres]:
    """One for all tests here, with a replica. Not the server that all tests share: what they write would hold it up."""
    with own_server() as server:
        asyncio.run(server.ready())
        yield server


@pytest.fixture(scope="module")
def following(primary: Postgres) -> Iterator[Postgres]:
    server = Postgres(made=True)
    server.run("pg_basebackup", f"--dbname={primary.dsn()}", f"--pgdata={server.data}", "-R", "-c", "fast")
    server.start()
    asyncio.run(server.ready())
    yield server
    server.remove()


@pytest_asyncio.fixture
async def replica(following: Postgres) -> AsyncIterator[Postgres]:
    """It runs and follows again after a test."""
    yield following
    if not following.runs:
        following.start()
        await following.ready()
    await following.execute("SELECT pg_wal_replay_resume()")


@pytest_asyncio.fixture
async def dsn(primary: Postgres) -> AsyncIterator[str]:
    """A database of its own for each test."""
    yield await primary.empty_database()
    await primary.drop_databases()


@pytest_asyncio.fixture
async def store(dsn: str, replica: Postgres) -> AsyncIterator[PostgresStore]:
    made = PostgresStore(dsn, OPTIONS, replica.dsn(dsn.rpartition("/")[2]))
    await made.open()
    yield made
    await made.close()


async def elsewhere(store: PostgresStore, count: int) -> bool:
    """Whether a replica answers; whoever does has all `count` versions."""
    async with store.read_elsewhere() as tx:
        assert len(await tx.versions(ORDERS)) == count
        return bool(await tx._session.value("SELECT pg_is_in_recovery()"))  # type: ignore[attr-defined]


async def write(store: PostgresStore, text: str) -> None:
    async with store.write() as tx:
        await register(tx, "orders", text)


async def test_a_replica_answers_and_never_less_than_we_know(store: PostgresStore) -> None:
    for number in range(20):
        await write(store, f"{number}")
        await elsewhere(store, number + 1)

    await until(lambda: elsewhere(store, 20))


async def test_a_replica_that_is_behind_is_passed_over(store: PostgresStore, replica: Postgres) -> None:
    await write(store, "seen")
    await until(lambda: elsewhere(store, 1))
    await replica.execute("SELECT pg_wal_replay_pause()")

    await write(store, "not there yet")
    for _ in range(3):
        assert not await elsewhere(store, 2)
    assert (await store.ping())["replica"] == "is behind, or follows another database"
    await replica.execute("SELECT pg_wal_replay_resume()")
    await until(lambda: elsewhere(store, 2))


async def test_what_another_server_wrote_is_not_forgotten_again(
    store: PostgresStore, dsn: str, replica: Postgres
) -> None:
    other = PostgresStore(dsn, OPTIONS)
    await other.open()
    await write(store, "one")
    await until(lambda: elsewhere(store, 1))
    await replica.execute("SELECT pg_wal_replay_pause()")
    async with store.read() as tx:
        _, before = await tx.change_bounds()
    await write(other, "two")
    await store.wait_for_change(before, 30)

    assert not await elsewhere(store, 2)
    await other.close()


async def test_a_transaction_that_ends_late_is_waited_for(store: PostgresStore, dsn: str) -> None:
    await write(store, "one")
    foreign = await asyncpg.connect(dsn)
    async with foreign.transaction():
        await foreign.fetchval("SELECT pg_current_xact_id()")
        await write(store, "two")
        assert not await elsewhere(store, 2)
    await foreign.close()
    await until(lambda: elsewhere(store, 2))


async def test_a_killed_replica_is_not_missed_and_taken_again(
    store: PostgresStore, replica: Postgres
) -> None:
    await write(store, "one")
    await until(lambda: elsewhere(store, 1))
    replica.stop(signal.SIGKILL)

    for number in range(2, 5):
        await write(store, f"{number}")
        assert not await elsewhere(store, number)
    assert "cannot be reached" in (await store.ping())["replica"]
    replica.start()
    await until(lambda: elsewhere(store, 4))
    assert (await store.ping())["replica"] == "follows"


async def test_a_server_starts_without_its_replica(dsn: str) -> None:
    store = PostgresStore(dsn, OPTIONS, "postgresql://registry@127.0.0.1:1/postgres")
    await store.open()
    assert (await store.ping())["replica"] == "not asked yet"
    await write(store, "one")
    assert not await elsewhere(store, 1)
    assert "cannot be reached" in (await store.ping())["replica"]
    await store.close()


async def test_a_replica_counts_for_the_primary(store: PostgresStore) -> None:
    await write(store, "a")

    async def counted() -> bool:
        async with store.read_elsewhere() as tx:
            statistics = await tx.count_everything(START, 30)
            assert statistics.versions == 1
            return bool(await tx._session.value("SELECT pg_is_in_recovery()"))  # type: ignore[attr-defined]

    await until(counted)
