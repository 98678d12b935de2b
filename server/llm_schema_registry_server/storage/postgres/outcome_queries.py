"""Statements about outcomes of answers. Lists of keys and of rows are given as arrays, one for each column."""

from __future__ import annotations

from ..outcome_rows import COUNT_COLUMNS, DAY_COLUMNS, OUTCOME_COLUMNS

_ROW, _DAY = ", ".join(OUTCOME_COLUMNS), ", ".join(DAY_COLUMNS)
_ROW_OF_C = ", ".join(f"c.{column}" for column in OUTCOME_COLUMNS)
_SUMS = ", ".join(f"sum(d.{column})::bigint" for column in COUNT_COLUMNS)
_GIVEN = OUTCOME_COLUMNS[:-1]
_KEYS = "unnest($1::text[], $2::text[]) AS g (schema_id, model)"


def _arrays(texts: int, numbers: int) -> str:
    kinds = ["text"] * texts + ["bigint"] * numbers
    return ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(kinds, 1))


def _added(table: str) -> str:
    return ", ".join(f"{column} = {table}.{column} + excluded.{column}" for column in COUNT_COLUMNS)


LOCK = "SELECT pg_advisory_xact_lock(1280528967, 65)"
NOTED_REPORTS = "SELECT id FROM conformance_reports WHERE id = ANY($1::text[])"
NOTE_REPORTS = "INSERT INTO conformance_reports (id, at) SELECT g.id, $2 FROM unnest($1::text[]) AS g (id)"
COUNTED_MODELS = "SELECT schema_id, model FROM conformance WHERE schema_id = ANY($1::text[])"
OUTCOMES_OF = (
    f"SELECT {_ROW_OF_C} FROM {_KEYS} JOIN conformance c ON c.schema_id = g.schema_id AND c.model = g.model"
)
SUBJECT_OUTCOMES = (
    f"SELECT {_ROW} FROM conformance WHERE subject = $1 AND (ordinal, model) > ($2, $3) AND ordinal <= $4 "
    "ORDER BY ordinal, model LIMIT $5"
)
MODEL_OUTCOMES = f"SELECT {_ROW} FROM conformance WHERE subject = $1 AND model = $2 AND ordinal >= $3 AND ordinal <= $4 ORDER BY ordinal LIMIT $5"
OUTCOMES_BETWEEN = (
    f"SELECT d.schema_id, d.model, {_SUMS} FROM {_KEYS} JOIN conformance_days d ON d.schema_id = g.schema_id AND d.model = g.model "
    "AND d.day >= $3 AND d.day < $4 GROUP BY d.schema_id, d.model"
)
EARLIER_OUTCOMES = (
    f"SELECT g.schema_id, {_ROW_OF_C} FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) "
    "AS g (schema_id, model, subject, ordinal), LATERAL (SELECT * FROM conformance b WHERE b.subject = g.subject "
    "AND b.model = g.model AND b.ordinal < g.ordinal ORDER BY b.ordinal DESC LIMIT 1) c"
)
COUNT_DROPS = "SELECT count(*) FROM conformance WHERE dropped_at IS NOT NULL AND reported_at >= $1"
# FOR KEY SHARE: a version that is being removed is waited for, and left out when it is gone.
COUNT_OUTCOMES = (
    f"INSERT INTO conformance ({', '.join(_GIVEN)}) SELECT g.* FROM unnest({_arrays(3, len(_GIVEN) - 3)}) "
    f"AS g ({', '.join(_GIVEN)}) WHERE g.schema_id IN "
    "(SELECT v.schema_id FROM versions v WHERE v.schema_id = ANY($1::text[]) FOR KEY SHARE) "
    f"ON CONFLICT (schema_id, model) DO UPDATE SET {_added('conformance')}, "
    "reported_at = greatest(conformance.reported_at, excluded.reported_at)"
)
COUNT_DAYS = (
    f"INSERT INTO conformance_days ({_DAY}) SELECT g.* FROM unnest({_arrays(2, len(DAY_COLUMNS) - 2)}) AS g ({_DAY}) "
    "WHERE EXISTS (SELECT 1 FROM conformance c WHERE c.schema_id = g.schema_id AND c.model = g.model) "
    f"ON CONFLICT (schema_id, model, day) DO UPDATE SET {_added('conformance_days')}"
)
MARK_DROP = "UPDATE conformance SET dropped_at = $3 WHERE schema_id = $1 AND model = $2"
FORGET_DAYS = (
    "WITH gone AS (DELETE FROM conformance_days WHERE ctid = ANY(ARRAY("
    "SELECT ctid FROM conformance_days WHERE day < $1 LIMIT $2)) RETURNING 1) SELECT count(*) FROM gone"
)
FORGET_REPORTS = (
    "WITH gone AS (DELETE FROM conformance_reports WHERE id IN "
    "(SELECT id FROM conformance_reports WHERE at < $1 LIMIT $2) RETURNING 1) SELECT count(*) FROM gone"
)
