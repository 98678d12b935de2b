"""Mends rows of grants and policies. What is in doubt counts for less, never for more."""

from __future__ import annotations

from collections.abc import Sequence

from .. import access_rows, rows
from .cells import readable, shown
from .table import RepairFinding, RepairTx, Table

_PLACE = "holder || ' ' || role || ' ' || scope"


class Grants(Table):
    """A grant that cannot be read gives nothing. It is removed: who was meant to have what cannot be guessed."""

    start = ""
    sql = (
        f"SELECT {_PLACE} AS place, {', '.join(access_rows.GRANT_COLUMNS)} FROM grants "
        f"WHERE {_PLACE} > $1 ORDER BY place LIMIT $2"
    )

    async def look(self, tx: RepairTx, row: rows.Row, apply: bool) -> Sequence[RepairFinding]:
        place, *cells = row
        if readable(access_rows.grant_of, cells):
            return ()
        if apply:
            await tx.execute(f"DELETE FROM grants WHERE {_PLACE} = $1", place)
        return [
            RepairFinding("grants", str(shown(place)), "it is not readable and gives nothing: it is removed")
        ]


class Policies(Table):
    """Policies also forbid: without them more would be allowed than was meant. They stay, and servers refuse to do without them."""

    start = 0
    sql = f"SELECT {', '.join(access_rows.POLICIES_COLUMNS)} FROM policies WHERE version > $1 ORDER BY version LIMIT $2"

    async def look(self, tx: RepairTx, row: rows.Row, apply: bool) -> Sequence[RepairFinding]:
        if readable(access_rows.policies_of, row):
            return ()
        what = "not readable; set the policies anew, or restore them from a backup"
        return [RepairFinding("policies", str(row[0]), what, mended=False)]
