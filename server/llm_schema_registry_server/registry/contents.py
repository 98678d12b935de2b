"""The contents of versions: from memory, from the tier that instances share, or from the store.

A content never changes, so no transaction is needed to read one, and none is held meanwhile: what lies in an object
store may take seconds, and a connection of the database that waited for it would be missing to everybody else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from ..caches.budget import Budget
from ..caches.cache import CacheStats, LowerTier
from ..caches.memory import MemoryCache
from ..caches.tiered import TieredCache
from ..errors import SchemaNotFound, StorageDamaged
from ..model.schema import SchemaVersion, StoredContent
from ..storage.store import Store
from ..storage.unreadable import note
from ..storage.values import VersionWithContent
from .shared_results import lower

_OBJECTS = 320
"""Bytes of the objects of one content beside its texts; measured."""


class _Key(NamedTuple):
    """`digest` is that of the bytes: a content with another digest is not used."""

    identity: str
    digest: str

    def __str__(self) -> str:
        return f"{self.identity} {self.digest}"


class _Missing(Exception):
    """The store has no content of that identity."""


class Contents:
    """Reads contents; callers that ask for the same one at the same time share one read.

    cache_bytes: size of the cache. shared: a tier common to all instances, asked before the store.
    """

    def __init__(self, store: Store, *, cache_bytes: int | Budget, shared: LowerTier | None = None) -> None:
        self._store = store
        self._read = {"hit": 0, "miss": 0}
        self._cache = TieredCache(
            MemoryCache[_Key, StoredContent](cache_bytes, size_of),
            lower(shared, "content", StoredContent, accept=_belongs),
            name="contents",
        )

    def stats(self) -> CacheStats:
        """Of the memory."""
        return self._cache.stats()

    def read(self) -> Mapping[str, int]:
        """How many contents the store was asked for since the start: found ("hit") and missing ("miss")."""
        return dict(self._read)

    async def of(self, version: SchemaVersion) -> StoredContent:
        """Raises SchemaNotFound when the version was removed since it was read, StorageDamaged when it is there and its
        content is not."""
        try:
            return await self._cache.get(_key(version), lambda: self._load(version.identity))
        except _Missing:
            raise await self._explained(version) from None

    async def loading(
        self, ask: Callable[[], Awaitable[VersionWithContent | None]]
    ) -> VersionWithContent | None:
        """What the store answers to `ask`, with its content if that is cached or came along; then it is cached too."""
        epoch = self._cache.epoch
        found = await ask()
        if found is None:
            return None
        key = _key(found.version)
        known = self._cache.peek(key)
        if known is None and found.content is not None and found.content.digest == key.digest:
            self._read["hit"] += 1
            self._cache.put(key, found.content, epoch)
            known = found.content
        return VersionWithContent(found.version, known)

    async def of_all(self, versions: Sequence[SchemaVersion]) -> Mapping[str, StoredContent]:
        """By identity, for pages of any length: what is not cached is read together and not cached. Versions that
        were removed since they were read are missing from the answer, and so are those whose content is damaged or missing,
        which are noted (storage/unreadable.py)."""
        found: dict[str, StoredContent] = {}
        for version in versions:
            known = self._cache.peek(_key(version))
            if known is not None:
                found[version.identity] = known
        found |= await self._ask_tolerantly({v.identity for v in versions} - found.keys())
        for version in versions:
            if version.identity not in found:
                why = await self._explained(version)
                if isinstance(why, StorageDamaged):
                    note(why)
        return found

    async def _ask_tolerantly(self, identities: Collection[str]) -> Mapping[str, StoredContent]:
        """As `_ask`, without those that are damaged."""
        try:
            return await self._ask(identities)
        except StorageDamaged:
            found: dict[str, StoredContent] = {}
            for identity in identities:  # one by one: one that is damaged is no reason to miss the others
                try:
                    found |= await self._ask([identity])
                except StorageDamaged as error:
                    note(error)
            return found

    async def warm(self, versions: Sequence[SchemaVersion]) -> Mapping[str, StoredContent]:
        """As `of_all`, and cached as long as there is room for more: nothing that is in use is evicted."""
        epoch = self._cache.epoch
        found = await self.of_all(versions)
        for version in versions:
            content = found.get(version.identity)
            if content is not None:
                self._cache.put_if_room(_key(version), content, epoch)
        return found

    def put(self, version: SchemaVersion, content: StoredContent) -> None:
        """Cache what was just committed: the next reader finds it."""
        self._cache.put(_key(version), content)

    async def forget(self, version: SchemaVersion) -> None:
        """A version was removed permanently: its bytes leave the caches too."""
        await self._cache.discard(_key(version))

    async def _load(self, identity: str) -> StoredContent:
        found = await self._ask([identity])
        if identity not in found:
            raise _Missing
        return found[identity]

    async def _ask(self, identities: Collection[str]) -> Mapping[str, StoredContent]:
        found = await self._store.contents(identities) if identities else {}
        self._read["hit"] += len(found)
        self._read["miss"] += len(identities) - len(found)
        return found

    async def _explained(self, version: SchemaVersion) -> SchemaNotFound | StorageDamaged:
        async with self._store.read() as tx:
            there = await tx.version(version.schema_id) is not None
        if not there:
            return SchemaNotFound(version.schema_id)
        return StorageDamaged(
            f"the content of schema {version.schema_id!r} is missing; restore it from a backup",
            schema_id=version.schema_id,
            table="contents",
            key=version.identity,
        )


def size_of(content: StoredContent) -> int:
    return _OBJECTS + len(content.content) + len(content.canonical) + len(content.artifact)


def _key(version: SchemaVersion) -> _Key:
    return _Key(version.identity, version.fingerprints.content)


def _belongs(key: _Key, found: StoredContent) -> bool:
    return found.digest == key.digest == hashlib.sha256(found.content).hexdigest()
