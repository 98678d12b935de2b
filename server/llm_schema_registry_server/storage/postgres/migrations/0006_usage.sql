-- How often versions are read; see model/usage.py for what a score is.
-- Servers that know step 3 go on working.

-- Every server adds its counts every half minute. Only `magnitude` is indexed, which changes about once a day for a version
-- that is read evenly: the other updates are heap-only, and need free space in their page.
CREATE TABLE usage (
    schema_id   text COLLATE "C" PRIMARY KEY REFERENCES versions (schema_id) ON DELETE CASCADE,
    reads       bigint NOT NULL,
    validations bigint NOT NULL,
    score       double precision NOT NULL,
    magnitude   integer GENERATED ALWAYS AS (floor(score)::integer) STORED,
    used_at     bigint NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX usage_magnitude ON usage (magnitude);
