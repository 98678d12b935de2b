"""API keys and revoked tokens in a PostgreSQL store; see protocols/credentials.py for the meaning of each method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from ...errors import ConcurrentUpdate
from ...model.api_key import ApiKey, RevokedToken
from ...model.timestamps import micros
from ..credential_rows import key_of, key_row, revoked_of, revoked_row
from ..unreadable import Unreadable, readable, tolerant, whole_page
from . import queries
from .session import Session

_key_or_not = tolerant(key_of)
_revoked_or_not = tolerant(revoked_of)


class PostgresCredentialsRead:
    _session: Session

    async def api_key(self, key_id: str) -> ApiKey | None:
        return await self._key(queries.API_KEY, key_id)

    async def api_key_named(self, name: str) -> ApiKey | None:
        return await self._key(queries.API_KEY_NAMED, name)

    async def api_keys_with(self, prefix: str) -> Sequence[ApiKey]:
        return readable(await self._session.rows(queries.API_KEYS_WITH, [prefix], _key_or_not))

    async def api_keys(self, after: str, limit: int) -> Sequence[ApiKey]:
        async def fetch(count: int) -> Sequence[ApiKey | Unreadable]:
            return await self._session.rows(queries.API_KEYS, [after, count], _key_or_not)

        return await whole_page(fetch, limit)

    async def count_api_keys(self) -> int:
        return int(await self._session.value(queries.COUNT_API_KEYS))

    async def revoked_token(self, token_id: str) -> RevokedToken | None:
        row = await self._session.row(queries.REVOKED_TOKEN, token_id)
        return None if row is None else revoked_of(row)

    async def revoked_tokens(self, after: str, limit: int) -> Sequence[RevokedToken]:
        async def fetch(count: int) -> Sequence[RevokedToken | Unreadable]:
            return await self._session.rows(queries.REVOKED_TOKENS, [after, count], _revoked_or_not)

        return await whole_page(fetch, limit)

    async def count_revoked_tokens(self) -> int:
        return int(await self._session.value(queries.COUNT_REVOKED_TOKENS))

    async def _key(self, sql: str, name: str) -> ApiKey | None:
        row = await self._session.row(sql, name)
        return None if row is None else key_of(row)


class PostgresCredentialsWrite(PostgresCredentialsRead):
    async def api_key(self, key_id: str) -> ApiKey | None:
        return await self._key(queries.LOCK_API_KEY, key_id)

    async def insert_api_key(self, key: ApiKey) -> None:
        if await self._session.value(queries.INSERT_API_KEY, *key_row(key)) is None:
            raise ConcurrentUpdate(f"the name of API key {key.name!r} is taken; retry")

    async def update_api_key(self, key: ApiKey) -> None:
        _, _, prefix, previous, facts, _ = key_row(key)
        await self._session.run(queries.UPDATE_API_KEY, prefix, previous, facts, key.key_id)

    async def remove_api_key(self, key_id: str) -> None:
        await self._session.run(queries.REMOVE_API_KEY, key_id)

    async def note_api_keys_used(self, used: Mapping[str, datetime]) -> None:
        ids = sorted(used)  # so that two servers that note the same keys cannot deadlock
        await self._session.run(queries.NOTE_API_KEYS_USED, ids, [micros(used[i]) for i in ids])

    async def put_revoked_token(self, token: RevokedToken) -> None:
        await self._session.run(queries.PUT_REVOKED_TOKEN, *revoked_row(token))

    async def forget_revoked_tokens(self, before: datetime) -> None:
        await self._session.run(queries.FORGET_REVOKED_TOKENS, micros(before))
