-- The words of subject and tags, for ranking: see ranking.title.

CREATE TABLE titles (
    version INTEGER PRIMARY KEY REFERENCES versions (id) ON DELETE CASCADE,
    title   TEXT NOT NULL
) STRICT;

INSERT INTO titles SELECT id, title_of(subject, about) FROM versions;
