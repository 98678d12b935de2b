"""The SQL of the SQLite back end. tests/storage/test_sqlite_plans.py explains each of these statements."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from .. import spelling
from ..ranking import Place, Question
from ..rows import CHANGE_COLUMNS, TRANSITION_COLUMNS, USAGE_COLUMNS, VERSION_COLUMNS
from ..selection import COLUMNS_OF_V as _COLUMNS_OF_V
from ..selection import Dialect, Term

_VERSION = ", ".join(VERSION_COLUMNS)
_CHANGE = ", ".join(CHANGE_COLUMNS)
_TRANSITION = ", ".join(TRANSITION_COLUMNS)
_USAGE = ", ".join(USAGE_COLUMNS)


def _places(columns: tuple[str, ...]) -> str:
    return ", ".join("?" * len(columns))


REGISTRY_ID = "SELECT value FROM meta WHERE key = 'registry_id'"

VERSION = f"SELECT {_VERSION} FROM versions WHERE schema_id = ?"
VERSIONS = f"SELECT {_VERSION} FROM versions WHERE subject = ? ORDER BY ordinal"
LATEST = (
    f"SELECT {_VERSION} FROM versions WHERE subject = ? AND deleted_at IS NULL AND state IN (2, 3) "
    "ORDER BY ordinal DESC LIMIT 1"
)
ORDINAL = f"SELECT {_VERSION} FROM versions WHERE subject = ? AND ordinal = ? AND deleted_at IS NULL"
RELEASE = f"SELECT {_VERSION} FROM versions WHERE subject = ? AND release = ? AND deleted_at IS NULL"
SELECTED = {"LATEST": LATEST, "ORDINAL": ORDINAL, "RELEASE": RELEASE}
"""By rows.selected_by."""
SUBJECT_STAMP = "SELECT count(*), coalesce(max(revision), 0) FROM versions WHERE subject = ?"
VERSIONS_WITH = f"SELECT {_VERSION} FROM versions WHERE subject = ? AND identity = ? AND deleted_at IS NULL ORDER BY ordinal"
LIVE_VERSIONS = f"SELECT {_VERSION} FROM versions WHERE subject = ? AND deleted_at IS NULL ORDER BY ordinal"
VERSIONS_BY_GLOBAL_ID = (
    f"SELECT {_VERSION} FROM versions WHERE global_id = ? AND (subject < ':.' OR subject >= ':/') "
    "ORDER BY subject, ordinal"
)
"""In the default context: the others' subjects begin with `:.`."""
VERSIONS_BY_CONTEXT_ID = f"SELECT {_VERSION} FROM versions WHERE global_id = ? AND subject >= ? AND subject < ? ORDER BY subject, ordinal"
DEPENDENTS = (
    f"SELECT {_COLUMNS_OF_V} FROM version_references r JOIN versions v ON v.id = r.version "
    "WHERE r.target = ? ORDER BY v.subject, v.ordinal"
)
CONTENT = "SELECT content, digest, canonical, artifact FROM contents WHERE identity = ?"
HISTORY = f"SELECT {_TRANSITION} FROM transitions WHERE schema_id = ? ORDER BY id"
CONFIG = "SELECT settings FROM configs WHERE scope = ?"
CHANGES = f"SELECT sequence, {_CHANGE} FROM changes WHERE sequence > ? ORDER BY sequence LIMIT ?"
COMPACTED = "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'compacted'"
NEWEST_CHANGE = "SELECT max(sequence) FROM changes"
CHANGE_TIMES = "SELECT sequence, at FROM changes WHERE sequence > ? ORDER BY sequence LIMIT ?"
NEWEST_BUT = "SELECT sequence FROM changes WHERE sequence > 0 ORDER BY sequence DESC LIMIT 1 OFFSET ?"
MOST_USED = f"SELECT {_USAGE} FROM usage WHERE score > 0 ORDER BY score DESC, schema_id LIMIT ?"

GLOBAL_ID = "SELECT global_id FROM global_ids WHERE identity = ?"
ALLOT_GLOBAL_ID = "INSERT INTO global_ids (identity) VALUES (?)"
CONTEXT_ID = "SELECT global_id FROM context_ids WHERE context = ? AND identity = ?"
LAST_CONTEXT_ID = "SELECT max(global_id) FROM context_ids WHERE context = ?"
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
PUT_TITLE = "INSERT INTO titles VALUES (?, ?) ON CONFLICT (version) DO UPDATE SET title = excluded.title"
ADD_WORD = "INSERT INTO vocabulary VALUES (?) ON CONFLICT DO NOTHING"
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
USAGE = f"SELECT {_USAGE} FROM usage WHERE schema_id = ?"
SET_USAGE = (
    f"INSERT INTO usage ({_USAGE}) SELECT {_places(USAGE_COLUMNS)} "
    "WHERE EXISTS (SELECT 1 FROM versions WHERE schema_id = ?) "
    "ON CONFLICT (schema_id) DO UPDATE SET "
    + ", ".join(f"{column} = excluded.{column}" for column in USAGE_COLUMNS[1:])
)

