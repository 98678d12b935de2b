-- What each context holds, for quotas: subjects with a version, versions (softly deleted ones too), bytes of their contents as
-- registered.

CREATE TABLE context_usage (
    context  TEXT PRIMARY KEY,
    subjects INTEGER NOT NULL,
    versions INTEGER NOT NULL,
    bytes    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A subject of another context than the default one is written `:.context:name`.
INSERT INTO context_usage
SELECT CASE WHEN subject >= ':.' AND subject < ':/' THEN substr(subject, 2, instr(substr(subject, 2), ':') - 1) ELSE '.' END AS context,
    count(DISTINCT subject), count(*), sum(size)
FROM versions GROUP BY context;

CREATE TRIGGER context_usage_grows AFTER INSERT ON versions BEGIN
    INSERT INTO context_usage VALUES (
        CASE WHEN NEW.subject >= ':.' AND NEW.subject < ':/'
            THEN substr(NEW.subject, 2, instr(substr(NEW.subject, 2), ':') - 1) ELSE '.' END,
        NOT EXISTS (SELECT 1 FROM versions WHERE subject = NEW.subject AND id <> NEW.id), 1, NEW.size)
    ON CONFLICT (context) DO UPDATE SET
        subjects = subjects + excluded.subjects, versions = versions + 1, bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER context_usage_shrinks AFTER DELETE ON versions BEGIN
    UPDATE context_usage SET
        subjects = subjects - (NOT EXISTS (SELECT 1 FROM versions WHERE subject = OLD.subject)),
        versions = versions - 1, bytes = bytes - OLD.size
    WHERE context = CASE WHEN OLD.subject >= ':.' AND OLD.subject < ':/'
        THEN substr(OLD.subject, 2, instr(substr(OLD.subject, 2), ':') - 1) ELSE '.' END;
END;
