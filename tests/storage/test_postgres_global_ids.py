"""PostgreSQL: a context's global ids under concurrent writers, beside a server of the version before, and after it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import asyncpg
import pytest
import pytest_asyncio

from llm_schema_registry_server.errors import ConcurrentUpdate
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.storage.postgres import PostgresOptions, PostgresStore, migrate
from tests.support.postgres import Postgres
from tests.support.storage import insert, register, version

IMPATIENT = PostgresOptions(pool_max=20, lock_seconds=0.2, statement_seconds=60)


@pytest_asyncio.fixture
async def impatient(postgres: Postgres) -> AsyncIterator[PostgresStore]:
    """A store whose writers give up on a lock that they cannot have."""
    made = PostgresStore(await postgres.empty_database(), IMPATIENT)
    await made.open()
    yield made
    await made.close()


async def test_writers_of_a_context_do_not_wait_for_each_other(impatient: PostgresStore) -> None:
    async with AsyncExitStack() as stack:
        open_ones = [await stack.enter_async_context(impatient.write()) for _ in range(10)]
        given = [await tx.allot_global_id(".ctx", f"{n}") for n, tx in enumerate(open_ones)]
        assert given == list(range(1, 11))


async def test_writers_of_one_content_agree_on_its_number(postgres: Postgres) -> None:
    store = PostgresStore(await postgres.empty_database())
    await store.open()

    async def allot(writer: int) -> int:
        async with store.write() as tx:
            await register(tx, f":.ctx:{writer}", "the same")
            return await tx.allot_global_id(".ctx", f"own {writer}")

    own = await asyncio.gather(*(allot(n) for n in range(20)))

    async with store.read() as tx:
        (first,) = await tx.versions(Subject.parse(":.ctx:0"))
        shared = first.global_id  # not always 1: the first to ask need not be the first to write
        assert len(await tx.versions_by_global_id(".ctx", shared)) == 20
        numbered = await tx.global_ids((".ctx", 0), 100)
    assert len({identity for _, _, identity in numbered}) == len(numbered) == 21
    assert len({shared, *own}) == 21
    await store.close()


async def test_a_number_that_an_older_server_gave_is_respected(impatient: PostgresStore) -> None:
    await insert(impatient, version(":.ctx:a", global_id=2, identity="theirs"))  # it knows no context_ids

    async with impatient.write() as tx:
        assert [await tx.allot_global_id(".ctx", i) for i in ("x", "theirs", "y")] == [1, 2, 3]


@pytest.mark.parametrize(("number", "identity"), [(1, "another content"), (2, "mine")])
async def test_an_older_server_cannot_give_a_number_a_second_meaning(
    impatient: PostgresStore, number: int, identity: str
) -> None:
    async with impatient.write() as tx:
        assert await tx.allot_global_id(".ctx", "mine") == 1

    with pytest.raises(ConcurrentUpdate, match=f"global id {number} of context .ctx is given to another"):
        await insert(impatient, version(":.ctx:a", global_id=number, identity=identity))


async def test_a_database_of_the_version_before_keeps_its_numbers(postgres: Postgres) -> None:
    await postgres.ready()
    dsn = await postgres.create_database()
    connection = await asyncpg.connect(dsn)
    await migrate.migrate(connection, "before", migrate.migrations()[:1], apply=True)
    await connection.execute(
        "INSERT INTO global_ids (identity) VALUES ('a'), ('b'), ('c');"
        "INSERT INTO versions (schema_id, global_id, identity, subject, ordinal, version, release, schema_type, "
        "content_digest, generation_digest, validation_digest, size, level, state, change_class, origin, about, "
        "created_at, updated_at, revision) "
        "SELECT s || o, n, i, s, o, o || '.0.0', o || '.0.0', 1, 'd', 'd', 'd', 1, 1, 2, 1, '{}', '{}', 1, 1, 1 "
        "FROM (VALUES ('orders', 1, 1, 'a'), (':.ctx:orders', 1, 2, 'b'), (':.ctx:orders', 2, 1, 'a'), "
        "(':.ctx:pays', 1, 2, 'b')) AS v (s, o, n, i)"
    )
    store = PostgresStore(dsn)
    await store.open()

    async with store.write() as tx:
        assert [await tx.allot_global_id(".", i) for i in ("a", "b", "c", "d")] == [1, 2, 3, 4]
        assert [await tx.allot_global_id(".ctx", i) for i in ("a", "b", "c")] == [1, 2, 3]
        assert [await tx.allot_global_id(".new", i) for i in ("c", "a")] == [1, 2]

    await store.close()
    await connection.close()
    await postgres.drop_database(dsn)
