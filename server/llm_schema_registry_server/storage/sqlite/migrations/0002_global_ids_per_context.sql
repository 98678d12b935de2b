-- Each context numbers its contents from 1. The default context continues in global_ids; the others keep the numbers that they have.

CREATE TABLE context_ids (
    context   TEXT NOT NULL,
    global_id INTEGER NOT NULL CHECK (global_id BETWEEN 1 AND 2147483647),
    identity  TEXT NOT NULL,
    PRIMARY KEY (context, global_id),
    UNIQUE (context, identity)
) STRICT, WITHOUT ROWID;

INSERT OR IGNORE INTO context_ids
SELECT substr(subject, 2, instr(substr(subject, 2), ':') - 1), global_id, identity
FROM versions WHERE subject >= ':.' AND subject < ':/' ORDER BY id;

CREATE INDEX versions_context_id ON versions (global_id, subject, ordinal);
