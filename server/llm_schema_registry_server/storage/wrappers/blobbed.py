"""A store that keeps large bytes in an object store, and in the rows of another store only where they are."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Literal

from ...caches.cache import CacheStats
from ...caches.memory import MemoryCache
from ...caches.single_flight import SingleFlight
from ...errors import StorageDamaged, StorageUnavailable
from ...model.schema import SchemaVersion, StoredContent
from ...model.selector import Single
from ...model.subject import Subject
from ..blobs.blobs import BlobRef, Blobs, digest_of
from ..store import ReadTx, Store, WriteTx
from ..values import LogPage, NewVersion, Precondition, StampedVersions, SubjectSnapshot, VersionWithContent
from .forwarding import ForwardingReadTx, ForwardingWriteTx, Mapped
from .markers import is_marker, marked, marker

PARALLEL = 8
"""Blobs that one caller fetches at the same time."""
RECENT_SECONDS = 600.0
"""How long a blob counts as just put; collecting garbage must spare blobs at least that young."""
_MOST_RECENT = 10_000

Part = Literal["content", "canonical", "artifact"]


class BlobMemory:
    """Blobs by reference: put before they are needed, fetched once for all who ask, kept in memory."""

    def __init__(self, blobs: Blobs, *, threshold: int | None, memory_bytes: int) -> None:
        self._blobs = blobs
        self._threshold = threshold
        self._memory: MemoryCache[BlobRef, bytes] = MemoryCache(memory_bytes, len)
        self._flights: SingleFlight[BlobRef, bytes] = SingleFlight()
        self._put_at: OrderedDict[BlobRef, tuple[float, float]] = OrderedDict()
        self._turns = asyncio.Semaphore(PARALLEL)
        self.fetched = {"hit": 0, "damaged": 0, "error": 0}
        """Reads of the object store since the start by outcome; `damaged` ones were missing or wrong, `error` is that it
        did not answer."""

    async def offload(self, namespace: str, content: StoredContent) -> StoredContent:
        """What the inner store keeps: `content` with markers for the parts that were moved, durably, by this call."""
        kept = content
        for part, data in _parts(content):
            if not self._moves(data):
                continue
            ref = BlobRef(namespace, await digest_of(data), len(data))
            if part == "content" and ref.digest != content.digest:
                continue  # whatever this is, the inner store will refuse to give it out
            await self._put(ref, data)
            kept = _with(kept, part, marker(ref))
            if part == "content":
                kept = replace(kept, digest=await digest_of(kept.content))
        return kept

    async def take_back(self, kept: StoredContent) -> StoredContent:
        """What `put_away` was given. Raises StorageDamaged when a blob is missing or damaged."""
        content = kept
        for part, data in _parts(kept):
            ref = marked(data)
            if ref is not None:
                content = _with(content, part, await self._get(ref))
                if part == "content":
                    content = replace(content, digest=ref.digest)
        return content

    def stats(self) -> CacheStats:
        """Of the memory: its misses are requests to the object store, or waited for one."""
        return self._memory.stats()

    def _moves(self, data: bytes) -> bool:
        return is_marker(data) or (self._threshold is not None and len(data) > self._threshold)

    async def _put(self, ref: BlobRef, data: bytes) -> None:
        began = _clocks()
        if ref in self._put_at and all(
            0 <= now - then < RECENT_SECONDS for now, then in zip(began, self._put_at[ref], strict=True)
        ):
            return
        await self._blobs.put(ref, data)
        self._put_at[ref] = began
        self._put_at.move_to_end(ref)
        while len(self._put_at) > _MOST_RECENT:
            self._put_at.popitem(last=False)
        self._memory.put(ref, data)

    async def _get(self, ref: BlobRef) -> bytes:
        known = self._memory.get(ref)
        return known if known is not None else await self._flights.run(ref, lambda: self._fetch(ref))

    async def _fetch(self, ref: BlobRef) -> bytes:
        async with self._turns:
            try:
                data = await self._blobs.get(ref)
            except StorageDamaged:
                self.fetched["damaged"] += 1
                raise
            except StorageUnavailable:
                self.fetched["error"] += 1
                raise
        self.fetched["hit"] += 1
        self._memory.put(ref, data)
        return data


def _clocks() -> tuple[float, float]:
    """Seconds by two clocks: one does not count the sleep of the machine, the other may be set."""
    return time.monotonic(), time.time()


def _parts(content: StoredContent) -> tuple[tuple[Part, bytes], ...]:
    return ("content", content.content), ("canonical", content.canonical), ("artifact", content.artifact)


def _with(content: StoredContent, part: Part, data: bytes) -> StoredContent:
    return replace(content, **{part: data})  # type: ignore[arg-type]  # mypy takes the key for any field


class BlobbedReadTx(ForwardingReadTx):
    def __init__(self, inner: ReadTx, shelf: BlobMemory) -> None:
        super().__init__(inner)
        self._shelf = shelf

    async def contents(self, identities: Collection[str]) -> Mapping[str, StoredContent]:
        return await _taken_back(self._shelf, await self._inner.contents(identities))


class BlobbedWriteTx(ForwardingWriteTx):
    def __init__(self, inner: WriteTx, shelf: BlobMemory, namespace: str) -> None:
        super().__init__(inner)
        self._shelf, self._namespace = shelf, namespace

    async def contents(self, identities: Collection[str]) -> Mapping[str, StoredContent]:
        return await _taken_back(self._shelf, await self._inner.contents(identities))

    async def put_content(self, identity: str, content: StoredContent) -> None:
        await self._writing.put_content(identity, await self._shelf.offload(self._namespace, content))


class BlobbedStore:
    """See store.Store for the meaning of each method.

    threshold: parts of a content (as sent, canonical, compiled) with more bytes go to `blobs`; None: nothing goes, but
    what went earlier is still found. A blob is durable before the row that names it is committed: a crash between the
    two leaves a blob that nobody names, and garbage.py collects it.
    """

    def __init__(self, inner: Store, blobs: Blobs, *, threshold: int | None, memory_bytes: int) -> None:
        self._inner, self._blobs = inner, blobs
        self._shelf = BlobMemory(blobs, threshold=threshold, memory_bytes=memory_bytes)

    @property
    def registry_id(self) -> str:
        return self._inner.registry_id

    async def open(self) -> None:
        await self._blobs.open()
        try:
            await self._inner.open()
        except BaseException:
            await self._blobs.close()
            raise

    async def close(self) -> None:
        try:
            await self._inner.close()
        finally:
            await self._blobs.close()

    async def stage(self, content: StoredContent) -> None:
        """Move the large parts of a content that is about to be put, so that no transaction has to wait for it."""
        await self._shelf.offload(self.registry_id, content)

    def stats(self) -> CacheStats:
        """How often blobs were found in memory."""
        return self._shelf.stats()

    def fetched(self) -> Mapping[str, int]:
        """How reads of the object store ended: see Shelf.fetched."""
        return dict(self._shelf.fetched)

    def read(self) -> AbstractAsyncContextManager[ReadTx]:
        return Mapped(self._inner.read(), lambda tx: BlobbedReadTx(tx, self._shelf))

    def read_elsewhere(self) -> AbstractAsyncContextManager[ReadTx]:
        return Mapped(self._inner.read_elsewhere(), lambda tx: BlobbedReadTx(tx, self._shelf))

    def write(self) -> AbstractAsyncContextManager[WriteTx]:
        return Mapped(self._inner.write(), lambda tx: BlobbedWriteTx(tx, self._shelf, self.registry_id))

    async def version(self, schema_id: str) -> VersionWithContent | None:
        return _whole(await self._inner.version(schema_id))

    async def selected(self, subject: Subject, selector: Single) -> VersionWithContent | None:
        return _whole(await self._inner.selected(subject, selector))

    async def contents(self, identities: Collection[str]) -> Mapping[str, StoredContent]:
        return await _taken_back(self._shelf, await self._inner.contents(identities))

    async def log_page(self, after: int, limit: int) -> LogPage:
        return await self._inner.log_page(after, limit)

    async def versions_since(self, subject: Subject, revision: int) -> StampedVersions:
        return await self._inner.versions_since(subject, revision)

    async def subject_snapshot(
        self, subject: Subject, scopes: Sequence[str], identity: str
    ) -> SubjectSnapshot:
        return await self._inner.subject_snapshot(subject, scopes, identity)

    async def append(self, precondition: Precondition, entry: NewVersion) -> SchemaVersion | None:
        content = await self._shelf.offload(self.registry_id, entry.content)
        kept = entry if content is entry.content else replace(entry, content=content)
        return await self._inner.append(precondition, kept)

    async def wait_for_change(self, after: int, timeout: float) -> None:
        await self._inner.wait_for_change(after, timeout)

    async def ping(self) -> Mapping[str, str]:
        return await self._inner.ping()


def _has_moved(content: StoredContent) -> bool:
    """Whether a part of it is in the object store."""
    return any(is_marker(data) for _, data in _parts(content))


def _whole(kept: VersionWithContent | None) -> VersionWithContent | None:
    """What is in the object store does not come along: a nearer tier may have it."""
    if kept is None or kept.content is None or not _has_moved(kept.content):
        return kept
    return VersionWithContent(kept.version)


async def _taken_back(shelf: BlobMemory, kept: Mapping[str, StoredContent]) -> Mapping[str, StoredContent]:
    moved = {i: c for i, c in kept.items() if _has_moved(c)}
    if not moved:
        return kept
    fetches = {i: asyncio.ensure_future(shelf.take_back(c)) for i, c in moved.items()}
    try:
        return {**kept, **{identity: await fetch for identity, fetch in fetches.items()}}
    finally:
        for fetch in fetches.values():
            fetch.cancel()
        await asyncio.gather(*fetches.values(), return_exceptions=True)
