-- Who has which role on which subjects, and access policies; see storage/protocols/access.py. Times are microseconds since 1970 UTC.
-- Servers that know step 3 go on working.

CREATE TABLE grants (
    holder     text COLLATE "C" NOT NULL,
    role       text COLLATE "C" NOT NULL,
    scope      text COLLATE "C" NOT NULL,
    created_by text NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (holder, role, scope)
);

CREATE TABLE policies (
    version  bigint PRIMARY KEY,
    document text NOT NULL,
    set_by   text NOT NULL,
    set_at   bigint NOT NULL
);
