"""A storage of the release before profiles, with something in it, is upgraded: verdicts are stored about what was there."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_schema_registry_server.model.profile import ProfileFit, ProfileVerdict
from llm_schema_registry_server.storage.postgres import migrate as postgres_migrate
from llm_schema_registry_server.storage.postgres.store import PostgresStore
from llm_schema_registry_server.storage.sqlite import migrate as sqlite_migrate
from llm_schema_registry_server.storage.sqlite.store import SqliteStore
from llm_schema_registry_server.storage.store import Store
from tests.support.postgres import Postgres
from tests.support.storage import insert, version

BEFORE_SQLITE, BEFORE_POSTGRES = 13, 16
"""The steps of that release."""


async def fill(store: Store) -> str:
    """The id of a version that is put into the store."""
    await store.open()
    made = version("orders", 1)
    await insert(store, made)
    await store.close()
    return made.schema_id


async def use(store: Store, schema_id: str) -> None:
    await store.open()
    verdict = ProfileVerdict(schema_id, "cohere", 1, ProfileFit.REFUSED)
    async with store.write() as tx:
        await tx.put_verdicts([verdict])
    async with store.read() as tx:
        assert await tx.profile_watch() is None
        assert list(await tx.profile_marks()) == []
        (judged,) = await tx.judged_versions("cohere", ProfileFit.REFUSED, "", 10)
        assert judged.verdict == verdict
    async with store.write() as tx:
        await tx.remove_version(schema_id)
    async with store.read() as tx:
        assert list(await tx.verdicts_of([schema_id])) == []
    await store.close()


async def test_sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, steps = tmp_path / "registry.db", sqlite_migrate.migrations()
    with monkeypatch.context() as before:
        before.setattr(
            "llm_schema_registry_server.storage.sqlite.store.migrations", lambda: steps[:BEFORE_SQLITE]
        )
        schema_id = await fill(SqliteStore(file))
    await use(SqliteStore(file), schema_id)


async def test_postgres(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    await postgres.ready()
    dsn, steps = await postgres.create_database(), postgres_migrate.migrations()
    with monkeypatch.context() as before:
        before.setattr(
            "llm_schema_registry_server.storage.postgres.store.migrations", lambda: steps[:BEFORE_POSTGRES]
        )
        schema_id = await fill(PostgresStore(dsn))
    await use(PostgresStore(dsn), schema_id)
    await postgres.drop_database(dsn)
