-- Subjects are counted once, however many of their versions are hidden or brought back with one statement.
-- Servers that know step 3 go on working.

DROP TRIGGER subject_turns ON versions;
DROP FUNCTION subject_turns();

CREATE FUNCTION subjects_turn() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO subject_totals (live, subjects, changes)
        SELECT sum(n.after::int - n.before::int), 0, count(*) FROM (
            SELECT EXISTS (SELECT FROM versions v WHERE v.subject = t.subject AND v.deleted_at IS NULL) AS after,
                t.left_live OR EXISTS (SELECT FROM versions v WHERE v.subject = t.subject AND v.deleted_at IS NULL
                    AND v.id <> ALL (t.turned)) AS before
            FROM (SELECT c.subject, bool_or(o.deleted_at IS NULL) AS left_live, array_agg(c.id) AS turned
                  FROM changed c JOIN old_rows o ON o.id = c.id
                  WHERE (o.deleted_at IS NULL) <> (c.deleted_at IS NULL) GROUP BY c.subject) t) n
        WHERE n.after <> n.before HAVING count(*) > 0;
    RETURN NULL;
END $$;
CREATE TRIGGER subjects_turn AFTER UPDATE ON versions
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION subjects_turn();
