"""Outcomes of answers of language models: counts by version, model and day, and which reports have been counted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from ...model.outcomes import Counted, ModelOutcomes, Outcomes, OutcomesKey
from ...model.subject import Subject


class OutcomesRead(Protocol):
    """Reads of them. Rows that cannot be decoded are left out."""

    async def noted_reports(self, ids: Collection[str]) -> Collection[str]:
        """Those of these reports that `note_reports` was told of."""
        ...

    async def counted_models(self, schema_ids: Collection[str]) -> Mapping[str, Collection[str]]:
        """The models that were reported with these versions; versions without any are missing."""
        ...

    async def outcomes_of(self, keys: Collection[OutcomesKey]) -> Sequence[ModelOutcomes]:
        """All outcomes of these, in no order; unknown ones are missing."""
        ...

    async def subject_outcomes(
        self, subject: Subject, after: tuple[int, str], last: int, model: str, limit: int
    ) -> Sequence[ModelOutcomes]:
        """Up to `limit` of a subject's, with (ordinal, model) greater than `after` and ordinals up to `last`, in that order. model: only
        this one's; "" for all."""
        ...

    async def outcomes_between(
        self, keys: Collection[OutcomesKey], first: int, end: int
    ) -> Mapping[OutcomesKey, Outcomes]:
        """Sums over the days from `first` to before `end`; those without any are missing."""
        ...

    async def earlier_outcomes(self, found: Sequence[ModelOutcomes]) -> Mapping[OutcomesKey, ModelOutcomes]:
        """For each of these the same model's of the greatest earlier version of its subject that has any."""
        ...

    async def count_drops(self, since: datetime) -> int:
        """How many have a `dropped_at`, and were reported since then."""
        ...


class OutcomesWrite(OutcomesRead, Protocol):
    """Writes of them."""

    async def lock_outcomes(self) -> None:
        """Nobody else counts until the end of the transaction. To be called first."""
        ...

    async def note_reports(self, ids: Collection[str], at: datetime) -> None:
        """Remember these reports, none of which is known."""
        ...

    async def count_outcomes(self, counted: Sequence[Counted], at: datetime) -> None:
        """Add to the counts, each version and model at most once; those of versions that are gone are dropped. Changes no version:
        neither its revision nor the change log."""
        ...

    async def mark_drop(self, key: OutcomesKey, at: datetime | None) -> None:
        """Set `dropped_at`; does nothing for what is gone."""
        ...

    async def forget_outcome_days(self, before: int, limit: int) -> int:
        """Remove up to `limit` counts of days before this one; answers with how many there were. What `outcomes_of` tells stays."""
        ...

    async def forget_reports(self, before: datetime, limit: int) -> int:
        """Forget up to `limit` reports that were noted before; answers with how many there were."""
        ...
