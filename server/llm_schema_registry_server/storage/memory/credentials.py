"""API keys and revoked tokens in a memory store; see protocols/credentials.py for the meaning of each method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from ...errors import ConcurrentUpdate
from ...model.api_key import ApiKey, RevokedToken
from .tables import Tables


class MemoryCredentialsRead:
    _tables: Tables

    async def api_key(self, key_id: str) -> ApiKey | None:
        return self._tables.api_keys.get(key_id)

    async def api_key_named(self, name: str) -> ApiKey | None:
        key_id = self._tables.api_key_names.get(name)
        return None if key_id is None else self._tables.api_keys.get(key_id)

    async def api_keys_with(self, prefix: str) -> Sequence[ApiKey]:
        found = (self._tables.api_keys.get(i) for i in self._tables.api_key_prefixes.get(prefix) or ())
        return [key for key in found if key is not None]

    async def api_keys(self, after: str, limit: int) -> Sequence[ApiKey]:
        found = (key for key in self._tables.api_keys.values() if key.name > after)
        return sorted(found, key=lambda key: key.name)[:limit]

    async def count_api_keys(self) -> int:
        return sum(1 for _ in self._tables.api_keys)

    async def revoked_token(self, token_id: str) -> RevokedToken | None:
        return self._tables.revoked_tokens.get(token_id)

    async def revoked_tokens(self, after: str, limit: int) -> Sequence[RevokedToken]:
        found = (token for token in self._tables.revoked_tokens.values() if token.token_id > after)
        return sorted(found, key=lambda token: token.token_id)[:limit]

    async def count_revoked_tokens(self) -> int:
        return sum(1 for _ in self._tables.revoked_tokens)


class MemoryCredentialsWrite(MemoryCredentialsRead):
    async def insert_api_key(self, key: ApiKey) -> None:
        tables = self._tables
        if key.key_id in tables.api_keys or key.name in tables.api_key_names:
            raise ConcurrentUpdate(f"the name of API key {key.name!r} is taken; retry")
        tables.api_key_names[key.name] = key.key_id
        self._put(key)

    async def update_api_key(self, key: ApiKey) -> None:
        known = self._tables.api_keys.get(key.key_id)
        if known is not None:
            self._unlink(known)
            self._put(replace(key, name=known.name, last_used_at=known.last_used_at))

    async def remove_api_key(self, key_id: str) -> None:
        known = self._tables.api_keys.get(key_id)
        if known is not None:
            self._unlink(known)
            self._tables.api_key_names.remove(known.name)
            self._tables.api_keys.remove(key_id)

    async def note_api_keys_used(self, used: Mapping[str, datetime]) -> None:
        for key_id, at in used.items():
            known = self._tables.api_keys.get(key_id)
            if known is not None and (known.last_used_at is None or known.last_used_at < at):
                self._tables.api_keys[key_id] = replace(known, last_used_at=at)

    async def put_revoked_token(self, token: RevokedToken) -> None:
        self._tables.revoked_tokens[token.token_id] = token

    async def forget_revoked_tokens(self, before: datetime) -> None:
        for token in list(self._tables.revoked_tokens.values()):
            if token.expires_at < before:
                self._tables.revoked_tokens.remove(token.token_id)

    def _put(self, key: ApiKey) -> None:
        self._tables.api_keys[key.key_id] = key
        for prefix in _prefixes(key):
            known = self._tables.api_key_prefixes.get(prefix) or frozenset()
            self._tables.api_key_prefixes[prefix] = known | {key.key_id}

    def _unlink(self, key: ApiKey) -> None:
        for prefix in _prefixes(key):
            left = (self._tables.api_key_prefixes.get(prefix) or frozenset()) - {key.key_id}
            if left:
                self._tables.api_key_prefixes[prefix] = left
            else:
                self._tables.api_key_prefixes.remove(prefix)


def _prefixes(key: ApiKey) -> set[str]:
    return {secret.prefix for secret in (key.secret, key.previous) if secret is not None}
