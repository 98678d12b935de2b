"""Ports for servers that cannot choose one themselves (`port 0`) and tell."""

from __future__ import annotations

import os
import socket


class HeldPort:
    """A port of 127.0.0.1 that nobody else gets as long as this object lives.

    It is bound and does not listen. The system then gives it neither to who asks for any port nor to an outgoing
    connection; a server that is told the number and sets SO_REUSEADDR, as servers do, can listen on it, and again after
    a restart.
    """

    def __init__(self) -> None:
        with socket.socket() as held:
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            held.bind(("127.0.0.1", 0))
            self.number: int = held.getsockname()[1]
            self._descriptor = held.detach()

    def __str__(self) -> str:
        return str(self.number)

    def __del__(self) -> None:
        os.close(self._descriptor)
