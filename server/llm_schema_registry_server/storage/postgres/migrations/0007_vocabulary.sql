-- Words of versions, for corrections of queries with a typo: see spelling.py. Words stay when versions are removed.
-- Servers that know step 3 go on working.

CREATE TABLE vocabulary (word text COLLATE "C" PRIMARY KEY);

INSERT INTO vocabulary SELECT word FROM ts_stat('SELECT words FROM search') WHERE word ~ '^[a-z]{3,40}$';
CREATE INDEX vocabulary_trigrams ON vocabulary USING gin (word gin_trgm_ops);

-- As before, and with the words, which a server of the version before does not write.
CREATE OR REPLACE FUNCTION write_title() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE search SET title = title_of(v.subject, v.about->'tags') FROM versions v
    WHERE v.id = NEW.version AND search.version = NEW.version;
    INSERT INTO vocabulary SELECT word FROM unnest(tsvector_to_array(NEW.words)) AS word
    WHERE word ~ '^[a-z]{3,40}$' ORDER BY word ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
