"""Forgets old counts by day, and old reports; in small transactions, on one server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from ..model.outcomes import day_of
from ..storage.store import Store, WriteTx

BATCH = 500
REPORTS_KEPT = timedelta(days=1)
"""A report that is repeated later than this counts once more."""


class OutcomeSweep:
    """keep_days: of counts by day. confirm: is asked in each transaction; raises when another server may be at the same work."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], datetime],
        *,
        keep_days: int,
        confirm: Callable[[WriteTx], Awaitable[None]],
    ) -> None:
        self._store, self._clock, self._keep, self._confirm = store, clock, keep_days, confirm

    async def run(self) -> None:
        """Forget all that is old. Raises RegistryError."""
        now = self._clock()
        oldest = day_of(now) - self._keep
        await self._until_none(lambda tx: tx.forget_outcome_days(oldest, BATCH))
        await self._until_none(lambda tx: tx.forget_reports(now - REPORTS_KEPT, BATCH))

    async def _until_none(self, forget: Callable[[WriteTx], Awaitable[int]]) -> None:
        gone = BATCH
        while gone == BATCH:
            async with self._store.write() as tx:
                await self._confirm(tx)
                gone = await forget(tx)
            await asyncio.sleep(0)
