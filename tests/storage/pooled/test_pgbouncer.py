"""Several servers behind PgBouncer: one order of changes; a forgotten setting is told at the start, by name."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from llm_schema_registry_server.errors import StorageUnavailable
from llm_schema_registry_server.storage.postgres import PostgresOptions, PostgresStore
from tests.support.pgbouncer import PgBouncer
from tests.support.postgres import PATIENT, Postgres
from tests.support.storage import change, register

POOLED = replace(PATIENT, transaction_pooler=True, poll_seconds=0.02)
PARAMETERS = "application_name, statement_timeout, lock_timeout, idle_in_transaction_session_timeout, jit"


async def follow(store: PostgresStore, wanted: int) -> list[int]:
    """The sequences that a subscriber sees, until it has seen `wanted`."""
    found: list[int] = []
    while len(found) < wanted:
        position = found[-1] if found else 0
        async with store.read() as tx:
            found += [c.sequence for c in await tx.changes(position, 7)]
        await store.wait_for_change(found[-1] if found else 0, 0.5)
    return found


async def test_changes_reach_every_server_once_and_in_order(store: PostgresStore) -> None:
    async with AsyncExitStack() as stack:
        servers = [store]
        for _ in range(2):
            another = PostgresStore(store._dsn, POOLED)
            await another.open()
            stack.push_async_callback(another.close)
            servers.append(another)

        async def writes(worker: int) -> None:
            for number in range(10):
                async with servers[worker % 3].write() as tx:
                    await register(tx, f":.c{worker % 2}:s{worker % 4}", f"{worker} {number}")

        writing = asyncio.gather(*(writes(worker) for worker in range(12)))
        seen = await asyncio.gather(*(follow(server, 120) for server in servers))
        await writing

        assert seen[0] == seen[1] == seen[2] == sorted(set(seen[0]))


async def test_limits_hold_in_each_transaction(store: PostgresStore) -> None:
    async with store.read() as tx:
        assert await tx._session.value("SHOW statement_timeout") == "10s"
        assert await tx._session.value("SHOW jit") == "off"


async def test_a_pooler_that_starts_again_costs_nothing_lasting(
    store: PostgresStore, pgbouncer: PgBouncer
) -> None:
    pgbouncer.stop()
    with pytest.raises(StorageUnavailable):
        async with store.read():
            raise AssertionError("there is no way to the database")
    await pgbouncer.start()
    async with store.write() as tx:
        sequence = await tx.append_change(change())
    await store.wait_for_change(sequence - 1, 30)


@pytest.mark.parametrize("ignores", ["", PARAMETERS])
async def test_a_forgotten_setting_is_named_at_the_start(postgres: Postgres, ignores: str) -> None:
    pooler = PgBouncer(postgres, ignores=ignores)
    try:
        await pooler.start()
        forgetful = PostgresStore(pooler.dsn(await postgres.empty_database()), PostgresOptions())
        with pytest.raises(StorageUnavailable, match=r"set storage.postgres.transaction_pooler"):
            await forgetful.open()
    finally:
        pooler.remove()
