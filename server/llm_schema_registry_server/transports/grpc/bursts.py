"""Many small messages to one connection within a moment leave it in few packets.

pygrpc-native writes each message of a stream by itself, and most of what that costs is the way of a packet through the system. A
connection with many subscriptions is corked while a change is told to them (TCP_CORK, tcp(7)): what is written waits in the socket until
a packet is full or the cork is drawn.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Collection, Mapping
from contextlib import suppress

from ..tcp import connections

MANY_STREAMS = 8
"""From so many streams on, a connection is worth a cork."""
_FEW = 4  # messages that go out as they are, before the cork
_HOLD_SECONDS, _LONGEST_SECONDS = 0.002, 0.008  # after the last message; after the first one
_LOOK_SECONDS = 0.5
_MOST_SOCKETS = 256
_CORK: int | None = getattr(socket, "TCP_CORK", None)  # Linux


class Burst:
    """What is sent to one connection at the moment."""

    __slots__ = ("_bursts", "began", "corked", "messages", "peer", "seen", "socket", "streams")

    def __init__(self, bursts: Bursts, peer: str) -> None:
        self._bursts, self.peer = bursts, peer
        self.streams = self.messages = self.seen = 0
        self.began = 0.0
        self.socket: socket.socket | None = None
        self.corked = False

    def message(self) -> None:
        """To be called before each message of a stream that may be one of many."""
        if self.socket is None:
            return
        number = self.messages = self.messages + 1
        if number <= _FEW:
            if number == 1:
                self._bursts.began(self)
            elif number == _FEW:
                self.cork(True)

    def cork(self, on: bool) -> None:
        if self.socket is not None and self.corked is not on and _CORK is not None:
            self.corked = on
            with suppress(OSError):  # it has ended by itself
                self.socket.setsockopt(socket.IPPROTO_TCP, _CORK, on)


class Bursts:
    """The connections to `port`, by how the engine names them. Those with many streams are corked while much is sent to them."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._bursts: dict[str, Burst] = {}
        self._busy: list[Burst] = []
        self._wanted: dict[str, Burst] = {}
        self._sockets = 0
        self._looking: asyncio.Task[None] | None = None

    def join(self, peer: str) -> Burst:
        """Notes a stream of a connection until it leaves."""
        burst = self._bursts.get(peer)
        if burst is None:
            burst = self._bursts[peer] = Burst(self, peer)
        burst.streams += 1
        if burst.streams == MANY_STREAMS and burst.socket is None and _CORK is not None:
            self._wanted[peer] = burst
            if self._looking is None or self._looking.done():
                self._looking = asyncio.ensure_future(self._look())
        return burst

    def leave(self, burst: Burst) -> None:
        """A stream has ended. With the last one its connection is forgotten: a duplicate would keep it from being closed."""
        burst.streams -= 1
        if not burst.streams:
            del self._bursts[burst.peer]
            self._wanted.pop(burst.peer, None)
            self._forget(burst)

    def began(self, burst: Burst) -> None:
        """The first message since it was quiet."""
        loop = asyncio.get_running_loop()
        burst.began = loop.time()
        if not self._busy:
            loop.call_later(_HOLD_SECONDS, self._tick)
        self._busy.append(burst)

    async def stop(self) -> None:
        """Corks nothing any more."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})
        for burst in self._bursts.values():
            self._forget(burst)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() - _LONGEST_SECONDS
        busy, self._busy = self._busy, []
        for burst in busy:
            if burst.messages > burst.seen and burst.began > end:
                burst.seen = burst.messages
                self._busy.append(burst)
            else:
                burst.messages = burst.seen = 0
                burst.cork(False)
        if self._busy:
            loop.call_later(_HOLD_SECONDS, self._tick)

    def _forget(self, burst: Burst) -> None:
        if burst.socket is not None:
            burst.cork(False)
            burst.socket.close()
            burst.socket = None
            self._sockets -= 1

    async def _look(self) -> None:
        while self._wanted:
            await asyncio.sleep(_LOOK_SECONDS)
            room = max(0, _MOST_SOCKETS - self._sockets)
            wanted = [peer for peer, _ in zip(self._wanted, range(room), strict=False)]
            if not wanted:
                return  # who comes next looks again
            found = await asyncio.to_thread(_duplicates, self._port, frozenset(wanted))
            for peer in wanted:
                burst, duplicate = self._wanted.pop(peer, None), found.get(peer)
                if duplicate is None:
                    continue
                if burst is None:  # left meanwhile
                    duplicate.close()
                    continue
                burst.socket = duplicate
                self._sockets += 1


def _duplicates(port: int, peers: Collection[str]) -> Mapping[str, socket.socket]:
    """A duplicate of each of these connections, which the caller closes."""
    return {peer: connection.dup() for peer, connection in connections(port) if peer in peers}
