"""PostgreSQL, real processes: what was acknowledged outlives crashes; what is wrong is said at once, without secrets;
everything goes on by itself when it is over."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from llm_schema_registry_server.errors import ConcurrentUpdate, StorageUnavailable
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.storage.migrations import Migration
from llm_schema_registry_server.storage.postgres import PostgresOptions, PostgresStore, migrate
from llm_schema_registry_server.storage.values import Page, SchemaFilter
from tests.support.disks import small_disk
from tests.support.postgres import Postgres, own_server
from tests.support.storage import change, insert, register, version
from tests.support.storm import acknowledged, assert_whole, start

IMPATIENT = PostgresOptions(pool_max=4, connect_seconds=2, statement_seconds=1, lock_seconds=0.2)


@pytest.fixture
def crashable() -> Iterator[Postgres]:
    """A server for one test, which may do to it what it likes."""
    with own_server() as server:
        yield server


@asynccontextmanager
async def opened(dsn: str, options: PostgresOptions = IMPATIENT) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(dsn, options)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def until_it_writes(store: PostgresStore, made_by: str) -> None:
    """Write as soon as the server lets us; the test's own timeout bounds it."""
    while True:
        try:
            async with store.write() as tx:
                await register(tx, "after", made_by)
            return
        except StorageUnavailable:
            await asyncio.sleep(0.05)


async def test_a_server_that_does_not_run_is_named_without_its_password() -> None:
    with pytest.raises(StorageUnavailable, match=r"cannot be reached.*127\.0\.0\.1:1/registry") as caught:
        async with opened("postgresql://me:hush@127.0.0.1:1/registry"):
            raise AssertionError("must not open")
    assert "hush" not in str(caught.value)


async def test_a_database_that_does_not_exist_is_told(postgres: Postgres) -> None:
    await postgres.ready()
    with pytest.raises(StorageUnavailable, match="does not exist"):
        async with opened(postgres.dsn("nowhere")):
            raise AssertionError("must not open")


async def test_a_database_of_a_newer_server_is_refused(postgres: Postgres) -> None:
    dsn = await postgres.empty_database()
    await postgres.execute("INSERT INTO migrations VALUES (999, 'future')", dsn)
    try:
        with pytest.raises(StorageUnavailable, match="newer server"):
            async with opened(dsn):
                raise AssertionError("must not open")
    finally:
        await postgres.execute("DELETE FROM migrations WHERE number = 999", dsn)


async def test_without_leave_to_migrate_an_empty_database_is_refused(postgres: Postgres) -> None:
    await postgres.ready()
    dsn = await postgres.create_database()
    with pytest.raises(StorageUnavailable, match="schema-registry-server migrate"):
        async with opened(dsn, PostgresOptions(migrate=False)):
            raise AssertionError("must not open")
    async with opened(dsn):
        pass
    async with opened(dsn, PostgresOptions(migrate=False)) as store:
        assert len(store.registry_id) == 8
    await postgres.drop_database(dsn)


async def test_a_database_in_another_encoding_is_refused(postgres: Postgres) -> None:
    await postgres.ready()
    await postgres.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    with pytest.raises(StorageUnavailable, match="UTF8"):
        async with opened(postgres.dsn("latin")):
            raise AssertionError("must not open")


async def test_servers_that_start_at_once_migrate_once(postgres: Postgres) -> None:
    await postgres.ready()
    dsn = await postgres.create_database()
    stores = [PostgresStore(dsn) for _ in range(4)]
    await asyncio.gather(*(store.open() for store in stores))
    assert len({store.registry_id for store in stores}) == 1
    await asyncio.gather(*(store.close() for store in stores))
    await postgres.drop_database(dsn)


async def test_a_migration_that_fails_leaves_nothing_behind(postgres: Postgres) -> None:
    dsn = await postgres.empty_database()
    steps = migrate.migrations()
    broken = Migration(len(steps) + 1, "broken", "CREATE TABLE half (x int); SELECT 1 / 0")
    connection = await asyncpg.connect(dsn)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate.migrate(connection, "x", [*steps, broken], apply=True)
    assert await connection.fetchval("SELECT to_regclass('half')") is None
    assert await connection.fetchval("SELECT max(number) FROM migrations") == len(steps)
    await connection.close()


async def test_a_pool_with_nothing_free_says_so(postgres: Postgres) -> None:
    options = PostgresOptions(pool_max=1, connect_seconds=0.1)
    async with opened(await postgres.empty_database(), options) as store, store.read():
        with pytest.raises(StorageUnavailable, match="cannot be reached or does not answer"):
            async with store.read():
                raise AssertionError("there is only one connection")


