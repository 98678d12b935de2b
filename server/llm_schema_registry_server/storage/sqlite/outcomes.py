"""Outcomes of answers in a SQLite store; see protocols/outcomes.py for the meaning of each method."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from ...model.outcomes import Counted, ModelOutcomes, Outcomes, OutcomesKey
from ...model.subject import Subject
from ...model.timestamps import micros
from ..outcome_rows import counted_row, day_row, earlier_of, outcomes_of, sum_of
from ..rows import text_of
from ..unreadable import Unreadable, readable, tolerant, whole_page
from . import outcome_queries as queries
from .session import Session

_outcomes_or_not, _sum_or_not, _earlier_or_not = tolerant(outcomes_of), tolerant(sum_of), tolerant(earlier_of)
_report = text_of("conformance_reports")


class SqliteOutcomesRead:
    _session: Session

    async def noted_reports(self, ids: Collection[str]) -> Collection[str]:
        return await self._session.ordered(queries.NOTED_REPORTS, (json.dumps(list(ids)),), _report)

    async def counted_models(self, schema_ids: Collection[str]) -> Mapping[str, Collection[str]]:
        found: defaultdict[str, list[str]] = defaultdict(list)
        wanted = (json.dumps(list(schema_ids)),)
        for schema_id, model in await self._session.ordered(queries.COUNTED_MODELS, wanted, tuple):
            found[schema_id].append(model)
        return found

    async def outcomes_of(self, keys: Collection[OutcomesKey]) -> Sequence[ModelOutcomes]:
        wanted = (json.dumps(list(keys)),)
        return readable(await self._session.ordered(queries.OUTCOMES_OF, wanted, _outcomes_or_not))

    async def subject_outcomes(
        self, subject: Subject, after: tuple[int, str], last: int, model: str, limit: int
    ) -> Sequence[ModelOutcomes]:
        async def fetch(count: int) -> Sequence[ModelOutcomes | Unreadable]:
            if model:
                first = after[0] if model > after[1] else after[0] + 1
                wanted = (str(subject), model, first, last, count)
                return await self._session.ordered(queries.MODEL_OUTCOMES, wanted, _outcomes_or_not)
            of_all = (str(subject), *after, last, count)
            return await self._session.ordered(queries.SUBJECT_OUTCOMES, of_all, _outcomes_or_not)

        return await whole_page(fetch, limit)

    async def outcomes_between(
        self, keys: Collection[OutcomesKey], first: int, end: int
    ) -> Mapping[OutcomesKey, Outcomes]:
        wanted = (json.dumps(list(keys)), first, end)
        return dict(readable(await self._session.search(queries.OUTCOMES_BETWEEN, wanted, _sum_or_not)))

    async def earlier_outcomes(self, found: Sequence[ModelOutcomes]) -> Mapping[OutcomesKey, ModelOutcomes]:
        wanted = (json.dumps([(f.schema_id, f.model, str(f.subject), f.ordinal) for f in found]),)
        return dict(readable(await self._session.ordered(queries.EARLIER_OUTCOMES, wanted, _earlier_or_not)))

    async def count_drops(self, since: datetime) -> int:
        return int(self._session.row(queries.COUNT_DROPS, (micros(since),))[0])


class SqliteOutcomesWrite(SqliteOutcomesRead):
    async def lock_outcomes(self) -> None:
        """Nothing to do: there is one write transaction at a time."""

    async def note_reports(self, ids: Collection[str], at: datetime) -> None:
        self._session.run(queries.NOTE_REPORTS, (micros(at), json.dumps(list(ids))))

    async def count_outcomes(self, counted: Sequence[Counted], at: datetime) -> None:
        given = json.dumps([counted_row(each, micros(at)) for each in counted])
        days = json.dumps([day_row(each) for each in counted])

        def add() -> None:
            self._session.run(queries.COUNT_OUTCOMES, (given,))
            self._session.run(queries.COUNT_DAYS, (days,))

        await self._session.in_thread(add)

    async def mark_drop(self, key: OutcomesKey, at: datetime | None) -> None:
        self._session.run(queries.MARK_DROP, (None if at is None else micros(at), *key))

    async def forget_outcome_days(self, before: int, limit: int) -> int:
        return self._session.run(queries.FORGET_DAYS, (before, limit)).rowcount

    async def forget_reports(self, before: datetime, limit: int) -> int:
        return self._session.run(queries.FORGET_REPORTS, (micros(before), limit)).rowcount
