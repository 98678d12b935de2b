-- What contexts hold that have a quota: subjects with a version, versions (softly deleted ones too), bytes of their contents as
-- registered. A context without a row is not counted, and registrations there wait for nobody.
-- Servers that know step 3 go on working.

CREATE TABLE context_usage (
    context  text COLLATE "C" PRIMARY KEY,
    subjects bigint NOT NULL,
    versions bigint NOT NULL,
    bytes    bigint NOT NULL
);

CREATE FUNCTION any_context_of(subject text) RETURNS text LANGUAGE sql IMMUTABLE AS
    $$ SELECT CASE WHEN subject COLLATE "C" >= ':.' AND subject COLLATE "C" < ':/' THEN split_part(subject, ':', 2) ELSE '.' END $$;

-- Begins to count a context. The caller has its lock (set_config's), so that no registration there is under way.
CREATE FUNCTION count_context(wanted text) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF EXISTS (SELECT FROM context_usage c WHERE c.context = wanted) THEN
        RETURN;
    END IF;
    IF wanted = '.' THEN
        INSERT INTO context_usage
            SELECT wanted, count(DISTINCT v.subject), count(*), coalesce(sum(v.size), 0) FROM versions v
            WHERE v.subject < ':.' OR v.subject >= ':/';
    ELSE
        INSERT INTO context_usage
            SELECT wanted, count(DISTINCT v.subject), count(*), coalesce(sum(v.size), 0) FROM versions v
            WHERE v.subject >= ':' || wanted || ':' AND v.subject < ':' || wanted || ';';
    END IF;
END $$;

-- Rows are locked in their order, so that two transactions never wait for each other.
CREATE FUNCTION count_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM context_usage) THEN
        RETURN NULL;
    END IF;
    PERFORM FROM context_usage c WHERE c.context IN (SELECT any_context_of(a.subject) FROM added a)
        ORDER BY c.context FOR UPDATE;
    UPDATE context_usage c SET
        subjects = c.subjects + n.subjects, versions = c.versions + n.versions, bytes = c.bytes + n.bytes
    FROM (SELECT any_context_of(a.subject) AS context, count(*) AS versions, sum(a.size) AS bytes,
              count(DISTINCT a.subject) FILTER (WHERE NOT EXISTS (
                  SELECT FROM versions v WHERE v.subject = a.subject AND v.id NOT IN (SELECT o.id FROM added o))) AS subjects
          FROM added a GROUP BY 1) n
    WHERE c.context = n.context;
    RETURN NULL;
END $$;
CREATE TRIGGER context_usage_grows AFTER INSERT ON versions
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION count_added();

CREATE FUNCTION count_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM context_usage) THEN
        RETURN NULL;
    END IF;
    PERFORM FROM context_usage c WHERE c.context IN (SELECT any_context_of(r.subject) FROM removed r)
        ORDER BY c.context FOR UPDATE;
    UPDATE context_usage c SET
        subjects = c.subjects - n.subjects, versions = c.versions - n.versions, bytes = c.bytes - n.bytes
    FROM (SELECT any_context_of(r.subject) AS context, count(*) AS versions, sum(r.size) AS bytes,
              count(DISTINCT r.subject) FILTER (WHERE NOT EXISTS (
                  SELECT FROM versions v WHERE v.subject = r.subject)) AS subjects
          FROM removed r GROUP BY 1) n
    WHERE c.context = n.context;
    RETURN NULL;
END $$;
CREATE TRIGGER context_usage_shrinks AFTER DELETE ON versions
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION count_removed();
