"""Python's collector of reference cycles, in pieces that hold up no call (docs/decisions/0061).

Left alone, CPython's collector visits all objects when those that have come since the last time are a quarter of the others: with caches
that are full, 60 to 400 ms in which no call is answered. Nearly all that is old is freed by reference counts alone (docs/decisions/0016). So
what has outlived two collections is frozen: nobody visits it again. A cycle that becomes garbage after that stays, until everything is
visited once: when the process has twice the objects that it had after the last time. See the module `gc`.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Callable
from typing import Any

from .telemetry import logs

COLLECT_AFTER = (5_000, 3)
"""How many new objects start a collection of the youngest generation, and how many of those one of the middle one, which so has 20,000
objects and takes some 10 ms."""
NEVER = 1_000_000_000
"""As many collections of the middle generation start one of all: they are frozen before."""
GROWTH = 2.0
"""Everything is visited when there are so many times the blocks of memory that there were after the last time."""
EVERY_SECONDS = 10.0
"""How often that is looked at."""
IN_PIECES = sys.version_info < (3, 14)
"""Later versions of Python do it in pieces themselves."""

_LOG = logs.get("memory")


class GarbageCollection:
    """The collector of this process from `start` to `stop`. blocks: of memory that Python has given to objects."""

    def __init__(self, blocks: Callable[[], int] = sys.getallocatedblocks) -> None:
        self._blocks = blocks
        self._blocks_then = 0
        self._thresholds = gc.get_threshold()
        self._watching: asyncio.Task[None] | None = None

    def start(self) -> None:
        """To be called on the event loop once the server has started: what there is now is not visited again."""
        self._thresholds = gc.get_threshold()
        self.collect_all()
        if IN_PIECES:
            gc.set_threshold(*COLLECT_AFTER, NEVER)
            gc.callbacks.append(_freeze_the_old)
            self._watching = asyncio.create_task(self._watch(), name="garbage collection")
        else:
            gc.set_threshold(COLLECT_AFTER[0], *self._thresholds[1:])

    async def stop(self) -> None:
        """Leaves the collector as it was found."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait({self._watching})
            gc.callbacks.remove(_freeze_the_old)
        gc.unfreeze()
        gc.set_threshold(*self._thresholds)

    def collect_all(self) -> None:
        """Visits everything, also what is frozen, and freezes what is left."""
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        self._blocks_then = self._blocks()

    def collect_if_grown(self) -> bool:
        """Visits everything if there is far more than after the last time; whether it did."""
        before = self._blocks()
        if before < GROWTH * self._blocks_then:
            return False
        began = time.perf_counter()
        self.collect_all()
        seconds = time.perf_counter() - began
        _LOG.info(
            "garbage_collected",
            seconds=round(seconds, 3),
            blocks_before=before,
            blocks_after=self._blocks_then,
        )
        return True

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            self.collect_if_grown()


def _freeze_the_old(phase: str, found: dict[str, Any]) -> None:
    """Called by the collector: what a collection of the middle generation has left goes to the frozen ones, which takes microseconds."""
    if phase == "stop" and found["generation"] > 0:
        gc.freeze()
