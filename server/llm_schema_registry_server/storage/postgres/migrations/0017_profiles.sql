-- Profiles of providers of language models, and what they say about versions; see storage/protocols/profiles.py. Times are
-- microseconds since 1970 UTC.
-- Servers that know step 3 go on working.

CREATE TABLE profiles (
    id       text COLLATE "C" PRIMARY KEY,
    version  bigint NOT NULL,
    document text NOT NULL,
    put_by   text NOT NULL,
    put_at   bigint NOT NULL
);

CREATE TABLE profile_verdicts (
    schema_id       text COLLATE "C" NOT NULL REFERENCES versions (schema_id) ON DELETE CASCADE,
    profile         text COLLATE "C" NOT NULL,
    profile_version bigint NOT NULL,
    fit             smallint NOT NULL,
    facts           text NOT NULL,
    PRIMARY KEY (schema_id, profile)
);
CREATE INDEX profile_verdicts_fit ON profile_verdicts (profile, fit, schema_id);
