"""Long work on the event loop, done in slices between which everybody else has a turn."""

from __future__ import annotations

import asyncio
import time

SLICE_SECONDS = 0.004
SHORT_SLICE_SECONDS = 0.001
"""Of work that one call does alone, beside many that are short."""
MOST_WOKEN = 64
"""Tasks that are woken in one slice: they all run in one piece before the loop looks at its sockets again. Fewer, down to
LEAST_WOKEN, after a turn of others that took long."""
LEAST_WOKEN = 8
_LONG_SECONDS, _SHORT_SECONDS = 0.008, 0.004


class Turns:
    """The turns of one long piece of work. A slice ends when it took `seconds`, or when it has woken as many tasks as run in a short
    time."""

    def __init__(self, seconds: float = SLICE_SECONDS) -> None:
        self._seconds = seconds
        self._began = time.perf_counter()
        self._woken, self._most_woken = 0, MOST_WOKEN

    def woke(self) -> None:
        """Counts a task that was woken."""
        self._woken += 1

    @property
    def due(self) -> bool:
        """Whether it is others' turn."""
        return self._woken >= self._most_woken or time.perf_counter() - self._began >= self._seconds

    async def pause(self) -> None:
        """Others' turn; then a new slice begins."""
        left = time.perf_counter()
        await asyncio.sleep(0)
        self._began = time.perf_counter()
        if self._began - left > _LONG_SECONDS:
            self._most_woken = max(LEAST_WOKEN, self._most_woken // 2)
        elif self._began - left < _SHORT_SECONDS:
            self._most_woken = min(MOST_WOKEN, self._most_woken + LEAST_WOKEN)
        self._woken = 0

    async def pause_if_due(self) -> None:
        """Others' turn when it is due."""
        if self.due:
            await self.pause()
