"""The SQL of the PostgreSQL back end. tests/storage/test_postgres_plans.py checks the plan of each of these statements."""

from __future__ import annotations

from ..rows import CHANGE_COLUMNS, TRANSITION_COLUMNS, USAGE_COLUMNS, VERSION_COLUMNS, selectable_sql
from ..selection import COLUMNS_OF_V as _COLUMNS_OF_V
from ..values import INLINE_CONTENT_BYTES

_VERSION = ", ".join(VERSION_COLUMNS)
_CHANGE = ", ".join(CHANGE_COLUMNS)
_TRANSITION = ", ".join(TRANSITION_COLUMNS)
_USAGE = ", ".join(USAGE_COLUMNS)


def _places(count: int, first: int = 1) -> str:
    return ", ".join(f"${n}" for n in range(first, first + count))


STATEMENT_LIMIT = "SELECT setting FROM pg_settings WHERE name = 'statement_timeout'"
REGISTRY_ID = "SELECT value FROM meta WHERE key = 'registry_id'"

VERSION = f"SELECT {_VERSION} FROM versions WHERE schema_id = $1"
VERSIONS_BY_ID = f"SELECT {_VERSION} FROM versions WHERE schema_id = ANY($1::text[])"
VERSIONS = f"SELECT {_VERSION} FROM versions WHERE subject = $1 ORDER BY ordinal"
LATEST = (
    f"SELECT {_VERSION} FROM versions WHERE subject = $1 AND {selectable_sql('versions')} "
    "ORDER BY ordinal DESC LIMIT 1"
)
ORDINAL = f"SELECT {_VERSION} FROM versions WHERE subject = $1 AND ordinal = $2 AND deleted_at IS NULL"
RELEASE = f"SELECT {_VERSION} FROM versions WHERE subject = $1 AND release = $2 AND deleted_at IS NULL"
SELECTED = {"LATEST": LATEST, "ORDINAL": ORDINAL, "RELEASE": RELEASE}
"""By rows.selected_by."""


def _with_content(some: str) -> str:
    """Versions with the cells of their contents, which are NULL for contents longer than INLINE_CONTENT_BYTES. OFFSET 0: each
    content is looked up by itself, where a join of many might read them all."""
    return (
        f"SELECT v.*, c.* FROM ({some}) v LEFT JOIN LATERAL (SELECT digest, content, canonical, artifact FROM contents c "
        f"WHERE c.identity = v.identity AND v.size <= {INLINE_CONTENT_BYTES} OFFSET 0) c ON TRUE"
    )


