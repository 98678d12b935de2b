-- How many versions each subject has, and how many subjects there are, without counting rows.
-- Servers that know step 3 go on working.

-- Ordinals up to `last_ordinal` that no version has (any more): the subject has last_ordinal - removed versions.
ALTER TABLE subjects ADD COLUMN removed integer NOT NULL DEFAULT 0;

-- The sums are: subjects with a live version, subjects with any version, and a number that grows whenever a subject joins or leaves
-- them. Transactions add rows, so that none waits for another; now and then one adds up some of those that are there.
CREATE TABLE subject_totals (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    live     bigint NOT NULL,
    subjects bigint NOT NULL,
    changes  bigint NOT NULL
);

CREATE FUNCTION fold_subject_totals() RETURNS void LANGUAGE sql VOLATILE AS $$
    WITH gone AS (
        DELETE FROM subject_totals WHERE id IN (SELECT id FROM subject_totals ORDER BY id LIMIT 500 FOR UPDATE SKIP LOCKED)
        RETURNING live, subjects, changes
    )
    INSERT INTO subject_totals (live, subjects, changes)
        SELECT sum(live), sum(subjects), sum(changes) FROM gone HAVING count(*) > 0
$$;

-- The lock of each subject keeps other transactions from changing its versions meanwhile.
CREATE FUNCTION subjects_grow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO subject_totals (live, subjects, changes)
        SELECT sum(n.live), sum(n.subjects), count(*) FROM (
            SELECT bool_or(a.deleted_at IS NULL)::int AS live,
                (NOT EXISTS (SELECT FROM versions v WHERE v.subject = a.subject AND v.id NOT IN (SELECT o.id FROM added o)))::int
                    AS subjects
            FROM added a WHERE NOT EXISTS (
                SELECT FROM versions v WHERE v.subject = a.subject AND v.deleted_at IS NULL AND v.id NOT IN (SELECT o.id FROM added o))
            GROUP BY a.subject) n
        HAVING count(*) > 0;
    IF FOUND AND random() < 0.02 THEN
        PERFORM fold_subject_totals();
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER subjects_grow AFTER INSERT ON versions
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION subjects_grow();

CREATE FUNCTION subject_turns() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM versions v WHERE v.subject = NEW.subject AND v.deleted_at IS NULL AND v.id <> NEW.id) THEN
        INSERT INTO subject_totals (live, subjects, changes)
            VALUES ((NEW.deleted_at IS NULL)::int - (OLD.deleted_at IS NULL)::int, 0, 1);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER subject_turns AFTER UPDATE OF deleted_at ON versions FOR EACH ROW
    WHEN ((OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL)) EXECUTE FUNCTION subject_turns();

CREATE FUNCTION subjects_shrink() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE subjects s SET removed = s.removed + n.versions
        FROM (SELECT r.subject, count(*)::int AS versions FROM removed r GROUP BY r.subject) n WHERE s.subject = n.subject;
    INSERT INTO subject_totals (live, subjects, changes)
        SELECT -sum((n.live AND NOT EXISTS (
                SELECT FROM versions v WHERE v.subject = n.subject AND v.deleted_at IS NULL))::int),
            -sum((NOT EXISTS (SELECT FROM versions v WHERE v.subject = n.subject))::int), count(*)
        FROM (SELECT r.subject, bool_or(r.deleted_at IS NULL) AS live FROM removed r GROUP BY r.subject) n HAVING count(*) > 0;
    RETURN NULL;
END $$;
CREATE TRIGGER subjects_shrink AFTER DELETE ON versions
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION subjects_shrink();

-- After the triggers, which lock the table: no version comes or goes that is counted twice or not at all.
UPDATE subjects s SET removed = s.last_ordinal - coalesce(n.versions, 0)
    FROM subjects t LEFT JOIN (SELECT subject, count(*)::int AS versions FROM versions GROUP BY subject) n ON n.subject = t.subject
    WHERE t.subject = s.subject AND s.last_ordinal <> coalesce(n.versions, 0);
INSERT INTO subject_totals (live, subjects, changes)
    SELECT count(DISTINCT subject) FILTER (WHERE deleted_at IS NULL), count(DISTINCT subject), 0 FROM versions;

CREATE OR REPLACE FUNCTION subject_grounds(wanted text, scopes text[])
RETURNS TABLE (count bigint, revision bigint, last_ordinal integer, settings text) LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT (s.last_ordinal - s.removed)::bigint FROM subjects s WHERE s.subject = wanted), 0),
        (SELECT coalesce(max(v.revision), 0) FROM versions v WHERE v.subject = wanted),
        coalesce((SELECT s.last_ordinal FROM subjects s WHERE s.subject = wanted), 0),
        coalesce((SELECT json_object_agg(c.scope, c.settings ORDER BY c.scope)::text
                  FROM configs c WHERE c.scope = ANY (scopes)), '')
$$;

-- What a search has found, but for these, is counted without a look at the versions.
CREATE INDEX versions_deleted ON versions (id) WHERE deleted_at IS NOT NULL;
