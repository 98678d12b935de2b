"""The audit log in a memory store; see protocols/audit.py for the meaning of each method."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ...model.merkle import Tile
from ..audit_rows import AuditFilter, Logged, Noted, StoredCheckpoint, passes
from .tables import Tables

OLDEST, SIZE = "audit oldest", "audit size"
FIRST_WAITING, NEXT_WAITING = "audit first waiting", "audit next waiting"


class MemoryAuditRead:
    _tables: Tables

    async def audit_waits(self) -> bool:
        numbers = self._tables.numbers
        return (numbers.get(FIRST_WAITING) or 0) < (numbers.get(NEXT_WAITING) or 0)

    async def audit_oldest(self) -> int:
        return self._tables.numbers.get(OLDEST) or 0

    async def audit_rows(
        self, wanted: AuditFilter, limit: int, *, newest_first: bool = False
    ) -> Sequence[Logged]:
        first = max(wanted.first, await self.audit_oldest())
        size = self._tables.numbers.get(SIZE) or 0
        end = size if wanted.end is None else min(size, wanted.end)
        found: list[Logged] = []
        for position in reversed(range(first, end)) if newest_first else range(first, end):
            row = self._tables.audit_log.get(position)
            if row is not None and passes(row, wanted):
                found.append(row)
                if len(found) == limit:
                    break
        return found

    async def audit_tiles(self, wanted: Collection[Tile]) -> Mapping[Tile, bytes]:
        found = {tile: self._tables.audit_tiles.get(tile) for tile in wanted}
        return {tile: hashes for tile, hashes in found.items() if hashes is not None}

    async def audit_checkpoints(self, after: int, limit: int) -> Sequence[StoredCheckpoint]:
        return sorted(c for c in self._tables.audit_checkpoints.values() if c.size > after)[:limit]

    async def newest_audit_checkpoint(self, before: int | None = None) -> StoredCheckpoint | None:
        if before is None:
            return self._tables.audit_checkpoints.get(self._tables.numbers.get(SIZE) or 0)
        signed = (c for c in self._tables.audit_checkpoints.values() if c.at < before)
        return max(signed, default=None)

    async def audit_value(self, name: str) -> str:
        return self._tables.texts.get(f"audit_{name}") or ""


class MemoryAuditWrite(MemoryAuditRead):
    async def note_audit(self, entries: Sequence[Noted]) -> None:
        following = self._tables.numbers.get(NEXT_WAITING) or 0
        for place, entry in enumerate(entries, following):
            self._tables.audit_inbox[place] = entry
        self._tables.numbers[NEXT_WAITING] = following + len(entries)

    async def take_audit(self, limit: int) -> Sequence[Noted]:
        numbers = self._tables.numbers
        first, end = numbers.get(FIRST_WAITING) or 0, numbers.get(NEXT_WAITING) or 0
        taken = range(first, min(first + limit, end))
        found = [self._tables.audit_inbox.get(place) for place in taken]
        for place in taken:
            self._tables.audit_inbox.remove(place)
        numbers[FIRST_WAITING] = taken.stop
        return [entry for entry in found if entry is not None]

    async def append_audit(
        self, rows: Sequence[Logged], tiles: Mapping[Tile, bytes], checkpoint: StoredCheckpoint
    ) -> None:
        for row in rows:
            self._tables.audit_log[row.position] = row
        for tile, hashes in tiles.items():
            self._tables.audit_tiles[tile] = hashes
        self._tables.audit_checkpoints[checkpoint.size] = checkpoint
        self._tables.numbers[SIZE] = checkpoint.size

    async def forget_audit(self, upto: int, limit: int) -> int:
        oldest = await self.audit_oldest()
        left = max(oldest, min(upto, oldest + limit, self._tables.numbers.get(SIZE) or 0))
        for position in range(oldest, left):
            self._tables.audit_log.remove(position)
        for size in [size for size in self._tables.audit_checkpoints if size < left]:
            self._tables.audit_checkpoints.remove(size)
        self._tables.numbers[OLDEST] = left
        return left

    async def keep_audit_value(self, name: str, value: str) -> str:
        kept = await self.audit_value(name)
        if not kept:
            self._tables.texts[f"audit_{name}"] = value
        return kept or value
