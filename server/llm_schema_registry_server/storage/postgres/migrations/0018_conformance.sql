-- Outcomes of answers of language models; see storage/protocols/outcomes.py. Times are microseconds since 1970 UTC, days are counted from
-- then.
-- Servers that know step 3 go on working.

CREATE TABLE conformance (
    schema_id   text COLLATE "C" NOT NULL REFERENCES versions (schema_id) ON DELETE CASCADE,
    model       text COLLATE "C" NOT NULL,
    subject     text COLLATE "C" NOT NULL,
    ordinal     bigint NOT NULL,
    place       bigint NOT NULL,
    answers     bigint NOT NULL,
    first_pass  bigint NOT NULL,
    retried     bigint NOT NULL,
    coerced     bigint NOT NULL,
    truncated   bigint NOT NULL,
    reported_at bigint NOT NULL,
    dropped_at  bigint,
    PRIMARY KEY (schema_id, model)
);
CREATE INDEX conformance_subject ON conformance (subject, ordinal, model);
CREATE INDEX conformance_model ON conformance (subject, model, ordinal);
CREATE INDEX conformance_dropped ON conformance (reported_at) WHERE dropped_at IS NOT NULL;

CREATE TABLE conformance_days (
    schema_id  text COLLATE "C" NOT NULL,
    model      text COLLATE "C" NOT NULL,
    day        bigint NOT NULL,
    answers    bigint NOT NULL,
    first_pass bigint NOT NULL,
    retried    bigint NOT NULL,
    coerced    bigint NOT NULL,
    truncated  bigint NOT NULL,
    PRIMARY KEY (schema_id, model, day),
    FOREIGN KEY (schema_id, model) REFERENCES conformance (schema_id, model) ON DELETE CASCADE
);
CREATE INDEX conformance_days_day ON conformance_days (day);

CREATE TABLE conformance_reports (
    id text COLLATE "C" PRIMARY KEY,
    at bigint NOT NULL
);
CREATE INDEX conformance_reports_at ON conformance_reports (at);
