"""The SQL of the SQLite back end. tests/storage/test_sqlite_plans.py explains each of these statements."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .. import search
from ..rows import CHANGE_COLUMNS, TRANSITION_COLUMNS, VERSION_COLUMNS
from ..store import Page, SchemaFilter

_VERSION = ", ".join(VERSION_COLUMNS)
_VERSION_OF_V = ", ".join(f"v.{column}" for column in VERSION_COLUMNS)
_CHANGE = ", ".join(CHANGE_COLUMNS)
_TRANSITION = ", ".join(TRANSITION_COLUMNS)


def _places(columns: tuple[str, ...]) -> str:
    return ", ".join("?" * len(columns))


REGISTRY_ID = "SELECT value FROM meta WHERE key = 'registry_id'"

VERSION = f"SELECT {_VERSION} FROM versions WHERE schema_id = ?"
VERSIONS = f"SELECT {_VERSION} FROM versions WHERE subject = ? ORDER BY ordinal"
LIVE_VERSIONS = f"SELECT {_VERSION} FROM versions WHERE subject = ? AND deleted_at IS NULL ORDER BY ordinal"
VERSIONS_BY_GLOBAL_ID = f"SELECT {_VERSION} FROM versions WHERE global_id = ? ORDER BY subject, ordinal"
DEPENDENTS = (
    f"SELECT {_VERSION_OF_V} FROM version_references r JOIN versions v ON v.id = r.version "
    "WHERE r.target = ? ORDER BY v.subject, v.ordinal"
)
CONTENT = "SELECT content, digest, canonical, artifact FROM contents WHERE identity = ?"
HISTORY = f"SELECT {_TRANSITION} FROM transitions WHERE schema_id = ? ORDER BY id"
CONFIG = "SELECT settings FROM configs WHERE scope = ?"
CHANGES = f"SELECT sequence, {_CHANGE} FROM changes WHERE sequence > ? ORDER BY sequence LIMIT ?"
COMPACTED = "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'compacted'"
NEWEST_CHANGE = "SELECT max(sequence) FROM changes"

GLOBAL_ID = "SELECT global_id FROM global_ids WHERE identity = ?"
ALLOT_GLOBAL_ID = "INSERT INTO global_ids (identity) VALUES (?)"
PUT_CONTENT = (
    "INSERT INTO contents (identity, content, digest, canonical, artifact) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (identity) DO NOTHING"
)
APPEND_CHANGE = f"INSERT INTO changes ({_CHANGE}) VALUES ({_places(CHANGE_COLUMNS)})"
FORGET_CHANGES = "DELETE FROM changes WHERE sequence <= ?"
SET_COMPACTED = (
    "INSERT INTO meta VALUES ('compacted', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)
INSERT_VERSION = f"INSERT INTO versions ({_VERSION}) VALUES ({_places(VERSION_COLUMNS)})"
RAISE_ORDINAL = (
    "INSERT INTO subjects VALUES (?, ?) "
    "ON CONFLICT (subject) DO UPDATE SET last_ordinal = max(last_ordinal, excluded.last_ordinal)"
)
LAST_ORDINAL = "SELECT last_ordinal FROM subjects WHERE subject = ?"
INSERT_REFERENCE = "INSERT INTO version_references VALUES (?, ?) ON CONFLICT DO NOTHING"
INSERT_LABEL = "INSERT INTO labels VALUES (?, ?)"
DELETE_LABELS = "DELETE FROM labels WHERE version = ?"
INSERT_WORDS = "INSERT INTO words (rowid, about, names) VALUES (?, ?, ?)"
UPDATE_WORDS = "UPDATE words SET about = ? WHERE rowid = ?"
DELETE_WORDS = "DELETE FROM words WHERE rowid = ?"
VERSION_FOR_UPDATE = f"SELECT {_VERSION}, id FROM versions WHERE schema_id = ?"
UPDATE_VERSION = (
    "UPDATE versions SET version = ?, release = ?, global_id = ?, level = ?, state = ?, change_class = ?, about = ?, "
    "updated_at = ?, revision = ?, deleted_at = ? WHERE id = ?"
)
DELETE_VERSION = "DELETE FROM versions WHERE id = ?"
DELETE_HISTORY = "DELETE FROM transitions WHERE schema_id = ?"
DELETE_UNUSED_CONTENT = (
    "DELETE FROM contents WHERE identity = ? AND NOT EXISTS (SELECT 1 FROM versions WHERE identity = ?)"
)
RECORD_TRANSITION = f"INSERT INTO transitions ({_TRANSITION}) VALUES ({_places(TRANSITION_COLUMNS)})"
SET_CONFIG = (
    "INSERT INTO configs VALUES (?, ?) ON CONFLICT (scope) DO UPDATE SET settings = excluded.settings"
)
DELETE_CONFIG = "DELETE FROM configs WHERE scope = ?"

NAMES = "SELECT w.names FROM versions v JOIN words w ON w.rowid = v.id WHERE v.schema_id = ?"
ALL_CONFIGS = "SELECT scope, settings FROM configs WHERE scope > ? ORDER BY scope LIMIT ?"
ALL_GLOBAL_IDS = "SELECT global_id, identity FROM global_ids WHERE global_id > ? ORDER BY global_id LIMIT ?"
ALL_ORDINALS = "SELECT subject, last_ordinal FROM subjects WHERE subject > ? ORDER BY subject LIMIT ?"
RESTORE_REGISTRY_ID = "UPDATE meta SET value = ? WHERE key = 'registry_id'"
RESTORE_GLOBAL_ID = "INSERT INTO global_ids (global_id, identity) VALUES (?, ?)"
RESTORE_CHANGE = f"INSERT INTO changes (sequence, {_CHANGE}) VALUES (?, {_places(CHANGE_COLUMNS)})"
# AUTOINCREMENT goes on after the greatest number it has ever seen.
TOUCH_SEQUENCE = "INSERT INTO changes (sequence, event_type, schema_id, version, ordinal, at, facts) VALUES (?, 0, '', '', 0, 0, '')"
UNTOUCH_SEQUENCE = "DELETE FROM changes WHERE sequence = ?"

COUNTS = (
    "SELECT (SELECT count(*) FROM versions), (SELECT count(*) FROM subjects), (SELECT page_count FROM "
    "pragma_page_count) * (SELECT page_size FROM pragma_page_size)"
)

_SELECTABLE = "{0}.deleted_at IS NULL AND {0}.state IN (2, 3)"  # as the index versions_selectable has it


@dataclass(slots=True)
class _Where:
    """Conditions and the parameters of their question marks, in step."""

    terms: list[str] = field(default_factory=list)
    parameters: list[Any] = field(default_factory=list)

    def add(self, term: str, *parameters: Any) -> None:
        self.terms.append(term)
        self.parameters.extend(parameters)

    @property
    def sql(self) -> str:
        return " AND ".join(self.terms) or "TRUE"


def scan(wanted: SchemaFilter, page: Page) -> tuple[str, list[Any]]:
    """One page of the versions that pass the filter, by (subject, ordinal)."""
    where = _matching(wanted)
    if page.after is not None:
        where.add("(v.subject, v.ordinal) > (?, ?)", *page.after)
    return (
        f"SELECT {_VERSION_OF_V} FROM versions v WHERE {where.sql} ORDER BY v.subject, v.ordinal LIMIT ? OFFSET ?",
        [*where.parameters, page.limit, page.offset],
    )


def count(wanted: SchemaFilter) -> tuple[str, list[Any]]:
    """How many versions pass the filter."""
    where = _matching(wanted)
    return f"SELECT count(*) FROM versions v WHERE {where.sql}", where.parameters


def subjects(prefix: str, include_deleted: bool, page: Page) -> tuple[str, list[Any]]:
    """One page of the subjects that have a (live) version."""
    where = _having_versions(prefix, include_deleted)
    if page.after is not None:
        where.add("s.subject > ?", page.after[0])
    return (
        f"SELECT s.subject FROM subjects s WHERE {where.sql} ORDER BY s.subject LIMIT ? OFFSET ?",
        [*where.parameters, page.limit, page.offset],
    )


def count_subjects(prefix: str, include_deleted: bool) -> tuple[str, list[Any]]:
    where = _having_versions(prefix, include_deleted)
    return f"SELECT count(*) FROM subjects s WHERE {where.sql}", where.parameters


def _having_versions(prefix: str, include_deleted: bool) -> _Where:
    where = _Where()
    live = "" if include_deleted else " AND v.deleted_at IS NULL"
    where.add(f"EXISTS (SELECT 1 FROM versions v WHERE v.subject = s.subject{live})")
    _add_prefix(where, "s.subject", prefix)
    return where


def _matching(wanted: SchemaFilter) -> _Where:
    where = _Where()
    if wanted.latest_only:
        where.add(_SELECTABLE.format("v"))
        where.add(
            "NOT EXISTS (SELECT 1 FROM versions w WHERE w.subject = v.subject AND w.ordinal > v.ordinal AND "
            f"{_SELECTABLE.format('w')})"
        )
    elif not wanted.include_deleted:
        where.add("v.deleted_at IS NULL")
    words = search.words_of(wanted.text)
    if words:
        where.add(
            "v.id IN (SELECT rowid FROM words WHERE words MATCH ?)", " ".join(f'"{word}"*' for word in words)
        )
    for label in sorted(search.labels(wanted.tags, wanted.metadata.items())):
        where.add("v.id IN (SELECT version FROM labels WHERE label = ?)", label)
    _add_prefix(where, "v.subject", wanted.subject_prefix)
    if wanted.subject_pattern:
        _add_prefix(where, "v.subject", search.literal_prefix(wanted.subject_pattern))
        where.add("v.subject GLOB ?", wanted.subject_pattern.replace("[", "[[]"))
    if wanted.schema_type is not None:
        where.add("v.schema_type = ?", int(wanted.schema_type))
    if wanted.state is not None:
        where.add("v.state = ?", int(wanted.state))
    return where


def _add_prefix(where: _Where, column: str, prefix: str) -> None:
    if not prefix:
        return
    where.add(f"{column} >= ?", prefix)
    end = search.prefix_end(prefix)
    if end is not None:
        where.add(f"{column} < ?", end)
