"""Mends rows of the audit log as far as nothing of what it proves is touched."""

from __future__ import annotations

from collections.abc import Sequence

from ...model.audit import decode
from .. import rows
from ..audit_rows import LOG_COLUMNS, row_of
from .table import RepairFinding, RepairTx, Table, update

_REMEDY = "it stays as it is; `schema-registry-server audit verify` compares it with what was signed"


class AuditLog(Table):
    """The columns that lists are filtered by are made of the entry again. The entry itself, hashes and checkpoints are never
    changed: what was altered must show."""

    start = -1
    sql = f"SELECT {', '.join(LOG_COLUMNS)} FROM audit_log WHERE position > $1 ORDER BY position LIMIT $2"

    async def look(self, tx: RepairTx, row: rows.Row, apply: bool) -> Sequence[RepairFinding]:
        position, text = row[0], row[-1]
        try:
            should = row_of(position, decode(text if isinstance(text, str) else ""), text)
        except ValueError:
            fault = f"the entry cannot be read: {_REMEDY}"
            return [RepairFinding("audit_log", str(position), fault, mended=False)]
        wrong = {name: was for name, is_, was in zip(LOG_COLUMNS, row, should, strict=True) if is_ != was}
        if not wrong:
            return ()
        if apply:
            await update(tx, "audit_log", "position", position, wrong)
        fault = f"{' and '.join(wrong)}: not what the entry says; made of it again"
        return [RepairFinding("audit_log", str(position), fault)]
