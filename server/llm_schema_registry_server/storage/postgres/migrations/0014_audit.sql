-- The audit log; see storage/protocols/audit.py. Times are microseconds since 1970 UTC.
-- Servers that know step 3 go on working.
-- What those write is not recorded.

-- Entries that wait for their places.
CREATE TABLE audit_inbox (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entry    text NOT NULL,
    revision bigint NOT NULL
);

-- `entry` is what the hashes commit to; the other columns repeat of it what lists are filtered by.
CREATE TABLE audit_log (
    position  bigint PRIMARY KEY,
    at        bigint NOT NULL,
    principal text NOT NULL,
    operation text NOT NULL,
    event     smallint NOT NULL,
    outcome   smallint NOT NULL,
    severity  smallint NOT NULL,
    resources text NOT NULL,
    entry     text NOT NULL
);

-- Hashes of the Merkle tree, up to 256 of one height in each row; see model/merkle.py.
CREATE TABLE audit_tiles (
    level  integer NOT NULL,
    number bigint NOT NULL,
    hashes bytea NOT NULL,
    PRIMARY KEY (level, number)
);

CREATE TABLE audit_checkpoints (
    size bigint PRIMARY KEY,
    at   bigint NOT NULL,
    note text NOT NULL
);
CREATE INDEX audit_checkpoints_at ON audit_checkpoints (at);