VERSIONS_WITH_CONTENT = _with_content(VERSIONS_BY_ID)
LATEST_WITH_CONTENT, ORDINAL_WITH_CONTENT, RELEASE_WITH_CONTENT = (
    _with_content(LATEST),
    _with_content(ORDINAL),
    _with_content(RELEASE),
)
SELECTED_WITH_CONTENT = {
    "LATEST": LATEST_WITH_CONTENT,
    "ORDINAL": ORDINAL_WITH_CONTENT,
    "RELEASE": RELEASE_WITH_CONTENT,
}
SUBJECT_STAMP = "SELECT count(*), coalesce(max(revision), 0) FROM versions WHERE subject = $1"
VERSIONS_SINCE = f"SELECT {_VERSION} FROM versions WHERE subject = $1 AND revision > $2 ORDER BY ordinal"
# At least one row, for the stamp.
STAMPED_SINCE = (
    f"SELECT s.*, {_COLUMNS_OF_V} FROM ({SUBJECT_STAMP}) s "
    "LEFT JOIN versions v ON v.subject = $1 AND v.revision > $2 ORDER BY v.ordinal"
)
VERSIONS_WITH = f"SELECT {_VERSION} FROM versions WHERE subject = $1 AND identity = $2 ORDER BY ordinal"
LIVE_VERSIONS = f"SELECT {_VERSION} FROM versions WHERE subject = $1 AND deleted_at IS NULL ORDER BY ordinal"
VERSIONS_BY_GLOBAL_ID = (
    f"SELECT {_VERSION} FROM versions WHERE global_id = $1 AND (subject < ':.' OR subject >= ':/') "
    "ORDER BY subject, ordinal"
)
"""In the default context: the others' subjects begin with `:.`."""
VERSIONS_BY_CONTEXT_ID = (
    f"SELECT {_VERSION} FROM versions WHERE global_id = $1 AND subject >= $2 AND subject < $3 "
    "ORDER BY subject, ordinal"
)
DEPENDENTS = (
    f"SELECT {_COLUMNS_OF_V} FROM version_references r JOIN versions v ON v.id = r.version "
    "WHERE r.target = $1 AND (v.subject, v.ordinal) > ($2, $3) ORDER BY v.subject, v.ordinal LIMIT $4"
)
CONTENTS = (
    "SELECT identity, digest, content, canonical, artifact FROM contents WHERE identity = ANY($1::text[])"
)
USES = (
    "SELECT DISTINCT v.subject, t.subject FROM versions v JOIN version_references r ON r.version = v.id "
    "JOIN versions t ON t.schema_id = r.target WHERE v.subject = ANY($1::text[])"
)
HISTORY = f"SELECT {_TRANSITION} FROM transitions WHERE schema_id = $1 ORDER BY id"
HISTORY_PAGE = (
    f"SELECT {_TRANSITION}, id FROM transitions WHERE schema_id = $1 AND id > $2 ORDER BY id LIMIT $3"
)
CONFIG = "SELECT settings FROM configs WHERE scope = $1"
CHANGES = (
    f"SELECT sequence, {_CHANGE} FROM changes WHERE sequence > $1 AND sequence < final_before() "
    "ORDER BY sequence LIMIT $2"
)
# At least one row, for the bound.
LOG_PAGE = (
    f"SELECT c.*, m.oldest FROM (SELECT value::bigint AS oldest FROM meta WHERE key = 'compacted') m "
    f"LEFT JOIN LATERAL ({CHANGES}) c ON true ORDER BY c.sequence"
)
CHANGE_TIMES = (
    "SELECT sequence, at FROM changes WHERE sequence > $1 AND sequence < final_before() "
    "ORDER BY sequence LIMIT $2"
)
NEWEST_BUT = (
    "SELECT sequence FROM changes WHERE sequence < final_before() ORDER BY sequence DESC LIMIT 1 OFFSET $1"
)
# The magnitude is the score rounded down: the order is that of the scores.
MOST_USED = f"SELECT {_USAGE} FROM usage ORDER BY magnitude DESC, score DESC, schema_id LIMIT $1"
CHANGE_BOUNDS = (
    "SELECT (SELECT value::bigint FROM meta WHERE key = 'compacted'), "
    "(SELECT max(sequence) FROM changes WHERE sequence < final_before())"
)
PROGRESS = (
    "SELECT coalesce((SELECT max(sequence) FROM changes WHERE sequence < final_before()), 0), "
    "coalesce((SELECT max(sequence) FROM changes), 0)"
)
"""The newest change that is final, and the newest that is committed."""

REPLAYED = "SELECT final_before() > $1 AND value = $2 FROM meta WHERE key = 'registry_id'"
"""For a replica: whether it has that registry, with every change up to a sequence."""

LOCK_SUBJECT = "SELECT first, ordinal, settings FROM lock_subject($1, $2)"
LOCK_SCOPE = "SELECT pg_advisory_xact_lock(hashtextextended($1, 1))"
# A content is locked by one of 64 locks, by its hash: a lock for each would fill the lock table of the database.
_CONTENT_LOCK = "pg_advisory_xact_lock{0}(1280528967, hashtext({1}) & 63)"
LOCK_CONTENT = f"SELECT {_CONTENT_LOCK.format('', '$1')}"
FIRST_SEQUENCE = "SELECT first_sequence()"

ALLOT_GLOBAL_ID = "SELECT allot_global_id($1, $2)"
LAST_ORDINAL = "SELECT last_ordinal FROM subjects WHERE subject = $1"


def put_contents(source: str) -> str:
    """Adds the contents in the rows of `source`. The lock keeps another transaction from removing one of them as unused before
    the new version is committed."""
    return (
        "INSERT INTO contents (identity, digest, content, canonical, artifact) "
        f"SELECT c.* FROM {source} AS c (identity, digest, content, canonical, artifact), "
        f"LATERAL (SELECT {_CONTENT_LOCK.format('_shared', 'c.identity')} OFFSET 0) l "
        "ON CONFLICT (identity) DO NOTHING"
    )


def add_subjects(source: str) -> str:
    """Notes the ordinals in the rows of `source`."""
    return (
        f"INSERT INTO subjects SELECT subject, ordinal FROM {source} ON CONFLICT (subject) "
        "DO UPDATE SET last_ordinal = greatest(subjects.last_ordinal, excluded.last_ordinal)"
    )


