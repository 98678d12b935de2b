-- The words of subject and tags, for ranking: see ranking.title, which makes them when a server of this version
-- writes. `titled` counts how often one has.
-- Servers that know step 3 go on working.

ALTER TABLE search ADD COLUMN title text COLLATE "C" NOT NULL DEFAULT '', ADD COLUMN titled integer NOT NULL DEFAULT 0;

-- The words of a text in order, and those with their camelCase parts. As ranking.title has them for ASCII; other letters
-- are left out, so that a version whose title is made here ranks lower for such words; it is found all the same.
CREATE FUNCTION words_in(value text) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT array_agg(lower(m[1] COLLATE "C") ORDER BY place)
    FROM regexp_matches(value COLLATE "C", '[[:alnum:]]+', 'g') WITH ORDINALITY AS found (m, place)
$$;
CREATE FUNCTION words_and_parts(value text) RETURNS SETOF text LANGUAGE sql IMMUTABLE AS $$
    SELECT unnest(words_in(value))
    UNION SELECT lower(p[1] COLLATE "C")
    FROM regexp_matches(value COLLATE "C", '[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+', 'g') AS p
$$;
CREATE FUNCTION title_of(subject text, tags json) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    name text := regexp_replace(subject, '^:[.][^:]*:', '');
    segment text := coalesce((SELECT s FROM regexp_split_to_table(name, '[./:]') WITH ORDINALITY AS t (s, place)
                              WHERE words_in(s) IS NOT NULL ORDER BY place DESC LIMIT 1), '');
BEGIN
    RETURN (
        SELECT ' ' || coalesce(string_agg(token || ' ', '' ORDER BY token), '') FROM (
            SELECT DISTINCT '=' || array_to_string(words_in(value), ',') AS token
            FROM unnest(ARRAY[segment, name, subject]) AS value WHERE words_in(value) IS NOT NULL
            UNION ALL
            SELECT max(place)::text || word FROM (
                SELECT 5 AS place, words_and_parts(segment) AS word
                UNION ALL SELECT 4, words_and_parts(subject)
                UNION ALL SELECT 3, words_and_parts(tag) FROM json_array_elements_text(tags) AS tag
            ) AS places GROUP BY word
        ) AS tokens
    );
END $$;

-- A server of the version before, which may still run in a rolling deploy, writes no titles.
CREATE FUNCTION write_title() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE search SET title = title_of(v.subject, v.about->'tags') FROM versions v
    WHERE v.id = NEW.version AND search.version = NEW.version;
    RETURN NULL;
END $$;
CREATE TRIGGER search_added AFTER INSERT ON search FOR EACH ROW
    WHEN (NEW.titled = 0) EXECUTE FUNCTION write_title();
CREATE TRIGGER search_changed AFTER UPDATE OF labels ON search FOR EACH ROW
    WHEN (NEW.titled = OLD.titled) EXECUTE FUNCTION write_title();
