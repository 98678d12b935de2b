"""Keeps clients that pour data in, or take nothing out, from filling the memory of a server on the native engine.

pygrpc-native collects a whole message before anyone can look at its size: a client may make the process hold 4 GiB for each
call that we then refuse. grpcio and Granian stop reading at the limit; here only the connection can be stopped. So while the
process is larger than it should ever be, the connections on the port that hold most of its memory are cut; their clients see
UNAVAILABLE. What a connection holds is what it has sent and we have not been given, and what it was given and has not read.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from ...telemetry import logs
from ..tcp import Traffic, measured, shut_down

_LOG = logs.get("transports.grpc")
_STATM = Path("/proc/self/statm")
_LEAST_BYTES = 1 << 20
"""A connection that holds less is never cut."""
_MESSAGE_OVERHEAD = 512
"""Bytes that a request takes on the wire besides its message: headers, frames."""


class FloodGuard:
    """Looks every `seconds`. Above `line_bytes` of resident memory, connections to `port` are cut that hold more than
    `allowance_bytes`, and those that hold most, until what is left would be below the line. `unread` tells what a connection was
    given and has not read; `named`, how a peer is told in the log. Does nothing where there is no /proc.
    """

    def __init__(
        self,
        port: int,
        *,
        line_bytes: int,
        allowance_bytes: int,
        unread: Callable[[str], int] = lambda peer: 0,
        seconds: float = 0.2,
        named: Callable[[str], str] = str,
    ) -> None:
        self._named = named
        self._port = port
        self._line = line_bytes
        self._allowance = allowance_bytes
        self._unread = unread
        self._seconds = seconds
        self._task: asyncio.Task[None] | None = None
        self._settled: dict[str, int] = {}
        self.arrived: dict[str, int] | None = None
        """Bytes of requests that were given to us, by peer, since memory became short; None: it is not, and nobody counts."""

    def start(self) -> None:
        """Watches from now on."""
        if _STATM.exists():
            self._task = asyncio.create_task(self._watch(), name="flood-guard")

    async def stop(self) -> None:
        """Watches no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def count(self, requests: Iterable[tuple[str, int]]) -> None:
        """Notes requests that were given to us: peer, bytes. To be called while `arrived` is not None."""
        if self.arrived is not None:
            for peer, size in requests:
                self.arrived[peer] = self.arrived.get(peer, 0) + size + _MESSAGE_OVERHEAD

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            resident = resident_bytes()
            if resident <= self._line * 3 // 4:
                self.arrived, self._settled = None, {}
                continue
            if self.arrived is None:
                self.arrived = {}
            holders = self._holders(await asyncio.to_thread(measured, self._port))
            if cut := self._chosen(holders, resident - self._line):
                await asyncio.to_thread(shut_down, self._port, cut)

    def _holders(self, found: Mapping[str, Traffic]) -> list[tuple[int, str]]:
        """What each connection holds, the largest first."""
        arrived = self.arrived or {}
        held: list[tuple[int, str]] = []
        settled = {}
        for peer, traffic in found.items():
            # Of what came before memory was short nothing is known.
            before = self._settled.get(peer, traffic.received)
            pending = traffic.received - before - arrived.get(peer, 0)
            settled[peer] = traffic.received - max(0, pending)
            held.append((max(0, pending) + self._unread(peer), peer))
        self._settled = settled
        arrived.clear()
        return sorted(held, reverse=True)

    def _chosen(self, holders: Iterable[tuple[int, str]], excess: int) -> frozenset[str]:
        """Whom to cut, so that at least `excess` bytes are freed; nobody when there is none."""
        chosen: set[str] = set()
        freed = 0
        for held, peer in holders if excess > 0 else ():
            if held <= min(self._allowance, _LEAST_BYTES) or (held <= self._allowance and freed >= excess):
                break
            freed += held
            _LOG.warning("connection_cut", peer=self._named(peer), held=held)
            chosen.add(peer)
        return frozenset(chosen)


def resident_bytes() -> int:
    """Resident memory of this process."""
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
