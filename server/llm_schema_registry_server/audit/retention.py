"""Removes old entries of the audit log, up to a checkpoint. The hashes of the tree stay (32 bytes an entry), so that every
checkpoint that somebody has kept can be compared with the log for ever, and entries that were exported before can be proved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from ..model.audit import AuditEntry, AuditEvent, AuditOutcome
from ..model.timestamps import micros
from ..storage.store import Store
from ..telemetry import logs
from .recording import SYSTEM, new_id
from .trail import Trail

BATCH = 500
PAUSE_SECONDS = 0.05
SWEEP_SECONDS = 3600.0

_LOG = logs.get("audit")


class AuditRetention:
    """Keeps entries for `age`: what a checkpoint covers that was signed before that goes."""

    def __init__(self, store: Store, age: timedelta, clock: Callable[[], datetime], trail: Trail) -> None:
        self._store, self._age, self._clock, self._trail = store, age, clock, trail

    async def sweep(self) -> None:
        """Remove what is too old, in small transactions, and record that. Raises RegistryError."""
        async with self._store.read() as tx:
            last = await tx.newest_audit_checkpoint(micros(self._clock() - self._age))
            begun = left = await tx.audit_oldest()
        if last is None or last.size <= begun:
            return
        try:
            while left < last.size:
                async with self._store.write() as writing:
                    left = await writing.forget_audit(last.size, BATCH)
                await asyncio.sleep(PAUSE_SECONDS)
        finally:
            if left > begun:
                _LOG.info("audit_entries_removed", entries=left - begun, oldest=left)
                self._trail.add(self._removed(begun, left))

    def _removed(self, begun: int, left: int) -> AuditEntry:
        return AuditEntry(
            id=new_id(),
            at=self._clock(),
            event=AuditEvent.RECORDS_REMOVED,
            outcome=AuditOutcome.ALLOWED,
            principal="schema-registry-server",
            kind=SYSTEM,
            count=left - begun,
            facts={"from": str(begun), "before": str(left)},
        )
