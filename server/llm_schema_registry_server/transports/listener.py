"""What every listener of the server can do, whatever it speaks."""

from __future__ import annotations

from typing import Protocol

LET_GO_SECONDS = 0.5
"""How long clients are served who were asked to go on elsewhere: what they had sent before they heard of it is answered, too."""


class Listener(Protocol):
    """Owns one port."""

    @property
    def name(self) -> str:
        """What it speaks: `grpc`, `http`, `metrics`."""
        ...

    @property
    def port(self) -> int:
        """The port that it has bound; known after `start`."""
        ...

    async def start(self) -> None:
        """Binds and serves. Raises ListenError when the address cannot be had."""
        ...

    async def drain(self, seconds: float) -> None:
        """Takes no new calls, lets those in flight finish for at most `seconds`, cuts the rest, and closes."""
        ...


class ListenError(Exception):
    """An address cannot be bound; the message names it."""
