"""The SQL of the SQLite back end. tests/storage/test_sqlite_plans.py checks the plan of each of these statements."""

from __future__ import annotations

from collections.abc import Sequence

from ..access_rows import GRANT_COLUMNS, POLICIES_COLUMNS
from ..audit_rows import LOG_COLUMNS
from ..credential_rows import KEY_COLUMNS, REVOKED_COLUMNS
from ..profile_rows import MARK_COLUMNS, PROFILE_COLUMNS, VERDICT_COLUMNS
from ..rows import CHANGE_COLUMNS, TRANSITION_COLUMNS, USAGE_COLUMNS, VERSION_COLUMNS, selectable_sql
from ..selection import COLUMNS_OF_V as _COLUMNS_OF_V

_VERSION = ", ".join(VERSION_COLUMNS)
_CHANGE = ", ".join(CHANGE_COLUMNS)
_TRANSITION = ", ".join(TRANSITION_COLUMNS)
_GRANT, _POLICIES = ", ".join(GRANT_COLUMNS), ", ".join(POLICIES_COLUMNS)
_USAGE = ", ".join(USAGE_COLUMNS)
_AUDIT = ", ".join(LOG_COLUMNS)
_KEY = ", ".join(KEY_COLUMNS)
_PROFILE, _MARK, _VERDICT = ", ".join(PROFILE_COLUMNS), ", ".join(MARK_COLUMNS), ", ".join(VERDICT_COLUMNS)
_VERDICT_OF_P = ", ".join(f"p.{column}" for column in VERDICT_COLUMNS)
_REVOKED = ", ".join(REVOKED_COLUMNS)


def _places(columns: tuple[str, ...]) -> str:
    return ", ".join("?" * len(columns))


def _cells(count: int) -> str:
    """The cells of a row `g` of a list that is given as JSON."""
    return ", ".join(f"json_extract(g.value, '$[{n}]')" for n in range(count))