# Everything that a transaction has buffered, in one round trip.
FLUSH = (
    f"WITH put AS ({put_contents('unnest($1::text[], $2::text[], $3::bytea[], $4::bytea[], $5::bytea[])')}), "
    f"log AS (INSERT INTO changes (sequence, {_CHANGE}) SELECT * FROM unnest($6::bigint[], $7::smallint[], $8::text[], "
    "$9::text[], $10::text[], $11::int[], $12::bigint[], $13::json[])) "
    f"INSERT INTO transitions ({_TRANSITION}) "
    "SELECT * FROM unnest($14::text[], $15::smallint[], $16::smallint[], $17::bigint[], $18::json[])"
)
ADD_WORDS = (
    "INSERT INTO vocabulary SELECT word FROM unnest($1::text[]) AS word ORDER BY word ON CONFLICT DO NOTHING"
)
BEGUN = "SELECT EXISTS (SELECT FROM search WHERE words @@ $1::text::tsquery)"
NEAR = (
    "SELECT word FROM vocabulary WHERE word % $1 AND similarity(word, $1) >= $2 "
    "ORDER BY similarity(word, $1) DESC, word LIMIT $3"
)
ONLY_COMPACTOR = "SELECT pg_try_advisory_xact_lock(1280528967, 64)"
# From the old bound on: dead index entries of what was deleted before are not scanned again.
FORGET_CHANGES = "DELETE FROM changes WHERE sequence > $1 AND sequence <= $2"
SET_COMPACTED = "UPDATE meta SET value = $1 WHERE key = 'compacted'"


_VERSION_WIDTH = len(VERSION_COLUMNS)
_ABOUT, _NAMES, _LABELS, _TITLE, _TARGETS = (f"${_VERSION_WIDTH + n}" for n in range(1, 6))
# `v` is empty when a key is taken. See appending.APPEND for the same of many.
INSERT_VERSION = (
    f"WITH v AS (INSERT INTO versions ({_VERSION}) VALUES ({_places(_VERSION_WIDTH)}) ON CONFLICT DO NOTHING "
    f"RETURNING id, subject, ordinal), o AS ({add_subjects('v')}), "
    "s AS (INSERT INTO search (version, words, names, labels, title, titled) "
    f"SELECT id, array_to_tsvector({_ABOUT}::text[]) || array_to_tsvector({_NAMES}::text[]), "
    f"array_to_tsvector({_NAMES}::text[]), {_LABELS}::text[], {_TITLE}, 1 FROM v), "
    f"r AS (INSERT INTO version_references SELECT t.target, v.id FROM v, unnest({_TARGETS}::text[]) AS t (target)) "
    "SELECT id FROM v"
)
SCHEMA_ID_TAKEN = "SELECT 1 FROM versions WHERE schema_id = $1"
VERSION_FOR_UPDATE = f"SELECT {_VERSION}, id FROM versions WHERE schema_id = $1"
RELEASE_TAKEN = "SELECT 1 FROM versions WHERE subject = $1 AND release = $2 AND id <> $3"
UPDATE_VERSION = (
    "UPDATE versions SET version = $1, release = $2, global_id = $3, level = $4, state = $5, change_class = $6, "
    "about = $7, updated_at = $8, revision = $9, deleted_at = $10 WHERE id = $11"
)
UPDATE_SEARCH = (
    "UPDATE search SET words = array_to_tsvector($1::text[]) || names, labels = $2, title = $3, titled = titled + 1 "
    "WHERE version = $4"
)
DELETE_VERSION = "DELETE FROM versions WHERE id = $1"
DELETE_HISTORY = "DELETE FROM transitions WHERE schema_id = $1"
DELETE_UNUSED_CONTENT = (
    "DELETE FROM contents WHERE identity = $1 AND NOT EXISTS (SELECT 1 FROM versions WHERE identity = $1)"
)
SET_CONFIG = (
    "INSERT INTO configs VALUES ($1, $2) ON CONFLICT (scope) DO UPDATE SET settings = excluded.settings"
)
ADD_CONFIG = "INSERT INTO configs VALUES ($1, $2) ON CONFLICT (scope) DO NOTHING"
REPLACE_CONFIG = "UPDATE configs SET settings = $2 WHERE scope = $1 AND settings = $3"
DELETE_CONFIG = "DELETE FROM configs WHERE scope = $1"

MOVE_USAGE = (
    "UPDATE usage SET score = score - (used_at - $1::bigint)::float8 / $2::float8, used_at = $1 "
    "WHERE magnitude > $3::int AND used_at > $1"
)

# In the order of ids, so that two servers that count the same versions cannot deadlock.
# Each version is looked up by itself: a join would read all of them. The last lines are model/usage.together; the exponent is
# bounded, for a power that no double can hold would be an error.
RECORD_USAGE = (
    f"INSERT INTO usage ({_USAGE}) SELECT u.* FROM "
    "unnest($1::text[], $2::bigint[], $3::bigint[], $4::float8[], $5::bigint[]) AS u (schema_id) "
    "WHERE (SELECT true FROM versions v WHERE v.schema_id = u.schema_id) ORDER BY u.schema_id "
    "ON CONFLICT (schema_id) DO UPDATE SET reads = usage.reads + excluded.reads, "
    "validations = usage.validations + excluded.validations, used_at = greatest(usage.used_at, excluded.used_at), "
    "score = greatest(usage.score, excluded.score) "
    "+ ln(1 + power(2::float8, -least(abs(usage.score - excluded.score), 1000))) / ln(2::float8)"
)

