"""Goes through the rows of a store and mends what cannot be read, row by row, in small transactions."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Any

from .. import rows
from ..counting import statistics_of
from .access import Grants, Policies
from .audit import AuditLog
from .cells import Cells, mended_change, mended_settings, readable, shown
from .credentials import ApiKeys, RevokedTokens
from .outcomes import OutcomeDays, OutcomeReports, OutcomesOfModels
from .profiles import Profiles, Verdicts
from .table import REMEDY, RepairableStore, RepairFinding, RepairTx, Table, update
from .versions import Versions

_BATCH = 200

_MISSING_ORDINALS = (
    "INSERT INTO subjects (subject, last_ordinal, removed) SELECT subject, max(ordinal), max(ordinal) - count(*) FROM versions "
    "WHERE subject NOT IN (SELECT subject FROM subjects) GROUP BY subject"
)
_OF_GLOBAL_ID = (
    "SELECT DISTINCT identity FROM versions WHERE global_id = $1 AND subject NOT LIKE ':.%' "
    "AND identity NOT IN (SELECT identity FROM global_ids)"
)


async def repair(
    store: RepairableStore, clock: Callable[[], datetime], *, apply: bool
) -> AsyncIterator[RepairFinding]:
    """Look at every row, and yield what is damaged. apply: mend it, too; a batch is mended when the next one is begun.

    Servers may run beside: each mended version is a change of the log, which makes them drop what they have cached.
    """
    for table in (
        _Contents(),
        Versions(clock),
        _Ordinals(),
        _Removed(),
        _Totals(),
        _GlobalIds(),
        _Changes(),
        _Transitions(),
        _Settings(),
        _Usage(),
        _Counts(),
        ApiKeys(),
        RevokedTokens(),
        Grants(),
        Policies(),
        Profiles(),
        Verdicts(),
        OutcomesOfModels(),
        OutcomeDays(),
        OutcomeReports(),
        AuditLog(),
    ):
        after: Any = table.start
        while True:
            async with store.repairing() as tx:
                batch = await tx.select(table.sql, after, _BATCH)
                found = [finding for row in batch for finding in await table.look(tx, row, apply)]
            for finding in found:
                yield finding
            if len(batch) < _BATCH:
                break
            after = batch[-1][0]


class _Contents(Table):
    """A digest that is not that of its content is put right when the versions say that the content is the one they mean."""

    start = ""
    sql = "SELECT identity, digest, content FROM contents WHERE identity > $1 ORDER BY identity LIMIT $2"

    async def look(self, tx: RepairTx, row: rows.Row, apply: bool) -> Sequence[RepairFinding]:
        identity, digest, content = row
        actual = hashlib.sha256(content).hexdigest()
        if isinstance(identity, bytes):
            return await self._named(tx, identity, actual, apply)
        if actual == digest:
            return ()
        meant = await tx.select("SELECT content_digest FROM versions WHERE identity = $1", identity)
        if actual not in [cells[0] for cells in meant]:
            return ()  # told of each version that has it
        if apply:
            await tx.execute("UPDATE contents SET digest = $1 WHERE identity = $2", actual, identity)
        return [
            RepairFinding(
                "contents", identity, "its digest is wrong, its content is right: the digest is corrected"
            )
        ]

    async def _named(
        self, tx: RepairTx, identity: bytes, digest: str, apply: bool
    ) -> Sequence[RepairFinding]:
        """A content whose name is no UTF-8 gets the one that a version without content has for it."""
        wanting = await tx.select(
            "SELECT DISTINCT identity FROM versions WHERE content_digest = $1 "
            "AND identity NOT IN (SELECT identity FROM contents)",
            digest,
        )
        if len(wanting) != 1 or not isinstance(wanting[0][0], str):
            return [
                RepairFinding("contents", shown(identity), f"its name is no UTF-8: {REMEDY}", mended=False)
            ]
        if apply:
            await update(tx, "contents", "identity", identity, {"identity": wanting[0][0]})
        return [
            RepairFinding("contents", shown(identity), f"its name is no UTF-8: it becomes {wanting[0][0]}")
        ]


class _Ordinals(Table):
    """The highest ordinals that subjects had. Those of a subject that cannot be named are of no use."""

    start = ""
    sql = "SELECT subject FROM subjects WHERE subject > $1 ORDER BY subject LIMIT $2"

    async def look(self, tx: RepairTx, row: rows.Row, apply: bool) -> Sequence[RepairFinding]:
        if isinstance(row[0], str):
            return ()
        if apply:
            await tx.execute("DELETE FROM subjects WHERE subject = $1", row[0])
            await tx.execute(_MISSING_ORDINALS)
        return [RepairFinding("subjects", shown(row[0]), "its name is no UTF-8: it is removed")]


class _Removed(Table):
    """How many versions subjects have fewer than ordinals, which follows from the rows: it is counted again, and nothing is told."""

    start = ""
    sql = (
        "SELECT s.subject, s.last_ordinal - (SELECT count(*) FROM versions v WHERE v.subject = s.subject), s.removed "
        "FROM subjects s WHERE s.subject > $1 ORDER BY s.subject LIMIT $2"
    )

    async def look(self, tx: RepairTx, row: rows.Row, apply: bool) -> Sequence[RepairFinding]:
        subject, actual, noted = row
        if apply and actual != noted:
            await update(tx, "subjects", "subject", subject, {"removed": actual})
        return ()


class _Totals(Table):
    """How many subjects there are; as _Removed."""

    sql = (
        "SELECT 1, t.live, t.subjects, n.live, n.subjects FROM "
        "(SELECT sum(live) AS live, sum(subjects) AS subjects FROM subject_totals) t, "
        "(SELECT count(DISTINCT CASE WHEN deleted_at IS NULL THEN subject END) AS live, count(DISTINCT subject) AS subjects "
        "FROM versions) n WHERE $1 < 1 LIMIT $2"
    )

    async def look(self, tx: RepairTx, row: rows.Row, apply: bool) -> Sequence[RepairFinding]:
        _, *noted, live, subjects = row
        if apply and noted != [live, subjects]:
            await tx.execute(
                "UPDATE subject_totals SET live = live + $1, subjects = subjects + $2, changes = changes + 1 "
                "WHERE id = (SELECT max(id) FROM subject_totals)",
                live - int(noted[0]),
                subjects - int(noted[1]),
            )
        return ()


class _GlobalIds(Table):
    """Names of contents by number. One that cannot be read is written out, so that its number stays taken."""

    sql = "SELECT global_id, identity FROM global_ids WHERE global_id > $1 ORDER BY global_id LIMIT $2"

    async def look(self, tx: RepairTx, row: rows.Row, apply: bool) -> Sequence[RepairFinding]:
        number, identity = row
        if isinstance(identity, str):
            return ()
        meant = await tx.select(_OF_GLOBAL_ID, number)
        name = meant[0][0] if len(meant) == 1 and isinstance(meant[0][0], str) else shown(identity)
        if apply:
            await update(tx, "global_ids", "global_id", number, {"identity": name})
        return [
            RepairFinding("global_ids", str(number), f"its content's name is no UTF-8: it becomes {name}")
        ]


class _Changes(Table):
    sql = f"SELECT sequence, {', '.join(rows.CHANGE_COLUMNS)} FROM changes WHERE sequence > $1 ORDER BY sequence LIMIT $2"

    async def look(self, tx: RepairTx, row: rows.Row, apply: bool) -> Sequence[RepairFinding]:
        if readable(rows.change_of, row):
            return ()
        cells: Cells = dict(zip(rows.CHANGE_COLUMNS, row[1:], strict=True))
        mended = mended_change(cells)
        if apply:
            await update(tx, "changes", "sequence", row[0], {c: cell for c, (cell, _) in mended.items()})
        return [RepairFinding("changes", str(row[0]), "; ".join(said for _, said in mended.values()))]


class _Transitions(Table):
    sql = (
        f"SELECT id, {', '.join(rows.TRANSITION_COLUMNS)} FROM transitions WHERE id > $1 ORDER BY id LIMIT $2"
    )

    async def look(self, tx: RepairTx, row: rows.Row, apply: bool) -> Sequence[RepairFinding]:
        if readable(rows.transitions_of, row[1:]):
            return ()
        if apply:
            await tx.execute("DELETE FROM transitions WHERE id = $1", row[0])
        return [
            RepairFinding(
                "transitions", f"{row[0]} (of {row[1]})", "it is not readable: it leaves the history"
            )
        ]


class _Settings(Table):
    start = ""
    sql = "SELECT scope, settings FROM configs WHERE scope > $1 ORDER BY scope LIMIT $2"

    async def look(self, tx: RepairTx, row: rows.Row, apply: bool) -> Sequence[RepairFinding]:
        scope, cell = row
        if readable(lambda row: rows.config_of(*row), row):
            return ()
        kept = mended_settings(scope, cell)
        if apply and kept is None:
            await tx.execute("DELETE FROM configs WHERE scope = $1", scope)
        elif apply:
            await tx.execute("UPDATE configs SET settings = $1 WHERE scope = $2", kept, scope)
        what = "are removed: what is inherited holds" if kept is None else "that are readable stay"
        return [RepairFinding("configs", scope, f"its settings are not readable: those {what}")]


class _Usage(Table):
    start = ""
    sql = (
        f"SELECT {', '.join(rows.USAGE_COLUMNS)} FROM usage WHERE schema_id > $1 ORDER BY schema_id LIMIT $2"
    )

    async def look(self, tx: RepairTx, row: rows.Row, apply: bool) -> Sequence[RepairFinding]:
        if readable(rows.usage_of, row):
            return ()
        if apply:
            await tx.execute("DELETE FROM usage WHERE schema_id = $1", row[0])
        return [RepairFinding("usage", row[0], "its counts are not readable: counting begins anew")]


class _Counts(Table):
    sql = "SELECT id, counts FROM statistics WHERE id > $1 AND counts IS NOT NULL ORDER BY id LIMIT $2"

    async def look(self, tx: RepairTx, row: rows.Row, apply: bool) -> Sequence[RepairFinding]:
        if readable(lambda row: statistics_of(row[1]), row):
            return ()
        if apply:
            await tx.execute("UPDATE statistics SET counts = NULL WHERE id = $1", row[0])
        return [RepairFinding("statistics", str(row[0]), "they are not readable: they are counted anew")]
