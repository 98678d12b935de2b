"""Whether a model's answers are valid at once less often with a version than with the one before it; looked at whenever outcomes were counted.

Each version of a subject is compared with the newest earlier one that the model was reported with. All comparisons of a subject share one
probability of error, by the place of the version, how many versions lie between, and the place of the model among those of the version.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from llm_schema_engines.answers.conformance import Passes, evidence_of_drop, is_certain, share_of_error

from ..errors import RegistryError
from ..model.outcomes import OTHER, Comparison, ModelOutcomes, OutcomesKey
from ..storage.store import ReadTx, Store
from ..telemetry import logs

_LOG = logs.get("conformance")
_YIELD_EVERY = 50
"""Comparisons before other tasks of the event loop get their turn: some milliseconds."""


@dataclass(frozen=True, slots=True)
class DropTest:
    """A comparison. evidence: natural logarithm; a drop is certain when it reaches `needed`. before: the outcomes that it was compared with."""

    before: ModelOutcomes
    evidence: float
    needed: float
    found: bool


def passes_of(outcomes: ModelOutcomes) -> Passes:
    """The answers that were valid at once, of all."""
    counts = outcomes.outcomes
    return Passes(min(counts.first_pass, counts.answers), counts.answers)


@dataclass(frozen=True, slots=True)
class DropRules:
    """error: probability that a subject is ever told of a drop that is none. margin: share of answers by which a rate may fall unnoticed."""

    error: float = 0.01
    margin: float = 0.01

    def test(self, comparison: Comparison) -> DropTest | None:
        """None where there is nothing to compare: without an earlier version, and for models that are not told apart."""
        after, before = comparison.after, comparison.before
        if before is None or after.model == OTHER:
            return None
        share = share_of_error(self.error, after.ordinal - 1, after.ordinal - before.ordinal, after.place)
        evidence = evidence_of_drop(passes_of(before), passes_of(after), self.margin)
        return DropTest(before, evidence, -math.log(share), is_certain(evidence, share))


async def compared(tx: ReadTx, found: Collection[ModelOutcomes]) -> list[Comparison]:
    """Each of these with the one that it is compared with."""
    earlier = await tx.earlier_outcomes(list(found)) if found else {}
    return [Comparison(one, earlier.get(one.key)) for one in found]


class Drops:
    """Finds drops, and marks them in the store."""

    def __init__(self, store: Store, clock: Callable[[], datetime], rules: DropRules) -> None:
        self._store, self._clock, self.rules = store, clock, rules

    async def look(self, keys: Collection[OutcomesKey]) -> None:
        """Compare what was counted anew. A failure of the store is logged: the next report of the same is compared again."""
        try:
            await self._look([key for key in keys if key[1] != OTHER])
        except RegistryError as error:
            _LOG.warning("conformance_not_compared", error=str(error))

    async def _look(self, keys: Collection[OutcomesKey]) -> None:
        if not keys:
            return
        async with self._store.read() as tx:
            comparisons = await compared(tx, await tx.outcomes_of(keys))
        changed: dict[OutcomesKey, datetime | None] = {}
        for number, comparison in enumerate(comparisons, 1):
            test, after = self.rules.test(comparison), comparison.after
            if test is not None and test.found != (after.dropped_at is not None):
                changed[after.key] = self._clock() if test.found else None
                self._tell(after, test)
            if number % _YIELD_EVERY == 0:
                await asyncio.sleep(0)
        if changed:
            async with self._store.write() as tx:
                for key, at in changed.items():
                    await tx.mark_drop(key, at)

    def _tell(self, after: ModelOutcomes, test: DropTest) -> None:
        facts = {
            "subject": str(after.subject),
            "ordinal": after.ordinal,
            "model": after.model,
            "rate": round(passes_of(after).rate, 4),
            "earlier_ordinal": test.before.ordinal,
            "earlier_rate": round(passes_of(test.before).rate, 4),
        }
        if test.found:
            _LOG.warning("conformance_dropped", **facts)
        else:
            _LOG.info("conformance_recovered", **facts)
