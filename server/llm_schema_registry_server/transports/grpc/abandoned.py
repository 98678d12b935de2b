"""Frees what ended streams of the native engine leave in memory.

A stream that is ended because its reader took nothing keeps its last messages in the engine until the reader takes them or its
connection ends; nothing else drops them. So what each connection has left is counted, and one that left too much is cut: its
client sees UNAVAILABLE, and its subscriptions resume from where they were told.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable

from ...telemetry import logs
from ..tcp import shut_down

_LOG = logs.get("transports.grpc")
FORGET_SECONDS = 600.0
"""After so long, whoever still reads has taken what was left."""
_MOST_CONNECTIONS = 10_000


class Abandoned:
    """What connections to `port` have left unread of ended streams; one that left more than `limit` bytes is cut. `named`: how a peer is
    told in the log."""

    def __init__(
        self,
        port: int,
        limit: int,
        clock: Callable[[], float] = time.monotonic,
        named: Callable[[str], str] = str,
    ) -> None:
        self._named = named
        self._port, self._limit, self._clock = port, limit, clock
        self._left: OrderedDict[str, tuple[float, int]] = OrderedDict()  # by peer: since when, bytes
        self._cutting: set[asyncio.Task[None]] = set()

    def note(self, connection: str, size: int) -> None:
        """A stream of `connection` (`ipv4:10.0.0.7:4711`) was ended and left `size` bytes."""
        now = self._clock()
        since, left = self._left.pop(connection, (now, 0))
        if now - since > FORGET_SECONDS:
            since, left = now, 0
        left += size
        if left > self._limit:
            task = asyncio.create_task(self._cut(connection, left), name="cut an abandoned connection")
            self._cutting.add(task)
            task.add_done_callback(self._cutting.discard)
            return
        self._left[connection] = since, left
        if len(self._left) > _MOST_CONNECTIONS:
            self._left.popitem(last=False)

    async def _cut(self, peer: str, left: int) -> None:
        told = self._named(peer)
        if await asyncio.to_thread(shut_down, self._port, frozenset({peer})):
            _LOG.warning("connection_cut", peer=told, unread=left, setting="limits.unread_bytes_per_caller")
