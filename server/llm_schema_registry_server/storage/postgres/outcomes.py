"""Outcomes of answers in a PostgreSQL store; see protocols/outcomes.py for the meaning of each method."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from ...model.outcomes import Counted, ModelOutcomes, Outcomes, OutcomesKey
from ...model.subject import Subject
from ...model.timestamps import micros
from ..outcome_rows import (
    DAY_COLUMNS,
    OUTCOME_COLUMNS,
    counted_row,
    day_row,
    earlier_of,
    outcomes_of,
    sum_of,
)
from ..rows import text_of
from ..unreadable import Unreadable, readable, tolerant, whole_page
from . import outcome_queries as queries
from .appending import columns_of
from .session import Session

_outcomes_or_not, _sum_or_not, _earlier_or_not = tolerant(outcomes_of), tolerant(sum_of), tolerant(earlier_of)
_report = text_of("conformance_reports")


class PostgresOutcomesRead:
    _session: Session

    async def noted_reports(self, ids: Collection[str]) -> Collection[str]:
        return await self._session.rows(queries.NOTED_REPORTS, [list(ids)], _report)

    async def counted_models(self, schema_ids: Collection[str]) -> Mapping[str, Collection[str]]:
        found: defaultdict[str, list[str]] = defaultdict(list)
        for schema_id, model in await self._session.rows(queries.COUNTED_MODELS, [list(schema_ids)], tuple):
            found[schema_id].append(model)
        return found

    async def outcomes_of(self, keys: Collection[OutcomesKey]) -> Sequence[ModelOutcomes]:
        wanted = columns_of(list(keys), 2)
        return readable(await self._session.rows(queries.OUTCOMES_OF, [*wanted], _outcomes_or_not))

    async def subject_outcomes(
        self, subject: Subject, after: tuple[int, str], last: int, model: str, limit: int
    ) -> Sequence[ModelOutcomes]:
        async def fetch(count: int) -> Sequence[ModelOutcomes | Unreadable]:
            if model:
                first = after[0] if model > after[1] else after[0] + 1
                wanted = [str(subject), model, first, last, count]
                return await self._session.rows(queries.MODEL_OUTCOMES, wanted, _outcomes_or_not)
            of_all = [str(subject), *after, last, count]
            return await self._session.rows(queries.SUBJECT_OUTCOMES, of_all, _outcomes_or_not)

        return await whole_page(fetch, limit)

    async def outcomes_between(
        self, keys: Collection[OutcomesKey], first: int, end: int
    ) -> Mapping[OutcomesKey, Outcomes]:
        wanted = [*columns_of(list(keys), 2), first, end]
        return dict(readable(await self._session.rows(queries.OUTCOMES_BETWEEN, wanted, _sum_or_not)))

    async def earlier_outcomes(self, found: Sequence[ModelOutcomes]) -> Mapping[OutcomesKey, ModelOutcomes]:
        wanted = columns_of([(f.schema_id, f.model, str(f.subject), f.ordinal) for f in found], 4)
        return dict(readable(await self._session.rows(queries.EARLIER_OUTCOMES, [*wanted], _earlier_or_not)))

    async def count_drops(self, since: datetime) -> int:
        return int(await self._session.value(queries.COUNT_DROPS, micros(since)))


class PostgresOutcomesWrite(PostgresOutcomesRead):
    async def lock_outcomes(self) -> None:
        await self._session.run(queries.LOCK)

    async def note_reports(self, ids: Collection[str], at: datetime) -> None:
        await self._session.run(queries.NOTE_REPORTS, list(ids), micros(at))

    async def count_outcomes(self, counted: Sequence[Counted], at: datetime) -> None:
        rows = [counted_row(each, micros(at)) for each in sorted(counted, key=_place)]
        await self._session.run(queries.COUNT_OUTCOMES, *columns_of(rows, len(OUTCOME_COLUMNS) - 1))
        days = columns_of([day_row(each) for each in counted], len(DAY_COLUMNS))
        await self._session.run(queries.COUNT_DAYS, *days)

    async def mark_drop(self, key: OutcomesKey, at: datetime | None) -> None:
        await self._session.run(queries.MARK_DROP, *key, None if at is None else micros(at))

    async def forget_outcome_days(self, before: int, limit: int) -> int:
        return int(await self._session.value(queries.FORGET_DAYS, before, limit))

    async def forget_reports(self, before: datetime, limit: int) -> int:
        return int(await self._session.value(queries.FORGET_REPORTS, micros(before), limit))


def _place(counted: Counted) -> OutcomesKey:
    return counted.schema_id, counted.model
