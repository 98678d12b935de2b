"""Reports of outcomes on their way into the store: those that come while others are written go in together, in one transaction, and each
is answered when it is stored."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from ..errors import LimitExceeded, ShuttingDown
from ..model.outcomes import OTHER, Counted, Outcomes, OutcomesKey, day_of
from ..model.schema import SchemaVersion
from ..storage.store import Store

BATCH = 1000
"""Counts that go into one transaction; a report of more goes alone."""


@dataclass(frozen=True, slots=True)
class Report:
    """What one report adds. id: names it, whoever sent it."""

    id: str
    sums: Mapping[OutcomesKey, Outcomes]
    versions: Mapping[str, SchemaVersion]


@dataclass(frozen=True, slots=True)
class _Waiting:
    report: Report
    stored: asyncio.Future[bool] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class OutcomeReports:
    """Writes reports. models: so many are told apart of each version. waiting: most counts that wait for the store. pause_seconds: between two
    transactions. on_counted: is told what has changed, after each."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], datetime],
        on_counted: Callable[[Collection[OutcomesKey]], Awaitable[None]],
        *,
        models: int,
        waiting: int,
        pause_seconds: float,
    ) -> None:
        self._store, self._clock, self._on_counted = store, clock, on_counted
        self._models, self._most, self._pause = models, waiting, pause_seconds
        self._queue: deque[_Waiting] = deque()
        self._counts = 0
        self._next = 0.0
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    async def add(self, report: Report) -> bool:
        """False when it was counted before. Raises LimitExceeded when too many wait, and what the store raises; then nothing was counted."""
        if self._stopping.is_set():
            raise ShuttingDown()
        if self._counts + len(report.sums) > self._most and self._queue:
            raise LimitExceeded(
                f"{self._counts} counts wait for the storage, and no more than {self._most} may (setting conformance.waiting); report "
                "again after a while, with the same report_id",
                retry_seconds=max(1.0, self._pause),
                setting="conformance.waiting",
            )
        waiting = _Waiting(report)
        waiting.stored.add_done_callback(_seen)
        self._queue.append(waiting)
        self._counts += len(report.sums)
        if self._task is None:
            self._task = asyncio.create_task(self._write_all())
        return await asyncio.shield(waiting.stored)

    async def stop(self) -> None:
        """Write what waits, and take no more."""
        self._stopping.set()
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _write_all(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._queue:
                await self._wait(self._next - loop.time())
                changed = await self._write(self._take())
                self._next = loop.time() + self._pause
                await self._on_counted(changed)
        finally:
            self._task = None

    async def _wait(self, seconds: float) -> None:
        """Let others come; no longer than `stop` allows."""
        if seconds <= 0:
            await asyncio.sleep(0)
        else:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), seconds)

    def _take(self) -> list[_Waiting]:
        batch, ids, counts = list[_Waiting](), set[str](), 0
        while self._queue:
            report = self._queue[0].report
            if report.id in ids or (batch and counts + len(report.sums) > BATCH):
                break
            batch.append(self._queue.popleft())
            ids.add(report.id)
            counts += len(report.sums)
        self._counts -= counts
        return batch

    async def _write(self, batch: Sequence[_Waiting]) -> Collection[OutcomesKey]:
        """Count them, and answer those who wait. What fails is theirs."""
        try:
            known, changed = await self._count({each.report.id: each.report for each in batch})
        except BaseException as error:
            for each in batch:
                if not each.stored.done():
                    each.stored.set_exception(error if isinstance(error, Exception) else ShuttingDown())
            if not isinstance(error, Exception):
                raise
            return ()
        for each in batch:
            if not each.stored.done():
                each.stored.set_result(each.report.id not in known)
        return changed

    async def _count(self, reports: Mapping[str, Report]) -> tuple[Collection[str], Collection[OutcomesKey]]:
        """Those that were counted before, and what the others have changed."""
        now = self._clock()
        async with self._store.write() as tx:
            await tx.lock_outcomes()
            known = set(await tx.noted_reports(reports.keys()))
            sums: defaultdict[OutcomesKey, Outcomes] = defaultdict(Outcomes)
            versions: dict[str, SchemaVersion] = {}
            for report in reports.values():
                if report.id not in known:
                    versions.update(report.versions)
                    for key, outcomes in report.sums.items():
                        sums[key] += outcomes
            new = reports.keys() - known
            if not new:
                return known, ()
            counted = self._placed(sums, versions, await tx.counted_models(versions.keys()), day_of(now))
            await tx.count_outcomes(counted, now)
            await tx.note_reports(sorted(new), now)
        return known, [(each.schema_id, each.model) for each in counted]

    def _placed(
        self,
        sums: Mapping[OutcomesKey, Outcomes],
        versions: Mapping[str, SchemaVersion],
        models: Mapping[str, Collection[str]],
        day: int,
    ) -> Sequence[Counted]:
        """With the place of each model among those of its version; models for which there is no place are counted as OTHER."""
        places = {
            schema_id: {m: 0 for m in models.get(schema_id, ()) if m != OTHER} for schema_id in versions
        }
        placed: dict[OutcomesKey, Counted] = {}
        for (schema_id, model), outcomes in sums.items():
            version, known = versions[schema_id], places[schema_id]
            if model != OTHER and model not in known:
                if len(known) < self._models:
                    known[model] = len(known) + 1
                else:
                    model = OTHER
            before = placed.get((schema_id, model))
            placed[schema_id, model] = Counted(
                schema_id,
                version.subject,
                version.ordinal,
                model,
                known.get(model, 0),
                day,
                outcomes if before is None else before.outcomes + outcomes,
            )
        return list(placed.values())


def _seen(stored: asyncio.Future[bool]) -> None:
    """Its caller may have left: then nobody else asks for the error."""
    if not stored.cancelled():
        stored.exception()
