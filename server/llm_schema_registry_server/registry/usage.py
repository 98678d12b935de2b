"""How often schemas are used: counted in memory where calls pass, and added to the store now and then.

The counts steer what a server has ready when it starts, and nothing that anybody relies on: those of a server that is
killed are lost, and a store that is away keeps them waiting here, up to a bound.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from ..errors import RegistryError
from ..model.health import Component, ComponentStatus
from ..model.usage import Uses
from ..storage.store import Store

BATCH = 500
"""Versions counted in one transaction. While it runs, followers of PostgreSQL's log wait: some milliseconds."""
MOST_WAITING = 100_000
"""Schemas whose counts wait for the store; reads of more than these are dropped."""
LAST_SECONDS = 2.0
"""How long a server that ends tries to get rid of its counts."""
_FAIR_SHARE = 2000

Readings = Callable[[], Iterator[tuple[str, int]]]


@dataclass(frozen=True, slots=True)
class UsageCounts:
    """Uses since the start that were added to the store, and that were given up; schemas whose counts wait now."""

    recorded: int
    dropped: int
    waiting: int


class UsageRecorder:
    """Collects counts and adds them to the store every `every_seconds`, as long as the server runs.

    readings: hands over reads by schema id, as they were counted since it was asked last. on_trouble: called when the
    store begins not to take them.
    """

    def __init__(
        self,
        store: Store,
        readings: Readings,
        clock: Callable[[], datetime],
        *,
        every_seconds: float,
        on_trouble: Callable[[RegistryError], None],
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._store, self._readings, self._clock = store, readings, clock
        self._every_seconds, self._on_trouble = every_seconds, on_trouble
        self._most_waiting = most_waiting
        self._waiting: dict[str, Uses] = {}
        self._validations: dict[str, int] = {}
        self._recorded = self._dropped = 0
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.trouble = ""
        """Why the store did not take the last counts; "" when it did."""

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
        why = {"trouble": self.trouble} if self.trouble else {}
        return Component(ComponentStatus.UP, details={"waiting": str(len(self._waiting)), **why})

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="usage")

    async def stop(self) -> None:
        """Add what is left, if the store takes it at once."""
        self._ending.set()
        if self._task is None:
            return
        await asyncio.wait([self._task], timeout=LAST_SECONDS)
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def flush(self) -> None:
        """Collect, and add to the store; what it does not take waits for the next time."""
        await self._collect()
        try:
            waiting = list(self._waiting)
            for first in range(0, len(waiting), BATCH):
                await self._record(waiting[first : first + BATCH])
        except RegistryError as error:
            if not self.trouble:
                self._on_trouble(error)
            self.trouble = error.message
        else:
            self.trouble = ""

    async def _collect(self) -> None:
        validations, self._validations = self._validations, {}
        for schema_id, count in validations.items():
            self._wait(schema_id, Uses(validations=count))
        for number, (schema_id, count) in enumerate(self._readings(), 1):
            self._wait(schema_id, Uses(reads=count))
            if number % _FAIR_SHARE == 0:
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

    async def _run(self) -> None:
        ending = False
        while not ending:
            with suppress(TimeoutError):
                # Servers that were started together shall not stay in step.
                async with asyncio.timeout(self._every_seconds * random.uniform(0.75, 1.25)):
                    await self._ending.wait()
            ending = self._ending.is_set()
            await self.flush()
