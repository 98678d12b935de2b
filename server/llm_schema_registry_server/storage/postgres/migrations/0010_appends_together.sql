-- Concurrent registrations are written by one statement.
-- Servers that know step 3 go on working.

-- The global ids of these places of the arrays. Numbers of the default context are assigned in the order of identities, so
-- that two transactions that need the same ones cannot deadlock.
CREATE FUNCTION allot_global_ids(contexts text[], identities text[], places bigint[])
RETURNS TABLE (place bigint, global_id integer) LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO global_ids (identity)
        SELECT DISTINCT identities[p.place] COLLATE "C" FROM unnest(places) AS p (place)
        WHERE contexts[p.place] = '.'
            AND NOT EXISTS (SELECT FROM global_ids g WHERE g.identity = identities[p.place])
        ORDER BY 1 ON CONFLICT DO NOTHING;
    -- With a snapshot that sees what others had inserted of these.
    RETURN QUERY
        SELECT p.place, CASE contexts[p.place]
            WHEN '.' THEN (SELECT g.global_id FROM global_ids g WHERE g.identity = identities[p.place])
            ELSE allot_global_id(contexts[p.place], identities[p.place]) END
        FROM unnest(places) AS p (place);
END $$;

-- Decides about a batch of appends; one result for each, by its place. It takes the locks of lock_subject, and the shared
-- lock that keeps a content from being removed as unused. Without `wait` it takes only locks that are free, so that one
-- busy subject does not delay the others: the rest are returned as `busy`. Then, with a snapshot that sees what the last
-- holders of the locks committed, it checks that the precondition of each holds and that the targets of its references
-- have these revisions, and assigns a global id to those for which they do. `sequence`: that of the change, or NULL.
--
-- subjects are all different; scopes: a list of text for each. users, targets, revisions: one row for each reference;
-- `users` are places.
CREATE FUNCTION admit_appends(
    subjects text[], scopes json[], counts bigint[], marks bigint[], ordinals integer[], settings text[],
    users integer[], targets text[], revisions bigint[], contexts text[], identities text[], wait boolean)
RETURNS TABLE (place bigint, busy boolean, sequence bigint, global_id integer) LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
    wider text[] := ARRAY(SELECT DISTINCT e.scope FROM unnest(scopes) AS s (list),
                          json_array_elements_text(s.list) WITH ORDINALITY AS e (scope, n) WHERE e.n > 1 ORDER BY 1);
    mine bigint[] := ARRAY[]::bigint[];
    held bigint[];
    start bigint;
BEGIN
    IF wait THEN
        PERFORM pg_advisory_xact_lock_shared(hashtextextended(w.scope, 1)) FROM unnest(wider) AS w (scope);
        PERFORM pg_advisory_xact_lock(hashtextextended(s.subject, 0)) FROM unnest(subjects) AS s (subject);
        mine := ARRAY(SELECT generate_series(1, cardinality(subjects)));
    ELSIF (SELECT bool_and(pg_try_advisory_xact_lock_shared(hashtextextended(w.scope, 1))) FROM unnest(wider) AS w (scope)) THEN
        mine := ARRAY(SELECT s.place FROM unnest(subjects) WITH ORDINALITY AS s (subject, place)
                      WHERE pg_try_advisory_xact_lock(hashtextextended(s.subject, 0))
                          AND pg_try_advisory_xact_lock_shared(1280528967, hashtext(identities[s.place]) & 63));
    END IF;
    held := ARRAY(
        SELECT e.place
        -- OFFSET 0: subject_grounds becomes part of the plan only when no subquery is among its arguments.
        FROM (SELECT e.*, ARRAY(SELECT json_array_elements_text(e.list)) AS scopes
              FROM unnest(subjects, scopes, counts, marks, ordinals, settings) WITH ORDINALITY
                   AS e (subject, list, count, mark, ordinal, settings, place)
              WHERE e.place = ANY (mine) OFFSET 0) e,
            subject_grounds(e.subject, e.scopes) g
        WHERE (g.count, g.revision, g.last_ordinal, g.settings) = (e.count, e.mark, e.ordinal, e.settings)
            AND NOT EXISTS (SELECT FROM unnest(users, targets, revisions) AS t (place, target, revision)
                            WHERE t.place = e.place AND NOT EXISTS (
                                SELECT FROM versions v WHERE v.schema_id = t.target AND v.revision = t.revision)));
    IF cardinality(held) > 0 THEN
        start := first_sequence();
    END IF;
    RETURN QUERY
        SELECT e.place, e.place <> ALL (mine), start + n.place - 1, n.global_id
        FROM generate_series(1, cardinality(subjects)::bigint) AS e (place)
        LEFT JOIN allot_global_ids(contexts, identities, held) n ON n.place = e.place;
END $$;

-- versions_context_id begins with the same column.
DROP INDEX versions_global_id;
