-- Times are microseconds since 1970 UTC; enums are the numbers of the wire; JSON columns hold what SQL never reads.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The highest ordinal a subject ever had; rows stay when the versions go.
CREATE TABLE subjects (
    subject      TEXT PRIMARY KEY,
    last_ordinal INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- int32 numbers of distinct contents (type + bytes + references); a number is never assigned twice.
CREATE TABLE global_ids (
    global_id INTEGER PRIMARY KEY AUTOINCREMENT CHECK (global_id <= 2147483647),
    identity  TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE contents (
    id        INTEGER PRIMARY KEY,
    identity  TEXT NOT NULL UNIQUE,
    digest    TEXT NOT NULL,
    content   BLOB NOT NULL,
    canonical BLOB NOT NULL,
    artifact  BLOB NOT NULL
) STRICT;

CREATE TABLE versions (
    id                INTEGER PRIMARY KEY,
    schema_id         TEXT NOT NULL UNIQUE,
    global_id         INTEGER NOT NULL,
    identity          TEXT NOT NULL,
    subject           TEXT NOT NULL,
    ordinal           INTEGER NOT NULL,
    version           TEXT NOT NULL,
    release           TEXT NOT NULL,
    schema_type       INTEGER NOT NULL,
    content_digest    TEXT NOT NULL,
    generation_digest TEXT NOT NULL,
    validation_digest TEXT NOT NULL,
    size              INTEGER NOT NULL,
    level             INTEGER NOT NULL,
    state             INTEGER NOT NULL,
    change_class      INTEGER NOT NULL,
    origin            TEXT NOT NULL,
    about             TEXT NOT NULL,
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    revision          INTEGER NOT NULL,
    deleted_at        INTEGER,
    UNIQUE (subject, ordinal),
    UNIQUE (subject, release)
) STRICT;
CREATE INDEX versions_stamp ON versions (subject, revision);
CREATE INDEX versions_global_id ON versions (global_id);
CREATE INDEX versions_identity ON versions (identity);
CREATE INDEX versions_live ON versions (subject, ordinal) WHERE deleted_at IS NULL;
-- 2 and 3 are ACTIVE and DEPRECATED: what `latest` chooses from.
CREATE INDEX versions_selectable ON versions (subject, ordinal) WHERE deleted_at IS NULL AND state IN (2, 3);

-- References, to be found by their target.
CREATE TABLE version_references (
    target  TEXT NOT NULL,
    version INTEGER NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
    PRIMARY KEY (target, version)
) STRICT, WITHOUT ROWID;
CREATE INDEX version_references_version ON version_references (version);

-- Tags and metadata pairs, for exact filters.
CREATE TABLE labels (
    label   TEXT NOT NULL,
    version INTEGER NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
    PRIMARY KEY (label, version)
) STRICT, WITHOUT ROWID;
CREATE INDEX labels_version ON labels (version);

-- Words, split and case folded by the server: they are separated by spaces, so that this tokenizer only has to split.
CREATE VIRTUAL TABLE words USING fts5 (
    about, names, tokenize = 'ascii', detail = none, columnsize = 0
);

CREATE TABLE transitions (
    id         INTEGER PRIMARY KEY,
    schema_id  TEXT NOT NULL,
    from_state INTEGER,
    to_state   INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    facts      TEXT NOT NULL
) STRICT;
CREATE INDEX transitions_schema_id ON transitions (schema_id, id);

CREATE TABLE configs (
    scope    TEXT PRIMARY KEY,
    settings TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE changes (
    sequence   INTEGER PRIMARY KEY AUTOINCREMENT,
    event_type INTEGER NOT NULL,
    subject    TEXT,
    schema_id  TEXT NOT NULL,
    version    TEXT NOT NULL,
    ordinal    INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    facts      TEXT NOT NULL
) STRICT;
