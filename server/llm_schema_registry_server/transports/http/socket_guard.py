"""Keeps clients of WebSockets from filling the memory of a server with messages that never end.

Granian collects a message of up to 64 MiB before anyone sees it. A subscriber sends one short message and then hardly anything,
so that what its connection receives is counted while it arrives, and the connection is cut when that is too much.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager

from ...telemetry import logs
from ..tcp import bytes_received, connections

_LOG = logs.get("transports.http")
_PIECE = 64
# Pings and pongs of a lively client, with room.
BYTES_PER_SECOND = 256


class _Watched:
    __slots__ = ("before", "connection", "peer", "since")

    def __init__(self, connection: socket.socket, peer: str, since: float) -> None:
        self.connection, self.peer, self.since = connection, peer, since
        self.before = bytes_received(connection)


class SocketGuard:
    """Cuts a connection that received more than `limit` bytes since `watching`, and BYTES_PER_SECOND for each second that
    has passed. It looks every `seconds`, less often at thousands. `named`: how a peer is told in the log. Does nothing where there is no /proc."""

    def __init__(self, limit: int, seconds: float = 0.05, named: Callable[[str], str] = str) -> None:
        self._named = named
        self._limit, self._seconds = limit, seconds
        self._wanted: dict[tuple[int, str], asyncio.Future[socket.socket | None]] = {}
        self._watched: dict[_Watched, None] = {}
        self._finding: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def watching(self, port: int, peer: str) -> AsyncIterator[None]:
        """Counts what the connection of `peer` (`10.0.0.7:4711`) to `port` receives. Enter it before the socket is accepted:
        until then little of what is sent is read."""
        connection = await self._find(port, peer)
        if connection is None:
            yield
            return
        with connection:
            watched = _Watched(connection, peer, asyncio.get_running_loop().time())
            self._watched[watched] = None
            if self._looking is None:
                self._looking = asyncio.create_task(self._look(), name="websocket guard")
            try:
                yield
            finally:
                self._watched.pop(watched, None)

    async def _find(self, port: int, peer: str) -> socket.socket | None:
        found: asyncio.Future[socket.socket | None] = asyncio.get_running_loop().create_future()
        self._wanted[port, peer] = found
        if self._finding is None:
            self._finding = asyncio.create_task(self._find_all(), name="websocket guard: connections")
        return await found

    async def _find_all(self) -> None:
        """Looks once for all that came while it looked before."""
        try:
            while self._wanted:
                wanted, self._wanted = self._wanted, {}
                found = await asyncio.to_thread(_connections, wanted)
                for key, waiting in wanted.items():
                    connection = found.get(key)
                    if not waiting.done():
                        waiting.set_result(connection)
                    elif connection is not None:  # who asked has left
                        connection.close()
        finally:
            self._finding = None

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._watched:
                await asyncio.sleep(max(self._seconds, len(self._watched) * 20e-6))
                for number, watched in enumerate(tuple(self._watched), start=1):
                    if watched in self._watched:
                        self._check(watched, loop.time())
                    if number % _PIECE == 0:
                        await asyncio.sleep(0)
        finally:
            self._looking = None

    def _check(self, watched: _Watched, now: float) -> None:
        received = bytes_received(watched.connection) - watched.before
        if received > self._limit + BYTES_PER_SECOND * (now - watched.since):
            del self._watched[watched]
            _LOG.warning(
                "socket_cut", peer=self._named(watched.peer), received=received, setting="limits.socket_bytes"
            )
            try:
                watched.connection.shutdown(socket.SHUT_RDWR)
            except OSError:  # it has ended by itself
                return


def _connections(wanted: Collection[tuple[int, str]]) -> Mapping[tuple[int, str], socket.socket]:
    """The connections that are wanted, each a duplicate that the caller closes."""
    found: dict[tuple[int, str], socket.socket] = {}
    for port in {port for port, _ in wanted}:
        for name, connection in connections(port):
            peer = name.partition(":")[2]  # without the family
            if (port, peer) in wanted and (port, peer) not in found:
                found[port, peer] = connection.dup()
    return found