_LISTED = "(SELECT value FROM json_each(?))"


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
_COUNT = "coalesce((SELECT last_ordinal - removed FROM subjects WHERE subject = ?1), 0)"
_REVISION = "(SELECT coalesce(max(revision), 0) FROM versions WHERE subject = ?1)"
SUBJECT_STAMP = f"SELECT {_COUNT}, {_REVISION}"
_PRECONDITION = f"SELECT {_COUNT}, {_REVISION}, (SELECT last_ordinal FROM subjects WHERE subject = ?1){{}}"
_CONFIG_AMONG = ", (SELECT settings FROM configs WHERE scope = ?{})"
PRECONDITIONS = tuple(
    _PRECONDITION.format("".join(map(_CONFIG_AMONG.format, range(2, 2 + scopes)))) for scopes in range(5)
)
"""By the number of scopes."""
_SAME = ", EXISTS (SELECT 1 FROM versions WHERE subject = ?1 AND identity = ?{})"
PRECONDITIONS_AND_SAME = tuple(
    _PRECONDITION.format("".join(map(_CONFIG_AMONG.format, range(2, 2 + scopes))) + _SAME.format(2 + scopes))
    for scopes in range(5)
)
"""By the number of scopes; and whether the subject has a version with an identity."""
VERSIONS_SINCE = f"SELECT {_VERSION} FROM versions WHERE subject = ? AND revision > ? ORDER BY ordinal"
# By the identity, which few versions have, and not through all of a subject in their order.
VERSIONS_WITH = f"SELECT {_VERSION} FROM versions WHERE +subject = ? AND identity = ? ORDER BY ordinal"
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
USED_ELSEWHERE = (
    "SELECT t.schema_id FROM versions t CROSS JOIN version_references r ON r.target = t.schema_id "
    "CROSS JOIN versions v ON v.id = r.version WHERE t.subject = ?1 AND v.subject <> ?1 ORDER BY t.ordinal LIMIT 1"
)
# Live versions only: the walk goes through no others. Stops at so many versions; at least one row of each edge that it has found.
DEPENDENT_EDGES = (
    "WITH RECURSIVE reached (schema_id) AS (SELECT CAST(? AS TEXT) UNION SELECT v.schema_id FROM reached "
    "JOIN version_references r ON r.target = reached.schema_id JOIN versions v ON v.id = r.version "
    "WHERE v.deleted_at IS NULL) "
    f"SELECT r.target, {_COLUMNS_OF_V} FROM (SELECT schema_id FROM reached LIMIT ?) m "
    "JOIN version_references r ON r.target = m.schema_id JOIN versions v ON v.id = r.version "
    "WHERE v.deleted_at IS NULL ORDER BY v.subject, v.ordinal LIMIT ?"
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
CONTEXT_USAGE = "SELECT subjects, versions, bytes FROM context_usage WHERE context = ?"
LAST_CONTEXT_ID = "SELECT max(global_id) FROM context_ids WHERE context = ?"
CONTENT_IDENTITIES = "SELECT identity FROM contents WHERE identity > ? ORDER BY identity LIMIT ?"
REPLACE_CONTENT = (
    "UPDATE contents SET content = ?, digest = ?, canonical = ?, artifact = ? WHERE identity = ?"
)
PUT_CONTENT = (
    "INSERT INTO contents (identity, content, digest, canonical, artifact) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (identity) DO NOTHING"
)
APPEND_CHANGE = f"INSERT INTO changes ({_CHANGE}) VALUES ({_places(CHANGE_COLUMNS)})"
# In the order of the list, which is how json_each walks it: sequences are one after the other, for nobody else writes.
APPEND_CHANGES = f"INSERT INTO changes ({_CHANGE}) SELECT {_cells(len(CHANGE_COLUMNS))} FROM json_each(?) g"
FORGET_CHANGES = "DELETE FROM changes WHERE sequence <= ?"
SET_COMPACTED = (
    "INSERT INTO meta VALUES ('compacted', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)
PROBE = "INSERT INTO meta VALUES ('probed', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
CHECK_PAGES = "PRAGMA quick_check(1)"
INSERT_VERSION = f"INSERT INTO versions ({_VERSION}) VALUES ({_places(VERSION_COLUMNS)})"
# A version was added; `removed` is how many versions there are fewer than ordinals.
RAISE_ORDINAL = (
    "INSERT INTO subjects (subject, last_ordinal, removed) VALUES (?1, ?2, ?2 - 1) ON CONFLICT (subject) DO UPDATE SET "
    "last_ordinal = max(last_ordinal, excluded.last_ordinal), "
    "removed = removed + max(last_ordinal, excluded.last_ordinal) - last_ordinal - 1"
)
RESTORE_ORDINAL = (
    "INSERT INTO subjects (subject, last_ordinal, removed) VALUES (?1, ?2, ?2) ON CONFLICT (subject) DO UPDATE SET "
    "last_ordinal = max(last_ordinal, excluded.last_ordinal), "
    "removed = removed + max(last_ordinal, excluded.last_ordinal) - last_ordinal"
)
SUBJECT_TOTALS = "SELECT live, subjects, changes FROM subject_totals WHERE id = 1"
LAST_ORDINAL = "SELECT last_ordinal FROM subjects WHERE subject = ?"
INSERT_REFERENCE = "INSERT INTO version_references VALUES (?, ?) ON CONFLICT DO NOTHING"
INSERT_LABEL = "INSERT INTO labels VALUES (?, ?)"
DELETE_LABELS = "DELETE FROM labels WHERE version = ?"
PUT_TITLE = "INSERT INTO titles VALUES (?, ?) ON CONFLICT (version) DO UPDATE SET title = excluded.title"
ADD_WORD = "INSERT INTO vocabulary VALUES (?) ON CONFLICT DO NOTHING"
INSERT_WORDS = "INSERT INTO words (rowid, about, names) VALUES (?, ?, ?)"
UPDATE_WORDS = "UPDATE words SET about = ? WHERE rowid = ?"
VERSION_FOR_UPDATE = f"SELECT {_VERSION}, id FROM versions WHERE schema_id = ?"
UPDATE_VERSION = (
    "UPDATE versions SET version = ?, release = ?, global_id = ?, level = ?, state = ?, change_class = ?, about = ?, "
    "updated_at = ?, revision = ?, deleted_at = ? WHERE id = ?"
)
HIDE_VERSIONS = (
    "UPDATE versions SET updated_at = ?1, deleted_at = ?1, revision = json_extract(g.value, '$[1]') FROM json_each(?2) g "
    "WHERE versions.schema_id = json_extract(g.value, '$[0]')"
)
VERSIONS_TO_REMOVE = (
    "SELECT v.id, v.identity FROM json_each(?) g CROSS JOIN versions v ON v.schema_id = g.value"
)
# The words of all versions first: whatever is written between two of them makes the index of words write what it holds.
DELETE_WORDS = f"DELETE FROM words WHERE rowid IN {_LISTED}"
DELETE_VERSIONS = f"DELETE FROM versions WHERE id IN {_LISTED}"
DELETE_HISTORIES = f"DELETE FROM transitions WHERE schema_id IN {_LISTED}"
DELETE_UNUSED_CONTENTS = (
    f"DELETE FROM contents WHERE identity IN {_LISTED} "
    "AND NOT EXISTS (SELECT 1 FROM versions v WHERE v.identity = contents.identity)"
)
RECORD_TRANSITION = f"INSERT INTO transitions ({_TRANSITION}) VALUES ({_places(TRANSITION_COLUMNS)})"
SET_CONFIG = (
    "INSERT INTO configs VALUES (?, ?) ON CONFLICT (scope) DO UPDATE SET settings = excluded.settings"
)
DELETE_CONFIG = "DELETE FROM configs WHERE scope = ?"
MOVE_USAGE = "UPDATE usage SET score = score - (used_at - ?) / ?, used_at = ? WHERE score > ? AND used_at > ?"
_USAGE_OF_U = ", ".join(f"u.{column}" for column in USAGE_COLUMNS)
USAGES = f"SELECT {_USAGE_OF_U} FROM json_each(?) asked CROSS JOIN usage u ON u.schema_id = asked.value"
SET_USAGES = (
    f"INSERT INTO usage ({_USAGE}) SELECT {_cells(len(USAGE_COLUMNS))} FROM json_each(?) g "
    "WHERE EXISTS (SELECT 1 FROM versions WHERE schema_id = json_extract(g.value, '$[0]')) "
    "ON CONFLICT (schema_id) DO UPDATE SET "
    + ", ".join(f"{column} = excluded.{column}" for column in USAGE_COLUMNS[1:])
)

HITS = "SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH ? LIMIT ?) AS listed"
LIVE_HITS = "SELECT count(*) FROM words WHERE words MATCH ? AND rowid NOT IN (SELECT id FROM versions WHERE deleted_at IS NOT NULL)"
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

API_KEY = f"SELECT {_KEY} FROM api_keys WHERE key_id = ?"
API_KEY_NAMED = f"SELECT {_KEY} FROM api_keys WHERE name = ?"
API_KEYS_WITH = f"SELECT {_KEY} FROM api_keys WHERE prefix = ? UNION ALL SELECT {_KEY} FROM api_keys WHERE previous_prefix = ?"
API_KEYS = f"SELECT {_KEY} FROM api_keys WHERE name > ? ORDER BY name LIMIT ?"
COUNT_API_KEYS = "SELECT count(*) FROM api_keys"
INSERT_API_KEY = f"INSERT INTO api_keys ({_KEY}) VALUES ({_places(KEY_COLUMNS)})"
UPDATE_API_KEY = "UPDATE api_keys SET prefix = ?, previous_prefix = ?, facts = ? WHERE key_id = ?"
REMOVE_API_KEY = "DELETE FROM api_keys WHERE key_id = ?"
NOTE_API_KEY_USED = "UPDATE api_keys SET last_used_at = max(coalesce(last_used_at, 0), ?) WHERE key_id = ?"
REVOKED_TOKEN = f"SELECT {_REVOKED} FROM revoked_tokens WHERE token_id = ?"
REVOKED_TOKENS = f"SELECT {_REVOKED} FROM revoked_tokens WHERE token_id > ? ORDER BY token_id LIMIT ?"
COUNT_REVOKED_TOKENS = "SELECT count(*) FROM revoked_tokens"
PUT_REVOKED_TOKEN = f"INSERT OR REPLACE INTO revoked_tokens ({_REVOKED}) VALUES ({_places(REVOKED_COLUMNS)})"
FORGET_REVOKED_TOKENS = "DELETE FROM revoked_tokens WHERE expires_at < ?"

GRANTS = f"SELECT {_GRANT} FROM grants WHERE (holder, role, scope) > (?, ?, ?) ORDER BY holder, role, scope LIMIT ?"
COUNT_GRANTS = "SELECT count(*) FROM grants"
PUT_GRANT = f"INSERT INTO grants ({_GRANT}) VALUES ({_places(GRANT_COLUMNS)}) ON CONFLICT DO NOTHING"
REMOVE_GRANT = "DELETE FROM grants WHERE holder = ? AND role = ? AND scope = ?"
NEWEST_POLICIES = f"SELECT {_POLICIES} FROM policies ORDER BY version DESC LIMIT 1"
POLICIES = f"SELECT {_POLICIES} FROM policies WHERE version = ?"
ADD_POLICIES = f"INSERT INTO policies ({_POLICIES}) VALUES ({_places(POLICIES_COLUMNS)})"
FORGET_POLICIES = "DELETE FROM policies WHERE version <= ?"

PROFILE_MARKS = f"SELECT {_MARK} FROM profiles ORDER BY id"
PROFILE = f"SELECT {_PROFILE} FROM profiles WHERE id = ?"
PUT_PROFILE = (
    f"INSERT INTO profiles ({_PROFILE}) VALUES ({_places(PROFILE_COLUMNS)}) ON CONFLICT (id) DO UPDATE SET "
    "version = excluded.version, document = excluded.document, put_by = excluded.put_by, put_at = excluded.put_at "
    "WHERE version < excluded.version"
)
REMOVE_PROFILE = "DELETE FROM profiles WHERE id = ?"
VERDICTS_OF = f"SELECT {_VERDICT_OF_P} FROM json_each(?) asked CROSS JOIN profile_verdicts p ON p.schema_id = asked.value"
JUDGED_VERSIONS = (
    f"SELECT {_VERDICT_OF_P}, {_COLUMNS_OF_V} FROM profile_verdicts p CROSS JOIN versions v ON v.schema_id = p.schema_id "
    "WHERE p.profile = ? AND p.fit = ? AND p.schema_id > ? AND v.deleted_at IS NULL ORDER BY p.schema_id LIMIT ?"
)
PUT_VERDICTS = (
    f"INSERT INTO profile_verdicts ({_VERDICT}) SELECT {_cells(len(VERDICT_COLUMNS))} FROM json_each(?) g WHERE EXISTS "
    "(SELECT 1 FROM versions WHERE schema_id = json_extract(g.value, '$[0]')) ON CONFLICT (schema_id, profile) DO UPDATE SET "
    "profile_version = excluded.profile_version, fit = excluded.fit, facts = excluded.facts"
)
FORGET_VERDICTS = (
    "DELETE FROM profile_verdicts WHERE (schema_id, profile) IN "
    "(SELECT schema_id, profile FROM profile_verdicts WHERE profile = ? LIMIT ?)"
)
PROFILE_WATCH = "SELECT value FROM meta WHERE key = 'profile_watch'"
SET_PROFILE_WATCH = (
    "INSERT INTO meta VALUES ('profile_watch', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)

AUDIT_WAITS = "SELECT 1 FROM audit_inbox LIMIT 1"
NOTE_AUDIT = "INSERT INTO audit_inbox (entry, revision) VALUES (?, ?)"
NOTE_AUDITS = f"INSERT INTO audit_inbox (entry, revision) SELECT {_cells(2)} FROM json_each(?) g"
AUDIT_INBOX = "SELECT id, entry, revision FROM audit_inbox ORDER BY id LIMIT ?"
EMPTY_AUDIT_INBOX = "DELETE FROM audit_inbox WHERE id <= ?"
APPEND_AUDIT = f"INSERT INTO audit_log ({_AUDIT}) VALUES ({_places(LOG_COLUMNS)})"
AUDIT_TILE = "SELECT hashes FROM audit_tiles WHERE level = ? AND number = ?"
PUT_AUDIT_TILE = "INSERT OR REPLACE INTO audit_tiles (level, number, hashes) VALUES (?, ?, ?)"
AUDIT_CHECKPOINTS = "SELECT size, at, note FROM audit_checkpoints WHERE size > ? ORDER BY size LIMIT ?"
NEWEST_AUDIT_CHECKPOINT = "SELECT size, at, note FROM audit_checkpoints ORDER BY size DESC LIMIT 1"
AUDIT_CHECKPOINT_BEFORE = (
    "SELECT size, at, note FROM audit_checkpoints WHERE at < ? ORDER BY at DESC, size DESC LIMIT 1"
)
PUT_AUDIT_CHECKPOINT = "INSERT INTO audit_checkpoints (size, at, note) VALUES (?, ?, ?)"
FORGET_AUDIT = "DELETE FROM audit_log WHERE position < ?"
FORGET_AUDIT_CHECKPOINTS = "DELETE FROM audit_checkpoints WHERE size < ?"
META = "SELECT value FROM meta WHERE key = ?"
KEEP_META = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO NOTHING"
SET_META = "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)"


def audit_rows(conditions: Sequence[str], *, newest_first: bool) -> str:
    """Rows of the audit log between two positions that fulfil conditions with a place each; then how many at most."""
    more = "".join(f" AND {condition.format('?')}" for condition in conditions)
    order = "position DESC" if newest_first else "position"
    return (
        f"SELECT {_AUDIT} FROM audit_log WHERE position >= ? AND position < ?{more} ORDER BY {order} LIMIT ?"
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
    "SELECT (SELECT count(DISTINCT subject) FROM versions WHERE deleted_at IS NULL), "
    "(SELECT count(*) FROM versions WHERE deleted_at IS NULL), "
    "(SELECT count(*) FROM versions) - (SELECT count(*) FROM versions WHERE deleted_at IS NULL), "
    "(SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size)"
)
