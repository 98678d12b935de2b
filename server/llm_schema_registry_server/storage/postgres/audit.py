"""The audit log in a PostgreSQL store; see protocols/audit.py for the meaning of each method. PostgresWriteTx has `note_audit`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ...model.merkle import Tile
from ..audit_rows import LOG_COLUMNS, AuditFilter, Logged, Noted, StoredCheckpoint, conditions
from . import queries
from .appending import columns_of
from .session import Session

_CONTAINS = "strpos(resources, {}) > 0"
_FAR = 2**62


class PostgresAuditRead:
    _session: Session

    async def audit_waits(self) -> bool:
        return bool(await self._session.value(queries.AUDIT_WAITS))

    async def audit_oldest(self) -> int:
        return int(await self.audit_value("oldest") or 0)

    async def audit_rows(
        self, wanted: AuditFilter, limit: int, *, newest_first: bool = False
    ) -> Sequence[Logged]:
        asked = conditions(wanted, _CONTAINS)
        end = _FAR if wanted.end is None else wanted.end
        cells = [wanted.first, end, *(c.value for c in asked), limit]
        sql = queries.audit_rows([c.sql for c in asked], newest_first=newest_first)
        return await self._session.rows(sql, cells, lambda row: Logged(*row))

    async def audit_tiles(self, wanted: Collection[Tile]) -> Mapping[Tile, bytes]:
        asked = [list(column) for column in zip(*wanted, strict=True)] or [[], []]
        found = await self._session.rows(queries.AUDIT_TILES, asked, tuple)
        return {(level, number): hashes for level, number, hashes in found}

    async def audit_checkpoints(self, after: int, limit: int) -> Sequence[StoredCheckpoint]:
        return await self._session.rows(
            queries.AUDIT_CHECKPOINTS, [after, limit], lambda row: StoredCheckpoint(*row)
        )

    async def newest_audit_checkpoint(self, before: int | None = None) -> StoredCheckpoint | None:
        if before is None:
            row = await self._session.row(queries.NEWEST_AUDIT_CHECKPOINT)
        else:
            row = await self._session.row(queries.AUDIT_CHECKPOINT_BEFORE, before)
        return None if row is None else StoredCheckpoint(*row)

    async def audit_value(self, name: str) -> str:
        return str(await self._session.value(queries.META, f"audit_{name}") or "")


class PostgresAuditWrite(PostgresAuditRead):
    async def take_audit(self, limit: int) -> Sequence[Noted]:
        return await self._session.rows(queries.TAKE_AUDIT, [limit], lambda row: Noted(*row))

    async def append_audit(
        self, rows: Sequence[Logged], tiles: Mapping[Tile, bytes], checkpoint: StoredCheckpoint
    ) -> None:
        await self._session.run(queries.APPEND_AUDIT, *columns_of(rows, len(LOG_COLUMNS)))
        changed = [(*tile, hashes) for tile, hashes in tiles.items()]
        await self._session.run(queries.PUT_AUDIT_TILES, *columns_of(changed, 3))
        await self._session.run(queries.PUT_AUDIT_CHECKPOINT, *checkpoint)

    async def forget_audit(self, upto: int, limit: int) -> int:
        oldest, newest = await self.audit_oldest(), await self.newest_audit_checkpoint()
        left = max(oldest, min(upto, oldest + limit, 0 if newest is None else newest.size))
        await self._session.run(queries.FORGET_AUDIT, oldest, left)
        await self._session.run(queries.FORGET_AUDIT_CHECKPOINTS, left)
        await self._session.run(queries.SET_META, "audit_oldest", str(left))
        return left

    async def keep_audit_value(self, name: str, value: str) -> str:
        await self._session.run(queries.KEEP_META, f"audit_{name}", value)
        return await self.audit_value(name)
