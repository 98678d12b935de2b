"""The TCP connections of this process, beside the libraries that own them: who is at the other end, what they received."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

_DESCRIPTORS = Path("/proc/self/fd")
# struct tcp_info of linux/tcp.h: tcpi_bytes_received is a u64 at this offset since Linux 4.1.
_BYTES_RECEIVED_AT = 128
_TCP_INFO_BYTES = 192


def connections(port: int) -> Iterator[tuple[socket.socket, str]]:
    """A duplicate of every connected TCP socket of this process that is bound to `port`, and its peer."""
    if not _DESCRIPTORS.exists():
        return
    for name in os.listdir(_DESCRIPTORS):
        try:
            if not os.readlink(_DESCRIPTORS / name).startswith("socket:"):
                continue
            duplicate = socket.socket(fileno=os.dup(int(name)))
        except OSError:  # closed since it was listed
            continue
        try:
            if duplicate.family in (socket.AF_INET, socket.AF_INET6) and duplicate.getsockname()[1] == port:
                host, peer_port = duplicate.getpeername()[:2]
                yield duplicate, f"[{host}]:{peer_port}" if ":" in host else f"{host}:{peer_port}"
                continue
        except OSError:  # not connected, or no longer
            pass
        duplicate.close()


def bytes_received(connection: socket.socket) -> int:
    """What a TCP connection has received since it was opened."""
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    return int(struct.unpack_from("Q", info, _BYTES_RECEIVED_AT)[0])
