"""Keeps clients that pour data in from filling the memory of a server on the native engine.

pygrpc-native collects a whole message before anyone can look at its size: a client may make the process hold 4 GiB for each
call that we then refuse. grpcio and Granian stop reading at the limit; here only the connection can be stopped. So while the
process is larger than it should ever be, connections on the port that receive much are cut; their clients see UNAVAILABLE.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path

from ...telemetry import logs
from ..connections import bytes_received, connections

_LOG = logs.get("transports.grpc")
_STATM = Path("/proc/self/statm")


class FloodGuard:
    """Looks every `seconds`. Above `line_bytes` of resident memory, a connection to `port` that received more than
    `allowance_bytes` since the last look is cut; a quarter above, whichever received most, for those who pour slowly.
    Does nothing where there is no /proc."""

    def __init__(self, port: int, *, line_bytes: int, allowance_bytes: int, seconds: float = 0.2) -> None:
        self._port = port
        self._line = line_bytes
        self._allowance = allowance_bytes
        self._seconds = seconds
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Watches from now on."""
        if _STATM.exists():
            self._task = asyncio.create_task(self._watch(), name="flood-guard")

    async def stop(self) -> None:
        """Watches no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _watch(self) -> None:
        before: Mapping[str, int] = {}
        while True:
            await asyncio.sleep(self._seconds)
            resident = resident_bytes()
            if resident > self._line:
                before = self._look(before, far_over=resident > self._line * 5 // 4)
            else:
                before = {}

    def _look(self, before: Mapping[str, int], *, far_over: bool) -> Mapping[str, int]:
        """Cuts who received too much since `before`; what each connection has received by now."""
        received: dict[str, int] = {}
        with ExitStack() as stack:
            growth: dict[str, tuple[int, socket.socket]] = {}
            for connection, peer in connections(self._port):
                stack.enter_context(closing(connection))
                received[peer] = bytes_received(connection)
                growth[peer] = received[peer] - before.get(peer, received[peer]), connection
            most = max((grown for grown, _ in growth.values()), default=0)
            for peer, (grown, connection) in growth.items():
                if grown > self._allowance or (far_over and grown == most > 0):
                    _LOG.warning("connection_cut", peer=peer, received=grown, seconds=self._seconds)
                    connection.shutdown(socket.SHUT_RDWR)
        return received


def resident_bytes() -> int:
    """Resident memory of this process."""
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
