"""PostgreSQL, a deploy with servers of two versions on one database: the older one goes on, and starts again, when it may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio

from llm_schema_registry_server.errors import StorageUnavailable
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.storage.migrations import Migration
from llm_schema_registry_server.storage.postgres import PostgresStore
from llm_schema_registry_server.storage.postgres import migrate as steps
from llm_schema_registry_server.storage.postgres import store as module
from tests.support.postgres import Postgres
from tests.support.storage import changes_so_far, register

KNOWN = list(steps.migrations())
LAST = len(KNOWN)
WITH_MORE = "ALTER TABLE versions ADD COLUMN mood text NOT NULL DEFAULT 'fine';"
ADDITIVE = Migration(LAST + 1, "mood", f"-- Servers that know step {LAST} go on working.\n{WITH_MORE}")
SILENT = Migration(LAST + 1, "mood", WITH_MORE)


@pytest_asyncio.fixture
async def dsn(postgres: Postgres) -> AsyncIterator[str]:
    await postgres.ready()
    made = await postgres.create_database()
    yield made
    await postgres.drop_database(made)


async def server(dsn: str, knows: Sequence[Migration], patch: pytest.MonkeyPatch) -> PostgresStore:
    """A server of the version that comes with these steps, started."""
    patch.setattr(module, "migrations", lambda: knows)
    made = PostgresStore(dsn)
    await made.open()
    return made


async def test_old_and_new_servers_write_side_by_side_and_the_old_one_starts_again(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = await server(dsn, KNOWN, monkeypatch)
    async with old.write() as tx:
        await register(tx, "orders", "before")
    new = await server(dsn, [*KNOWN, ADDITIVE], monkeypatch)

    async def writes(store: PostgresStore, name: str) -> None:
        for number in range(10):
            async with store.write() as tx:
                await register(tx, "orders", f"{name} {number}")

    await asyncio.gather(writes(old, "old"), writes(new, "new"))
    await old.close()
    old = await server(dsn, KNOWN, monkeypatch)
    await asyncio.gather(writes(old, "again"), writes(new, "newer"))

    for store in (old, new):
        async with store.read() as tx:
            versions = await tx.versions(Subject.parse("orders"))
        assert [v.ordinal for v in versions] == list(range(1, 42))
        assert [c.ordinal for c in await changes_so_far(store)] == list(range(1, 42))
        await store.close()


async def test_an_old_server_does_not_start_on_a_step_that_does_not_allow_it(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await (await server(dsn, [*KNOWN, SILENT], monkeypatch)).close()

    with pytest.raises(StorageUnavailable, match=f"newer server .schema {LAST + 1}, .*upgrade this server"):
        await server(dsn, KNOWN, monkeypatch)


async def test_one_step_that_does_not_allow_it_is_enough(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    later = Migration(LAST + 2, "later", f"-- Servers that know step {LAST + 1} go on working.\nSELECT 1;")
    await (await server(dsn, [*KNOWN, ADDITIVE, later], monkeypatch)).close()

    await (await server(dsn, [*KNOWN, ADDITIVE], monkeypatch)).close()
    with pytest.raises(StorageUnavailable, match=f"servers that know {LAST + 1} go on"):
        await server(dsn, KNOWN, monkeypatch)


def test_every_step_lets_the_servers_before_it_go_on() -> None:
    assert [step.name for step in KNOWN[1:] if step.oldest >= step.number] == []
