"""How much the registry holds: counted by one server at a time, kept in the store for all of them, told to whoever asks.

Counting is a read: it holds up neither writers nor subscribers (docs/decisions/0013-statistics-are-counted-by-reads.md).
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..errors import ConcurrentUpdate, RegistryError, StorageUnavailable
from ..model.schema import SchemaVersion
from ..model.statistics import TOP, Statistics
from ..model.usage import Usage
from ..storage.leases import Lease, LeaseLost
from ..storage.store import Store, WriteTx

LEASE = "statistics"
"""Who has this lease counts: one server of a store at a time."""
LEAST_SECONDS = 10.0
_SHARE = 10
"""Statistics younger than LEAST_SECONDS, or than so many times what the last count of this server took when that is less, are
fresh: whoever asks cannot make the store do nothing but count."""
_LOOK_SECONDS = 0.25
"""How often a caller looks whether another server has counted."""
_MOST_TICK_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class PopularVersion:
    """A live version that was used lately, and how much: `recent` uses, of which older ones count less."""

    version: SchemaVersion
    usage: Usage
    recent: float


@dataclass(frozen=True, slots=True)
class StatisticsReport:
    """The statistics, and the versions that are used most, as it is now."""

    statistics: Statistics
    popular: Sequence[PopularVersion]


class StatisticsCounter:
    """Counts a store. `start` it to count every `every_seconds` (0: only when somebody asks and nothing is kept).

    timeout_seconds: the longest that a count may take. on_counted: called with the seconds that a count of this server
    took. on_trouble: called when counting by itself failed; it is tried again after `every_seconds`.
    """

    def __init__(
        self,
        store: Store,
        clock: Callable[[], datetime],
        *,
        every_seconds: float,
        timeout_seconds: float,
        on_counted: Callable[[float], None],
        on_trouble: Callable[[RegistryError], None],
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._timer, self._took = timer, LEAST_SECONDS
        self._store, self._clock = store, clock
        self._holder = f"server-{secrets.token_hex(4)}"
        self._every, self._timeout = every_seconds, timeout_seconds
        self._on_counted, self._on_trouble = on_counted, on_trouble
        self._task: asyncio.Task[None] | None = None
        self._asked: asyncio.Task[Statistics | None] | None = None
        self.newest: Statistics | None = None
        """The newest that this server has seen, its own or another server's."""

    async def __call__(self, *, fresh: bool = False) -> StatisticsReport:
        """What is kept; counted anew when nothing is, or when `fresh` is wanted and it is not."""
        kept = await self.look()
        if kept is None or (fresh and not self._younger(kept, min(LEAST_SECONDS, _SHARE * self._took))):
            kept = await self._renewed(kept)
        return StatisticsReport(kept, await self._popular())

    async def look(self) -> Statistics | None:
        """Read what is kept."""
        async with self._store.read() as tx:
            kept = await tx.statistics()
        self.newest = kept or self.newest
        return kept

    async def refresh(self) -> Statistics | None:
        """Count and keep; None when another server is at it, or was within the last `timeout_seconds` and failed."""
        async with self._store.write() as tx:
            lease = await self._acquire(tx)
        return None if lease is None else await self._counted(lease)

    async def _refresh_instead_of(self, old: Statistics | None) -> Statistics | None:
        """As `refresh`; None, too, when another server has kept a count since `old` was read."""
        async with self._store.write() as tx:
            lease = await self._acquire(tx)
            if lease is not None and await tx.statistics() != old:
                await tx.release_lease(lease)
                lease = None
        return None if lease is None else await self._counted(lease)

    async def _acquire(self, tx: WriteTx) -> Lease | None:
        return await tx.acquire_lease(LEASE, self._holder, self._timeout)

    async def _counted(self, lease: Lease) -> Statistics | None:
        """None when counting took so long that another server has begun. A lease whose count failed is not released: the
        others wait until it expires instead of failing one after the other."""
        begun = self._timer()
        try:
            async with asyncio.timeout(self._timeout):
                statistics = await self._count()
        except TimeoutError as error:
            raise StorageUnavailable(
                f"counting took longer than {self._timeout:g} s; raise statistics.timeout_seconds"
            ) from error
        try:
            async with self._store.write() as tx:
                await tx.confirm_lease(lease)
                await tx.save_statistics(statistics)
                await tx.release_lease(lease)
        except LeaseLost:
            return None
        self.newest = statistics
        self._took = self._timer() - begun
        self._on_counted(self._took)
        return statistics

    def start(self) -> None:
        if self._every:
            self._task = asyncio.create_task(self._run(), name="statistics")

    async def stop(self) -> None:
        running = [task for task in (self._task, self._asked) if task is not None]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _count(self) -> Statistics:
        at = self._clock()
        try:
            async with self._store.read_elsewhere() as tx:
                return await tx.count_everything(at, self._timeout)
        except ConcurrentUpdate:  # a replica ends a long read that keeps it from following
            async with self._store.read() as tx:
                return await tx.count_everything(at, self._timeout)

    async def _renewed(self, old: Statistics | None) -> Statistics:
        """Counted by this server, or by another one that is at it."""
        while True:
            counted = await self._refresh_once(old)
            if counted is not None:
                return counted
            await asyncio.sleep(_LOOK_SECONDS)
            kept = await self.look()
            if kept is not None and kept != old:
                return kept

    async def _refresh_once(self, old: Statistics | None) -> Statistics | None:
        """A refresh that all callers of this server share, and that goes on when they leave."""
        if self._asked is None or self._asked.done():
            self._asked = asyncio.create_task(self._refresh_instead_of(old), name="statistics asked for")
        return await asyncio.shield(self._asked)

    async def _popular(self) -> Sequence[PopularVersion]:
        now = self._clock()
        async with self._store.read() as tx:
            used = await tx.most_used(TOP)
            versions = await tx.versions_by_id([u.schema_id for u in used])
        found = [(versions.get(u.schema_id), u) for u in used]
        return [PopularVersion(v, u, u.recent(now)) for v, u in found if v is not None and v.live]

    def _younger(self, statistics: Statistics, seconds: float) -> bool:
        """Not so those of the future, which a wrong clock made."""
        return timedelta() <= self._clock() - statistics.at < timedelta(seconds=seconds)

    async def _run(self) -> None:
        tick = min(self._every / 10, _MOST_TICK_SECONDS)
        while True:
            pause = tick
            try:
                kept = await self.look()
                if kept is None or not self._younger(kept, self._every):
                    await self.refresh()
            except RegistryError as error:
                self._on_trouble(error)
                pause = self._every
            # Servers that were started together shall not stay in step.
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
