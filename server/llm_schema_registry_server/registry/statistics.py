"""How much the registry holds: counted by one server at a time, stored for all of them.

Counting is a read: it holds up neither writers nor subscribers (docs/decisions/0013-statistics-are-counted-by-reads.md).
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ..errors import ConcurrentUpdate, StorageUnavailable
from ..model.principal import READ, Rights
from ..model.schema import SchemaVersion
from ..model.scope import Scope, SubjectScope
from ..model.statistics import TOP, Statistics
from ..model.subject import DEFAULT_CONTEXT
from ..model.usage import Usage
from ..storage.leases import Lease, LeaseLost
from ..storage.store import Store, WriteTx
from .periodic import PeriodicWork

LEASE = "statistics"
"""Who has this lease counts: one server of a store at a time."""
LIST = "subject:read"
"""The permission to know the names of subjects, beside that to read their schemas."""
LEAST_SECONDS = 10.0
_SHARE = 10
"""Statistics younger than LEAST_SECONDS, or than so many times what the last count of this server took when that is less, are
fresh: whoever asks cannot make the store do nothing but count."""
_LOOK_SECONDS = 0.25
"""How often a caller looks whether another server has counted."""
_LONGEST_TICK_SECONDS = 30.0


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

    def shown_to(self, rights: Rights) -> StatisticsReport:
        """The same numbers, with the names only of what may be read: subjects, and groups all of whose subjects may be."""
        scopes = [rights.where(permission) for permission in (READ, LIST)]
        if any(scope.everything for scope in scopes):
            return self
        s = self.statistics
        return StatisticsReport(
            replace(
                s,
                contexts=[g for g in s.contexts if _covered(scopes, Scope(g.name))],
                prefixes=[g for g in s.prefixes if _covered(scopes, _beginning_with(g.name))],
                largest=[x for x in s.largest if any(scope.contains(x.subject) for scope in scopes)],
            ),
            [p for p in self.popular if any(scope.contains(str(p.version.subject)) for scope in scopes)],
        )


def _covered(scopes: Sequence[SubjectScope], group: Scope) -> bool:
    return any(scope.covers(group) for scope in scopes)


def _beginning_with(prefix: str) -> Scope:
    """The subjects whose qualified name begins so; a prefix of statistics ends inside a name, not inside a context's."""
    if not prefix.startswith(":."):
        return Scope(DEFAULT_CONTEXT, prefix + "*")
    context, _, rest = prefix[1:].partition(":")
    return Scope(context, rest + "*")


class StatisticsCounter:
    """Counts a store. `start` it to count every `every_seconds` (0: only when somebody asks and nothing is stored).

    timeout_seconds: the longest that a count may take. on_counted: called with the seconds that a count of this server
    took.
    """

    def __init__(
        self,
        store: Store,
        clock: Callable[[], datetime],
        *,
        every_seconds: float,
        timeout_seconds: float,
        on_counted: Callable[[float], None],
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._timer, self._took = timer, LEAST_SECONDS
        self._store, self._clock = store, clock
        self._holder = f"server-{secrets.token_hex(4)}"
        self._every, self._timeout = every_seconds, timeout_seconds
        self._on_counted = on_counted
        self.work = PeriodicWork(
            "statistics",
            self._refresh_if_old,
            clock,
            every_seconds=min(every_seconds / 10, _LONGEST_TICK_SECONDS),
            retry_seconds=every_seconds,
        )
        self._asked: asyncio.Task[Statistics | None] | None = None
        self.newest: Statistics | None = None
        """The newest that this server has seen, its own or another server's."""

    async def __call__(self, *, fresh: bool = False) -> StatisticsReport:
        """The stored statistics; counted anew when there are none, or when `fresh` ones are wanted and they are not."""
        stored = await self.look()
        if stored is None or (fresh and not self._younger(stored, min(LEAST_SECONDS, _SHARE * self._took))):
            stored = await self._renewed(stored)
        return StatisticsReport(stored, await self._popular())

    async def look(self) -> Statistics | None:
        """Read the stored statistics."""
        async with self._store.read() as tx:
            stored = await tx.statistics()
        self.newest = stored or self.newest
        return stored

    async def refresh(self) -> Statistics | None:
        """Count and store; None when another server is counting, or was within the last `timeout_seconds` and failed."""
        async with self._store.write() as tx:
            lease = await self._acquire(tx)
        return None if lease is None else await self._counted(lease)

    async def _refresh_instead_of(self, old: Statistics | None) -> Statistics | None:
        """As `refresh`; None, too, when another server has stored a count since `old` was read."""
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
            self.work.start()

    async def stop(self) -> None:
        await self.work.stop()
        if self._asked is not None:
            self._asked.cancel()
            await asyncio.gather(self._asked, return_exceptions=True)

    async def _count(self) -> Statistics:
        at = self._clock()
        try:
            async with self._store.read_elsewhere() as tx:
                return await tx.count_everything(at, self._timeout)
        except ConcurrentUpdate:  # a replica ends a long read that keeps it from following
            async with self._store.read() as tx:
                return await tx.count_everything(at, self._timeout)

    async def _renewed(self, old: Statistics | None) -> Statistics:
        """Counted by this server, or by another one that is counting."""
        while True:
            counted = await self._refresh_once(old)
            if counted is not None:
                return counted
            await asyncio.sleep(_LOOK_SECONDS)
            stored = await self.look()
            if stored is not None and stored != old:
                return stored

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

    async def _refresh_if_old(self) -> None:
        stored = await self.look()
        if stored is None or not self._younger(stored, self._every):
            await self.refresh()
