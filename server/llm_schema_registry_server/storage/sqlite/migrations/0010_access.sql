-- Who has which role on which subjects, and access policies; see storage/protocols/access.py. Times are microseconds since 1970 UTC.

CREATE TABLE grants (
    holder     TEXT NOT NULL,
    role       TEXT NOT NULL,
    scope      TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (holder, role, scope)
) STRICT, WITHOUT ROWID;

CREATE TABLE policies (
    version  INTEGER PRIMARY KEY,
    document TEXT NOT NULL,
    set_by   TEXT NOT NULL,
    set_at   INTEGER NOT NULL
) STRICT;
