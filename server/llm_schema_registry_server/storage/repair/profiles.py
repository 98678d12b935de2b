"""Mends rows of profiles and their verdicts."""

from __future__ import annotations

from collections.abc import Sequence

from .. import profile_rows, rows
from .cells import readable, shown
from .table import RepairFinding, RepairTx, Table

_PLACE = "schema_id || ' ' || profile"


class Profiles(Table):
    """A profile that cannot be read stays: subjects that demand it accept nothing until it is put anew."""

    start = ""
    sql = f"SELECT {', '.join(profile_rows.PROFILE_COLUMNS)} FROM profiles WHERE id > $1 ORDER BY id LIMIT $2"

    async def look(self, tx: RepairTx, row: rows.Row, apply: bool) -> Sequence[RepairFinding]:
        if readable(profile_rows.profile_of, row):
            return ()
        what = "not readable; delete the profile and put it anew, or restore it from a backup"
        return [RepairFinding("profiles", str(shown(row[0])), what, mended=False)]


class Verdicts(Table):
    """A verdict that cannot be read is removed, and all are found anew."""

    start = ""
    sql = (
        f"SELECT {_PLACE} AS place, {', '.join(profile_rows.VERDICT_COLUMNS)} FROM profile_verdicts "
        f"WHERE {_PLACE} > $1 ORDER BY place LIMIT $2"
    )

    async def look(self, tx: RepairTx, row: rows.Row, apply: bool) -> Sequence[RepairFinding]:
        place, *cells = row
        if readable(profile_rows.verdict_of, cells):
            return ()
        if apply:
            await tx.execute(f"DELETE FROM profile_verdicts WHERE {_PLACE} = $1", place)
            await tx.execute("DELETE FROM meta WHERE key = 'profile_watch'")
        return [
            RepairFinding(
                "profile_verdicts", str(shown(place)), "it is not readable: it is removed, and found anew"
            )
        ]
