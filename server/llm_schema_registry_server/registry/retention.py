"""Which changes the log may forget, and forgetting them: oldest first, in small steps beside the writers.

What is forgotten is always a beginning of the log. Its bound is told to whoever resumes from before it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..errors import RegistryError
from ..storage.store import Store

BATCH = 500
"""Changes forgotten in one transaction. While it runs, followers of PostgreSQL's log wait: some milliseconds."""
PAUSE_SECONDS = 0.1
SWEEP_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """What stays: a change that is younger than `age` and among the `newest` ones. None: however old, however many."""

    age: timedelta | None = None
    newest: int | None = None

    @property
    def everything(self) -> bool:
        return self.age is None and self.newest is None


def old(times: Sequence[tuple[int, datetime]], *, before: datetime, now: datetime) -> tuple[int, bool]:
    """How many of the changes at the beginning of `times` (sequence, time) are from `before`, and whether that may go on
    after the last of them. Pure.

    A time that lies in the future is that of a wrong clock: it neither ends the old part nor belongs to it, unless an
    old change follows. So a clock that ran ahead does not keep the log for ever.
    """
    count = 0
    for place, (_, at) in enumerate(times, 1):
        if at < before:
            count = place
        elif at <= now:
            return count, False
    return count, True


@dataclass(frozen=True, slots=True)
class SweepProgress:
    """Forgotten so far (or, in a dry run, to be forgotten): how many changes, and the sequence of the last."""

    changes: int
    upto: int


class Retention:
    """Applies one rule to the log of one store."""

    def __init__(self, store: Store, keep: RetentionPolicy, clock: Callable[[], datetime]) -> None:
        self._store, self._keep, self._clock = store, keep, clock

    async def sweep(
        self, *, dry_run: bool = False, pause: float = PAUSE_SECONDS
    ) -> AsyncIterator[SweepProgress]:
        """Forget what need not stay, yielding after each step; `pause` seconds between steps leave room for writers.
        Ends early when another server does the same at this moment."""
        now = self._clock()
        async with self._store.read() as tx:
            position, _ = await tx.change_bounds()
            surplus = position if self._keep.newest is None else await tx.newest_but(self._keep.newest)
        changes, passed, more = 0, 0, True
        while more:
            async with self._store.read() as tx:
                times = await tx.change_times(position, BATCH)
            going, more = self._going(times, surplus, now)
            changes += passed + going if going else 0
            passed = len(times) - going if going else passed + len(times)
            if going:
                upto = times[going - 1][0]
                if not dry_run and not await self._forget(upto):
                    return
                yield SweepProgress(changes, upto)
                await asyncio.sleep(0 if dry_run else pause)
            more = more and bool(times)
            position = times[-1][0] if times else position

    def _going(self, times: Sequence[tuple[int, datetime]], surplus: int, now: datetime) -> tuple[int, bool]:
        """How many at the beginning may go, and whether any after them may."""
        many = sum(sequence <= surplus for sequence, _ in times)
        if self._keep.age is None:
            return many, many == len(times)
        aged, more = old(times[many:], before=now - self._keep.age, now=now)
        return many + aged, more

    async def _forget(self, upto: int) -> bool:
        async with self._store.write() as tx:
            return await tx.compact_changes(upto)


class Sweeper:
    """Applies a Retention now and then, as long as the server runs. Several servers may do so on one store.

    on_swept: called with the sum of a sweep that forgot something. on_trouble: called when a sweep failed; the next
    one is tried all the same.
    """

    def __init__(
        self,
        retention: Retention,
        *,
        on_swept: Callable[[SweepProgress], None],
        on_trouble: Callable[[RegistryError], None],
        every_seconds: float = SWEEP_SECONDS,
    ) -> None:
        self._retention = retention
        self._on_swept, self._on_trouble = on_swept, on_trouble
        self._every_seconds = every_seconds
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="change log retention")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            last: SweepProgress | None = None
            try:
                async for step in self._retention.sweep():
                    last = step
            except RegistryError as error:
                self._on_trouble(error)
            if last is not None:
                self._on_swept(last)
            # Servers that were started together shall not stay in step.
            await asyncio.sleep(self._every_seconds * random.uniform(0.5, 1.5))
