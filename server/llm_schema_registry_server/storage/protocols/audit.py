"""The audit log: an inbox, into which every writer puts entries, and a log, in which one server at a time gives them their places."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from ...model.merkle import Tile
from ..audit_rows import AuditFilter, Logged, Noted, StoredCheckpoint


class AuditRead(Protocol):
    """Reads of both. Rows are given as they are stored, whatever somebody has made of them."""

    async def audit_waits(self) -> bool:
        """Whether there is anything in the inbox."""
        ...

    async def audit_oldest(self) -> int:
        """The position of the oldest entry that retention has left: 0 at first."""
        ...

    async def audit_rows(
        self, wanted: AuditFilter, limit: int, *, newest_first: bool = False
    ) -> Sequence[Logged]:
        """Up to `limit` rows that pass a filter, by position. Only those from `wanted.first` to before `wanted.end` are looked at."""
        ...

    async def audit_tiles(self, wanted: Collection[Tile]) -> Mapping[Tile, bytes]:
        """The tiles of hashes that there are among these."""
        ...

    async def audit_checkpoints(self, after: int, limit: int) -> Sequence[StoredCheckpoint]:
        """Up to `limit` checkpoints of greater sizes than `after`, by size."""
        ...

    async def newest_audit_checkpoint(self, before: int | None = None) -> StoredCheckpoint | None:
        """The one of the greatest size; with `before`, among those that were signed before this time (microseconds since 1970)."""
        ...

    async def audit_value(self, name: str) -> str:
        """What is kept beside the log under this name (`public_key`); "" when nothing is."""
        ...


class AuditWrite(AuditRead, Protocol):
    """Writes of both."""

    async def note_audit(self, entries: Sequence[Noted]) -> None:
        """Put entries into the inbox."""
        ...

    async def take_audit(self, limit: int) -> Sequence[Noted]:
        """Take the oldest ones out of it. For the holder of the lease, in the transaction that writes them into the log."""
        ...

    async def append_audit(
        self, rows: Sequence[Logged], tiles: Mapping[Tile, bytes], checkpoint: StoredCheckpoint
    ) -> None:
        """Write them into the log, with the tiles of hashes that change, and the checkpoint that follows."""
        ...

    async def forget_audit(self, upto: int, limit: int) -> int:
        """Remove up to `limit` entries from the beginning of the log, none from position `upto` on, and the checkpoints of smaller
        sizes than what is left begins with; answers with the position of the oldest that is left. Hashes stay."""
        ...

    async def keep_audit_value(self, name: str, value: str) -> str:
        """Keep a value unless there is one of this name; answers with what is kept now."""
        ...
