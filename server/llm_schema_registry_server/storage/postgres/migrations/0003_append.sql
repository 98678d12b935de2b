-- A registration in two statements: read its precondition, and write the version if that still holds.
-- Servers that know step 2 go on working.

-- Replaces versions_identity, and finds a content in one subject, however many others have it.
CREATE INDEX versions_content ON versions (identity, subject);
DROP INDEX versions_identity;

-- The precondition of appending a version: equal results mean that it still holds.
CREATE FUNCTION subject_grounds(wanted text, scopes text[])
RETURNS TABLE (count bigint, revision bigint, last_ordinal integer, settings text) LANGUAGE sql STABLE AS $$
    SELECT (SELECT count(*) FROM versions v WHERE v.subject = wanted),
        (SELECT coalesce(max(v.revision), 0) FROM versions v WHERE v.subject = wanted),
        coalesce((SELECT s.last_ordinal FROM subjects s WHERE s.subject = wanted), 0),
        coalesce((SELECT json_object_agg(c.scope, c.settings ORDER BY c.scope)::text
                  FROM configs c WHERE c.scope = ANY (scopes)), '')
$$;

-- Takes the locks of a write to a subject and, with a snapshot that sees what their last holder committed, checks that
-- its precondition holds and that the targets of its references have these revisions. Returns the first sequence of the
-- transaction (see lock_subject), or NULL when they do not.
CREATE FUNCTION hold_grounds(wanted text, scopes text[], old_count bigint, old_revision bigint, old_ordinal integer,
                             old_settings text, targets text[], revisions bigint[])
RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended(scope, 1)) FROM unnest(scopes[2:]) AS scope;
    PERFORM pg_advisory_xact_lock(hashtextextended(wanted, 0));
    IF EXISTS (SELECT FROM subject_grounds(wanted, scopes) g
               WHERE (g.count, g.revision, g.last_ordinal, g.settings)
                   = (old_count, old_revision, old_ordinal, old_settings))
       AND NOT EXISTS (SELECT FROM unnest(targets, revisions) AS t (target, revision)
                       WHERE NOT EXISTS (SELECT FROM versions v
                                         WHERE v.schema_id = t.target AND v.revision = t.revision))
    THEN
        RETURN first_sequence();
    END IF;
    RETURN NULL;
END $$;
