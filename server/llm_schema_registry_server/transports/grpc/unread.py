"""Answers that were handed to the native engine and that their readers have not taken.

pygrpc-native takes every answer of a unary call at once, and holds it until the flow control of HTTP/2 lets it go: a client that
never reads makes the process hold as many answers as it may have calls. What it has taken is known only to TCP, per connection.
Small answers are not counted: there are at most as many of them as a connection may have streams.
"""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ...errors import LimitExceeded
from ..unread import PER_CALLER_SETTING, TOTAL_SETTING

SMALL = 4096
"""Bytes up to which answers are not counted."""

_LOOK_SECONDS = 0.02
_WAIT_SECONDS = 5.0
"""How long a large answer may wait for its reader."""


@dataclass(slots=True)
class _Connection:
    """given: bytes of answers not known to be taken. taken: of all that was ever sent, as TCP had it last. waiting: bytes of
    answers that wait."""

    given: int = 0
    taken: int = 0
    waiting: int = 0


class UnreadAnswers:
    """Bounds what a connection leaves unread to `limit` bytes, what all connections of an address do to `per_address`, and what all do to
    `total`, if there is one. A connection of which nothing is unread gets its answer in spite of `limit`, and of `per_address` up to
    twice that; an address of which nothing is unread gets it in spite of `total`.
    look: bytes that each connection has acknowledged since it was opened, by peer; called in a thread. copies: how many bytes of memory
    the engine takes for one of an answer that waits."""

    def __init__(
        self,
        limit: int,
        look: Callable[[], Mapping[str, int]],
        *,
        per_address: int,
        total: int | None = None,
        copies: int = 1,
    ) -> None:
        self._total = sys.maxsize if total is None else total // copies
        self._given = 0
        self._limit, self._per_address, self._copies = limit // copies, per_address // copies, copies
        self._look = look
        self._addresses: defaultdict[str, int] = defaultdict(int)
        self._waiting: defaultdict[str, int] = defaultdict(int)
        self._connections: dict[str, _Connection] = {}
        self._looking: asyncio.Task[None] | None = None

    def give(self, peer: str, size: int) -> bool:
        """Whether an answer may go out at once, which is noted."""
        connection = self._connections.get(peer)
        if connection is None:
            connection = self._connections[peer] = _Connection()
        address = _address(peer)
        unread = self._addresses[address]
        of_address = unread + size
        if (
            (connection.given and connection.given + size > self._limit)
            or (unread and of_address > self._per_address * (1 if connection.given else 2))
            or (unread and self._given + size > self._total)
        ):
            self._look_soon()
            return False
        connection.given += size
        self._given += size
        self._addresses[address] = of_address
        if (
            connection.given > self._limit // 4
            or of_address > self._per_address // 4
            or self._given > self._total // 4
        ):
            self._look_soon()
        return True

    async def room(self, peer: str, size: int) -> None:
        """Waits until an answer may go out, which is noted. Raises LimitExceeded when the connection reads too little, or when
        too many of its answers wait."""
        connection, address = self._connections.get(peer), _address(peer)
        if connection is not None and connection.waiting + size > self._limit:
            raise self._refusal(peer, size)
        if self._waiting.get(address, 0) + size > self._per_address:
            raise self._refusal(peer, size)
        end = asyncio.get_running_loop().time() + _WAIT_SECONDS
        while not self.give(peer, size):
            connection = self._connections[peer]
            connection.waiting += size
            self._waiting[address] += size
            try:
                looking = self._looking
                if looking is not None:
                    await asyncio.wait({looking}, timeout=_WAIT_SECONDS)
            finally:
                connection.waiting -= size
                self._waiting[address] -= size
                if not self._waiting[address]:
                    del self._waiting[address]
            if asyncio.get_running_loop().time() >= end:
                raise self._refusal(peer, size)

    def of(self, peer: str) -> int:
        """Bytes of memory that are held for what a connection has not taken, as far as is known."""
        connection = self._connections.get(peer)
        return (connection.given + connection.waiting) * self._copies if connection is not None else 0

    def __len__(self) -> int:
        return len(self._connections)

    async def stop(self) -> None:
        """Looks no more."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})

    def _refusal(self, peer: str, size: int) -> LimitExceeded:
        of_connection, of_address = self.of(peer), self._addresses.get(_address(peer), 0) * self._copies
        limit, per_address = self._limit * self._copies, self._per_address * self._copies
        unread, setting, whose = of_connection, "grpc.unread_bytes", "on this connection"
        if of_connection <= limit // 2 < of_address:
            unread, limit, setting, whose = of_address, per_address, PER_CALLER_SETTING, "to this address"
        elif of_connection <= limit // 2 and self._given + size > self._total:
            unread, limit = self._given * self._copies, self._total * self._copies
            setting, whose = TOTAL_SETTING, "to all callers"
        return LimitExceeded(
            f"answers {whose} that are not read take {unread} bytes of memory; the limit is {limit} (setting {setting}): read them, then "
            "try again",
            limit=limit,
            retry_seconds=1.0,
        )

    def _look_soon(self) -> None:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.ensure_future(self._learn())

    async def _learn(self) -> None:
        await asyncio.sleep(_LOOK_SECONDS)
        known = list(self._connections)
        taken = await asyncio.to_thread(self._look)
        for peer in known:
            connection = self._connections[peer]
            total = taken.get(peer)
            if total is None:  # closed
                self._took(peer, connection, connection.given)
                if not connection.waiting:
                    del self._connections[peer]
                continue
            self._took(peer, connection, min(connection.given, total - connection.taken))
            connection.taken = total

    def _took(self, peer: str, connection: _Connection, size: int) -> None:
        connection.given -= size
        self._given -= size
        address = _address(peer)
        self._addresses[address] -= size
        if not self._addresses[address]:
            del self._addresses[address]


def _address(peer: str) -> str:
    """`ipv4:10.0.0.7` of `ipv4:10.0.0.7:4711`."""
    return peer.rpartition(":")[0]
