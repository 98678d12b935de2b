"""Who may read or write next: lists and searches never take all that is there for look-ups, nor one caller's those of the others."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ..queues import caller as callers
from ..queues.fair_queue import Cost, FairQueue, Queues
from ..queues.history import CostHistory

_DEAR_SECONDS = 0.5
"""A list or search that keeps its connection for longer is dear: its caller's next ones share what is left for such ones."""


class ReadQueue:
    """Of `room` transactions at a time, `lists` may be lists and searches, and half of those, but at least one, of callers
    whose last ones were dear."""

    def __init__(
        self,
        name: str,
        room: int,
        lists: int,
        queues: Queues | None = None,
        what: str = "reads wait for the storage",
    ) -> None:
        queues = queues or Queues()
        self._queue = queues.add(
            FairQueue(
                name,
                (room, min(lists, room), min(room, max(1, lists // 2))),
                queues.limits,
                what=what,
                setting="queues.waiting",
            )
        )
        self._history = CostHistory(_DEAR_SECONDS)

    @asynccontextmanager
    async def callers_turn(self) -> AsyncIterator[None]:
        """As `turn`, where something else bounds what goes on at a time: the server's own work does not wait here."""
        caller = callers.current()
        if not caller.key:
            yield
            return
        with await self._queue.take(caller):
            yield

    @asynccontextmanager
    async def turn(self, *, lists: bool) -> AsyncIterator[None]:
        """Wait for a turn and keep it. lists: for a list or a search. Raises LimitExceeded as FairQueue.take does."""
        caller = callers.current()
        if not lists:
            with await self._queue.take(caller):
                yield
            return
        cost = max(Cost.USUAL, self._history.cost(caller.key))
        ticket = await self._queue.take(caller, cost)
        began = time.monotonic()
        try:
            yield
        finally:
            ticket.release()
            if caller.key:
                self._history.note(caller.key, time.monotonic() - began)