BEGUN = "SELECT 1 FROM words WHERE words MATCH ? LIMIT 1"

STATISTICS = "SELECT counts FROM statistics WHERE id = 1"
STATISTICS_BEGUN = "SELECT begun_at FROM statistics WHERE id = 1"
BEGIN_STATISTICS = "INSERT INTO statistics (id, begun_at) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET begun_at = excluded.begun_at"
# Who keeps has ended: begun_at is what it is when nobody counts.
KEEP_STATISTICS = (
    "INSERT INTO statistics (id, counts) VALUES (1, ?) ON CONFLICT (id) "
    "DO UPDATE SET counts = excluded.counts, begun_at = excluded.begun_at"
)

NAMES = "SELECT w.names FROM versions v JOIN words w ON w.rowid = v.id WHERE v.schema_id = ?"
ALL_CONFIGS = "SELECT scope, settings FROM configs WHERE scope > ? ORDER BY scope LIMIT ?"
ALL_GLOBAL_IDS = (
    "SELECT '.', global_id, identity FROM global_ids WHERE global_id > ? ORDER BY global_id LIMIT ?"
)
ALL_CONTEXT_IDS = (
    "SELECT context, global_id, identity FROM context_ids WHERE (context, global_id) > (?, ?) "
    "ORDER BY context, global_id LIMIT ?"
)
ALL_ORDINALS = "SELECT subject, last_ordinal FROM subjects WHERE subject > ? ORDER BY subject LIMIT ?"
RESTORE_REGISTRY_ID = "UPDATE meta SET value = ? WHERE key = 'registry_id'"
RESTORE_GLOBAL_ID = "INSERT INTO global_ids (global_id, identity) VALUES (?, ?)"
RESTORE_CONTEXT_ID = "INSERT INTO context_ids VALUES (?, ?, ?)"
RESTORE_CHANGE = f"INSERT INTO changes (sequence, {_CHANGE}) VALUES (?, {_places(CHANGE_COLUMNS)})"
# AUTOINCREMENT goes on after the greatest number it has ever seen.
TOUCH_SEQUENCE = "INSERT INTO changes (sequence, event_type, schema_id, version, ordinal, at, facts) VALUES (?, 0, '', '', 0, 0, '')"
UNTOUCH_SEQUENCE = "DELETE FROM changes WHERE sequence = ?"

COUNTS = (
    "SELECT (SELECT count(*) FROM versions), (SELECT count(*) FROM subjects), (SELECT page_count FROM "
    "pragma_page_count) * (SELECT page_size FROM pragma_page_size)"
)


def _hits(words: Sequence[str]) -> Term:
    return "words MATCH {}", " ".join(f'"{word}"*' for word in words)  # words are letters and digits only


def begun(word: str) -> tuple[str]:
    """What BEGUN takes to look for a word that begins so."""
    return (f'"{word}"*',)


def known(word: str) -> tuple[str]:
    """What BEGUN takes to look for this word."""
    return (f'"{word}"',)


def near(word: str) -> tuple[str, list[Any]]:
    """The words that have so many trigrams of this one that they may be near; spelling.nearest knows which of them are."""
    grams = sorted(spelling.trigrams(word))
    common = " + ".join("(instr(padded, ?) > 0)" for _ in grams)
    sql = (
        "WITH listed AS MATERIALIZED (SELECT word, '  ' || word || ' ' AS padded FROM vocabulary) "
        f"SELECT word FROM listed WHERE {common} >= ?"
    )
    return sql, [*grams, math.ceil(spelling.NEAR * len(grams))]


def _words(words: Sequence[str]) -> Term:
    term, query = _hits(words)
    return f"v.id IN (SELECT rowid FROM words WHERE {term})", query


def _in_title(text: str) -> Term:
    return "(instr(t.title, {}) > 0)", text


def _question(asked: Question) -> Term:
    if asked.place > Place.NAME:
        return _in_title(asked.needle)
    column = "names : " if asked.place is Place.NAME else ""
    # The list of a word's versions is made once; looking into the words of each version takes several times as long.
    term = "v.id IN (SELECT rowid FROM words WHERE words MATCH {})"
    return term, f'{column}"{asked.word}"' + ("" if asked.whole else "*")


def _labels(labels: Sequence[str]) -> Iterable[Term]:
    return (("v.id IN (SELECT version FROM labels WHERE label = {})", label) for label in labels)


def _pattern(pattern: str) -> Term:
    return "v.subject GLOB {}", pattern.replace("[", "[[]")


LISTS = Dialect(
    lambda number: "?",
    words=_words,
    labels=_labels,
    pattern=_pattern,
    ranked="words w CROSS JOIN versions v ON v.id = w.rowid CROSS JOIN titles t ON t.version = v.id",
    hits=_hits,
    in_title=_in_title,
    question=_question,
)
