"""One bound for the memory of all worker processes together: when tasks take more, the process that holds most of it is ended.

Each process has a bound of its own, its address space. Their sum is what a machine would have to keep free, though hardly any task comes near
its bound.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Generic, Protocol, TypeVar

EVERY_SECONDS = 0.05
"""Between two looks, while a task runs: a process fills some 50 MiB meanwhile."""
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Holder(Protocol):
    """A process that holds memory."""

    @property
    def grown(self) -> int:
        """Bytes that it holds more than when it was ready."""
        ...


H = TypeVar("H", bound=Holder)


class MemoryBudget(Generic[H]):
    """Looks at the processes that `living` names as long as `busy` says so, and calls `over` with the one that holds most when they
    hold more than `limit` bytes together."""

    def __init__(
        self,
        limit: int,
        living: Callable[[], Collection[H]],
        busy: Callable[[], bool],
        over: Callable[[H], None],
    ) -> None:
        self._limit, self._living, self._busy, self._over = limit, living, busy, over

    async def watch(self) -> None:
        """Returns when nothing is busy."""
        while self._busy():
            self.look()
            await asyncio.sleep(EVERY_SECONDS)

    def look(self) -> None:
        held = {process: process.grown for process in self._living()}
        if sum(held.values()) > self._limit:
            self._over(max(held, key=held.__getitem__))


def resident(pid: int) -> int:
    """Bytes of memory of a process; 0 where the system does not tell, or when it has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0
