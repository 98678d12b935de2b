"""The SQL of the SQLite back end. tests/storage/test_sqlite_plans.py checks the plan of each of these statements."""

from __future__ import annotations

from ..rows import CHANGE_COLUMNS, TRANSITION_COLUMNS, USAGE_COLUMNS, VERSION_COLUMNS, selectable_sql
from ..selection import COLUMNS_OF_V as _COLUMNS_OF_V

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
    f"SELECT {_VERSION} FROM versions WHERE subject = ? AND {selectable_sql('versions')} "
    "ORDER BY ordinal DESC LIMIT 1"
)
ORDINAL = f"SELECT {_VERSION} FROM versions WHERE subject = ? AND ordinal = ? AND deleted_at IS NULL"
RELEASE = f"SELECT {_VERSION} FROM versions WHERE subject = ? AND release = ? AND deleted_at IS NULL"
SELECTED = {"LATEST": LATEST, "ORDINAL": ORDINAL, "RELEASE": RELEASE}
"""By rows.selected_by."""
SUBJECT_STAMP = "SELECT count(*), coalesce(max(revision), 0) FROM versions WHERE subject = ?"
VERSIONS_SINCE = f"SELECT {_VERSION} FROM versions WHERE subject = ? AND revision > ? ORDER BY ordinal"
VERSIONS_WITH = f"SELECT {_VERSION} FROM versions WHERE subject = ? AND identity = ? ORDER BY ordinal"
LIVE_VERSIONS = f"SELECT {_VERSION} FROM versions WHERE subject = ? AND deleted_at IS NULL ORDER BY ordinal"
VERSIONS_BY_GLOBAL_ID = (
    f"SELECT {_VERSION} FROM versions WHERE global_id = ? AND (subject < ':.' OR subject >= ':/') "
    "ORDER BY subject, ordinal"
)
"""In the default context: the others' subjects begin with `:.`."""
VERSIONS_BY_CONTEXT_ID = f"SELECT {_VERSION} FROM versions WHERE global_id = ? AND subject >= ? AND subject < ? ORDER BY subject, ordinal"
DEPENDENTS = (
    f"SELECT {_COLUMNS_OF_V} FROM version_references r JOIN versions v ON v.id = r.version "
    "WHERE r.target = ? AND (v.subject, v.ordinal) > (?, ?) ORDER BY v.subject, v.ordinal LIMIT ?"
)
CONTENT = "SELECT content, digest, canonical, artifact FROM contents WHERE identity = ?"
# SQLite knows the length of a blob without reading it.
CONTENT_SIZE = (
    "SELECT length(content) + length(canonical) + length(artifact) FROM contents WHERE identity = ?"
)
USES = (
    "SELECT DISTINCT v.subject, t.subject FROM versions v JOIN version_references r ON r.version = v.id "
    "JOIN versions t ON t.schema_id = r.target WHERE v.subject = ?"
)
HISTORY = f"SELECT {_TRANSITION} FROM transitions WHERE schema_id = ? ORDER BY id"
HISTORY_PAGE = f"SELECT {_TRANSITION}, id FROM transitions WHERE schema_id = ? AND id > ? ORDER BY id LIMIT ?"
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
PROBE = "INSERT INTO meta VALUES ('probed', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
CHECK_PAGES = "PRAGMA quick_check(1)"
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
MOVE_USAGE = "UPDATE usage SET score = score - (used_at - ?) / ?, used_at = ? WHERE score > ? AND used_at > ?"
USAGE = f"SELECT {_USAGE} FROM usage WHERE schema_id = ?"
SET_USAGE = (
    f"INSERT INTO usage ({_USAGE}) SELECT {_places(USAGE_COLUMNS)} "
    "WHERE EXISTS (SELECT 1 FROM versions WHERE schema_id = ?) "
    "ON CONFLICT (schema_id) DO UPDATE SET "
    + ", ".join(f"{column} = excluded.{column}" for column in USAGE_COLUMNS[1:])
)

BEGUN = "SELECT 1 FROM words WHERE words MATCH ? LIMIT 1"

STATISTICS = "SELECT counts FROM statistics WHERE id = 1"
SAVE_STATISTICS = "INSERT INTO statistics (id, counts) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET counts = excluded.counts"

CURSORS = "SELECT name, sequence, updated_at FROM cursors ORDER BY name"
SET_CURSOR = (
    "INSERT INTO cursors (name, sequence, updated_at) VALUES (?, ?, ?) ON CONFLICT (name) "
    "DO UPDATE SET sequence = excluded.sequence, updated_at = excluded.updated_at"
)
REMOVE_CURSOR = "DELETE FROM cursors WHERE name = ?"
LEASE = "SELECT renewed_at, expires_at FROM leases WHERE name = ?"
FREE_LEASE = "DELETE FROM leases WHERE name = ?"
ADD_LEASE = "INSERT INTO leases (name, holder, renewed_at, expires_at) VALUES (?, ?, ?, ?)"
RENEW_LEASE = "UPDATE leases SET renewed_at = ?, expires_at = ? WHERE name = ? AND token = ?"
CONFIRM_LEASE = "SELECT 1 FROM leases WHERE name = ? AND token = ?"
RELEASE_LEASE = "DELETE FROM leases WHERE name = ? AND token = ?"

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
    "SELECT (SELECT count(DISTINCT subject) FROM versions WHERE deleted_at IS NULL), "
    "(SELECT count(*) FROM versions WHERE deleted_at IS NULL), "
    "(SELECT count(*) FROM versions) - (SELECT count(*) FROM versions WHERE deleted_at IS NULL), "
    "(SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size)"
)
