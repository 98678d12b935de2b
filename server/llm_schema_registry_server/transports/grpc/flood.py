"""Keeps clients that pour data in, or take nothing out, from filling the memory of a server on the native engine.

pygrpc-native collects a whole message before anyone can look at its size: a client may make the process hold 4 GiB for each
call that we then refuse. grpcio and Granian stop reading at the limit; here only the connection can be stopped. So while the
process is larger than it should ever be, the connections on the port that hold most of its memory are cut; their clients see
UNAVAILABLE. What a connection holds is what it has sent and we have not been given, and what it was given and has not read.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ...telemetry import logs

_LOG = logs.get("transports.grpc")
_STATM = Path("/proc/self/statm")
_DESCRIPTORS = Path("/proc/self/fd")
# struct tcp_info of linux/tcp.h: tcpi_bytes_acked and tcpi_bytes_received are u64s from this offset since Linux 4.1.
_BYTES_AT = 120
_TCP_INFO_BYTES = 192


_LEAST_BYTES = 1 << 20
"""A connection that holds less is never cut."""
_MESSAGE_OVERHEAD = 512
"""Bytes that a request takes on the wire besides its message: headers, frames."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Of one connection since it was opened: bytes acknowledged by the other end, and received from it."""

    acknowledged: int
    received: int


class FloodGuard:
    """Looks every `seconds`. Above `line_bytes` of resident memory, connections to `port` are cut that hold more than
    `allowance_bytes`, and those that hold most, until what is left would be below the line. `unread` tells what a connection was
    given and has not read. Does nothing where there is no /proc.
    """

    def __init__(
        self,
        port: int,
        *,
        line_bytes: int,
        allowance_bytes: int,
        unread: Callable[[str], int] = lambda peer: 0,
        seconds: float = 0.2,
    ) -> None:
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
            _LOG.warning("connection_cut", peer=peer, held=held)
            chosen.add(peer)
        return frozenset(chosen)


def resident_bytes() -> int:
    """Resident memory of this process."""
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def connections(port: int) -> Iterator[tuple[str, socket.socket]]:
    """Every connected TCP socket of this process that is bound to `port`, and its peer as the engine names it. It is a duplicate,
    open until the next one is asked for."""
    for name in os.listdir(_DESCRIPTORS):
        try:
            if not os.readlink(_DESCRIPTORS / name).startswith("socket:"):
                continue
            duplicate = socket.socket(fileno=os.dup(int(name)))
        except OSError:  # closed since it was listed
            continue
        with duplicate:
            if duplicate.family not in (socket.AF_INET, socket.AF_INET6):
                continue
            try:
                if duplicate.getsockname()[1] != port:
                    continue
                peer = peer_name(*duplicate.getpeername()[:2])
            except OSError:  # not connected, or no longer
                continue
            yield peer, duplicate


def measured(port: int) -> Mapping[str, Traffic]:
    """What TCP knows of each connection to `port`, by peer; nothing where there is no /proc."""
    if not _DESCRIPTORS.exists():
        return {}
    found = {}
    for peer, connection in connections(port):
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
        found[peer] = Traffic(*struct.unpack_from("QQ", info, _BYTES_AT))
    return found


def shut_down(port: int, peers: frozenset[str]) -> None:
    """Ends connections to `port`."""
    for peer, connection in connections(port):
        if peer in peers:
            with suppress(OSError):  # it has ended by itself
                connection.shutdown(socket.SHUT_RDWR)


def peer_name(host: str, port: int) -> str:
    """As grpc-core names a peer."""
    return f"ipv6:[{host}]:{port}" if ":" in host else f"ipv4:{host}:{port}"


def acknowledged(port: int) -> Mapping[str, int]:
    """Bytes that the other end of each connection to `port` has taken, by peer."""
    return {peer: traffic.acknowledged for peer, traffic in measured(port).items()}
