"""Compares the whole audit log of a database with its hashes, these with one another, and their roots with what was signed.

Whoever can write to the database can alter entries, hashes and checkpoints; without the key he cannot sign. So an alteration shows
at the latest in the first checkpoint behind it. Entries that were cut off at the end, together with their checkpoints, show only
against a checkpoint that was kept elsewhere (`kept`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ..model.audit import AuditEntry, decode
from ..model.merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    TILE_WIDTH,
    Tile,
    fold,
    leaf_hash,
    node_hash,
    perfect,
)
from ..storage.audit_rows import LOG_COLUMNS, AuditFilter, Logged, StoredCheckpoint, row_of
from ..storage.store import Store
from .notes import Checkpoint, PublicKey, origin_of

_EVERY_CHECKPOINT = 1000


class Finding(NamedTuple):
    """Something that is not as it was. position: of the first entry concerned; None when it concerns the whole log."""

    position: int | None
    what: str

    def __str__(self) -> str:
        return self.what if self.position is None else f"position {self.position}: {self.what}"


@dataclass(slots=True)
class Verified:
    """What was looked at."""

    entries: int = 0
    size: int = 0
    oldest: int = 0
    checkpoints: int = 0
    findings: list[Finding] = field(default_factory=list)


@dataclass(slots=True)
class _Frontier:
    """A Merkle tree that grows by one leaf, of which only the roots of its perfect subtrees are known."""

    size: int = 0
    hashes: list[bytes] = field(default_factory=list)

    def append(self, leaf: bytes) -> None:
        self.hashes.append(leaf)
        self.size += 1
        for _ in range((self.size & -self.size).bit_length() - 1):
            right, left = self.hashes.pop(), self.hashes.pop()
            self.hashes.append(node_hash(left, right))

    @property
    def root(self) -> bytes:
        return fold(self.hashes)


class AuditVerifier:
    """Verifies the log of a store. key: what must have signed; kept: notes of checkpoints that were kept elsewhere."""

    def __init__(self, store: Store, key: PublicKey, kept: Sequence[str] = ()) -> None:
        self._store, self._key = store, key
        self._origin = origin_of(store.registry_id)
        self._kept_notes = kept
        self._found = Verified()
        self._tree = _Frontier()
        self._broken = False
        self._known = 0  # the size of the last checkpoint that matches

    async def verify(self) -> Verified:
        """Reads everything, tile by tile, in short transactions."""
        async with self._store.read() as tx:
            newest = await tx.newest_audit_checkpoint()
            self._found.oldest = await tx.audit_oldest()
        kept = sorted(self._kept(), key=lambda c: c.size)
        self._found.size = size = max([await self._size(newest), *(c.size for c in kept)])
        signed = self._signed()
        expected = await anext(signed, None)
        while kept and kept[0].size == 0:
            kept.pop(0)
        for number in range((size + TILE_WIDTH - 1) // TILE_WIDTH):
            first, end = number * TILE_WIDTH, min(size, (number + 1) * TILE_WIDTH)
            hashes = await self._leaves(number, first, end)
            await self._entries(first, end, hashes)
            for position, hashed in enumerate(hashes, first):
                self._tree.append(hashed or EMPTY_ROOT)
                while expected is not None and expected.size <= position + 1:
                    self._compare(expected, "checkpoint")
                    expected = await anext(signed, None)
                while kept and kept[0].size <= position + 1:
                    self._compare(kept.pop(0), "the checkpoint that you have kept,")
            if end == first + TILE_WIDTH:
                await self._upper(number)
            await asyncio.sleep(0)
        beyond = await self._beyond(size)
        if beyond is not None:
            self._say(
                beyond,
                "there are entries behind the newest checkpoint that was signed: no server has logged them as they are",
            )
        return self._found

    async def _beyond(self, size: int) -> int | None:
        """The position of the first entry behind the newest checkpoint. Servers go on meanwhile: they sign in the transaction that logs,
        so that a checkpoint which is read after an entry reaches behind it."""
        while True:
            async with self._store.read() as tx:
                beyond = await tx.audit_rows(AuditFilter(first=size), 1)
            if not beyond:
                return None
            async with self._store.read() as tx:
                newest = await tx.newest_audit_checkpoint()
            size = await self._size(newest)
            if size <= beyond[0].position:
                return beyond[0].position

    async def _size(self, newest: StoredCheckpoint | None) -> int:
        """How far the signed checkpoints of the database reach. What nobody has signed may say any size."""
        if newest is None or self._fault(newest) is None:
            return 0 if newest is None else newest.size
        size = 0
        async for page in self._stored():
            size = max([size, *(stored.size for stored in page if self._fault(stored) is None)])
        return size

    def _kept(self) -> list[Checkpoint]:
        opened = []
        for note in self._kept_notes:
            try:
                opened.append(Checkpoint.opened(note, self._key, self._origin))
            except ValueError as error:
                self._say(None, f"the checkpoint that you have kept is not one of this log: {error}")
        return opened

    async def _stored(self) -> AsyncIterator[Sequence[StoredCheckpoint]]:
        """The checkpoints of the database, by the sizes that their rows say."""
        after = -1
        while True:
            async with self._store.read() as tx:
                page = await tx.audit_checkpoints(after, _EVERY_CHECKPOINT)
            if not page:
                return
            yield page
            after = page[-1].size

    async def _signed(self) -> AsyncIterator[Checkpoint]:
        """Those that the key has signed, by size. Says what is wrong with the others."""
        async for page in self._stored():
            for stored in page:
                fault = self._fault(stored)
                if fault is not None:
                    self._say(max(0, stored.size - 1), fault)
                    continue
                self._found.checkpoints += 1
                yield Checkpoint.opened(stored.note, self._key, self._origin)

    def _fault(self, stored: StoredCheckpoint) -> str | None:
        """What is wrong with a checkpoint; None when nothing is."""
        try:
            opened = Checkpoint.opened(stored.note, self._key, self._origin)
        except ValueError as error:
            return f"the checkpoint of size {stored.size} was not signed by the key of the log: {error}"
        if opened.size != stored.size:
            return f"the checkpoint of size {opened.size} is stored as that of size {stored.size}"
        return None

    async def _leaves(self, number: int, first: int, end: int) -> Sequence[bytes | None]:
        """The hashes of the entries in a tile, None for those that are missing."""
        async with self._store.read() as tx:
            tile = (await tx.audit_tiles([(0, number)])).get((0, number), b"")
        hashes: list[bytes | None] = [
            tile[i : i + HASH_BYTES] for i in range(0, len(tile) - len(tile) % HASH_BYTES, HASH_BYTES)
        ]
        missing = end - first - len(hashes)
        if missing > 0:
            self._say(
                end - missing, f"the hashes of {missing} entries are missing: the log was cut off, or altered"
            )
            hashes += [None] * missing
        return hashes[: end - first]

    async def _entries(self, first: int, end: int, hashes: Sequence[bytes | None]) -> None:
        """Compares the entries of a tile with their hashes."""
        oldest = self._found.oldest
        if end <= oldest:
            return
        async with self._store.read() as tx:
            wanted = AuditFilter(first=max(first, oldest), end=end)
            rows = {row.position: row for row in await tx.audit_rows(wanted, TILE_WIDTH)}
        for position in range(max(first, oldest), end):
            row = rows.get(position)
            if row is None:
                self._say(position, "the entry is missing")
            else:
                self._found.entries += 1
                self._entry(row, hashes[position - first])

    def _entry(self, row: Logged, hashed: bytes | None) -> None:
        if hashed is not None and leaf_hash(row.entry.encode("utf-8", "surrogatepass")) != hashed:
            self._say(row.position, "the entry is not the one that was logged here: it was altered, or moved")
        try:
            entry = decode(row.entry)
        except ValueError as error:
            self._say(row.position, f"the entry cannot be read: {error}")
            return
        self._columns(row, entry)

    def _columns(self, row: Logged, entry: AuditEntry) -> None:
        should = row_of(row.position, entry, row.entry)
        for name, is_, was in zip(LOG_COLUMNS, row, should, strict=True):
            if is_ != was:
                self._say(row.position, f"column {name} does not say what the entry says")

    def _compare(self, signed: Checkpoint, what: str) -> None:
        """Compares a checkpoint with the tree as it is at that size."""
        if self._tree.size == signed.size and self._tree.root == signed.root:
            self._known = signed.size
            return
        if not self._broken:
            self._broken = True
            self._say(
                self._known,
                f"{what} of size {signed.size} does not match: entries or hashes from position {self._known} to "
                f"{signed.size - 1} were altered, moved or removed",
            )

    async def _upper(self, number: int) -> None:
        """Compares the hashes above a full tile with those that they are made of."""
        async with self._store.read() as tx:
            level, place = 0, number
            while True:
                tile: Tile = (level, place)
                above: Tile = (level + 1, place // TILE_WIDTH)
                found = await tx.audit_tiles([tile, above])
                lower, upper = found.get(tile, b""), found.get(above, b"")
                if len(lower) != TILE_WIDTH * HASH_BYTES:
                    return
                at = (place % TILE_WIDTH) * HASH_BYTES
                made = perfect([lower[i : i + HASH_BYTES] for i in range(0, len(lower), HASH_BYTES)])
                if upper[at : at + HASH_BYTES] != made:
                    first = number * TILE_WIDTH
                    self._say(
                        first, f"the hash over {TILE_WIDTH ** (level + 1)} entries was altered (tile {above})"
                    )
                    return
                if (place + 1) % TILE_WIDTH:
                    return
                level, place = level + 1, place // TILE_WIDTH

    def _say(self, position: int | None, what: str) -> None:
        self._found.findings.append(Finding(position, what))
