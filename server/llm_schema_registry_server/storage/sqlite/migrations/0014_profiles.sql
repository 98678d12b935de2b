-- Profiles of providers of language models, and what they say about versions; see storage/protocols/profiles.py. Times are
-- microseconds since 1970 UTC.

CREATE TABLE profiles (
    id       TEXT PRIMARY KEY,
    version  INTEGER NOT NULL,
    document TEXT NOT NULL,
    put_by   TEXT NOT NULL,
    put_at   INTEGER NOT NULL
) STRICT;

CREATE TABLE profile_verdicts (
    schema_id       TEXT NOT NULL REFERENCES versions (schema_id) ON DELETE CASCADE,
    profile         TEXT NOT NULL,
    profile_version INTEGER NOT NULL,
    fit             INTEGER NOT NULL,
    facts           TEXT NOT NULL,
    PRIMARY KEY (schema_id, profile)
) STRICT, WITHOUT ROWID;
CREATE INDEX profile_verdicts_fit ON profile_verdicts (profile, fit, schema_id);
