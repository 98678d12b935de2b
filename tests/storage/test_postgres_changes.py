"""PostgreSQL, several servers on one database: every follower sees every change once, in one order, and soon."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
import pytest

from llm_schema_engines.model.compatibility import CompatibilityLevel
from llm_schema_registry_server.errors import ConcurrentUpdate
from llm_schema_registry_server.model.config import Config, Mode
from llm_schema_registry_server.model.schema import ResolvedReference
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.storage.postgres import PostgresOptions, PostgresStore, queries
from tests.support.postgres import Postgres
from tests.support.storage import change, changes_so_far, content, insert, register, seen, version

QUIET = PostgresOptions(poll_seconds=3600)
"""Without its poll: what arrives was notified."""


def dsn_of(store: PostgresStore) -> str:
    return store._dsn  # the tests' own way beside the store


@asynccontextmanager
async def stores(
    postgres: Postgres, count: int, options: PostgresOptions | None = None
) -> AsyncIterator[list[PostgresStore]]:
    dsn = await postgres.empty_database()
    async with AsyncExitStack() as stack:
        made = [PostgresStore(dsn, options) for _ in range(count)]
        for each in made:
            await each.open()
            stack.push_async_callback(each.close)
        yield made


async def follow(store: PostgresStore, wanted: int) -> list[tuple[int, str, int]]:
    """What a subscriber sees that goes away and resumes at random, until it has seen `wanted` changes."""
    seen: list[tuple[int, str, int]] = []
    position = 0
    while len(seen) < wanted:
        async with store.read() as tx:
            changes = await tx.changes(position, random.randint(1, 9))
        for each in changes[: random.randint(1, 9)]:  # the rest is lost with the connection
            seen.append((each.sequence, str(each.subject), each.ordinal))
            position = each.sequence
        if not changes:
            await store.wait_for_change(position, 30)
    return seen


@pytest.mark.parametrize("listen", [True, False])
async def test_three_servers_twenty_writers_one_order(postgres: Postgres, listen: bool) -> None:
    options = PostgresOptions(transaction_pooler=not listen, poll_seconds=0.02)
    async with stores(postgres, 3, options) as servers:

        async def writes(worker: int) -> None:
            for number in range(5):
                async with servers[worker % 3].write() as tx:
                    await register(tx, f"s{worker % 4}", f"{worker} {number}")
                    await tx.append_change(change(subject=Subject.parse("second"), ordinal=worker))

        writing = asyncio.gather(*(writes(worker) for worker in range(20)))
        seen = await asyncio.gather(*(follow(server, 200) for server in servers for _ in range(3)))
        await writing

        assert all(each == seen[0] for each in seen)
        sequences = [sequence for sequence, _, _ in seen[0]]
        assert sequences == sorted(set(sequences))
        for subject in ("s0", "s1", "s2", "s3"):
            assert [o for _, s, o in seen[0] if s == subject] == list(range(1, 26))


async def test_a_transaction_held_open_delays_what_began_after_it_and_loses_nothing(
    postgres: Postgres,
) -> None:
    async with stores(postgres, 2) as (one, two):
        async with one.write() as early:
            first = await early.append_change(change(ordinal=1))
            async with two.write() as late:
                second = await late.append_change(change(ordinal=2))
            async with two.read() as tx:
                assert list(await tx.changes(0, 10)) == []
                assert await tx.change_bounds() == (0, 0)
        await two.wait_for_change(0, 30)
        async with two.read() as tx:
            assert [c.sequence for c in await tx.changes(0, 10)] == [first, second]


async def test_a_foreign_transaction_that_ends_wakes_those_who_wait_behind_it(postgres: Postgres) -> None:
    async with stores(postgres, 1) as (store,):
        foreign = await asyncpg.connect(postgres.dsn())
        transaction = foreign.transaction()
        await transaction.start()
        await foreign.fetchval("SELECT pg_current_xact_id()")
        async with store.write() as tx:
            await tx.append_change(change())
        waiting = asyncio.create_task(store.wait_for_change(0, 60))
        await asyncio.sleep(0)
        assert not waiting.done()
        await transaction.rollback()
        await foreign.close()
        await waiting
        async with store.read() as reading:
            assert len(await reading.changes(0, 10)) == 1


async def test_a_notification_wakes_another_server(postgres: Postgres) -> None:
    async with stores(postgres, 2, QUIET) as (one, two):
        await two.wait_for_change(0, 0.3)  # its watcher listens by now
        async with one.write() as tx:
            await tx.append_change(change())
        await two.wait_for_change(0, 30)
        async with two.read() as reading:
            assert len(await reading.changes(0, 10)) == 1


async def test_without_a_notification_a_poll_finds_the_change(postgres: Postgres) -> None:
    async with stores(postgres, 1) as (store,):
        await postgres.execute(
            "INSERT INTO changes VALUES (first_sequence(), 1, 's', '', '', 0, 0, "
            '\'{"actor": "", "correlation_id": "", "metadata": {}}\')',
            dsn_of(store),
        )
        await store.wait_for_change(0, 30)
        async with store.read() as tx:
            assert len(await tx.changes(0, 10)) == 1


async def test_a_server_whose_listening_connection_is_killed_listens_again(postgres: Postgres) -> None:
    async with stores(postgres, 2) as (one, two):
        await postgres.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
            dsn_of(one),
        )
        async with one.write() as tx:
            await tx.append_change(change())
        await two.wait_for_change(0, 30)
        async with two.read() as reading:
            assert len(await reading.changes(0, 10)) == 1


async def test_changes_of_one_subject_come_in_the_order_of_its_versions(postgres: Postgres) -> None:
    async with stores(postgres, 2) as servers:

        async def writes(worker: int) -> None:
            async with servers[worker % 2].write() as tx:
                await register(tx, "orders", str(worker))

        await asyncio.gather(*(writes(worker) for worker in range(40)))
        assert [c.ordinal for c in await changes_so_far(servers[0])] == list(range(1, 41))


async def test_in_a_restored_cluster_new_changes_come_after_the_old_ones(postgres: Postgres) -> None:
    async with stores(postgres, 1) as (store,):
        far = (10**9) << 20  # as if the database had been dumped by a cluster that had seen more transactions
        await postgres.execute(
            f"INSERT INTO changes VALUES ({far}, 1, 's', '', '', 0, 0, "
            '\'{"actor": "", "correlation_id": "", "metadata": {}}\')',
            dsn_of(store),
        )
        restarted = PostgresStore(dsn_of(store))
        await restarted.open()
        try:
            async with restarted.write() as tx:
                later = await tx.append_change(change())
            assert later > far
            await seen(restarted, later)
            async with restarted.read() as reading:
                assert len(await reading.changes(0, 10)) == 2
        finally:
            await restarted.close()


async def test_settings_changed_by_two_at_once_are_a_conflict(postgres: Postgres) -> None:
    async with stores(postgres, 2) as (one, two):

        async def raises_level() -> None:
            async with one.write() as first:
                assert await first.config("registry") is None
                async with two.write() as second:
                    await second.config("registry")
                    await second.set_config("registry", Config(mode=Mode.READONLY))
                await first.set_config("registry", Config(level=CompatibilityLevel.FULL))

        with pytest.raises(ConcurrentUpdate, match="registry"):
            await raises_level()
        async with one.read() as tx:
            assert await tx.config("registry") == Config(mode=Mode.READONLY)


async def test_a_content_that_is_removed_while_it_is_used_anew_stays(postgres: Postgres) -> None:
    old = version("old", identity="shared")
    async with stores(postgres, 2) as (one, two):
        await insert(one, old)
        async with one.write() as tx:
            await tx.put_content("shared", content())
        reached = asyncio.Event()

        async def removes() -> None:
            await reached.wait()
            async with two.write() as tx:
                await tx.remove_version(old.schema_id)

        removing = asyncio.create_task(removes())
        async with one.write() as tx:
            await tx.put_content("shared", content())
            await tx.insert_version(version("new", identity="shared"), ())
            reached.set()
            await asyncio.sleep(0.05)  # gives the other one time to get in the way; right in either order
        await removing
        async with one.read() as reading:
            assert set(await reading.contents(["shared"])) == {"shared"}


async def test_a_transaction_over_very_many_contents_needs_few_locks(postgres: Postgres) -> None:
    async with stores(postgres, 1) as (store,):
        async with store.write() as tx:
            for number in range(8000):  # more than the server's table of locks holds
                await tx.put_content(f"content {number}", content())
        async with store.write() as tx:
            for number in range(100):
                await tx.insert_version(version("many", number + 1, identity=f"content {number}"), ())
        async with store.write() as tx:
            for each in await tx.versions(Subject.parse("many")):
                await tx.remove_version(each.schema_id)


async def test_a_version_whose_reference_vanished_is_refused(postgres: Postgres) -> None:
    target = version("lib")
    use = ResolvedReference("lib", target.subject, 1, target.version, target.schema_id)
    async with stores(postgres, 2) as (one, two):
        await insert(one, target)

        async def registers() -> None:
            async with one.write() as tx:
                await tx.versions(target.subject)
                async with two.write() as other:
                    await other.remove_version(target.schema_id)
                await tx.insert_version(version("user", references=(use,)), ())

        with pytest.raises(ConcurrentUpdate):
            await registers()
        async with one.read() as reading:
            assert list(await reading.versions(Subject.parse("user"))) == []


async def test_one_compacts_at_a_time_and_nothing_that_is_not_final_goes(postgres: Postgres) -> None:
    async with stores(postgres, 2) as (one, two):
        async with one.write() as tx:
            final = await tx.append_change(change(ordinal=1))
        await seen(two, final)
        async with one.write() as early:
            held = await early.append_change(change(ordinal=2))
            async with two.write() as late:
                newest = await late.append_change(change(ordinal=3))
            async with two.write() as compacting:
                assert await compacting.compact_changes(newest)
                async with one.write() as other:
                    assert not await other.compact_changes(newest)
            async with two.read() as tx:
                assert await tx.change_bounds() == (final, final)
        await seen(two, newest)
        async with two.read() as tx:
            assert [c.sequence for c in await tx.changes(final, 10)] == [held, newest]
        async with one.write() as other:
            assert await other.compact_changes(held)
        async with two.write() as compacting:
            assert await compacting.compact_changes(final)
        async with two.read() as tx:
            assert await tx.change_bounds() == (held, newest)


async def test_sessions_that_the_user_may_not_look_into_are_counted_apart(postgres: Postgres) -> None:
    """Else the age of the oldest transaction would be given as that of all of them."""
    dsn = await postgres.empty_database()
    name = f"limited_{uuid.uuid4().hex}"
    await postgres.execute(f"CREATE ROLE {name} LOGIN")
    writing = await asyncpg.connect(dsn)
    limited = await asyncpg.connect(dsn, user=name)
    try:
        async with writing.transaction():
            await writing.fetchval("SELECT pg_current_xact_id()")
            _, hidden, oldest = await limited.fetchrow(queries.FACTS)
            assert hidden >= 1
            assert oldest == 0
            await postgres.execute(f"GRANT pg_read_all_stats TO {name}")
            _, hidden, _ = await limited.fetchrow(queries.FACTS)
            assert hidden == 0
    finally:
        await writing.close()
        await limited.close()
        await postgres.execute(f"DROP ROLE {name}")
