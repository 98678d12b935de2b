"""The TCP connections of this process, as the system knows them: engines keep theirs to themselves."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_DESCRIPTORS = Path("/proc/self/fd")
# struct tcp_info of linux/tcp.h: tcpi_bytes_acked and tcpi_bytes_received are u64s from this offset since Linux 4.1.
_BYTES_AT = 120
_TCP_INFO_BYTES = 192
_MAPPED = "ipv6:[::ffff:"


@dataclass(frozen=True, slots=True)
class Traffic:
    """Of one connection since it was opened: bytes acknowledged by the other end, and received from it."""

    acknowledged: int
    received: int


def _sockets(port: int) -> Iterator[tuple[int, socket.socket]]:
    """The TCP sockets of this process that are bound to `port`: the descriptor of each, and a duplicate, open until the next one is asked
    for. None where there is no /proc."""
    for name in os.listdir(_DESCRIPTORS) if _DESCRIPTORS.exists() else ():
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
                bound = duplicate.getsockname()[1]
            except OSError:
                continue
            if bound == port:
                yield int(name), duplicate


def connections(port: int) -> Iterator[tuple[str, socket.socket]]:
    """Every connected TCP socket of this process that is bound to `port`, and its peer as the engine names it. It is a duplicate,
    open until the next one is asked for. None where there is no /proc."""
    for _, duplicate in _sockets(port):
        try:
            peer = peer_name(*duplicate.getpeername()[:2])
        except OSError:  # not connected, or no longer
            continue
        yield peer, duplicate


def listening(port: int) -> Sequence[int]:
    """The descriptors of this process that take connections to `port`; none where there is no /proc."""
    return [
        descriptor
        for descriptor, duplicate in _sockets(port)
        if duplicate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    ]


def stop_listening(port: int) -> bool:
    """Has this process take no more connections to `port`, which other processes share; answers whether it did. To be called where an
    engine would do so only together with closing what is open: its descriptor then is one that nobody can connect to."""
    found = listening(port)
    for descriptor in found:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as nobody:
            os.dup2(nobody.fileno(), descriptor, inheritable=False)
    return bool(found)


def measured(port: int) -> Mapping[str, Traffic]:
    """What TCP knows of each connection to `port`, by peer; nothing where there is no /proc."""
    return {peer: _traffic(connection) for peer, connection in connections(port)}


def bytes_received(connection: socket.socket) -> int:
    """What a connection has received since it was opened."""
    return _traffic(connection).received


def _traffic(connection: socket.socket) -> Traffic:
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    return Traffic(*struct.unpack_from("QQ", info, _BYTES_AT))


def shut_down(port: int, peers: frozenset[str]) -> bool:
    """Ends connections to `port`; answers whether there were any of them. Peers with an IPv4 address may be named by it, as grpc-core
    does, also where a socket of both families (RFC 4291 2.5.5.2) took the connection."""
    found = False
    for peer, connection in connections(port):
        if peer in peers or peer.replace(_MAPPED, "ipv4:").replace("]", "") in peers:
            found = True
            with suppress(OSError):  # it has ended by itself
                connection.shutdown(socket.SHUT_RDWR)
    return found


def peer_name(host: str, port: int) -> str:
    """As grpc-core names a peer."""
    return f"ipv6:[{host}]:{port}" if ":" in host else f"ipv4:{host}:{port}"


def acknowledged(port: int) -> Mapping[str, int]:
    """Bytes that the other end of each connection to `port` has taken, by peer."""
    return {peer: traffic.acknowledged for peer, traffic in measured(port).items()}
