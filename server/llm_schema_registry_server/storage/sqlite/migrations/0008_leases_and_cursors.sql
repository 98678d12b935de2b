-- Who works on something now, and how far readers of the change log have come; see storage/leases.py. Times are microseconds
-- since 1970 UTC. The lease `statistics` takes the place of statistics.begun_at, which nobody writes any more.

CREATE TABLE leases (
    token      INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL UNIQUE,
    holder     TEXT NOT NULL,
    renewed_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE TABLE cursors (
    name       TEXT PRIMARY KEY,
    sequence   INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
