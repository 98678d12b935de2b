-- Triggers that count subjects look each of them up in an index. A plan that was made while the table was small joined with all of its
-- rows, and a connection kept that plan until the next ANALYZE. Scalar subqueries are never joined; the planner may not walk
-- through a table that it takes for small.
-- Servers that know step 3 go on working.

CREATE OR REPLACE FUNCTION subjects_grow() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    INSERT INTO subject_totals (live, subjects, changes)
        SELECT sum(n.live::int), sum((n.other IS NULL)::int), count(*) FROM (
            SELECT a.live,
                (SELECT true FROM versions v WHERE v.subject = a.subject AND v.id <> ALL (a.ids) LIMIT 1) AS other
            FROM (SELECT subject, bool_or(deleted_at IS NULL) AS live, array_agg(id) AS ids FROM added GROUP BY subject OFFSET 0) a
            WHERE (SELECT true FROM versions v WHERE v.subject = a.subject AND v.deleted_at IS NULL AND v.id <> ALL (a.ids) LIMIT 1)
                IS NULL) n
        HAVING count(*) > 0;
    IF FOUND AND random() < 0.02 THEN
        PERFORM fold_subject_totals();
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION subjects_turn() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    INSERT INTO subject_totals (live, subjects, changes)
        SELECT sum(n.after::int - n.before::int), 0, count(*) FROM (
            SELECT (SELECT true FROM versions v WHERE v.subject = t.subject AND v.deleted_at IS NULL LIMIT 1) IS NOT NULL AS after,
                t.left_live OR (SELECT true FROM versions v WHERE v.subject = t.subject AND v.deleted_at IS NULL
                    AND v.id <> ALL (t.turned) LIMIT 1) IS NOT NULL AS before
            FROM (SELECT c.subject, bool_or(o.deleted_at IS NULL) AS left_live, array_agg(c.id) AS turned
                  FROM changed c JOIN old_rows o ON o.id = c.id
                  WHERE (o.deleted_at IS NULL) <> (c.deleted_at IS NULL) GROUP BY c.subject) t) n
        WHERE n.after <> n.before HAVING count(*) > 0;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION subjects_shrink() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    UPDATE subjects s SET removed = s.removed + n.versions
        FROM (SELECT r.subject, count(*)::int AS versions FROM removed r GROUP BY r.subject) n WHERE s.subject = n.subject;
    INSERT INTO subject_totals (live, subjects, changes)
        SELECT -sum((n.live AND n.alive IS NULL)::int), -sum((n.other IS NULL)::int), count(*) FROM (
            SELECT bool_or(r.deleted_at IS NULL) AS live,
                (SELECT true FROM versions v WHERE v.subject = r.subject AND v.deleted_at IS NULL LIMIT 1) AS alive,
                (SELECT true FROM versions v WHERE v.subject = r.subject LIMIT 1) AS other
            FROM removed r GROUP BY r.subject) n
        HAVING count(*) > 0;
    RETURN NULL;
END $$;

ALTER FUNCTION count_added() SET enable_seqscan = off;
ALTER FUNCTION count_removed() SET enable_seqscan = off;
