"""The other half of a connection of the front: the one to the engine."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from ...queues.turns import WaitingCall
from .connection import Client

_ENGINE_SECONDS = 5.0
"""How long an engine may take to close when its client has left."""
_KNOWN_SECONDS = 0.5
"""How long it is known after that whose the connection was."""
_PIECE_BYTES = 32 * 1024
"""Handed on in one piece; it may hold two thousand frames."""


class Engine(asyncio.Protocol):
    """The engine's side, on loopback, whose bytes go to `client` in the same turns as the client's own. `closing` is called before the
    connection to the engine is closed."""

    def __init__(self, client: Client, closing: Callable[[], None]) -> None:
        self._client = client
        self._before_closing = closing
        self._lost = False
        self._left = False
        self._client_is_slow = False
        self._held_back = deque[bytes]()
        self._turn: WaitingCall | None = None
        self._cutting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The engine has taken the connection."""
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        """Bytes for the client."""
        if len(data) <= _PIECE_BYTES:
            self._held_back.append(data)
        else:
            self._held_back += (data[at : at + _PIECE_BYTES] for at in range(0, len(data), _PIECE_BYTES))
        if self._turn is None:
            if self._client.turns.free:
                self._hand_on()
            else:
                self._await_turn()

    def eof_received(self) -> bool:
        """The engine has closed. Our end stays open for a moment, so that its port is nobody else's while the engine may still ask
        whose the last call is."""
        self._cut_in(_KNOWN_SECONDS)
        self._leave()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self._lost = True
        if self._cutting is not None:
            self._cutting.cancel()
        self._before_closing()
        self._leave()

    def pause_writing(self) -> None:
        """The engine reads too slowly: the client is not read either."""
        self._client.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        self._client.resume_reading()

    def send(self, data: bytes) -> None:
        """Bytes of the client."""
        if not self._lost and not self.transport.is_closing():
            self.transport.write(data)

    def close(self) -> None:
        """Tells the engine that the client has left, and waits until it has closed: what the client has sent last is still known to be
        its own."""
        if self._lost or self.transport.is_closing() or self._cutting is not None:
            return
        self._cut_in(_ENGINE_SECONDS)
        self.transport.write_eof()
        self.transport.resume_reading()

    def _cut_in(self, seconds: float) -> None:
        if self._cutting is not None:
            self._cutting.cancel()
        self._cutting = asyncio.get_running_loop().call_later(seconds, self._cut)

    def _cut(self) -> None:
        if not self._lost and not self.transport.is_closing():
            self._before_closing()
            self.transport.abort()

    def pause_reading(self) -> None:
        """The client is slower than the engine."""
        self._client_is_slow = True
        self._pause()

    def resume_reading(self) -> None:
        """It has caught up."""
        self._client_is_slow = False
        self._read_on()

    def _pause(self) -> None:
        if not self._lost and not self.transport.is_closing() and self._cutting is None:
            self.transport.pause_reading()

    def _read_on(self) -> None:
        if not (self._lost or self.transport.is_closing() or self._client_is_slow or self._turn is not None):
            self.transport.resume_reading()

    def _hand_on(self) -> None:
        """Hands on what has come, piece by piece, as long as nobody else should have their turn."""
        held, client = self._held_back, self._client
        while held:
            client.send(held.popleft())
            if held and not client.turns.free:
                self._await_turn()
                return
        if self._left:
            client.close()

    def _await_turn(self) -> None:
        self._turn = self._client.turns.wait(self._client.address, self._have_turn)
        self._pause()

    def _have_turn(self) -> None:
        self._turn = None
        self._hand_on()
        self._read_on()

    def _leave(self) -> None:
        """The engine has closed: so is the client's side, once it has what came before."""
        self._left = True
        if self._turn is None:
            self._client.close()