STATISTICS = "SELECT counts::text FROM statistics WHERE id = 1"
SAVE_STATISTICS = "INSERT INTO statistics (id, counts) VALUES (1, $1::json) ON CONFLICT (id) DO UPDATE SET counts = excluded.counts"

CURSORS = "SELECT name, sequence, updated_at FROM cursors ORDER BY name"
SET_CURSOR = (
    "INSERT INTO cursors (name, sequence, updated_at) VALUES ($1, $2, clock_timestamp()) ON CONFLICT (name) "
    "DO UPDATE SET sequence = excluded.sequence, updated_at = excluded.updated_at"
)
REMOVE_CURSOR = "DELETE FROM cursors WHERE name = $1"
# Before ACQUIRE_LEASE, in a statement of its own: a token is drawn before the row is locked, and must be greater than that of
# whoever had the lease meanwhile.
LOCK_LEASE = "SELECT pg_advisory_xact_lock(hashtextextended($1, 2))"
# clock_timestamp(), not now(): the transaction may have waited.
ACQUIRE_LEASE = (
    "INSERT INTO leases AS l (name, holder, renewed_at, expires_at) "
    "SELECT $1, $2, t.now, t.now + $3::interval FROM (SELECT clock_timestamp() AS now OFFSET 0) t ON CONFLICT (name) "
    "DO UPDATE SET holder = excluded.holder, token = excluded.token, renewed_at = excluded.renewed_at, "
    "expires_at = excluded.expires_at WHERE NOT (l.renewed_at <= clock_timestamp() AND clock_timestamp() < l.expires_at) "
    "RETURNING token, expires_at"
)
RENEW_LEASE = (
    "UPDATE leases SET renewed_at = t.now, expires_at = t.now + $3::interval "
    "FROM (SELECT clock_timestamp() AS now OFFSET 0) t WHERE name = $1 AND token = $2 RETURNING expires_at"
)
CONFIRM_LEASE = "SELECT 1 FROM leases WHERE name = $1 AND token = $2 FOR UPDATE"
RELEASE_LEASE = "DELETE FROM leases WHERE name = $1 AND token = $2"

NAMES = "SELECT tsvector_to_array(s.names) FROM versions v JOIN search s ON s.version = v.id WHERE v.schema_id = $1"
ALL_CONFIGS = "SELECT scope, settings FROM configs WHERE scope > $1 ORDER BY scope LIMIT $2"
ALL_GLOBAL_IDS = (
    "SELECT '.', global_id, identity FROM global_ids WHERE global_id > $1 ORDER BY global_id LIMIT $2"
)
ALL_CONTEXT_IDS = (
    "SELECT context, global_id, identity FROM context_ids WHERE (context, global_id) > ($1, $2) "
    "ORDER BY context, global_id LIMIT $3"
)
ALL_ORDINALS = "SELECT subject, last_ordinal FROM subjects WHERE subject > $1 ORDER BY subject LIMIT $2"
RESTORES = "SELECT set_config('registry.restores', 'on', true)"
RESTORE_REGISTRY_ID = "UPDATE meta SET value = $1 WHERE key = 'registry_id'"
RESTORE_GLOBAL_IDS = (
    "WITH given AS (SELECT * FROM unnest($1::text[], $2::int[], $3::text[]) AS g (context, global_id, identity)), "
    "others AS (INSERT INTO context_ids SELECT * FROM given WHERE context <> '.') "
    "INSERT INTO global_ids (global_id, identity) SELECT global_id, identity FROM given WHERE context = '.'"
)
RESTORE_ORDINAL = (
    "INSERT INTO subjects VALUES ($1, $2) "
    "ON CONFLICT (subject) DO UPDATE SET last_ordinal = greatest(subjects.last_ordinal, excluded.last_ordinal)"
)
FOLLOW_GLOBAL_IDS = (
    "SELECT setval(pg_get_serial_sequence('global_ids', 'global_id'), max(global_id)) FROM global_ids "
    "HAVING max(global_id) IS NOT NULL"
)
ALIGN_SEQUENCES = "SELECT align_sequences()"

FACTS = (
    "SELECT current_setting('server_version'), count(*) FILTER (WHERE query = '<insufficient privilege>'), "
    "coalesce(extract(epoch FROM max(now() - xact_start) FILTER (WHERE backend_xid IS NOT NULL)), 0)::bigint "
    "FROM pg_stat_activity"
)
