-- No two concurrent registrations close a cycle of subjects (docs/decisions/0003-no-circle-of-subjects.md).
-- Servers that know step 3 go on working.

-- At COMMIT, for each reference whose subject has not used the target's subject before: one transaction at a time checks
-- that the target's subject does not lead back. The lock is the last one that a transaction takes, so that there is no
-- deadlock. An import (registry.restores) is not checked: it may bring cycles from before this rule.
CREATE FUNCTION refuse_circle() RETURNS trigger LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    own text COLLATE "C";
    other text COLLATE "C";
BEGIN
    SELECT v.subject INTO own FROM versions v WHERE v.id = NEW.version;
    SELECT v.subject INTO other FROM versions v WHERE v.schema_id = NEW.target;
    IF own IS NULL OR other IS NULL OR current_setting('registry.restores', true) = 'on'
        OR EXISTS (SELECT FROM versions v JOIN version_references r ON r.version = v.id JOIN versions t ON t.schema_id = r.target
                   WHERE v.subject = own AND v.id < NEW.version AND t.subject = other)
    THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock(1280528967, 65);
    -- With a snapshot of its own: it sees what the last holder of the lock committed.
    IF EXISTS (WITH RECURSIVE reached (subject) AS (
                   SELECT other
                   UNION
                   SELECT t.subject FROM reached u JOIN versions v ON v.subject = u.subject
                   JOIN version_references r ON r.version = v.id JOIN versions t ON t.schema_id = r.target)
               SELECT FROM reached WHERE subject = own)
    THEN
        RAISE serialization_failure USING MESSAGE = format('subject %s uses %s, which has come to use it', own, other);
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER subjects_circle AFTER INSERT ON version_references
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_circle();
