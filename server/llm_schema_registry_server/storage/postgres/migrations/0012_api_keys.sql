-- API keys, of whose secrets only the SHA-256 is kept, and tokens that do not count any more; see storage/protocols/credentials.py.
-- Times are microseconds since 1970 UTC.
-- Servers that know step 3 go on working.

CREATE TABLE api_keys (
    key_id          text COLLATE "C" PRIMARY KEY,
    name            text COLLATE "C" NOT NULL UNIQUE,
    prefix          text COLLATE "C" NOT NULL,
    previous_prefix text COLLATE "C",
    facts           text NOT NULL,
    last_used_at    bigint
);
CREATE INDEX api_keys_prefix ON api_keys (prefix);
CREATE INDEX api_keys_previous_prefix ON api_keys (previous_prefix) WHERE previous_prefix IS NOT NULL;

CREATE TABLE revoked_tokens (
    token_id   text COLLATE "C" PRIMARY KEY,
    expires_at bigint NOT NULL,
    facts      text NOT NULL
);
CREATE INDEX revoked_tokens_expires_at ON revoked_tokens (expires_at);
