"""Which changes the log may forget, and deleting them: oldest first, in small transactions, while servers write.

What is forgotten is always a beginning of the log; whoever resumes from before it is answered RevisionCompacted. Durable
cursors (storage/leases.py) hold back what they have not passed, within bounds: a reader that never comes back does not keep
the log for ever.
"""

from __future__ import annotations

import asyncio
import sys
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter

from ..storage.store import ReadTx, Store

BATCH = 500
"""Changes deleted in one transaction. While it runs, readers of PostgreSQL's change log wait: some milliseconds."""
PAUSE_SECONDS = 0.1
SWEEP_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """What stays: a change that is younger than `age` and among the `newest` ones. None: however old, however many."""

    age: timedelta | None = None
    newest: int | None = None

    @property
    def keeps_everything(self) -> bool:
        return self.age is None and self.newest is None


HOLD = RetentionPolicy(timedelta(days=7), 1_000_000)
"""What a slow cursor holds back unless the settings say otherwise."""


def old(times: Sequence[tuple[int, datetime]], *, before: datetime, now: datetime) -> tuple[int, bool]:
    """How many of the changes at the beginning of `times` (sequence, time) are older than `before`, and whether changes after the
    last of them may be, too. Pure.

    A time in the future is that of a wrong clock: it neither ends the old part nor belongs to it, unless an old change
    follows. So a clock that was fast does not keep the log for ever.
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
    """What was deleted so far (or would be, in a dry run): how many changes, and the sequence of the last one."""

    changes: int
    upto: int


@dataclass(frozen=True, slots=True)
class _Limits:
    """A policy as it applies to a log at one moment: what has a sequence up to `surplus` is not among the newest ones, what is
    from before `before` is too old (None: nothing is)."""

    surplus: int
    before: datetime | None
    now: datetime

    @classmethod
    async def of(cls, policy: RetentionPolicy, tx: ReadTx, oldest: int, now: datetime) -> _Limits:
        surplus = oldest if policy.newest is None else await tx.newest_but(policy.newest)
        return cls(surplus, None if policy.age is None else now - policy.age, now)

    def passed(self, times: Sequence[tuple[int, datetime]]) -> tuple[int, bool]:
        """How many at the beginning of `times` the policy lets go, and whether it may let go any after them."""
        many = _up_to(times, self.surplus)
        if self.before is None:
            return many, many == len(times)
        aged, more = old(times[many:], before=self.before, now=self.now)
        return many + aged, more


class Retention:
    """Applies one policy to the log of one store. Changes that a durable cursor of the store has not passed stay longer:
    until `hold` does not keep them either."""

    def __init__(
        self,
        store: Store,
        keep: RetentionPolicy,
        clock: Callable[[], datetime],
        hold: RetentionPolicy = HOLD,
    ) -> None:
        self._store, self._keep, self._hold, self._clock = store, keep, hold, clock

    async def sweep(
        self, *, dry_run: bool = False, pause: float = PAUSE_SECONDS
    ) -> AsyncIterator[SweepProgress]:
        """Delete what may be forgotten, yielding after each transaction; `pause` seconds between them leave room for writers.
        Ends early when another server does the same at this moment."""
        now = self._clock()
        async with self._store.read() as tx:
            position, _ = await tx.change_bounds()
            keep = await _Limits.of(self._keep, tx, position, now)
            hold = await _Limits.of(self._hold, tx, position, now)
            slowest = min((cursor.sequence for cursor in await tx.cursors()), default=sys.maxsize)
        changes, skipped, more = 0, 0, True
        while more:
            async with self._store.read() as tx:
                times = await tx.change_times(position, BATCH)
            going, more = _going(times, keep, hold, slowest)
            changes += skipped + going if going else 0
            skipped = len(times) - going if going else skipped + len(times)
            if going:
                upto = times[going - 1][0]
                if not dry_run and not await self._forget(upto):
                    return
                yield SweepProgress(changes, upto)
                await asyncio.sleep(0 if dry_run else pause)
            more = more and bool(times)
            position = times[-1][0] if times else position

    async def _forget(self, upto: int) -> bool:
        async with self._store.write() as tx:
            return await tx.compact_changes(upto)


def _going(
    times: Sequence[tuple[int, datetime]], keep: _Limits, hold: _Limits, slowest: int
) -> tuple[int, bool]:
    """How many at the beginning of `times` may go, and whether any after them may: what `keep` lets go and either all cursors
    have passed or `hold` lets go, too."""
    read = _up_to(times, slowest)
    released, more = hold.passed(times)
    return min(keep.passed(times), (max(read, released), more or read == len(times)))


def _up_to(times: Sequence[tuple[int, datetime]], sequence: int) -> int:
    return bisect_right(times, sequence, key=itemgetter(0))


async def sweep_all(retention: Retention, on_swept: Callable[[SweepProgress], None]) -> None:
    """One whole sweep. on_swept: called with its sum, also when it failed on the way, if it forgot anything."""
    last: SweepProgress | None = None
    try:
        async for step in retention.sweep():
            last = step
    finally:
        if last is not None:
            on_swept(last)