async def test_a_lock_held_for_too_long_is_told(postgres: Postgres) -> None:
    async with opened(await postgres.empty_database()) as store, store.write() as first:
        await first.lock_subject(Subject.parse("orders"))
        with pytest.raises(ConcurrentUpdate, match="holds the lock"):
            async with store.write() as second:
                await second.lock_subject(Subject.parse("orders"))


async def test_every_acknowledged_write_outlives_kill_9_of_a_registry_server(postgres: Postgres) -> None:
    dsn = await postgres.empty_database()
    told: set[tuple[str, int, str]] = set()
    for round_ in range(2):
        running = [start(dsn, f"{round_}-{n}") for n in range(2)]
        for process in running:
            told.update(acknowledged(process, random.randint(1, 60)))
    async with opened(dsn) as store:
        await until_it_writes(store, "waits for the dead one's transactions to end")
        assert told <= await assert_whole(store)


async def test_every_acknowledged_write_outlives_a_crash_of_postgresql(crashable: Postgres) -> None:
    told: set[tuple[str, int]] = set()
    enough = asyncio.Event()
    await crashable.ready()
    async with opened(await crashable.create_database(), PostgresOptions(pool_max=4)) as store:

        async def writes(worker: int) -> None:
            for number in range(1000):
                async with store.write() as tx:
                    made = await register(tx, f"s{worker % 3}", f"{worker} {number}")
                told.add((str(made.subject), made.ordinal))
                if len(told) == 50:
                    enough.set()

        storm = [asyncio.create_task(writes(worker)) for worker in range(8)]
        await enough.wait()
        crashable.stop(signal.SIGKILL)
        ended = await asyncio.gather(*storm, return_exceptions=True)
        assert {type(error) for error in ended} == {StorageUnavailable}
        with pytest.raises(StorageUnavailable):
            await store.ping()

        crashable.start()
        await until_it_writes(store, "by the same store, without a restart")
        there = {(subject, ordinal) for subject, ordinal, _ in await assert_whole(store)}
        assert told <= there
        position = (await _bounds(store))[1]
        async with store.write() as tx:
            await tx.append_change(change())
        await store.wait_for_change(position, 60)
        assert (await _bounds(store))[1] > position


async def _bounds(store: PostgresStore) -> tuple[int, int]:
    async with store.read() as tx:
        return await tx.change_bounds()


async def test_a_server_that_hangs_is_left_alone_after_the_time_limit(crashable: Postgres) -> None:
    await crashable.ready()
    async with opened(await crashable.create_database()) as store:
        await insert(store, version())
        crashable.signal_all(signal.SIGSTOP)
        try:
            with pytest.raises(StorageUnavailable, match="does not answer"):
                await insert(store, version(ordinal=2))
        finally:
            crashable.signal_all(signal.SIGCONT)
        await until_it_writes(store, "when it goes on")
        async with store.read() as tx:
            assert await tx.count_versions(SchemaFilter()) in (2, 3)  # what hung may have been done


@pytest.fixture
def full_disk() -> Iterator[Path]:
    """A file system of 96 MB; only root may make one."""
    with small_disk(96) as place:
        if place is None:
            pytest.skip("a small file system can only be mounted by root")
        yield place


async def test_a_full_disk_fails_writes_and_is_over_when_there_is_room(full_disk: Path) -> None:
    ballast = full_disk / "ballast"
    ballast.write_bytes(b"x" * 30_000_000)
    (home := full_disk / "home").mkdir()
    server = Postgres(home, max_wal_size="8MB", min_wal_size="2MB")
    server.start()
    told: set[tuple[str, int]] = set()
    try:
        await server.ready()
        async with opened(await server.create_database()) as store:

            async def fills() -> None:
                while True:
                    async with store.write() as tx:
                        made = await register(tx, "large", random.randbytes(150_000).hex())
                    told.add((str(made.subject), made.ordinal))

            with pytest.raises(StorageUnavailable):
                await fills()
            ballast.unlink()
            if not server.runs:  # out of room for its log it gives up; an operator starts it again
                server.stop()
                server.start()
            await until_it_writes(store, "when there is room")
            assert told <= {(subject, ordinal) for subject, ordinal, _ in await assert_whole(store)}
            assert len(told) > 5
    finally:
        server.remove()


async def test_connections_killed_one_by_one_are_replaced(postgres: Postgres) -> None:
    dsn = await postgres.empty_database()
    async with opened(dsn) as store:
        for number in range(1, 6):
            await insert(store, version(ordinal=number))
            await postgres.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
                dsn,
            )
        async with store.read() as tx:
            assert len(await tx.scan_versions(SchemaFilter(), Page(10))) == 5
