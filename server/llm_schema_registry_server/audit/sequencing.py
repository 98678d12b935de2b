"""Gives entries their places in the log, in the order in which they were committed, batch by batch, and signs what the log is then.

One server of a registry does it, under a lease; writers only put entries into the inbox and never wait for it. What is killed on
the way has moved nothing: an entry is in the inbox or in the log.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime

from ..errors import StorageDamaged
from ..model.audit import AuditEntry, AuditEvent, AuditOutcome, clean, completed, encode
from ..model.merkle import EMPTY_ROOT, Tile, grown, leaf_hash, tiles_for, unfinished
from ..model.timestamps import EPOCH, micros
from ..storage.audit_rows import AuditFilter, Logged, Noted, StoredCheckpoint, row_of
from ..storage.store import ReadTx, Store, WriteTx
from ..telemetry import families as f
from ..telemetry import logs
from ..telemetry.cells import Counts
from . import tree
from .notes import Checkpoint, PublicKey, Signer, origin_of
from .recording import SYSTEM, new_id

BATCH = 256
"""Entries in one transaction, and between two checkpoints at most."""
_STEP = 64
"""Entries that are hashed before others have their turn."""
Confirm = Callable[[WriteTx], Awaitable[None]]

_LOG = logs.get("audit")


class Sequencer:
    """Moves entries from the inbox into the log.

    logged: the entries that this server has moved, by event and outcome. seen: the newest checkpoint that it has signed or met, the
    signature not looked at; None before it has looked. timer: seconds that only pass.
    """

    def __init__(
        self, store: Store, clock: Callable[[], datetime], *, timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._store, self._clock, self._timer = store, clock, timer
        self.logged = Counts(f.AUDIT_ENTRIES)
        self.seen: StoredCheckpoint | None = None
        self._waiting_since: float | None = None
        self._signer: Signer | None = None
        self._last: Checkpoint | None = None
        self.size = 0
        """Of the log, as far as this server knows."""

    def sign_with(self, signer: Signer) -> None:
        """To be called before anything is sequenced."""
        self._signer = signer

    async def waits(self) -> bool:
        """Whether anything is to be done."""
        async with self._store.read() as tx:
            waits, newest = await tx.audit_waits(), await tx.newest_audit_checkpoint()
        grew = newest is not None and (self.seen is None or newest.size > self.seen.size)
        self.seen = newest or self.seen
        if not waits:
            self._waiting_since = None
        elif grew or self._waiting_since is None:
            self._waiting_since = self._timer()
        return waits

    @property
    def unsequenced_seconds(self) -> float:
        """For how long entries have waited while nobody signed a checkpoint, as far as this server has seen; 0 when none wait."""
        return 0.0 if self._waiting_since is None else self._timer() - self._waiting_since

    async def run(self, confirm: Confirm) -> None:
        """Empty the inbox. confirm: see LeaseKeeper. Raises RegistryError."""
        while await self._batch(confirm) == BATCH:
            pass
        self._waiting_since = None

    async def _batch(self, confirm: Confirm) -> int:
        assert self._signer is not None
        origin = origin_of(self._store.registry_id)
        async with self._store.write() as tx:
            await confirm(tx)
            before = await newest(tx, self._signer.public, origin)
            self._compare(before)
            taken = await tx.take_audit(BATCH)
            if not taken:
                self._last, self.size = before, before.size
                return 0
            tiles = await tree.tiles_of(tx, unfinished(before.size) | tiles_for([(0, before.size)]))
            if tree.root(before.size, tiles) != before.root:
                raise StorageDamaged(
                    "the hashes of the audit log are not those that were signed; "
                    "`schema-registry-server audit verify` says where"
                )
            rows: list[Logged] = []
            for place, noted in enumerate(taken, before.size):
                rows.append(self._row(place, noted))
                if len(rows) % _STEP == 0:
                    await asyncio.sleep(0)
            changed = grown(before.size, tiles, [leaf_hash(row.entry.encode()) for row in rows])
            size = before.size + len(rows)
            after = Checkpoint(
                origin, size, await _root(tx, size, {**tiles, **changed}), max(self._clock(), before.at)
            )
            stored = StoredCheckpoint(size, micros(after.at), self._signer.signed(after.text))
            await tx.append_audit(rows, changed, stored)
        self._last, self.size, self.seen = after, size, stored
        for row in rows:
            self.logged.add(AuditEvent(row.event).name, AuditOutcome(row.outcome).name)
        return len(rows)

    def _row(self, position: int, noted: Noted) -> Logged:
        """What cannot be read, because somebody has altered it before it had its place, is logged as that."""
        try:
            entry = completed(noted.entry, noted.revision)
            return row_of(position, entry, entry.text)
        except ValueError as error:
            _LOG.error("audit_entry_unreadable", position=position, error=str(error)[:200])
            violation = AuditEntry(
                id=new_id(),
                at=self._clock(),
                event=AuditEvent.SECURITY_VIOLATION,
                outcome=AuditOutcome.FAILED,
                principal="schema-registry-server",
                kind=SYSTEM,
                code="DATA_LOSS",
                reason="AUDIT_ENTRY_UNREADABLE",
                facts={"entry": clean(noted.entry), "error": clean(str(error))},
            )
            return row_of(position, violation, encode(violation))

    def _compare(self, now: Checkpoint) -> None:
        """Logs when the log is not what this server has seen of it: it only ever grows."""
        last = self._last
        if last is None or now.size > last.size or (now.size, now.root) == (last.size, last.root):
            return
        _LOG.error(
            "audit_log_rewritten",
            seen_size=last.size,
            size=now.size,
            why="the log is shorter than it was, or another one; compare it with a checkpoint that was kept elsewhere",
        )


async def newest(tx: ReadTx, key: PublicKey, origin: str) -> Checkpoint:
    """The newest checkpoint of the log; one of size 0 when there is none yet. Raises StorageDamaged for one that the key has not
    signed."""
    stored = await tx.newest_audit_checkpoint()
    if stored is None:
        if await tx.audit_rows(AuditFilter(), 1):
            raise StorageDamaged(
                "the audit log has entries, and no checkpoint any more; `schema-registry-server audit verify` says where"
            )
        return Checkpoint(origin, 0, EMPTY_ROOT, EPOCH)
    try:
        found = Checkpoint.opened(stored.note, key, origin)
        if found.size != stored.size:
            raise ValueError(f"it says size {found.size}")
    except ValueError as error:
        raise StorageDamaged(
            "the newest checkpoint of the audit log was not signed by its key",
            inside=f"size {stored.size}: {error}",
        ) from error
    return found


async def _root(tx: ReadTx, size: int, known: dict[Tile, bytes]) -> bytes:
    """The root of the grown tree, whose changed tiles are not stored yet."""
    wanted = tiles_for([(0, size)])
    missing = wanted - known.keys()
    return tree.root(size, {**await tree.tiles_of(tx, missing), **known} if missing else known)
