-- Run once in a database that was restored to an earlier moment, before the registry serves it:
--   psql "$DSN" -v ON_ERROR_STOP=1 --single-transaction -f after-restore.sql
-- What was given out after that moment and is now forgotten must not be given out again with another meaning.

-- Revisions: new changes come after all that anybody may have seen. The log begins anew, so that every follower, also one
-- that has seen what is forgotten, is told to start again (REVISION_COMPACTED). 2^30 transactions per restore, 8,000 restores.
UPDATE meta SET value = (value::bigint + 1073741824)::text WHERE key = 'sequence_offset';
UPDATE meta SET value = first_sequence()::text WHERE key = 'compacted';
DELETE FROM changes;

-- Global ids: 100,000 are left out in each context.
SELECT setval(pg_get_serial_sequence('global_ids', 'global_id'), last_value + 100000)
FROM pg_sequences WHERE format('%I.%I', schemaname, sequencename)::regclass
    = pg_get_serial_sequence('global_ids', 'global_id')::regclass AND last_value IS NOT NULL
UNION ALL
SELECT setval(pg_get_serial_sequence('global_ids', 'global_id'), 100000)
WHERE NOT EXISTS (SELECT FROM global_ids);
INSERT INTO context_ids
SELECT context, max(global_id) + 100000, 'left out after a restore, ' || now() FROM context_ids GROUP BY context;
