"""Contents, by identity (type + content + references)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from ...model.schema import StoredContent


class ContentsRead(Protocol):
    """Reads of them."""

    async def contents(self, identities: Collection[str]) -> Mapping[str, StoredContent]:
        """The stored contents of these identities; unknown ones are missing.

        Raises StorageDamaged when the stored bytes do not have their digest.
        """
        ...

    async def content_identities(self, after: str, limit: int) -> Sequence[str]:
        """Up to `limit` identities of stored contents behind this one, sorted."""
        ...


class ContentsWrite(ContentsRead, Protocol):
    """Writes of them."""

    async def put_content(self, identity: str, content: StoredContent) -> None:
        """Store the content of an identity; does nothing when it is stored already."""
        ...

    async def replace_content(self, identity: str, content: StoredContent) -> None:
        """Store the content of an identity in another way (encrypted with another key); does nothing when none is stored."""
        ...
