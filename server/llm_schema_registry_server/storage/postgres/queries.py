"""The SQL of the PostgreSQL back end. tests/storage/test_postgres_plans.py explains each of these statements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..ranking import Place, Question
from ..rows import CHANGE_COLUMNS, TRANSITION_COLUMNS, USAGE_COLUMNS, VERSION_COLUMNS
from ..selection import COLUMNS_OF_V as _COLUMNS_OF_V
from ..selection import Dialect, Term
from ..store import AT_HAND

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
    f"SELECT {_VERSION} FROM versions WHERE subject = $1 AND deleted_at IS NULL AND state IN (2, 3) "
    "ORDER BY ordinal DESC LIMIT 1"
)
ORDINAL = f"SELECT {_VERSION} FROM versions WHERE subject = $1 AND ordinal = $2 AND deleted_at IS NULL"
RELEASE = f"SELECT {_VERSION} FROM versions WHERE subject = $1 AND release = $2 AND deleted_at IS NULL"
SELECTED = {"LATEST": LATEST, "ORDINAL": ORDINAL, "RELEASE": RELEASE}
"""By rows.selected_by."""


def _kept(one: str) -> str:
    """A version with the cells of its content, which are NULL when it does not come along."""
    return (
        f"SELECT v.*, c.digest, c.content, c.canonical, c.artifact FROM ({one}) v "
        f"LEFT JOIN contents c ON c.identity = v.identity AND v.size <= {AT_HAND}"
    )


KEPT_VERSION = _kept(VERSION)
KEPT_LATEST, KEPT_ORDINAL, KEPT_RELEASE = _kept(LATEST), _kept(ORDINAL), _kept(RELEASE)
KEPT = {"LATEST": KEPT_LATEST, "ORDINAL": KEPT_ORDINAL, "RELEASE": KEPT_RELEASE}
SUBJECT_STAMP = "SELECT count(*), coalesce(max(revision), 0) FROM versions WHERE subject = $1"
VERSIONS_WITH = f"SELECT {_VERSION} FROM versions WHERE subject = $1 AND identity = $2 AND deleted_at IS NULL ORDER BY ordinal"
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
    "WHERE r.target = $1 ORDER BY v.subject, v.ordinal"
)
CONTENTS = (
    "SELECT identity, digest, content, canonical, artifact FROM contents WHERE identity = ANY($1::text[])"
)
HISTORY = f"SELECT {_TRANSITION} FROM transitions WHERE schema_id = $1 ORDER BY id"
CONFIG = "SELECT settings FROM configs WHERE scope = $1"
CHANGES = (
    f"SELECT sequence, {_CHANGE} FROM changes WHERE sequence > $1 AND sequence < final_before() "
    "ORDER BY sequence LIMIT $2"
)
# One row at least, so that the bound comes with it.
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
"""Whether this is that registry and all transactions up to that of a sequence have ended here; asked of a replica."""

LOCK_SUBJECT = "SELECT first, ordinal, settings FROM lock_subject($1, $2)"
LOCK_SCOPE = "SELECT pg_advisory_xact_lock(hashtextextended($1, 1))"
# One of 64 locks stands for a content: a lock for each would fill the server's table of locks when there are many.
_CONTENT_LOCK = "pg_advisory_xact_lock{0}(1280528967, hashtext({1}) & 63)"
LOCK_CONTENT = f"SELECT {_CONTENT_LOCK.format('', '$1')}"
FIRST_SEQUENCE = "SELECT first_sequence()"

ALLOT_GLOBAL_ID = "SELECT allot_global_id($1, $2)"
LAST_ORDINAL = "SELECT last_ordinal FROM subjects WHERE subject = $1"

# The lock keeps a content that another transaction is about to remove as unused from vanishing under a new version.
_PUT_CONTENTS = (
    "INSERT INTO contents (identity, digest, content, canonical, artifact) "
    "SELECT c.* FROM {} AS c (identity, digest, content, canonical, artifact), "
    f"LATERAL (SELECT {_CONTENT_LOCK.format('_shared', 'c.identity')} OFFSET 0) l "
    "ON CONFLICT (identity) DO NOTHING"
)
# Everything a transaction had put off, in one round trip.
FLUSH = (
    f"WITH put AS ({_PUT_CONTENTS.format('unnest($1::text[], $2::text[], $3::bytea[], $4::bytea[], $5::bytea[])')}), "
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
# From the old bound on: what was deleted before may still lie dead at the beginning of the index.
FORGET_CHANGES = "DELETE FROM changes WHERE sequence > $1 AND sequence <= $2"
SET_COMPACTED = "UPDATE meta SET value = $1 WHERE key = 'compacted'"


def _with_version(cells: str, about: str, names: str, labels: str, title: str, targets: str) -> str:
    """The parts of a WITH that add a version (`v`, empty when a key is taken), its ordinal, words and references."""
    return (
        f"v AS (INSERT INTO versions ({_VERSION}) {cells} ON CONFLICT DO NOTHING "
        "RETURNING id, subject, ordinal, identity, global_id), "
        "o AS (INSERT INTO subjects SELECT subject, ordinal FROM v ON CONFLICT (subject) "
        "DO UPDATE SET last_ordinal = greatest(subjects.last_ordinal, excluded.last_ordinal)), "
        "s AS (INSERT INTO search (version, words, names, labels, title, titled) "
        f"SELECT id, array_to_tsvector({about}::text[]) || array_to_tsvector({names}::text[]), "
        f"array_to_tsvector({names}::text[]), {labels}::text[], {title}, 1 FROM v), "
        "r AS (INSERT INTO version_references "
        f"SELECT t.target, v.id FROM v, unnest({targets}::text[]) AS t (target))"
    )


_VERSION_WIDTH = len(VERSION_COLUMNS)
INSERT_VERSION = (
    "WITH "
    + _with_version(f"VALUES ({_places(_VERSION_WIDTH)})", *(f"${n + _VERSION_WIDTH}" for n in range(1, 6)))
    + " SELECT id FROM v"
)

STANDING = (
    f"SELECT g.*, {_COLUMNS_OF_V} FROM subject_grounds($1, $2) g LEFT JOIN versions v "
    "ON v.subject = $1 AND v.identity = $3 AND v.deleted_at IS NULL ORDER BY v.ordinal"
)


APPENDED_COLUMNS = tuple(c for c in VERSION_COLUMNS if c not in ("subject", "global_id", "revision"))
"""The columns of a version whose cells APPEND is given; see appending.py for all of its parameters."""


def _append() -> str:
    """Everything a registration writes, in one statement: nothing when its grounds no longer hold."""
    number = iter(range(1, 100))

    def places(*types: str) -> list[str]:
        return [f"${next(number)}{kind}" for kind in types]

    subject, scopes, *old, targets, revisions = places(
        "::text", "::text[]", *[""] * 4, "::text[]", "::bigint[]"
    )
    held = f"SELECT hold_grounds({', '.join([subject, scopes, *old, targets, revisions])}) AS first"
    (context,) = places("::text")
    cells = dict(zip(APPENDED_COLUMNS, places(*[""] * len(APPENDED_COLUMNS)), strict=True))
    cells |= {
        "subject": subject,
        "global_id": f"allot_global_id({context}, {cells['identity']})",
        "revision": "held.first",
    }
    version = f"SELECT {', '.join(cells[c] for c in VERSION_COLUMNS)} FROM held WHERE held.first IS NOT NULL"
    about, names, labels, title = places("", "", "", "::text")
    content = f"(SELECT v.identity, {', '.join(places('::text', '::bytea', '::bytea', '::bytea'))} FROM v)"
    change = places(*[""] * len(CHANGE_COLUMNS))
    steps = places("::smallint[]", "::smallint[]", "::bigint[]", "::json[]")
    (new_words,) = places("::text[]")
    return (
        f"WITH held AS ({held}), {_with_version(version, about, names, labels, title, targets)}, "
        f"put AS ({_PUT_CONTENTS.format(content)}), "
        f"log AS (INSERT INTO changes (sequence, {_CHANGE}) SELECT held.first, {', '.join(change)} FROM held, v), "
        f"steps AS (INSERT INTO transitions ({_TRANSITION}) "
        f"SELECT {cells['schema_id']}, t.* FROM v, unnest({', '.join(steps)}) AS t), "
        # Last: whoever waits for a word that another transaction adds holds nothing that this one still wants.
        f"spelled AS (INSERT INTO vocabulary SELECT word FROM v, unnest({new_words}) AS word ORDER BY word "
        "ON CONFLICT DO NOTHING) "
        "SELECT held.first, v.global_id FROM held LEFT JOIN v ON true"
    )


APPEND = _append()
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

# In the order of ids, so that two servers that count the same versions wait for each other and never in a circle.
# Each version is looked up by itself: a join would read all of them. The last lines are model/usage.together; a power that
# no double can hold would be an error.
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
# clock_timestamp(), not now(): somebody else may have begun while this waited for the row.
BEGIN_STATISTICS = (
    "INSERT INTO statistics AS s (id, begun_at) VALUES (1, clock_timestamp()) ON CONFLICT (id) "
    "DO UPDATE SET begun_at = clock_timestamp() "
    "WHERE s.begun_at NOT BETWEEN clock_timestamp() - make_interval(secs => $1) AND clock_timestamp() RETURNING true"
)
# Who keeps has ended: begun_at is what it is when nobody counts.
KEEP_STATISTICS = (
    "INSERT INTO statistics (id, counts) VALUES (1, $1::json) ON CONFLICT (id) "
    "DO UPDATE SET counts = excluded.counts, begun_at = excluded.begun_at"
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
    "SELECT (SELECT reltuples::bigint FROM pg_class WHERE oid = 'versions'::regclass), "
    "current_setting('server_version'), (SELECT coalesce(extract(epoch FROM max(now() - xact_start)), 0)::bigint "
    "FROM pg_stat_activity WHERE backend_xid IS NOT NULL)"
)


def _hits(words: Sequence[str]) -> Term:
    return "words @@ {}::text::tsquery", " & ".join(lexeme(word) for word in words)


def lexeme(word: str, whole: bool = False) -> str:
    """What BEGUN takes to look for a word that begins so, or for this one."""
    return f"'{word}'" if whole else f"'{word}':*"  # words are letters and digits only


def _words(words: Sequence[str]) -> Term:
    term, query = _hits(words)
    return f"v.id IN (SELECT version FROM search WHERE {term})", query


def _in_title(text: str) -> Term:
    return "(strpos(s.title, {}) > 0)", text


def _question(asked: Question) -> Term:
    if asked.place > Place.NAME:
        return _in_title(asked.needle)
    column = "names" if asked.place is Place.NAME else "words"
    # The SELECT: read the query once, not for every version.
    return f"s.{column} @@ (SELECT {{}}::text::tsquery)", lexeme(asked.word, asked.whole)


def _labels(labels: Sequence[str]) -> Iterable[Term]:
    return [("v.id IN (SELECT version FROM search WHERE labels @> {}::text[])", labels)]


def _pattern(pattern: str) -> Term:
    literal = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    like = literal.replace("*", "%").replace("?", "_")
    return "v.subject IN (SELECT subject FROM subjects WHERE subject LIKE {})", like


LISTS = Dialect(
    lambda number: f"${number}",
    words=_words,
    labels=_labels,
    pattern=_pattern,
    ranked="versions v JOIN search s ON s.version = v.id",
    hits=_hits,
    in_title=_in_title,
    question=_question,
)
