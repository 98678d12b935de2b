-- The last statistics of everything: one row, written by whichever server of the file counts. begun_at: when
-- somebody began who has not ended.

CREATE TABLE statistics (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    begun_at INTEGER NOT NULL DEFAULT 0,
    counts   TEXT
) STRICT;
