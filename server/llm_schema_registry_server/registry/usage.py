"""How often schemas are used: counted in memory where calls pass, and added to the store now and then.

The counts decide what a server loads when it starts, and nothing that anybody relies on: those of a server that is killed
are lost, and while the store is away they wait here, up to a bound.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from ..model.health import Component, ComponentStatus
from ..model.usage import Uses
from ..storage.store import Store
from .periodic import PeriodicWork

BATCH = 500
"""Versions counted in one transaction. While it runs, followers of PostgreSQL's log wait: some milliseconds."""
MOST_WAITING = 100_000
"""Schemas whose counts wait for the store; reads of more than these are dropped."""
_YIELD_EVERY = 2000
"""Schemas that are collected before other tasks of the event loop get their turn."""

Readings = Callable[[], Iterator[tuple[str, int]]]


@dataclass(frozen=True, slots=True)
class UsageCounts:
    """Uses since the start that were added to the store, and that were given up; schemas whose counts wait now."""

    recorded: int
    dropped: int
    waiting: int


class UsageRecorder:
    """Collects counts and adds them to the store every `every_seconds`, as long as the server runs.

    readings: hands over reads by schema id, as they were counted since it was asked last.
    """

    def __init__(
        self,
        store: Store,
        readings: Readings,
        clock: Callable[[], datetime],
        *,
        every_seconds: float,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._store, self._readings, self._clock = store, readings, clock
        self._most_waiting = most_waiting
        self._waiting: dict[str, Uses] = {}
        self._validations: dict[str, int] = {}
        self._recorded = self._dropped = 0
        self.work = PeriodicWork(
            "usage", self.flush, clock, every_seconds=every_seconds, waits_first=True, runs_at_stop=True
        )

    def validated(self, schema_id: str) -> None:
        """Data was validated against this schema."""
        known = self._validations.get(schema_id)
        if known is None and len(self._validations) >= self._most_waiting:
            self._dropped += 1
        else:
            self._validations[schema_id] = (known or 0) + 1

    def stats(self) -> UsageCounts:
        return UsageCounts(self._recorded, self._dropped, len(self._waiting))

    async def probe(self) -> Component:
        """Always UP: no caller is served worse while counts wait."""
        trouble = self.work.state.trouble
        why = {"trouble": trouble} if trouble else {}
        return Component(ComponentStatus.UP, details={"waiting": str(len(self._waiting)), **why})

    def start(self) -> None:
        self.work.start()

    async def stop(self) -> None:
        """Add what is left, if the store takes it at once."""
        await self.work.stop()

    async def flush(self) -> None:
        """Collect, and add to the store. Raises StorageUnavailable and the like; what the store did not take waits for the
        next time."""
        await self._collect()
        waiting = list(self._waiting)
        for first in range(0, len(waiting), BATCH):
            await self._record(waiting[first : first + BATCH])

    async def _collect(self) -> None:
        validations, self._validations = self._validations, {}
        for schema_id, count in validations.items():
            self._wait(schema_id, Uses(validations=count))
        for number, (schema_id, count) in enumerate(self._readings(), 1):
            self._wait(schema_id, Uses(reads=count))
            if number % _YIELD_EVERY == 0:
                await asyncio.sleep(0)

    def _wait(self, schema_id: str, uses: Uses) -> None:
        known = self._waiting.get(schema_id)
        if known is None and len(self._waiting) >= self._most_waiting:
            self._dropped += uses.all
        else:
            self._waiting[schema_id] = uses if known is None else known + uses

    async def _record(self, schema_ids: list[str]) -> None:
        batch = {schema_id: self._waiting.pop(schema_id) for schema_id in schema_ids}
        try:
            async with self._store.write() as tx:
                await tx.record_usage(batch, self._clock())
        except BaseException:
            for schema_id, uses in batch.items():
                self._wait(schema_id, uses)
            raise
        self._recorded += sum(uses.all for uses in batch.values())
