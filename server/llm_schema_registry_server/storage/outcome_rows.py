"""Outcomes of answers as rows of a database and back; see rows.py. Pure."""

from __future__ import annotations

from typing import Any

from ..model.outcomes import Counted, ModelOutcomes, Outcomes, OutcomesKey
from ..model.timestamps import moment
from . import rows
from .rows import Row, reading

COUNT_COLUMNS = ("answers", "first_pass", "retried", "coerced", "truncated")
OUTCOME_COLUMNS = (
    *("schema_id", "model", "subject", "ordinal", "place"),
    *COUNT_COLUMNS,
    *("reported_at", "dropped_at"),
)
"""The columns of `conformance`, in the order of `outcomes_row`."""
DAY_COLUMNS = ("schema_id", "model", "day", *COUNT_COLUMNS)
"""The columns of `conformance_days`, in the order of `day_row`."""
_FIRST_COUNT = 5


def counts_row(outcomes: Outcomes) -> tuple[int, ...]:
    """The cells of COUNT_COLUMNS."""
    return outcomes.answers, outcomes.first_pass, outcomes.retried, outcomes.coerced, outcomes.truncated


def counted_row(counted: Counted, at: int) -> tuple[Any, ...]:
    """The cells of OUTCOME_COLUMNS but the last one. at: microseconds."""
    return (
        counted.schema_id,
        counted.model,
        str(counted.subject),
        counted.ordinal,
        counted.place,
        *counts_row(counted.outcomes),
        at,
    )


def day_row(counted: Counted) -> tuple[Any, ...]:
    """The cells of DAY_COLUMNS."""
    return counted.schema_id, counted.model, counted.day, *counts_row(counted.outcomes)


def outcomes_of(row: Row) -> ModelOutcomes:
    """The outcomes in a row of OUTCOME_COLUMNS."""
    with reading("conformance", f"{row[0]} {row[1]}"):
        schema_id, model, subject, ordinal, place = row[:_FIRST_COUNT]
        *counts, reported_at, dropped_at = row[_FIRST_COUNT:]
        "".join((schema_id, model))  # raises TypeError for other types
        return ModelOutcomes(
            schema_id,
            rows.subject_of(subject),
            int(ordinal),
            model,
            int(place),
            Outcomes(*map(int, counts)),
            moment(reported_at),
            None if dropped_at is None else moment(dropped_at),
        )


def sum_of(row: Row) -> tuple[OutcomesKey, Outcomes]:
    """The key and the counts in a row of a schema id, a model and sums of COUNT_COLUMNS."""
    with reading("conformance_days", f"{row[0]} {row[1]}"):
        schema_id, model, *counts = row
        "".join((schema_id, model))
        return (schema_id, model), Outcomes(*map(int, counts))


def earlier_of(row: Row) -> tuple[OutcomesKey, ModelOutcomes]:
    """The key that outcomes are earlier than, and they, in a row of a schema id and then OUTCOME_COLUMNS."""
    found = outcomes_of(row[1:])
    return (row[0], found.model), found


def day_of(row: Row) -> tuple[OutcomesKey, int, Outcomes]:
    """The key, the day and the counts in a row of DAY_COLUMNS."""
    schema_id, model, day, *counts = row
    key, outcomes = sum_of((schema_id, model, *counts))
    return key, int(day), outcomes


def report_of(row: Row) -> str:
    """The report in a row of its id and of when it was noted."""
    with reading("conformance_reports", row[0]):
        moment(row[1])
        return "".join((row[0],))
