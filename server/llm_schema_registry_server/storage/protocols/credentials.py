"""API keys and revoked tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from ...model.api_key import ApiKey, RevokedToken


class CredentialsRead(Protocol):
    """Reads of them. Lists are sorted and go on behind `after`; rows that cannot be decoded are left out of lists."""

    async def api_key(self, key_id: str) -> ApiKey | None:
        """The key with this id. In a write transaction nobody else changes it until the end."""
        ...

    async def api_key_named(self, name: str) -> ApiKey | None: ...

    async def api_keys_with(self, prefix: str) -> Sequence[ApiKey]:
        """The keys of which a secret, the present or the previous one, begins with this prefix: hardly ever more than one."""
        ...

    async def api_keys(self, after: str, limit: int) -> Sequence[ApiKey]:
        """Keys by name."""
        ...

    async def count_api_keys(self) -> int: ...

    async def revoked_token(self, token_id: str) -> RevokedToken | None: ...

    async def revoked_tokens(self, after: str, limit: int) -> Sequence[RevokedToken]:
        """Revocations by token id. One of which only the id and the end can be read is among them, since it counts."""
        ...

    async def count_revoked_tokens(self) -> int: ...


class CredentialsWrite(CredentialsRead, Protocol):
    """Writes of them."""

    async def insert_api_key(self, key: ApiKey) -> None:
        """Raises ConcurrentUpdate when the id or the name is taken."""
        ...

    async def update_api_key(self, key: ApiKey) -> None:
        """Replace all of a key but its id, its name, and when it was used last. Does nothing when it is gone."""
        ...

    async def remove_api_key(self, key_id: str) -> None:
        """Does nothing for an unknown id."""
        ...

    async def note_api_keys_used(self, used: Mapping[str, datetime]) -> None:
        """When keys were used, by id; an earlier time than the one that is known changes nothing, nor do ids of keys that are gone."""
        ...

    async def put_revoked_token(self, token: RevokedToken) -> None:
        """Add a revocation; one of the same token is replaced."""
        ...

    async def forget_revoked_tokens(self, before: datetime) -> None:
        """Remove those of tokens that ended before this time."""
        ...
