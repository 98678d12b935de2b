"""The audit log for those who may read it: lists, checkpoints, proofs, exports."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ..audit import tree
from ..audit.notes import Checkpoint, PublicKey, origin_of
from ..errors import InvalidRequest, StorageUnavailable
from ..model.audit import AuditEntry, decode
from ..model.merkle import consistency_spans, inclusion_spans
from ..model.timestamps import micros
from ..storage.audit_rows import WINDOW, AuditFilter, Logged, StoredCheckpoint
from ..storage.store import ReadTx, Store
from .paging import cells_in, no_token, token_of

DEFAULT_LIMIT, MOST_ON_A_PAGE = 100, 1000
EXPORT_STEP = 200
"""Rows of an export that are read at a time."""
_LIST, _EXPORT = "audit", "audit export"
CLOCKS_APART = timedelta(hours=1)
"""How far the clocks of servers may be apart for `since` to find all that it names."""


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """An entry at its place. text: its canonical form as it is stored, which may not be what `entry` says when somebody has altered it:
    then `entry` is None. leaf: its hash as the tree has it, in exports."""

    position: int
    text: str
    entry: AuditEntry | None
    leaf: bytes = b""


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some records. next_token: of the page after it, "" on the last; a page may be short, or empty, before the last."""

    records: Sequence[AuditRecord]
    next_token: str = ""


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint, its signed note, and the key that verifies it. oldest: the position of the oldest entry that is left."""

    checkpoint: Checkpoint
    note: str
    key: PublicKey
    oldest: int


@dataclass(frozen=True, slots=True)
class AuditProof:
    """Hashes that prove something about the tree of a checkpoint. leaf: of the entry, for an inclusion proof."""

    hashes: Sequence[bytes]
    signed: SignedCheckpoint
    leaf: bytes = b""


@dataclass(frozen=True, slots=True)
class ExportHead:
    """How an export begins: the position of its first entry, and the hashes of the perfect subtrees before it."""

    origin: str
    first: int
    frontier: Sequence[bytes]
    key: PublicKey


ExportItem = ExportHead | AuditRecord | str
"""What an export is made of, in order; a text is the signed note of a checkpoint over all before it."""


class AuditLog:
    """The audit log of a store. Raises StorageUnavailable as long as it has no checkpoint, where one is needed."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(
        self, wanted: AuditFilter, limit: int | None, page_token: str, *, newest_first: bool
    ) -> AuditPage:
        """One page of the entries that pass a filter, by position. Looks at WINDOW positions at most. Raises InvalidRequest,
        PageTokenInvalid."""
        if limit is not None and limit < 0:
            raise InvalidRequest("limit", f"is {limit}; it cannot be negative")
        count = min(limit or DEFAULT_LIMIT, MOST_ON_A_PAGE)
        at = _place(page_token)
        async with self._store.read_elsewhere() as tx:
            newest = await tx.newest_audit_checkpoint()
            first, end = await tx.audit_oldest(), 0 if newest is None else newest.size
            if wanted.since is not None:
                first = max(first, await _begin(tx, wanted.since))
            if at is not None:
                first, end = (first, min(end, at)) if newest_first else (max(first, at), end)
            window = (max(first, end - WINDOW), end) if newest_first else (first, min(end, first + WINDOW))
            shown = replace(wanted, first=window[0], end=window[1])
            rows = await tx.audit_rows(shown, count + 1, newest_first=newest_first)
        records = [_record(row) for row in rows[:count]]
        if len(rows) > count:
            last = records[-1].position
            return AuditPage(records, _token(last if newest_first else last + 1))
        more = window[0] > first if newest_first else window[1] < end
        return AuditPage(records, _token(window[0] if newest_first else window[1]) if more else "")

    async def checkpoint(self) -> SignedCheckpoint:
        """The newest one."""
        async with self._store.read() as tx:
            return await self._signed(tx)

    async def prove_inclusion(self, position: int, size: int | None = None) -> AuditProof:
        """That the entry at a position is in the tree of this size (None: of the newest checkpoint). Raises InvalidRequest."""
        async with self._store.read() as tx:
            signed = await self._signed(tx)
            given, size = size, _size(size, "tree_size", signed)
            if given is not None and 0 <= position < signed.checkpoint.size and position >= size:
                raise InvalidRequest(
                    "tree_size", f"is {size}; the tree that has position {position} is larger"
                )
            if not 0 <= position < size:
                raise InvalidRequest("position", f"is {position}; a log of {size} entries has them from 0 on")
            hashes = await tree.roots(tx, inclusion_spans(position, size))
            return AuditProof(hashes, signed, (await tree.leaves(tx, position, position + 1))[0])

    async def prove_consistency(self, old: int, new: int | None = None) -> AuditProof:
        """That the tree of one size has grown into that of another (None: of the newest checkpoint). Raises InvalidRequest."""
        async with self._store.read() as tx:
            signed = await self._signed(tx)
            given, new = new, _size(new, "new_size", signed)
            if given is not None and 0 <= old <= signed.checkpoint.size and old > new:
                raise InvalidRequest(
                    "new_size", f"is {new}; it must not be less than old_size, which is {old}"
                )
            if not 0 <= old <= new:
                raise InvalidRequest("old_size", f"is {old}; it is from 0 to the other size, which is {new}")
            return AuditProof(await tree.roots(tx, consistency_spans(old, new)), signed)

    async def export(
        self, first: int | None = None, page_token: str = ""
    ) -> AsyncGenerator[tuple[ExportItem, str], None]:
        """Everything from a position (None: from the oldest entry) to the newest checkpoint, with the checkpoints on the way; each
        with the token that goes on after it. Reads it in short transactions. Raises InvalidRequest, PageTokenInvalid."""
        resumed = _place(page_token, _EXPORT)
        async with self._store.read_elsewhere() as tx:
            signed = await self._signed(tx)
            place = resumed if resumed is not None else signed.oldest if first is None else first
            if not signed.oldest <= place <= signed.checkpoint.size:
                raise InvalidRequest(
                    "first",
                    f"is {place}; the log has the entries from {signed.oldest} to {signed.checkpoint.size - 1}",
                )
            if resumed is None:
                head = ExportHead(signed.checkpoint.origin, place, await tree.frontier(tx, place), signed.key)
                yield head, _token(place, _EXPORT)
        # A checkpoint over no more than is known already comes once more when it is gone on from there: it does no harm.
        noted = max(0, place - 1) if resumed is not None else place
        if place == signed.checkpoint.size:
            yield signed.note, _token(place, _EXPORT)
        while place < signed.checkpoint.size:
            end = min(place + EXPORT_STEP, signed.checkpoint.size)
            async with self._store.read_elsewhere() as tx:
                rows = await tx.audit_rows(AuditFilter(first=place, end=end), EXPORT_STEP)
                leaves = await tree.leaves(tx, place, end)
                notes = await _notes(tx, noted, end)
            for row in rows:
                for note in _upto(notes, row.position):
                    yield note.note, _token(row.position, _EXPORT)
                record = replace(_record(row), leaf=leaves[row.position - place])
                yield record, _token(row.position + 1, _EXPORT)
            for note in _upto(notes, end):
                yield note.note, _token(end, _EXPORT)
            place = noted = end

    async def _signed(self, tx: ReadTx) -> SignedCheckpoint:
        newest, kept = await tx.newest_audit_checkpoint(), await tx.audit_value("public_key")
        if newest is None or not kept:
            raise StorageUnavailable(
                "the audit log has no checkpoint yet: a server signs one within a moment of the first entry, unless audit.enabled is "
                "false"
            )
        key = PublicKey.parse(kept)
        opened = Checkpoint.opened(newest.note, key, origin_of(self._store.registry_id))
        return SignedCheckpoint(opened, newest.note, key, await tx.audit_oldest())


