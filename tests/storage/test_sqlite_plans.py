"""SQLite: no query of the back end walks through a large table; migrations are whole and numbered without gaps."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llm_schema_engines.model.schema import SchemaType
from llm_schema_registry_server.model.lifecycle import SchemaState
from llm_schema_registry_server.model.scope import Scope, SubjectScope
from llm_schema_registry_server.storage import ranking, rows
from llm_schema_registry_server.storage.migrations import Migration
from llm_schema_registry_server.storage.sqlite import counting, lists, outcome_queries, queries
from llm_schema_registry_server.storage.sqlite.migrate import migrate, migrations
from llm_schema_registry_server.storage.values import Page, RankedPage, SchemaFilter
from tests.support.storage import version

PAGE = Page(50, after=("orders", 3))
MINE = SubjectScope(map(Scope.parse, ("orders.*", "payments.*", "z*9")))
RANKED = RankedPage(50, after=(7, "orders", 3))
TAGGED = SchemaFilter(text="word", tags=tuple("abcdefghijk"), metadata={"a": "b"})
COUNTED = lists.count_words(TAGGED)
LATEST = lists.count_latest(replace(TAGGED, latest_only=True))
assert COUNTED is not None
assert LATEST is not None
STATEMENTS = {
    name: (text, [1] * (max(map(int, re.findall(r"\?(\d)", text)), default=0) or text.count("?")))
    for name, text in (vars(queries) | vars(outcome_queries)).items()
    if name.isupper() and isinstance(text, str) and not name.startswith("_")
}
SCANS: dict[str, tuple[str, list[Any]]] = {
    "scan": lists.LISTS.scan(SchemaFilter(), PAGE),
    "scan deleted": lists.LISTS.scan(SchemaFilter(include_deleted=True), PAGE),
    "scan latest": lists.LISTS.scan(SchemaFilter(latest_only=True), PAGE),
    "scan text": lists.LISTS.scan(SchemaFilter(text="two words"), PAGE),
    "scan text and tag": lists.LISTS.scan(SchemaFilter(text="word", tags=("pii",)), PAGE),
    "walk listed": lists.LISTS.scan(TAGGED, PAGE, walking=lists.listed),
    "walk each": lists.LISTS.scan(TAGGED, PAGE, walking=lists.each),
    "walk latest": lists.LISTS.scan(replace(TAGGED, latest_only=True), PAGE, walking=lists.listed),
    "scan tag": lists.LISTS.scan(SchemaFilter(tags=("pii",), metadata={"a": "b"}), PAGE),
    "scan pattern": lists.LISTS.scan(SchemaFilter(subject_pattern="or*-value"), PAGE),
    "scan prefix": lists.LISTS.scan(SchemaFilter(subject_prefix="or"), PAGE),
    "scan subject": lists.LISTS.scan(SchemaFilter(subject="orders"), PAGE),
    "count subject": lists.LISTS.count(SchemaFilter(subject="orders")),
    "count text": lists.LISTS.count(SchemaFilter(text="word")),
    "count tag": lists.LISTS.count(SchemaFilter(tags=("pii",))),
    "count prefix": lists.LISTS.count(SchemaFilter(subject_prefix="or", schema_type=SchemaType.AVRO)),
    "count latest prefix": lists.LISTS.count(SchemaFilter(subject_prefix="or", latest_only=True)),
    "rank": lists.LISTS.rank(SchemaFilter(text="two words"), RANKED),
    "rank tag": lists.LISTS.rank(SchemaFilter(text="word", tags=("pii",), latest_only=True), RANKED),
    "count words": COUNTED,
    "count latest": LATEST,
    "count some": lists.LISTS.count_some(replace(TAGGED, state=SchemaState.ACTIVE), 9),
    "near": lists.near("customer"),
    "precondition": (queries.PRECONDITIONS[3], ["orders", "a", "b", "c"]),
    "subjects": lists.LISTS.subjects("or", False, PAGE),
    "scan scope": lists.LISTS.scan(SchemaFilter(scope=MINE), PAGE),
    "count scope": lists.LISTS.count(SchemaFilter(scope=MINE)),
    "subjects scope": lists.LISTS.subjects("", False, PAGE, MINE),
    "count subjects scope": lists.LISTS.count_subjects("", False, MINE),
    "subjects deleted": lists.LISTS.subjects("", True, PAGE),
    "count subjects": lists.LISTS.count_subjects("or", False),
}
COUNTS_EVERYTHING = {
    "COUNTS",
    "COUNT_API_KEYS",
    "COUNT_REVOKED_TOKENS",
    "COUNT_GRANTS",
    "LIVE_HITS",
    "count words",
    "count latest",
}
"""Statements whose answer is the size of a table: they walk its smallest index. LIVE_HITS, with labels or without: that of the softly
deleted versions. count latest: that of the versions that `latest` chooses from."""

READS_ALL_WORDS = {"near"}
"""SQLite has no index of trigrams: one of our own would cost every registration more than this costs a query that found nothing."""
LISTS_ALL = {
    "CURSORS",
    "PROFILE_MARKS",
    "NEWEST_POLICIES",
    "AUDIT_WAITS",
    "AUDIT_INBOX",
    "NEWEST_AUDIT_CHECKPOINT",
}
"""Of a table with a row for each reader of the change log, or for each profile that was put; and SQLite says SCAN where it takes the first or last rows of a table."""
FOUND = {"reached", "m", "scored", "counted", "page", "listed", "r0", "r1", "r2"}
"""What a search or a walk has found so far, which is no table."""


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    made = sqlite3.connect(tmp_path / "registry.db", isolation_level=None)
    migrate(made, tmp_path / "registry.db", migrations())
    yield made
    made.close()


def plan(connection: sqlite3.Connection, sql: str, parameters: list[Any]) -> list[str]:
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]


@pytest.mark.parametrize(
    "name", sorted((STATEMENTS | SCANS).keys() - COUNTS_EVERYTHING - READS_ALL_WORDS - LISTS_ALL)
)
def test_no_statement_walks_through_a_table(connection: sqlite3.Connection, name: str) -> None:
    steps = plan(connection, *(STATEMENTS | SCANS)[name])

    walks = [
        s
        for s in steps
        if s.startswith("SCAN")
        and "VIRTUAL TABLE INDEX" not in s
        and "CONSTANT" not in s
        and s.split()[1] not in FOUND
    ]
    assert not walks, steps


@pytest.mark.parametrize(
    "name",
    [
        *("scan", "scan deleted", "scan latest", "scan prefix", "scan pattern", "scan subject", "subjects"),
        *("walk listed", "walk each", "walk latest"),
    ],
)
def test_a_page_is_read_in_order_without_sorting(connection: sqlite3.Connection, name: str) -> None:
    steps = plan(connection, *SCANS[name])

    assert not [s for s in steps if "TEMP B-TREE" in s], steps


def test_labels_of_what_words_find_are_looked_up_one_by_one(connection: sqlite3.Connection) -> None:
    """A list of all versions with a label would be made for each question, and may be longer than all else."""
    names = (
        "scan text and tag",
        "walk listed",
        "walk each",
        "walk latest",
        "rank tag",
        "count words",
        "count some",
    )
    for name in names:
        steps = [s for s in plan(connection, *SCANS[name]) if " l USING" in s or " labels USING" in s]
        assert steps, name
        assert all("(label=? AND version=?)" in step for step in steps), (name, steps)


def test_versions_with_an_identity_are_found_by_it(connection: sqlite3.Connection) -> None:
    steps = plan(connection, *STATEMENTS["VERSIONS_WITH"])

    assert any("versions_identity" in step for step in steps), steps


def test_a_late_page_of_a_subject_begins_where_it_is(connection: sqlite3.Connection) -> None:
    (step,) = plan(connection, *SCANS["scan subject"])

    assert "(subject=? AND ordinal>?)" in step


@pytest.mark.parametrize("name", ["VERSIONS", "LIVE_VERSIONS", "HISTORY", "CHANGES"])
def test_lists_read_in_the_loop_need_no_sorting(connection: sqlite3.Connection, name: str) -> None:
    assert not [s for s in plan(connection, *STATEMENTS[name]) if "TEMP B-TREE" in s]


@pytest.mark.parametrize("name", ["VERSIONS", "SUBJECTS", "CONTENTS", "LOG"])
def test_what_counts_everything_reads_a_table_once(connection: sqlite3.Connection, name: str) -> None:
    """Whoever counts everything reads everything, but not twice."""
    sql = getattr(counting, name)
    steps = plan(connection, sql, [1] * sql.count("?"))

    tables = {"versions", "contents", "c", "changes"}
    # The ends of the log are found by its key: SQLite says SCAN, and stops at the first row.
    whole = [s for s in steps if s.split()[0] == "SCAN" and s.split()[1] in tables]
    assert len(whole) == (3 if name == "LOG" else 1), steps


def test_migrations_are_numbered_without_gaps() -> None:
    assert [m.number for m in migrations()] == list(range(1, len(migrations()) + 1))


def test_what_was_there_before_titles_ranks_and_is_found(tmp_path: Path) -> None:
    made = version("shop.OrderPlacedÖ", tags=("pii", "gold-tier"))
    connection = sqlite3.connect(tmp_path / "registry.db", isolation_level=None)
    migrate(connection, tmp_path / "registry.db", migrations()[:2])
    row_id = connection.execute(queries.INSERT_VERSION, rows.version_row(made)).lastrowid
    connection.execute(queries.INSERT_WORDS, (row_id, "order placed v2 öl", "total"))

    migrate(connection, tmp_path / "registry.db", migrations())

    assert connection.execute("SELECT * FROM titles").fetchall() == [(row_id, ranking.title(made))]
    words = connection.execute("SELECT word FROM vocabulary ORDER BY word").fetchall()
    assert words == [("order",), ("placed",), ("total",)]
    sql, parameters = lists.LISTS.rank(SchemaFilter(text="order tot"), RankedPage(9))
    assert [row[-2:] for row in connection.execute(sql, parameters)] == [(10 + 3, 1)]
    connection.close()


def test_a_migration_that_fails_leaves_nothing_behind(connection: sqlite3.Connection, tmp_path: Path) -> None:
    broken = Migration(
        len(migrations()) + 1, "broken", "CREATE TABLE half (x);\nINSERT INTO nowhere VALUES (1);\n"
    )

    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        migrate(connection, tmp_path / "registry.db", [*migrations(), broken])

    assert connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'half'").fetchone() == (0,)
    assert connection.execute("PRAGMA user_version").fetchone() == (len(migrations()),)
    assert not connection.in_transaction


def test_a_later_migration_is_applied_to_what_is_there(
    connection: sqlite3.Connection, tmp_path: Path
) -> None:
    (before,) = connection.execute(queries.REGISTRY_ID).fetchone()
    later = Migration(len(migrations()) + 1, "later", "CREATE TABLE later (x TEXT DEFAULT 'a;b');\n")

    for _ in range(2):
        migrate(connection, tmp_path / "registry.db", [*migrations(), later])

    assert connection.execute("SELECT count(*) FROM later").fetchone() == (0,)
    assert connection.execute(queries.REGISTRY_ID).fetchone() == (before,)
