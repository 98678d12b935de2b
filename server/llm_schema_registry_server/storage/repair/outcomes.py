"""Removes rows of outcomes of answers that cannot be read: they are counts, and what they counted is not known elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import outcome_rows, rows
from .cells import readable, shown
from .table import RepairFinding, RepairTx, Table

_GONE = "it is not readable: it is removed"


class _Counts(Table):
    start = ""
    table: str
    place: str
    decode: Callable[[rows.Row], Any]

    async def look(self, tx: RepairTx, row: rows.Row, apply: bool) -> Sequence[RepairFinding]:
        place, *cells = row
        if isinstance(place, str) and readable(type(self).decode, cells):
            return ()
        if apply:
            await tx.execute(f"DELETE FROM {self.table} WHERE {self.place} = $1", place)
        return [RepairFinding(self.table, str(shown(place)), _GONE)]


def _select(table: str, place: str, columns: str) -> str:
    return f"SELECT {place} AS row_key, {columns} FROM {table} WHERE {place} > $1 ORDER BY row_key LIMIT $2"


class OutcomesOfModels(_Counts):
    """All counts of a model's answers to a version, with those of its days."""

    table, place, decode = "conformance", "schema_id || ' ' || model", staticmethod(outcome_rows.outcomes_of)
    sql = _select(table, place, ", ".join(outcome_rows.OUTCOME_COLUMNS))


class OutcomeDays(_Counts):
    """The counts of one day."""

    table, place = "conformance_days", "schema_id || ' ' || model || ' ' || day"
    decode = staticmethod(outcome_rows.day_of)
    sql = _select(table, place, ", ".join(outcome_rows.DAY_COLUMNS))


class OutcomeReports(_Counts):
    """A report that was counted: without it, a repetition would count twice."""

    table, place, decode = "conformance_reports", "id", staticmethod(outcome_rows.report_of)
    sql = _select(table, place, "id, at")
