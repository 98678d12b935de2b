-- Outcomes of answers of language models; see storage/protocols/outcomes.py. Times are microseconds since 1970 UTC, days are counted from
-- then.

CREATE TABLE conformance (
    schema_id   TEXT NOT NULL REFERENCES versions (schema_id) ON DELETE CASCADE,
    model       TEXT NOT NULL,
    subject     TEXT NOT NULL,
    ordinal     INTEGER NOT NULL,
    place       INTEGER NOT NULL,
    answers     INTEGER NOT NULL,
    first_pass  INTEGER NOT NULL,
    retried     INTEGER NOT NULL,
    coerced     INTEGER NOT NULL,
    truncated   INTEGER NOT NULL,
    reported_at INTEGER NOT NULL,
    dropped_at  INTEGER,
    PRIMARY KEY (schema_id, model)
) STRICT, WITHOUT ROWID;
CREATE INDEX conformance_subject ON conformance (subject, ordinal, model);
CREATE INDEX conformance_model ON conformance (subject, model, ordinal);
CREATE INDEX conformance_dropped ON conformance (reported_at) WHERE dropped_at IS NOT NULL;

CREATE TABLE conformance_days (
    schema_id  TEXT NOT NULL,
    model      TEXT NOT NULL,
    day        INTEGER NOT NULL,
    answers    INTEGER NOT NULL,
    first_pass INTEGER NOT NULL,
    retried    INTEGER NOT NULL,
    coerced    INTEGER NOT NULL,
    truncated  INTEGER NOT NULL,
    PRIMARY KEY (schema_id, model, day),
    FOREIGN KEY (schema_id, model) REFERENCES conformance (schema_id, model) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX conformance_days_day ON conformance_days (day);

CREATE TABLE conformance_reports (
    id TEXT PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX conformance_reports_at ON conformance_reports (at);
