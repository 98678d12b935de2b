-- A view of each subject for people with psql (always up to date), and the last statistics of the registry.
-- Servers that know step 3 go on working.

CREATE VIEW subject_versions AS
SELECT s.*, CASE WHEN s.subject >= ':.' AND s.subject < ':/' THEN context_of(s.subject) ELSE '.' END AS context,
    -- up to the first separator of the name
    substring(s.subject FROM CASE WHEN s.subject >= ':.' AND s.subject < ':/'
        THEN '^:\.[^:]*:[^./:]*[./:]' ELSE '^[^./:]*[./:]' END) AS prefix
FROM (
    SELECT subject, count(*) AS versions, count(*) FILTER (WHERE deleted_at IS NOT NULL) AS deleted,
        sum(size)::bigint AS size, to_timestamp(max(updated_at) / 1e6) AS updated_at
    FROM versions GROUP BY subject
) s;

-- One row: written by the server that counts, read by all. begun_at: not used any more (see migration 0011).
CREATE TABLE statistics (
    id       integer PRIMARY KEY CHECK (id = 1),
    begun_at timestamptz NOT NULL DEFAULT '-infinity',
    counts   json
);
