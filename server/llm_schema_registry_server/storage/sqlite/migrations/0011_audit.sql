-- The audit log; see storage/protocols/audit.py. Times are microseconds since 1970 UTC.

-- Entries that wait for their places.
CREATE TABLE audit_inbox (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    entry    TEXT NOT NULL,
    revision INTEGER NOT NULL
) STRICT;

-- `entry` is what the hashes commit to; the other columns repeat of it what lists are filtered by.
CREATE TABLE audit_log (
    position  INTEGER PRIMARY KEY,
    at        INTEGER NOT NULL,
    principal TEXT NOT NULL,
    operation TEXT NOT NULL,
    event     INTEGER NOT NULL,
    outcome   INTEGER NOT NULL,
    severity  INTEGER NOT NULL,
    resources TEXT NOT NULL,
    entry     TEXT NOT NULL
) STRICT;

-- Hashes of the Merkle tree, up to 256 of one height in each row; see model/merkle.py.
CREATE TABLE audit_tiles (
    level  INTEGER NOT NULL,
    number INTEGER NOT NULL,
    hashes BLOB NOT NULL,
    PRIMARY KEY (level, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_checkpoints (
    size INTEGER PRIMARY KEY,
    at   INTEGER NOT NULL,
    note TEXT NOT NULL
) STRICT;
CREATE INDEX audit_checkpoints_at ON audit_checkpoints (at);
