"""Statements about outcomes of answers. Lists of keys and of rows are given as JSON."""

from __future__ import annotations

from ..outcome_rows import COUNT_COLUMNS, DAY_COLUMNS, OUTCOME_COLUMNS

_ROW, _DAY = ", ".join(OUTCOME_COLUMNS), ", ".join(DAY_COLUMNS)
_ROW_OF_C = ", ".join(f"c.{column}" for column in OUTCOME_COLUMNS)
_SUMS = ", ".join(f"sum(d.{column})" for column in COUNT_COLUMNS)
_GIVEN = OUTCOME_COLUMNS[:-1]
_KEY = "json_extract(g.value, '$[0]')", "json_extract(g.value, '$[1]')"


def _cells(count: int) -> str:
    return ", ".join(f"json_extract(g.value, '$[{n}]')" for n in range(count))


def _added(table: str) -> str:
    return ", ".join(f"{column} = {table}.{column} + excluded.{column}" for column in COUNT_COLUMNS)


NOTED_REPORTS = "SELECT r.id FROM json_each(?) asked CROSS JOIN conformance_reports r ON r.id = asked.value"
NOTE_REPORTS = "INSERT INTO conformance_reports (id, at) SELECT g.value, ? FROM json_each(?) g"
COUNTED_MODELS = "SELECT c.schema_id, c.model FROM json_each(?) asked CROSS JOIN conformance c ON c.schema_id = asked.value"
OUTCOMES_OF = f"SELECT {_ROW_OF_C} FROM json_each(?) g CROSS JOIN conformance c ON c.schema_id = {_KEY[0]} AND c.model = {_KEY[1]}"
SUBJECT_OUTCOMES = f"SELECT {_ROW} FROM conformance WHERE subject = ? AND (ordinal, model) > (?, ?) AND ordinal <= ? ORDER BY ordinal, model LIMIT ?"
MODEL_OUTCOMES = f"SELECT {_ROW} FROM conformance WHERE subject = ? AND model = ? AND ordinal >= ? AND ordinal <= ? ORDER BY ordinal LIMIT ?"
OUTCOMES_BETWEEN = (
    f"SELECT d.schema_id, d.model, {_SUMS} FROM json_each(?) g CROSS JOIN conformance_days d ON d.schema_id = {_KEY[0]} "
    f"AND d.model = {_KEY[1]} AND d.day >= ? AND d.day < ? GROUP BY d.schema_id, d.model"
)
EARLIER_OUTCOMES = (
    f"SELECT {_KEY[0]}, {_ROW_OF_C} FROM json_each(?) g CROSS JOIN conformance c ON c.subject = json_extract(g.value, '$[2]') "
    f"AND c.model = {_KEY[1]} AND c.ordinal = (SELECT max(b.ordinal) FROM conformance b WHERE b.subject = json_extract(g.value, '$[2]') "
    f"AND b.model = {_KEY[1]} AND b.ordinal < json_extract(g.value, '$[3]'))"
)
COUNT_DROPS = "SELECT count(*) FROM conformance WHERE dropped_at IS NOT NULL AND reported_at >= ?"
COUNT_OUTCOMES = (
    f"INSERT INTO conformance ({', '.join(_GIVEN)}) SELECT {_cells(len(_GIVEN))} FROM json_each(?) g WHERE EXISTS "
    f"(SELECT 1 FROM versions WHERE schema_id = {_KEY[0]}) ON CONFLICT (schema_id, model) DO UPDATE SET {_added('conformance')}, "
    "reported_at = max(conformance.reported_at, excluded.reported_at)"
)
COUNT_DAYS = (
    f"INSERT INTO conformance_days ({_DAY}) SELECT {_cells(len(DAY_COLUMNS))} FROM json_each(?) g WHERE EXISTS "
    f"(SELECT 1 FROM conformance WHERE schema_id = {_KEY[0]} AND model = {_KEY[1]}) "
    f"ON CONFLICT (schema_id, model, day) DO UPDATE SET {_added('conformance_days')}"
)
MARK_DROP = "UPDATE conformance SET dropped_at = ? WHERE schema_id = ? AND model = ?"
FORGET_DAYS = (
    "DELETE FROM conformance_days WHERE (schema_id, model, day) IN "
    "(SELECT schema_id, model, day FROM conformance_days WHERE day < ? LIMIT ?)"
)
FORGET_REPORTS = (
    "DELETE FROM conformance_reports WHERE id IN (SELECT id FROM conformance_reports WHERE at < ? LIMIT ?)"
)
