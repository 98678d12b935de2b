"""Outcomes of answers in a memory store; see protocols/outcomes.py for the meaning of each method."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice

from ...model.outcomes import Counted, ModelOutcomes, Outcomes, OutcomesKey
from ...model.subject import Subject
from .tables import Tables


class MemoryOutcomesRead:
    _tables: Tables

    async def noted_reports(self, ids: Collection[str]) -> Collection[str]:
        return [report for report in ids if report in self._tables.outcome_reports]

    async def counted_models(self, schema_ids: Collection[str]) -> Mapping[str, Collection[str]]:
        found: defaultdict[str, list[str]] = defaultdict(list)
        for schema_id, model in self._tables.outcomes:
            if schema_id in schema_ids:
                found[schema_id].append(model)
        return found

    async def outcomes_of(self, keys: Collection[OutcomesKey]) -> Sequence[ModelOutcomes]:
        found = (self._tables.outcomes.get(key) for key in keys)
        return [outcomes for outcomes in found if outcomes is not None]

    async def subject_outcomes(
        self, subject: Subject, after: tuple[int, str], last: int, model: str, limit: int
    ) -> Sequence[ModelOutcomes]:
        found = (
            outcomes
            for outcomes in self._tables.outcomes.values()
            if outcomes.subject == subject
            and (outcomes.ordinal, outcomes.model) > after
            and outcomes.ordinal <= last
            and model in ("", outcomes.model)
        )
        return sorted(found, key=lambda outcomes: (outcomes.ordinal, outcomes.model))[:limit]

    async def outcomes_between(
        self, keys: Collection[OutcomesKey], first: int, end: int
    ) -> Mapping[OutcomesKey, Outcomes]:
        sums: dict[OutcomesKey, Outcomes] = {}
        for (schema_id, model, day), outcomes in self._tables.outcome_days.items():
            if (schema_id, model) in keys and first <= day < end:
                sums[schema_id, model] = sums.get((schema_id, model), Outcomes()) + outcomes
        return sums

    async def earlier_outcomes(self, found: Sequence[ModelOutcomes]) -> Mapping[OutcomesKey, ModelOutcomes]:
        earlier: dict[OutcomesKey, ModelOutcomes] = {}
        for one in found:
            before = (
                other
                for other in self._tables.outcomes.values()
                if other.subject == one.subject and other.model == one.model and other.ordinal < one.ordinal
            )
            newest = max(before, key=lambda other: other.ordinal, default=None)
            if newest is not None:
                earlier[one.key] = newest
        return earlier

    async def count_drops(self, since: datetime) -> int:
        return sum(
            outcomes.dropped_at is not None and outcomes.reported_at >= since
            for outcomes in self._tables.outcomes.values()
        )


class MemoryOutcomesWrite(MemoryOutcomesRead):
    async def lock_outcomes(self) -> None:
        """Nothing to do: there is one write transaction at a time."""

    async def note_reports(self, ids: Collection[str], at: datetime) -> None:
        for report in ids:
            self._tables.outcome_reports[report] = at

    async def count_outcomes(self, counted: Sequence[Counted], at: datetime) -> None:
        for each in counted:
            if each.schema_id not in self._tables.versions:
                continue
            key, day = (each.schema_id, each.model), (each.schema_id, each.model, each.day)
            known = self._tables.outcomes.get(key) or ModelOutcomes(
                each.schema_id, each.subject, each.ordinal, each.model, each.place, Outcomes(), at
            )
            self._tables.outcomes[key] = replace(
                known, outcomes=known.outcomes + each.outcomes, reported_at=max(known.reported_at, at)
            )
            before = self._tables.outcome_days.get(day) or Outcomes()
            self._tables.outcome_days[day] = before + each.outcomes

    async def mark_drop(self, key: OutcomesKey, at: datetime | None) -> None:
        known = self._tables.outcomes.get(key)
        if known is not None:
            self._tables.outcomes[key] = replace(known, dropped_at=at)

    async def forget_outcome_days(self, before: int, limit: int) -> int:
        gone = list(islice((key for key in self._tables.outcome_days if key[2] < before), limit))
        for key in gone:
            self._tables.outcome_days.remove(key)
        return len(gone)

    async def forget_reports(self, before: datetime, limit: int) -> int:
        noted = self._tables.outcome_reports
        gone = list(islice((report for report, at in noted.items() if at < before), limit))
        for report in gone:
            noted.remove(report)
        return len(gone)

    def forget_outcomes_of(self, schema_id: str) -> None:
        """Remove all of a version."""
        for key in [key for key in self._tables.outcomes if key[0] == schema_id]:
            self._tables.outcomes.remove(key)
        for day in [day for day in self._tables.outcome_days if day[0] == schema_id]:
            self._tables.outcome_days.remove(day)
