"""Keeps one address from taking all the connections, and with them the file descriptors, of the server.

The engines accept every connection, and pause when no descriptor is free; nobody else is served then.
"""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ..telemetry import logs
from ..telemetry.budget import LogBudget, minutes
from .tcp import connections

_LOG = logs.get("transports")
_DESCRIPTORS = Path("/proc/self/fd")
_SECONDS = 1.0


class ConnectionGuard:
    """Every second closes what an address has of connections to `port` beyond `most`, 0: half of the file descriptors that the
    process may have. Addresses that are `exempt` may have any number. Does nothing where there is no /proc."""

    def __init__(self, port: int, most: int, exempt: Callable[[str], bool]) -> None:
        self._port, self._exempt = port, exempt
        self._most = most or most_descriptors() // 2
        self._budget = LogBudget(1, minutes)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Watches from now on."""
        if _DESCRIPTORS.exists():
            self._task = asyncio.create_task(self._watch(), name="connection-guard")

    async def stop(self) -> None:
        """Watches no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_SECONDS)
            closed = await asyncio.to_thread(self._close_excess)
            if closed and (left_out := self._budget.take(self._port)) is not None:
                ((most, _),) = closed.most_common(1)
                _LOG.warning(
                    "connections_closed",
                    port=self._port,
                    closed=closed.total(),
                    addresses=len(closed),
                    peer=most,
                    limit=self._most,
                    **({"left_out_before": left_out} if left_out else {}),
                )

    def _close_excess(self) -> Counter[str]:
        """How many connections were closed, by address."""
        closed: Counter[str] = Counter()
        if len(os.listdir(_DESCRIPTORS)) <= self._most:
            return closed
        open_now: Counter[str] = Counter()
        for peer, connection in connections(self._port):
            address = peer.rpartition(":")[0]
            open_now[address] += 1
            if open_now[address] > self._most and not self._exempt(peer):
                closed[address] += 1
                with suppress(OSError):  # it has ended by itself
                    connection.shutdown(socket.SHUT_RDWR)
        return closed


def most_descriptors() -> int:
    """How many files and connections this process may have open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