async def _begin(tx: ReadTx, since: datetime) -> int:
    """A position before which no entry is of this time or later: that of a checkpoint that was signed before."""
    before = await tx.newest_audit_checkpoint(micros(since - CLOCKS_APART))
    return 0 if before is None else before.size


async def _notes(tx: ReadTx, after: int, upto: int) -> list[StoredCheckpoint]:
    return [c for c in await tx.audit_checkpoints(after, EXPORT_STEP) if c.size <= upto]


def _upto(notes: list[StoredCheckpoint], position: int) -> list[StoredCheckpoint]:
    """Takes those out that are over no more than the entries before a position."""
    taken = [note for note in notes if note.size <= position]
    del notes[: len(taken)]
    return taken


def _record(row: Logged) -> AuditRecord:
    try:
        return AuditRecord(row.position, row.entry, decode(row.entry))
    except ValueError:
        return AuditRecord(row.position, row.entry, None)


def _size(size: int | None, field: str, signed: SignedCheckpoint) -> int:
    newest = signed.checkpoint.size
    if size is None:
        return newest
    if not 0 <= size <= newest:
        raise InvalidRequest(field, f"is {size}; the newest checkpoint is of size {newest}")
    return size


def _token(place: int, of: str = _LIST) -> str:
    return token_of(of, place)


def _place(token: str, of: str = _LIST) -> int | None:
    """The place in a token; None without one."""
    if not token:
        return None
    match cells_in(token):
        case [kind, int(place)] if kind == of and 0 <= place < 2**62 and not isinstance(place, bool):
            return place
    raise no_token(token)
