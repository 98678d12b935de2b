"""The audit log in a SQLite store; see protocols/audit.py for the meaning of each method."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ...model.merkle import Tile
from ..audit_rows import AuditFilter, Logged, Noted, StoredCheckpoint, conditions
from ..rows import dump
from . import queries
from .session import FEW, Session

_CONTAINS = "instr(resources, {}) > 0"
_FAR = 2**62
_FEW = 256
"""Entries that are written in the loop, some 10 us each; more go through a thread, and all other writes wait for that."""


def _told(cell: Any) -> Any:
    """A cell; as a text what is none, because somebody has put bytes there that are no UTF-8. It is then no text that was ever logged."""
    return cell.decode(errors="backslashreplace") if isinstance(cell, bytes) else cell


class SqliteAuditRead:
    _session: Session

    async def audit_waits(self) -> bool:
        return self._session.row(queries.AUDIT_WAITS) is not None

    async def audit_oldest(self) -> int:
        return int(await self.audit_value("oldest") or 0)

    async def audit_rows(
        self, wanted: AuditFilter, limit: int, *, newest_first: bool = False
    ) -> Sequence[Logged]:
        asked = conditions(wanted, _CONTAINS)
        end = _FAR if wanted.end is None else wanted.end
        cells = (wanted.first, end, *(c.value for c in asked), limit)
        sql = queries.audit_rows([c.sql for c in asked], newest_first=newest_first)
        return await self._session.search(sql, cells, lambda row: Logged(*map(_told, row)))

    async def audit_tiles(self, wanted: Collection[Tile]) -> Mapping[Tile, bytes]:
        found = {tile: self._session.row(queries.AUDIT_TILE, tile) for tile in wanted}
        return {tile: row[0] for tile, row in found.items() if row is not None}

    async def audit_checkpoints(self, after: int, limit: int) -> Sequence[StoredCheckpoint]:
        cells = (after, limit)
        return await self._session.ordered(
            queries.AUDIT_CHECKPOINTS, cells, lambda row: StoredCheckpoint(*map(_told, row))
        )

    async def newest_audit_checkpoint(self, before: int | None = None) -> StoredCheckpoint | None:
        if before is None:
            row = self._session.row(queries.NEWEST_AUDIT_CHECKPOINT)
        else:
            row = self._session.row(queries.AUDIT_CHECKPOINT_BEFORE, (before,))
        return None if row is None else StoredCheckpoint(*map(_told, row))

    async def audit_value(self, name: str) -> str:
        row = self._session.row(queries.META, (f"audit_{name}",))
        return "" if row is None else str(_told(row[0]))


class SqliteAuditWrite(SqliteAuditRead):
    async def note_audit(self, entries: Sequence[Noted]) -> None:
        if len(entries) > FEW:

            def note_all() -> None:
                self._session.run(queries.NOTE_AUDITS, (dump([tuple(entry) for entry in entries]),))

            await self._session.in_thread(note_all)
            return
        for entry in entries:
            self._session.run(queries.NOTE_AUDIT, entry)

    async def take_audit(self, limit: int) -> Sequence[Noted]:
        cells = (limit,)
        try:
            found = self._session.run(queries.AUDIT_INBOX, cells).fetchall()
        except sqlite3.OperationalError:  # a text that is no UTF-8
            found = await self._session.search(queries.AUDIT_INBOX, cells, tuple)
        if found:
            self._session.run(queries.EMPTY_AUDIT_INBOX, (found[-1][0],))
        return [Noted(_told(entry), revision) for _, entry, revision in found]

    async def append_audit(
        self, rows: Sequence[Logged], tiles: Mapping[Tile, bytes], checkpoint: StoredCheckpoint
    ) -> None:
        def write() -> None:
            for row in rows:
                self._session.run(queries.APPEND_AUDIT, row)
            for (level, number), hashes in tiles.items():
                self._session.run(queries.PUT_AUDIT_TILE, (level, number, hashes))
            self._session.run(queries.PUT_AUDIT_CHECKPOINT, checkpoint)

        if len(rows) <= _FEW:  # nobody else writes meanwhile: a hop to a thread would cost more
            write()
        else:
            await self._session.in_thread(write)

    async def forget_audit(self, upto: int, limit: int) -> int:
        oldest, newest = await self.audit_oldest(), await self.newest_audit_checkpoint()
        left = max(oldest, min(upto, oldest + limit, 0 if newest is None else newest.size))

        def remove() -> None:
            self._session.run(queries.FORGET_AUDIT, (left,))
            self._session.run(queries.FORGET_AUDIT_CHECKPOINTS, (left,))
            self._session.run(queries.SET_META, ("audit_oldest", str(left)))

        await self._session.in_thread(remove)
        return left

    async def keep_audit_value(self, name: str, value: str) -> str:
        self._session.run(queries.KEEP_META, (f"audit_{name}", value))
        return await self.audit_value(name)
