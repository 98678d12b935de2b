"""Long work on the event loop, done in slices between which everybody else has a turn."""

from __future__ import annotations

import asyncio
import time

SLICE_SECONDS = 0.004
SHORT_SLICE_SECONDS = 0.001
"""Of work that one call does alone, beside many that are short."""
MOST_WOKEN = 64
"""Tasks that are woken in one slice: they all run in one piece before the loop looks at its sockets again."""


class Turns:
    """The turns of one long piece of work. A slice ends when it took `seconds`, or when MOST_WOKEN tasks were woken."""

    def __init__(self, seconds: float = SLICE_SECONDS) -> None:
        self._seconds = seconds
        self._began = time.perf_counter()
        self._woken = 0

    def woke(self) -> None:
        """Counts a task that was woken."""
        self._woken += 1

    @property
    def due(self) -> bool:
        """Whether it is others' turn."""
        return self._woken >= MOST_WOKEN or time.perf_counter() - self._began >= self._seconds

    async def pause(self) -> None:
        """Others' turn; then a new slice begins."""
        await asyncio.sleep(0)
        self._began, self._woken = time.perf_counter(), 0

    async def pause_if_due(self) -> None:
        """Others' turn when it is due."""
        if self.due:
            await self.pause()
