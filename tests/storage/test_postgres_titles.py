"""PostgreSQL: titles of rows that a server of the version before wrote, before the upgrade and beside a newer server."""

from __future__ import annotations

import contextlib
import json
import string
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_schema_registry_server.model.schema import SchemaVersion
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.storage import ranking
from llm_schema_registry_server.storage.postgres import PostgresStore
from llm_schema_registry_server.storage.postgres import migrate as steps
from llm_schema_registry_server.storage.postgres import store as module
from llm_schema_registry_server.storage.values import RankedPage, SchemaFilter
from tests.support.postgres import Postgres
from tests.support.storage import insert, register, version

BEFORE = 3
"""The last step before titles."""
INSERT_AS_BEFORE = (
    "WITH v AS (INSERT INTO versions (schema_id, global_id, identity, subject, ordinal, version, release, schema_type, "
    "content_digest, generation_digest, validation_digest, size, level, state, change_class, origin, about, created_at, "
    "updated_at, revision) VALUES ($1, 1, 'i', $2, 1, '1.0.0', '1.0.0', 1, '', '', '', 1, 1, 2, 1, $3, $4, 1, 1, 1) "
    "RETURNING id) INSERT INTO search SELECT id, '''orders'' ''old''', '', ARRAY['x'] FROM v"
)
UPDATE_AS_BEFORE = "UPDATE search SET words = '''orders'' ''new''', labels = ARRAY['y'] WHERE version = $1"
TEXT = st.text(string.ascii_letters + string.digits + "._-/: ", max_size=20)


@pytest_asyncio.fixture
async def dsn(postgres: Postgres) -> AsyncIterator[str]:
    await postgres.ready()
    made = await postgres.create_database()
    yield made
    await postgres.drop_database(made)


@pytest_asyncio.fixture
async def store(dsn: str) -> AsyncIterator[PostgresStore]:
    made = PostgresStore(dsn)
    await made.open()
    yield made
    await made.close()


@pytest_asyncio.fixture
async def connection(dsn: str) -> AsyncIterator[Any]:
    made = await asyncpg.connect(dsn)
    yield made
    await made.close()


async def title(connection: Any) -> set[str]:
    return set((await connection.fetchval("SELECT title FROM search")).split())


async def test_titles_of_what_was_there_are_filled_in(
    dsn: str, connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = version("shop.OrderPlaced", tags=("pii", "gold-tier"))
    monkeypatch.setattr(module, "migrations", lambda: steps.migrations()[:BEFORE])
    await (old := PostgresStore(dsn)).open()
    await old.close()
    await write_as_before(connection, made.schema_id, str(made.subject), made.tags)
    monkeypatch.undo()
    store = PostgresStore(dsn)
    await store.open()
    await store.close()

    assert await title(connection) == set(ranking.title(made).split())


async def write_as_before(connection: Any, schema_id: str, subject: str, tags: tuple[str, ...]) -> None:
    about = json.dumps({"description": None, "tags": tags, "metadata": {}})
    origin = json.dumps({"created_by": "", "options": {}, "references": []})
    await connection.execute(INSERT_AS_BEFORE, schema_id, subject, origin, about)


async def test_a_row_of_an_older_server_ranks_beside_those_of_a_newer_one(
    store: PostgresStore, connection: Any
) -> None:
    await write_as_before(connection, "of an older server", "b.orders", ("old",))
    await insert(store, version("a.orders"), version("orders.c"))

    async with store.read() as tx:
        answer = await tx.ranked_versions(SchemaFilter(text="orders"), RankedPage(10))
    assert [(str(h.version.subject), h.score) for h in answer.hits] == [
        ("a.orders", 110), ("b.orders", 110), ("orders.c", 8),
    ]  # fmt: skip


async def test_words_of_an_older_server_are_suggested(
    dsn: str, store: PostgresStore, connection: Any
) -> None:
    await write_as_before(connection, "of an older server", "b.orders", ("old",))

    async with store.read() as tx:
        assert await tx.corrections(["ordrs"]) == {"ordrs": "orders"}


async def update_then(store: PostgresStore, version: SchemaVersion, end: str) -> None:
    with contextlib.suppress(TimeoutError):
        async with store.write() as tx:
            await tx.update_version(version)
            if end == "ROLLBACK":
                raise TimeoutError


async def test_words_are_sent_to_the_vocabulary_once(store: PostgresStore, connection: Any) -> None:
    async def rows() -> dict[str, int]:
        found = await connection.fetch("SELECT word, xmin::text::bigint FROM vocabulary")
        return {row[0]: row[1] for row in found}

    async with store.write() as tx:
        first = await register(tx, "a.orders", "one")
    await connection.execute("DELETE FROM vocabulary")  # nobody does; it shows what is sent
    async with store.write() as tx:
        await register(tx, "a.invoices", "two")
    assert set(await rows()) == {"invoices"}

    await update_then(store, replace(first, description="receipts"), "ROLLBACK")
    await update_then(store, replace(first, description="receipts"), "COMMIT")
    assert set(await rows()) == {"invoices", "receipts"}


async def test_an_older_server_changes_tags(store: PostgresStore, connection: Any) -> None:
    made = version("a.orders", tags=("old",))
    await insert(store, made)
    changed = replace(made, tags=("new",))
    row_id, about = await connection.fetchrow("SELECT id, about FROM versions")
    await connection.execute("UPDATE versions SET about = $1", about.replace("old", "new"))
    await connection.execute(UPDATE_AS_BEFORE, row_id)

    assert await title(connection) == set(ranking.title(changed).split())


async def test_what_a_newer_server_writes_stays(store: PostgresStore, connection: Any) -> None:
    made = version("Öl.Straße", tags=("Maß",))
    await insert(store, made)
    changed = replace(made, tags=("Ölmaß",), metadata={"k": "v"})
    async with store.write() as tx:
        await tx.update_version(changed)

    assert await title(connection) == set(ranking.title(changed).split())


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=TEXT.map(str.strip).filter(bool),
    context=st.sampled_from(["", ":.ctx:"]),
    tags=st.lists(TEXT, max_size=3),
)
async def test_the_database_cuts_ascii_as_we_do(
    store: PostgresStore, connection: Any, name: str, context: str, tags: list[str]
) -> None:
    subject = Subject.parse(context + name) if not name.startswith(":.") else Subject.parse(":.x:" + name)

    cut = await connection.fetchval("SELECT title_of($1, $2)", str(subject), json.dumps(tags))

    assert sorted(cut.split()) == sorted(ranking.title_of(subject, tuple(tags)).split())
    assert cut == f" {cut.strip()} " or not cut.strip()
