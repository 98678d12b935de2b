"""A list inside a scope costs what it shows, however many subjects others have."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from llm_schema_registry_server.model.scope import Scope, SubjectScope
from llm_schema_registry_server.storage.postgres import lists as postgres_lists
from llm_schema_registry_server.storage.selection import SqlDialect, Statement
from llm_schema_registry_server.storage.sqlite import lists as sqlite_lists
from llm_schema_registry_server.storage.sqlite.migrate import migrate, migrations
from llm_schema_registry_server.storage.values import Page, SchemaFilter
from tests.support.postgres import Postgres

OTHERS, MINE = 100_000, 10
SCOPES = {
    "a prefix": ("mine.*",),
    "three prefixes": ("mine.1*", "mine.2*", "mine.3*"),
    "names": tuple(f"mine.{number}" for number in range(MINE)),
    "a pattern": ("mine.*1",),
    "a context": (":.mine:*",),
    "what is left": ("*",),
}
"""Of each: ten subjects or fewer. The last one excludes the others'."""
VERSION = (
    "(schema_id, global_id, identity, subject, ordinal, version, release, schema_type, content_digest, generation_digest, "
    "validation_digest, size, level, state, change_class, origin, about, created_at, updated_at, revision)"
)


def scope(name: str) -> SubjectScope:
    made = SubjectScope(map(Scope.parse, SCOPES[name]))
    return made.without([Scope.parse("others.*")]) if name == "what is left" else made


def lists_of(dialect: SqlDialect, asked: SubjectScope) -> dict[str, Statement]:
    page = Page(50)
    return {
        "subjects": dialect.subjects("", False, page, asked),
        "count subjects": dialect.count_subjects("", False, asked),
        "versions": dialect.scan(SchemaFilter(scope=asked), page),
        "count versions": dialect.count(SchemaFilter(scope=asked)),
        "latest": dialect.scan(SchemaFilter(scope=asked, latest_only=True), page),
        "by prefix": dialect.scan(SchemaFilter(scope=asked, subject_prefix="m"), page),
    }


def subjects() -> Iterator[str]:
    yield from (f"mine.{number}" for number in range(MINE))
    yield from (f":.mine:{number}" for number in range(MINE))
    yield from (f"others.{number:06}" for number in range(OTHERS))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    file = tmp_path_factory.mktemp("scoped") / "registry.db"
    made = sqlite3.connect(Path(file), isolation_level=None)
    migrate(made, file, migrations())
    made.execute("BEGIN")
    made.executemany("INSERT INTO subjects (subject, last_ordinal) VALUES (?, 1)", ((s,) for s in subjects()))
    made.executemany(
        f"INSERT INTO versions {VERSION} VALUES (?, 1, ?, ?, 1, '1.0.0', '1.0.0', 1, '', '', '', 1, 1, 2, 1, '{{}}', '{{}}', 1, 1, 1)",
        ((s, s, s) for s in subjects()),
    )
    made.execute("COMMIT")
    yield made
    made.close()


def steps_of(connection: sqlite3.Connection, statement: Statement) -> tuple[int, int]:
    """Rows, and about how many instructions SQLite's machine took to find them: it takes several for each row that it looks at."""
    count = 0

    def tick() -> None:
        nonlocal count
        count += 1

    connection.set_progress_handler(tick, 50)
    try:
        rows = connection.execute(*statement).fetchall()
    finally:
        connection.set_progress_handler(None, 0)
    return len(rows), 50 * count


@pytest.mark.parametrize("name", SCOPES)
def test_sqlite_looks_at_what_it_shows(filled: sqlite3.Connection, name: str) -> None:
    for what, statement in lists_of(sqlite_lists.LISTS, scope(name)).items():
        rows, steps = steps_of(filled, statement)
        assert rows or what == "by prefix", what
        assert steps < 5_000, f"{what}: {steps} instructions"


def test_sqlite_would_be_seen_to_look_at_the_others(filled: sqlite3.Connection) -> None:
    """The measure works: a filter that looks at every subject takes far more."""
    _, steps = steps_of(filled, ("SELECT subject FROM subjects WHERE subject LIKE 'mine%'", []))

    assert steps > 200_000


@pytest_asyncio.fixture
async def database(postgres: Postgres) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(await postgres.empty_database())
    await connection.execute("SET registry.restores = on")
    names = list(subjects())
    await connection.execute("INSERT INTO subjects SELECT s, 1 FROM unnest($1::text[]) s", names)
    await connection.execute(
        f"INSERT INTO versions {VERSION} SELECT s, 1, s, s, 1, '1.0.0', '1.0.0', 1, '', '', '', 1, 1, 2, 1, '{{}}', '{{}}', 1, 1, 1 "
        "FROM unnest($1::text[]) s",
        names,
    )
    await connection.execute("ANALYZE")
    yield connection
    await connection.close()


def rows_read(plan: dict[str, Any]) -> int:
    """Rows that the nodes of a plan gave or threw away."""
    own = (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
    return int(own) + sum(map(rows_read, plan.get("Plans", ())))


@pytest.mark.slow
async def test_postgres_looks_at_what_it_shows(database: Any) -> None:
    for name in SCOPES:
        for what, (sql, parameters) in lists_of(postgres_lists.LISTS, scope(name)).items():
            explained = await database.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", *parameters)
            read = rows_read(json.loads(explained)[0]["Plan"])
            assert read < 1_000, f"{name}, {what}: {read} rows"
    whole = await database.fetchval(
        "EXPLAIN (ANALYZE, FORMAT JSON) SELECT * FROM subjects WHERE right(subject, 2) = 'xx'"
    )
    assert rows_read(json.loads(whole)[0]["Plan"]) > 10_000, "the measure works"
