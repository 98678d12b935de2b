"""A store that has large bytes in an object store, and references to them in the rows of another store."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Collection, Mapping
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
from ..values import NewVersion, Precondition, VersionWithContent
from .forwarding import Mapped, forwarding
from .placeholders import is_placeholder, placeholder, ref_of

PARALLEL = 8
"""Blobs that one caller fetches at the same time."""
RECENT_SECONDS = 600.0
"""How long a blob counts as just put; collecting garbage must spare blobs at least that young."""
_MOST_RECENT = 10_000

Part = Literal["content", "canonical", "artifact"]


class BlobMemory:
    """Blobs by reference: put before they are named, fetched once for all who ask, cached in memory."""

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
        """What the inner store shall hold: `content` with placeholders for the parts that were moved, durably, by this call."""
        stored = content
        for part, data in _parts(content):
            if not self._moves(data):
                continue
            ref = BlobRef(namespace, await digest_of(data), len(data))
            if part == "content" and ref.digest != content.digest:
                continue  # whatever this is, the inner store will refuse to give it out
            await self._put(ref, data)
            stored = _with(stored, part, placeholder(ref))
            if part == "content":
                stored = replace(stored, digest=await digest_of(stored.content))
        return stored

    async def fetch_back(self, stored: StoredContent) -> StoredContent:
        """What `offload` was given. Raises StorageDamaged when a blob is missing or damaged."""
        content = stored
        for part, data in _parts(stored):
            ref = ref_of(data)
            if ref is not None:
                content = _with(content, part, await self._get(ref))
                if part == "content":
                    content = replace(content, digest=ref.digest)
        return content

    def stats(self) -> CacheStats:
        """Of the memory: its misses are requests to the object store, or waited for one."""
        return self._memory.stats()

    def _moves(self, data: bytes) -> bool:
        return is_placeholder(data) or (self._threshold is not None and len(data) > self._threshold)

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


class BlobbedReadTx(ReadTx):
    """See store.ReadTx for the meaning of each method."""

    def __init__(self, inner: ReadTx, memory: BlobMemory) -> None:
        self._inner, self._memory = inner, memory

    async def contents(self, identities: Collection[str]) -> Mapping[str, StoredContent]:
        return await _with_blobs(self._memory, await self._inner.contents(identities))


class BlobbedWriteTx(WriteTx):
    """See store.WriteTx for the meaning of each method."""

    def __init__(self, inner: WriteTx, memory: BlobMemory, namespace: str) -> None:
        self._inner, self._memory, self._namespace = inner, memory, namespace

    async def contents(self, identities: Collection[str]) -> Mapping[str, StoredContent]:
        return await _with_blobs(self._memory, await self._inner.contents(identities))

    async def put_content(self, identity: str, content: StoredContent) -> None:
        await self._inner.put_content(identity, await self._memory.offload(self._namespace, content))

    async def replace_content(self, identity: str, content: StoredContent) -> None:
        await self._inner.replace_content(identity, await self._memory.offload(self._namespace, content))


blobbed_read_tx = forwarding(BlobbedReadTx)
blobbed_write_tx = forwarding(BlobbedWriteTx)


class BlobbedStore(Store):
    """See store.Store for the meaning of each method. `blobbed_store` makes one.

    threshold: parts of a content (as sent, canonical, compiled) with more bytes go to `blobs`; None: nothing goes, but
    what went earlier is still found. A blob is durable before the row that names it is committed: a crash between the
    two leaves a blob that nobody names, and garbage.py collects it.
    """

    def __init__(self, inner: Store, blobs: Blobs, *, threshold: int | None, memory_bytes: int) -> None:
        self._inner, self._blobs = inner, blobs
        self._memory = BlobMemory(blobs, threshold=threshold, memory_bytes=memory_bytes)

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
        await self._memory.offload(self.registry_id, content)

    def stats(self) -> CacheStats:
        """How often blobs were found in memory."""
        return self._memory.stats()

    def fetched(self) -> Mapping[str, int]:
        """How reads of the object store ended: see BlobMemory.fetched."""
        return dict(self._memory.fetched)

    def read(self) -> AbstractAsyncContextManager[ReadTx]:
        return Mapped(self._inner.read(), lambda tx: blobbed_read_tx(tx, self._memory))

    def read_elsewhere(self) -> AbstractAsyncContextManager[ReadTx]:
        return Mapped(self._inner.read_elsewhere(), lambda tx: blobbed_read_tx(tx, self._memory))

    def write(self) -> AbstractAsyncContextManager[WriteTx]:
        return Mapped(self._inner.write(), lambda tx: blobbed_write_tx(tx, self._memory, self.registry_id))

    async def version(self, schema_id: str) -> VersionWithContent | None:
        return _if_here(await self._inner.version(schema_id))

    async def selected(self, subject: Subject, selector: Single) -> VersionWithContent | None:
        return _if_here(await self._inner.selected(subject, selector))

    async def contents(self, identities: Collection[str]) -> Mapping[str, StoredContent]:
        return await _with_blobs(self._memory, await self._inner.contents(identities))

    async def append(self, precondition: Precondition, entry: NewVersion) -> SchemaVersion | None:
        content = await self._memory.offload(self.registry_id, entry.content)
        moved = entry if content is entry.content else replace(entry, content=content)
        return await self._inner.append(precondition, moved)


blobbed_store = forwarding(BlobbedStore)


def _has_moved(content: StoredContent) -> bool:
    """Whether a part of it is in the object store."""
    return any(is_placeholder(data) for _, data in _parts(content))


def _if_here(found: VersionWithContent | None) -> VersionWithContent | None:
    """Without a content that is in the object store: a nearer tier may have it."""
    if found is None or found.content is None or not _has_moved(found.content):
        return found
    return VersionWithContent(found.version)


async def _with_blobs(memory: BlobMemory, stored: Mapping[str, StoredContent]) -> Mapping[str, StoredContent]:
    """The contents with the bytes that their placeholders stand for."""
    moved = {i: c for i, c in stored.items() if _has_moved(c)}
    if not moved:
        return stored
    fetches = {i: asyncio.ensure_future(memory.fetch_back(c)) for i, c in moved.items()}
    try:
        return {**stored, **{identity: await fetch for identity, fetch in fetches.items()}}
    finally:
        for fetch in fetches.values():
            fetch.cancel()
        await asyncio.gather(*fetches.values(), return_exceptions=True)
