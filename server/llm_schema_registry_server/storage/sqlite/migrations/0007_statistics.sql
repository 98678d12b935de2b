-- The last statistics of the registry: one row, written by the server that counts. begun_at: not used any more (see
-- migration 0008).

CREATE TABLE statistics (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    begun_at INTEGER NOT NULL DEFAULT 0,
    counts   TEXT
) STRICT;
