-- How often versions are read; see model/usage.py for what a score is.

CREATE TABLE usage (
    schema_id   TEXT PRIMARY KEY REFERENCES versions (schema_id) ON DELETE CASCADE,
    reads       INTEGER NOT NULL,
    validations INTEGER NOT NULL,
    score       REAL NOT NULL,
    used_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_score ON usage (score DESC, schema_id);
