-- How many versions each subject has, and how many subjects there are, without counting rows.

-- Ordinals up to `last_ordinal` that no version has (any more): the subject has last_ordinal - removed versions.
ALTER TABLE subjects ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;
UPDATE subjects SET removed = last_ordinal - (SELECT count(*) FROM versions v WHERE v.subject = subjects.subject);

-- Subjects with a live version, subjects with any version, and a number that grows whenever a subject joins or leaves them.
CREATE TABLE subject_totals (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    live     INTEGER NOT NULL,
    subjects INTEGER NOT NULL,
    changes  INTEGER NOT NULL
) STRICT;
INSERT INTO subject_totals SELECT 1,
    (SELECT count(DISTINCT subject) FROM versions WHERE deleted_at IS NULL), (SELECT count(DISTINCT subject) FROM versions), 0;

CREATE TRIGGER subject_totals_grow AFTER INSERT ON versions
WHEN NOT EXISTS (SELECT 1 FROM versions WHERE subject = NEW.subject AND deleted_at IS NULL AND id <> NEW.id) BEGIN
    UPDATE subject_totals SET changes = changes + 1, live = live + (NEW.deleted_at IS NULL),
        subjects = subjects + (NOT EXISTS (SELECT 1 FROM versions WHERE subject = NEW.subject AND id <> NEW.id));
END;

CREATE TRIGGER subject_totals_turn AFTER UPDATE OF deleted_at ON versions
WHEN (OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL)
    AND NOT EXISTS (SELECT 1 FROM versions WHERE subject = NEW.subject AND deleted_at IS NULL AND id <> NEW.id) BEGIN
    UPDATE subject_totals SET changes = changes + 1, live = live + (NEW.deleted_at IS NULL) - (OLD.deleted_at IS NULL);
END;

CREATE TRIGGER subject_totals_shrink AFTER DELETE ON versions BEGIN
    UPDATE subjects SET removed = removed + 1 WHERE subject = OLD.subject;
    UPDATE subject_totals SET changes = changes + 1,
        live = live - (OLD.deleted_at IS NULL
            AND NOT EXISTS (SELECT 1 FROM versions WHERE subject = OLD.subject AND deleted_at IS NULL)),
        subjects = subjects - (NOT EXISTS (SELECT 1 FROM versions WHERE subject = OLD.subject));
END;

-- What a search has found, but for these, is counted by the index of words alone.
CREATE INDEX versions_deleted ON versions (id) WHERE deleted_at IS NOT NULL;
