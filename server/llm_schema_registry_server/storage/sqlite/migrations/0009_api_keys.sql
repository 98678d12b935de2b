-- API keys, of whose secrets only the SHA-256 is kept, and tokens that do not count any more; see storage/protocols/credentials.py.
-- Times are microseconds since 1970 UTC.

CREATE TABLE api_keys (
    key_id          TEXT PRIMARY KEY,
    name            TEXT NOT NULL UNIQUE,
    prefix          TEXT NOT NULL,
    previous_prefix TEXT,
    facts           TEXT NOT NULL,
    last_used_at    INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX api_keys_prefix ON api_keys (prefix);
CREATE INDEX api_keys_previous_prefix ON api_keys (previous_prefix) WHERE previous_prefix IS NOT NULL;

CREATE TABLE revoked_tokens (
    token_id   TEXT PRIMARY KEY,
    expires_at INTEGER NOT NULL,
    facts      TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX revoked_tokens_expires_at ON revoked_tokens (expires_at);
