-- Each context numbers its contents from 1. The default context continues in global_ids; the others keep the numbers that they have.
-- Servers that know step 1 go on working.

CREATE TABLE context_ids (
    context   text COLLATE "C" NOT NULL,
    global_id integer NOT NULL CHECK (global_id > 0),
    identity  text COLLATE "C" NOT NULL,
    PRIMARY KEY (context, global_id),
    UNIQUE (context, identity)
);

-- Not the default one: a subject of another context is written `:.context:name`.
CREATE FUNCTION context_of(subject text) RETURNS text LANGUAGE sql IMMUTABLE AS
    $$ SELECT split_part(subject, ':', 2) $$;

INSERT INTO context_ids
SELECT context_of(subject), global_id, identity
FROM versions WHERE subject >= ':.' AND subject < ':/' ORDER BY id ON CONFLICT DO NOTHING;

CREATE INDEX versions_context_id ON versions (global_id, subject, ordinal);

-- The number of a content in a context, assigned when it has none. In the default context it comes from a sequence. In
-- others it is the first one after the greatest committed one that no running transaction has chosen: each transaction
-- holds a lock on its number until its end, and none waits for such a lock.
CREATE FUNCTION allot_global_id(wanted_context text, wanted text) RETURNS integer LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    number integer;
    low text := ':' || wanted_context || ':';
    high text := ':' || wanted_context || ';';
BEGIN
    LOOP
        IF wanted_context = '.' THEN
            SELECT g.global_id INTO number FROM global_ids g WHERE g.identity = wanted;
            EXIT WHEN FOUND;
            INSERT INTO global_ids (identity) VALUES (wanted)
                ON CONFLICT (identity) DO NOTHING RETURNING global_id INTO number;
            EXIT WHEN FOUND;
            CONTINUE;  -- somebody else was faster: look again
        END IF;
        SELECT c.global_id INTO number FROM context_ids c WHERE c.context = wanted_context AND c.identity = wanted;
        EXIT WHEN FOUND;
        -- A server of the version before, still at work in a rolling deploy, gives numbers of global_ids.
        SELECT v.global_id INTO number FROM versions v
            WHERE v.identity = wanted AND v.subject >= low AND v.subject < high LIMIT 1;
        IF NOT FOUND THEN
            SELECT coalesce(max(c.global_id), 0) + 1 INTO number FROM context_ids c WHERE c.context = wanted_context;
            WHILE NOT pg_try_advisory_xact_lock(hashtextextended(format('%s %s', number, wanted_context), 2))
                OR EXISTS (SELECT FROM versions v WHERE v.global_id = number AND v.subject >= low AND v.subject < high)
            LOOP
                number := number + 1;
            END LOOP;
        END IF;
        INSERT INTO context_ids VALUES (wanted_context, number, wanted) ON CONFLICT DO NOTHING;
        EXIT WHEN FOUND;
    END LOOP;
    RETURN number;
END $$;

-- A number of a context belongs to one content, also beside servers of the version before.
CREATE FUNCTION refuse_second_meaning() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM context_ids c WHERE c.context = context_of(NEW.subject)
               AND (c.global_id = NEW.global_id) <> (c.identity = NEW.identity)
               AND (c.global_id = NEW.global_id OR c.identity = NEW.identity)) THEN
        RAISE unique_violation USING MESSAGE =
            format('global id %s of context %s is given to another content', NEW.global_id, context_of(NEW.subject));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER versions_global_id AFTER INSERT ON versions FOR EACH ROW
    WHEN (NEW.subject >= ':.' AND NEW.subject < ':/') EXECUTE FUNCTION refuse_second_meaning();
