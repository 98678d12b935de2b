"""Who may read or write next: lists and searches never take all that is there for look-ups, nor one caller's those of the others."""

from __future__ import annotations

import time
from contextlib import AbstractAsyncContextManager
from types import TracebackType

from ..queues import caller as callers
from ..queues.fair_queue import Cost, FairQueue, Queues, Ticket
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

    def callers_turn(self) -> AbstractAsyncContextManager[None]:
        """As `turn`, where something else bounds what goes on at a time: the server's own work does not wait here."""
        return _CallersTurn(self._queue)

    def turn(self, *, lists: bool) -> AbstractAsyncContextManager[None]:
        """Wait for a turn and keep it. lists: for a list or a search. Raises LimitExceeded as FairQueue.take does."""
        return _ListsTurn(self._queue, self._history) if lists else _Turn(self._queue)


class _Turn(AbstractAsyncContextManager[None]):
    # Classes, for each read takes a turn: what contextlib makes of a generator costs more than the queue itself.
    __slots__ = ("_queue", "_ticket")

    def __init__(self, queue: FairQueue) -> None:
        self._queue = queue
        self._ticket: Ticket | None = None

    async def __aenter__(self) -> None:
        caller = callers.current()
        self._ticket = self._queue.take_now(caller) or await self._queue.take(caller)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ticket is not None:
            self._ticket.release()


class _CallersTurn(_Turn):
    __slots__ = ()

    async def __aenter__(self) -> None:
        if callers.current().key:
            await super().__aenter__()


class _ListsTurn(_Turn):
    __slots__ = ("_began", "_caller", "_history")

    def __init__(self, queue: FairQueue, history: CostHistory) -> None:
        super().__init__(queue)
        self._history = history

    async def __aenter__(self) -> None:
        self._caller = callers.current()
        cost = max(Cost.USUAL, self._history.cost(self._caller.key))
        self._ticket = await self._queue.take(self._caller, cost)
        self._began = time.monotonic()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        if self._caller.key:
            self._history.note(self._caller.key, time.monotonic() - self._began)
