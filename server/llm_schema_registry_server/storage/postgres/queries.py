"""The SQL of the PostgreSQL back end. tests/storage/test_postgres_plans.py checks the plan of each of these statements."""

from __future__ import annotations

from collections.abc import Sequence

from ..access_rows import GRANT_COLUMNS, POLICIES_COLUMNS
from ..audit_rows import LOG_COLUMNS
from ..credential_rows import KEY_COLUMNS, REVOKED_COLUMNS
from ..profile_rows import MARK_COLUMNS, PROFILE_COLUMNS, VERDICT_COLUMNS
from ..rows import CHANGE_COLUMNS, TRANSITION_COLUMNS, USAGE_COLUMNS, VERSION_COLUMNS, selectable_sql
from ..selection import COLUMNS_OF_V as _COLUMNS_OF_V
from ..values import INLINE_CONTENT_BYTES

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


def _places(count: int, first: int = 1) -> str:
    return ", ".join(f"${n}" for n in range(first, first + count))


STATEMENT_LIMIT = "SELECT setting FROM pg_settings WHERE name = 'statement_timeout'"
REGISTRY_ID = "SELECT value FROM meta WHERE key = 'registry_id'"

VERSION = f"SELECT {_VERSION} FROM versions WHERE schema_id = $1"
VERSIONS_BY_ID = f"SELECT {_VERSION} FROM versions WHERE schema_id = ANY($1::text[])"
# Of what may be thousands of versions, a part: those after a key, so many of them.
VERSIONS = f"SELECT {_VERSION} FROM versions WHERE subject = $1 AND ordinal > $2 ORDER BY ordinal LIMIT $3"
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
SUBJECT_STAMP = (
    "SELECT coalesce((SELECT (last_ordinal - removed)::bigint FROM subjects WHERE subject = $1), 0) AS count, "
    "(SELECT coalesce(max(revision), 0) FROM versions WHERE subject = $1) AS revision"
)
SUBJECT_TOTALS = (
    "SELECT coalesce(sum(live), 0)::bigint, coalesce(sum(subjects), 0)::bigint, coalesce(sum(changes), 0)::bigint "
    "FROM subject_totals"
)
VERSIONS_SINCE = f"SELECT {_VERSION}, id FROM versions WHERE subject = $1 AND (revision, id) > ($2, $3) ORDER BY revision, id LIMIT $4"
# At least one row, for the stamp.
STAMPED_SINCE = (
    f"SELECT s.*, {_COLUMNS_OF_V} FROM ({SUBJECT_STAMP}) s LEFT JOIN LATERAL (SELECT * FROM versions "
    "WHERE subject = $1 AND revision > $2 ORDER BY revision LIMIT $3) v ON true ORDER BY v.ordinal"
)
VERSIONS_WITH = f"SELECT {_VERSION} FROM versions WHERE subject = $1 AND identity = $2 ORDER BY ordinal"
LIVE_VERSIONS = f"SELECT {_VERSION} FROM versions WHERE subject = $1 AND ordinal > $2 AND deleted_at IS NULL ORDER BY ordinal LIMIT $3"
VERSIONS_BY_GLOBAL_ID = (
    f"SELECT {_VERSION} FROM versions WHERE global_id = $1 AND (subject < ':.' OR subject >= ':/') "
    "AND (subject, ordinal) > ($2, $3) ORDER BY subject, ordinal LIMIT $4"
)
"""In the default context: the others' subjects begin with `:.`."""
VERSIONS_BY_CONTEXT_ID = (
    f"SELECT {_VERSION} FROM versions WHERE global_id = $1 AND subject >= $2 AND subject < $3 "
    "AND (subject, ordinal) > ($4, $5) ORDER BY subject, ordinal LIMIT $6"
)
DEPENDENTS = (
    f"SELECT {_COLUMNS_OF_V} FROM version_references r JOIN versions v ON v.id = r.version "
    "WHERE r.target = $1 AND (v.subject, v.ordinal) > ($2, $3) ORDER BY v.subject, v.ordinal LIMIT $4"
)
USED_ELSEWHERE = (
    "SELECT t.schema_id FROM versions t WHERE t.subject = $1 AND EXISTS (SELECT FROM version_references r "
    "JOIN versions v ON v.id = r.version WHERE r.target = t.schema_id AND v.subject <> $1) ORDER BY t.ordinal LIMIT 1"
)
# Live versions only: the walk goes through no others. Stops at so many versions; at least one row of each edge that it has found.
# OFFSET 0: each version is looked up by itself, where a join might read all of them.
DEPENDENT_EDGES = (
    'WITH RECURSIVE reached (schema_id) AS (SELECT $1::text COLLATE "C" UNION SELECT v.schema_id FROM reached '
    "JOIN version_references r ON r.target = reached.schema_id JOIN versions v ON v.id = r.version "
    "WHERE v.deleted_at IS NULL) "
    f"SELECT m.schema_id, {_COLUMNS_OF_V} FROM (SELECT schema_id FROM reached LIMIT $2) m "
    "CROSS JOIN LATERAL (SELECT version FROM version_references WHERE target = m.schema_id OFFSET 0) r "
    "CROSS JOIN LATERAL (SELECT * FROM versions WHERE id = r.version AND deleted_at IS NULL OFFSET 0) v "
    "ORDER BY v.subject, v.ordinal LIMIT $3"
)
CONTENT_IDENTITIES = "SELECT identity FROM contents WHERE identity > $1 ORDER BY identity LIMIT $2"
REPLACE_CONTENT = (
    "UPDATE contents SET content = $2, digest = $3, canonical = $4, artifact = $5 WHERE identity = $1"
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
NOTIFYING_PROGRESS = f"{PROGRESS}, pg_notify($1, '')"

REPLAYED = "SELECT final_before() > $1 AND value = $2 FROM meta WHERE key = 'registry_id'"
"""For a replica: whether it has that registry, with every change up to a sequence."""

LOCK_SUBJECT = "SELECT first, ordinal, settings FROM lock_subject($1, $2)"
LOCK_SCOPE = "SELECT pg_advisory_xact_lock(hashtextextended($1, 1))"
# A content is locked by one of 64 locks, by its hash: a lock for each would fill the lock table of the database.
_CONTENT_LOCK = "pg_advisory_xact_lock{0}(1280528967, hashtext({1}) & 63)"
# In the order of the locks, so that two transactions that remove contents never wait for each other.
LOCK_CONTENTS = (
    "SELECT pg_advisory_xact_lock(1280528967, l.place) FROM "
    "(SELECT DISTINCT hashtext(i) & 63 AS place FROM unnest($1::text[]) AS i ORDER BY place) l"
)
FIRST_SEQUENCE = "SELECT first_sequence()"

CONTEXT_USAGE = "SELECT subjects, versions, bytes FROM context_usage WHERE context = $1 FOR UPDATE"
COUNT_CONTEXT = "SELECT count_context($1)"
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
    """Notes the ordinals of the versions in the rows of `source`, which were added; `removed` is how many versions a subject has
    fewer than ordinals."""
    last = "greatest(subjects.last_ordinal, excluded.last_ordinal)"
    return (
        "INSERT INTO subjects (subject, last_ordinal, removed) "
        f"SELECT subject, ordinal, ordinal - 1 FROM {source} ON CONFLICT (subject) "
        f"DO UPDATE SET last_ordinal = {last}, removed = subjects.removed + {last} - subjects.last_ordinal - 1"
    )


# Everything that a transaction has buffered, in one round trip.
FLUSH = (
    f"WITH put AS ({put_contents('unnest($1::text[], $2::text[], $3::bytea[], $4::bytea[], $5::bytea[])')}), "
    f"log AS (INSERT INTO changes (sequence, {_CHANGE}) SELECT * FROM unnest($6::bigint[], $7::smallint[], $8::text[], "
    "$9::text[], $10::text[], $11::int[], $12::bigint[], $13::json[])), "
    "noted AS (INSERT INTO audit_inbox (entry, revision) SELECT * FROM unnest($19::text[], $20::bigint[])) "
    f"INSERT INTO transitions ({_TRANSITION}) "
    "SELECT * FROM unnest($14::text[], $15::smallint[], $16::smallint[], $17::bigint[], $18::json[])"
)
ADD_WORDS = (
    "INSERT INTO vocabulary SELECT word FROM unnest($1::text[]) AS word ORDER BY word ON CONFLICT DO NOTHING"
)
# The index of words knows nothing of versions: those that are softly deleted are few, and are taken off.
_LIVE_HITS = (
    "SELECT (SELECT count(*) FROM search s WHERE {found}) - (SELECT count(*) FROM versions v "
    "JOIN search s ON s.version = v.id WHERE v.deleted_at IS NOT NULL AND {found})"
)
HITS = "SELECT count(*) FROM (SELECT FROM search WHERE words @@ $1::text::tsquery LIMIT $2) AS listed"
LIVE_HITS = _LIVE_HITS.format(found="s.words @@ $1::text::tsquery")
LIVE_LABELLED_HITS = _LIVE_HITS.format(found="s.words @@ $1::text::tsquery AND s.labels @> $2::text[]")
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
HIDE_VERSIONS = (
    "UPDATE versions v SET updated_at = $1, deleted_at = $1, revision = g.revision "
    "FROM unnest($2::text[], $3::bigint[]) AS g (schema_id, revision) WHERE v.schema_id = g.schema_id "
    "AND v.subject = $4"
)
DELETE_VERSIONS = "DELETE FROM versions WHERE schema_id = ANY($1::text[]) RETURNING identity"
DELETE_HISTORIES = "DELETE FROM transitions WHERE schema_id = ANY($1::text[])"
DELETE_UNUSED_CONTENTS = (
    "DELETE FROM contents c WHERE c.identity = ANY($1::text[]) "
    "AND NOT EXISTS (SELECT FROM versions v WHERE v.identity = c.identity)"
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

API_KEY = f"SELECT {_KEY} FROM api_keys WHERE key_id = $1"
LOCK_API_KEY = f"{API_KEY} FOR UPDATE"
API_KEY_NAMED = f"SELECT {_KEY} FROM api_keys WHERE name = $1"
API_KEYS_WITH = f"SELECT {_KEY} FROM api_keys WHERE prefix = $1 UNION ALL SELECT {_KEY} FROM api_keys WHERE previous_prefix = $1"
API_KEYS = f"SELECT {_KEY} FROM api_keys WHERE name > $1 ORDER BY name LIMIT $2"
COUNT_API_KEYS = "SELECT count(*) FROM api_keys"
INSERT_API_KEY = f"INSERT INTO api_keys ({_KEY}) VALUES ({_places(len(KEY_COLUMNS))}) ON CONFLICT DO NOTHING RETURNING key_id"
UPDATE_API_KEY = "UPDATE api_keys SET prefix = $1, previous_prefix = $2, facts = $3 WHERE key_id = $4"
REMOVE_API_KEY = "DELETE FROM api_keys WHERE key_id = $1"
# The rows are locked in the order of their ids.
NOTE_API_KEYS_USED = (
    "UPDATE api_keys k SET last_used_at = greatest(k.last_used_at, u.at) "
    "FROM (SELECT k.key_id, u.at FROM unnest($1::text[], $2::bigint[]) AS u (key_id, at) "
    "JOIN api_keys k ON k.key_id = u.key_id ORDER BY k.key_id FOR UPDATE OF k) u WHERE k.key_id = u.key_id"
)
REVOKED_TOKEN = f"SELECT {_REVOKED} FROM revoked_tokens WHERE token_id = $1"
REVOKED_TOKENS = f"SELECT {_REVOKED} FROM revoked_tokens WHERE token_id > $1 ORDER BY token_id LIMIT $2"
COUNT_REVOKED_TOKENS = "SELECT count(*) FROM revoked_tokens"
PUT_REVOKED_TOKEN = (
    f"INSERT INTO revoked_tokens ({_REVOKED}) VALUES ({_places(len(REVOKED_COLUMNS))}) "
    "ON CONFLICT (token_id) DO UPDATE SET expires_at = excluded.expires_at, facts = excluded.facts"
)
FORGET_REVOKED_TOKENS = "DELETE FROM revoked_tokens WHERE expires_at < $1"

GRANTS = f"SELECT {_GRANT} FROM grants WHERE (holder, role, scope) > ($1, $2, $3) ORDER BY holder, role, scope LIMIT $4"
COUNT_GRANTS = "SELECT count(*) FROM grants"
PUT_GRANT = f"INSERT INTO grants ({_GRANT}) VALUES ({_places(len(GRANT_COLUMNS))}) ON CONFLICT DO NOTHING RETURNING holder"
REMOVE_GRANT = "DELETE FROM grants WHERE holder = $1 AND role = $2 AND scope = $3 RETURNING holder"
NEWEST_POLICIES = f"SELECT {_POLICIES} FROM policies ORDER BY version DESC LIMIT 1"
POLICIES = f"SELECT {_POLICIES} FROM policies WHERE version = $1"
ADD_POLICIES = (
    f"INSERT INTO policies ({_POLICIES}) VALUES ({_places(len(POLICIES_COLUMNS))}) "
    "ON CONFLICT DO NOTHING RETURNING version"
)
FORGET_POLICIES = "DELETE FROM policies WHERE version <= $1"

PROFILE_MARKS = f"SELECT {_MARK} FROM profiles ORDER BY id"
PROFILE = f"SELECT {_PROFILE} FROM profiles WHERE id = $1"
PUT_PROFILE = (
    f"INSERT INTO profiles ({_PROFILE}) VALUES ({_places(len(PROFILE_COLUMNS))}) ON CONFLICT (id) DO UPDATE SET "
    "version = excluded.version, document = excluded.document, put_by = excluded.put_by, put_at = excluded.put_at "
    "WHERE profiles.version < excluded.version RETURNING id"
)
REMOVE_PROFILE = "DELETE FROM profiles WHERE id = $1 RETURNING id"
VERDICTS_OF = f"SELECT {_VERDICT} FROM profile_verdicts WHERE schema_id = ANY($1::text[])"
JUDGED_VERSIONS = (
    f"SELECT {_VERDICT_OF_P}, {_COLUMNS_OF_V} FROM profile_verdicts p JOIN versions v ON v.schema_id = p.schema_id "
    "WHERE p.profile = $1 AND p.fit = $2 AND p.schema_id > $3 AND v.deleted_at IS NULL ORDER BY p.schema_id LIMIT $4"
)
# FOR KEY SHARE: a version that is being removed is waited for, and left out when it is gone.
PUT_VERDICTS = (
    f"INSERT INTO profile_verdicts ({_VERDICT}) SELECT {_VERDICT_OF_P} FROM "
    "unnest($1::text[], $2::text[], $3::bigint[], $4::smallint[], $5::text[]) "
    "AS p (schema_id, profile, profile_version, fit, facts) "
    "WHERE p.schema_id IN (SELECT v.schema_id FROM versions v WHERE v.schema_id = ANY($1::text[]) FOR KEY SHARE) "
    "ON CONFLICT (schema_id, profile) DO UPDATE SET profile_version = excluded.profile_version, fit = excluded.fit, "
    "facts = excluded.facts"
)
FORGET_VERDICTS = (
    "WITH gone AS (DELETE FROM profile_verdicts WHERE (schema_id, profile) IN "
    "(SELECT schema_id, profile FROM profile_verdicts WHERE profile = $1 LIMIT $2) RETURNING 1) SELECT count(*) FROM gone"
)
PROFILE_WATCH = "SELECT value FROM meta WHERE key = 'profile_watch'"
SET_PROFILE_WATCH = (
    "INSERT INTO meta VALUES ('profile_watch', $1) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)

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
    "INSERT INTO subjects (subject, last_ordinal, removed) VALUES ($1, $2::int, $2::int) ON CONFLICT (subject) DO UPDATE SET "
    "last_ordinal = greatest(subjects.last_ordinal, excluded.last_ordinal), removed = subjects.removed "
    "+ greatest(subjects.last_ordinal, excluded.last_ordinal) - subjects.last_ordinal"
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

AUDIT_WAITS = "SELECT EXISTS (SELECT FROM audit_inbox)"
TAKE_AUDIT = (
    "WITH taken AS (DELETE FROM audit_inbox WHERE id IN (SELECT id FROM audit_inbox ORDER BY id LIMIT $1) "
    "RETURNING id, entry, revision) SELECT entry, revision FROM taken ORDER BY id"
)
APPEND_AUDIT = (
    f"INSERT INTO audit_log ({_AUDIT}) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], "
    "$5::smallint[], $6::smallint[], $7::smallint[], $8::text[], $9::text[])"
)
AUDIT_TILES = (
    "SELECT level, number, hashes FROM audit_tiles JOIN unnest($1::int[], $2::bigint[]) AS t (level, number) "
    "USING (level, number)"
)
PUT_AUDIT_TILES = (
    "INSERT INTO audit_tiles (level, number, hashes) SELECT * FROM unnest($1::int[], $2::bigint[], $3::bytea[]) "
    "ON CONFLICT (level, number) DO UPDATE SET hashes = excluded.hashes"
)
AUDIT_CHECKPOINTS = "SELECT size, at, note FROM audit_checkpoints WHERE size > $1 ORDER BY size LIMIT $2"
NEWEST_AUDIT_CHECKPOINT = "SELECT size, at, note FROM audit_checkpoints ORDER BY size DESC LIMIT 1"
AUDIT_CHECKPOINT_BEFORE = (
    "SELECT size, at, note FROM audit_checkpoints WHERE at < $1 ORDER BY at DESC, size DESC LIMIT 1"
)
PUT_AUDIT_CHECKPOINT = "INSERT INTO audit_checkpoints (size, at, note) VALUES ($1, $2, $3)"
FORGET_AUDIT = "DELETE FROM audit_log WHERE position >= $1 AND position < $2"
FORGET_AUDIT_CHECKPOINTS = "DELETE FROM audit_checkpoints WHERE size < $1"
META = "SELECT value FROM meta WHERE key = $1"
KEEP_META = "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT DO NOTHING"
SET_META = (
    "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)


def audit_rows(conditions: Sequence[str], *, newest_first: bool) -> str:
    """Rows of the audit log between two positions that fulfil conditions with a place each; then how many at most."""
    more = "".join(f" AND {condition.format(f'${n}')}" for n, condition in enumerate(conditions, 3))
    order = "position DESC" if newest_first else "position"
    return (
        f"SELECT {_AUDIT} FROM audit_log WHERE position >= $1 AND position < $2{more} "
        f"ORDER BY {order} LIMIT ${len(conditions) + 3}"
    )
