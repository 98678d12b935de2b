"""Single flight: concurrent callers with the same key share one computation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic

from .cache import K, V


@dataclass(slots=True)
class _Flight(Generic[V]):
    task: asyncio.Task[V]
    waiting: int = 0


class SingleFlight(Generic[K, V]):
    """Runs at most one computation per key at a time; its result, or its error, goes to all callers that wait for it.

    Nothing is cached after the computation has ended. It runs as long as a caller waits; when the last one is cancelled, it is
    cancelled, too. Belongs to one event loop.
    """

    def __init__(self) -> None:
        self._flights: dict[K, _Flight[V]] = {}

    def __len__(self) -> int:
        """How many computations are running."""
        return len(self._flights)

    async def run(self, key: K, compute: Callable[[], Awaitable[V]]) -> V:
        """The result of the running computation for `key`, or of `compute` when there is none."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.create_task(_awaited(compute)))
            flight.task.add_done_callback(lambda _: self._remove(key, flight))
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                # Later callers start a new computation instead of joining one that is being cancelled.
                self._remove(key, flight)
                flight.task.cancel()

    def _remove(self, key: K, flight: _Flight[V]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        if flight.task.done() and not flight.task.cancelled():
            flight.task.exception()  # retrieved, even when every caller was cancelled


async def _awaited(compute: Callable[[], Awaitable[V]]) -> V:
    return await compute()
