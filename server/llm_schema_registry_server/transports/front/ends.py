"""Who is at the other end of which connection: what an engine sees is the connection of the front to it, on loopback."""

from __future__ import annotations

import secrets
from collections import OrderedDict

from ...calls.peer import Fronted

_FIRST, _LAST = 2, 2**24 - 2  # 127.0.0.1 is left to others
_MOST_REMEMBERED = 65_536


class Ends:
    """The open connections of one listener. What is not in here has come around the front."""

    def __init__(self) -> None:
        self._ends: dict[str, Fronted] = {}
        self.field = f"x-front-{secrets.token_hex(8)}"
        """The header by which the front of gRPC tells whose a call is, to an engine that hands it on. Nobody else knows its name."""

    def __len__(self) -> int:
        return len(self._ends)

    def find(self, connection: str) -> Fronted | None:
        """Who stands behind a connection as the engine sees it (`127.0.0.2:4711`)."""
        return self._ends.get(connection)

    def add(self, connection: str, end: Fronted) -> None:
        """A connection to the engine is open; nothing has been sent over it yet."""
        self._ends[connection] = end

    def remove(self, connection: str) -> None:
        """It is about to be closed; from then on another process may have its port."""
        self._ends.pop(connection, None)


class StandIns:
    """Addresses of this machine (127.0.0.0/8 is all loopback, RFC 1122 3.2.1.3) that stand for the addresses of callers towards an
    engine, so that what it counts for each address is counted for each caller."""

    def __init__(self, most: int = _MOST_REMEMBERED) -> None:
        self._most = most
        self._known: OrderedDict[str, str] = OrderedDict()
        self._next = _FIRST

    def of(self, address: str) -> str:
        """The stand-in of an address; the same as before unless so many others came meanwhile."""
        known = self._known.get(address)
        if known is None:
            if len(self._known) >= self._most:
                self._known.popitem(last=False)
            number, self._next = self._next, self._next + 1 if self._next < _LAST else _FIRST
            known = self._known[address] = f"127.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        self._known.move_to_end(address)
        return known
