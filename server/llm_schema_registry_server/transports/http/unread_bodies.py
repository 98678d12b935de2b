"""Answers over HTTP/1.1 that are given before the body of their request was read.

Whoever answers first (a path that is not there, a caller who is not let in, a rate that is exceeded) need not think of the body. What is
still arriving is thrown away for a moment: a connection that is closed while bytes arrive is reset, and a client that is reset while it
sends does not see the answer. After a short body the connection goes on; with a long one, or one of unknown length, the answer says that it
is the last (RFC 9112 9.6).
"""

from __future__ import annotations

import asyncio
import math

from .asgi import Event, Receive, Scope, Send

MOST_BYTES = 1 << 20
"""Thrown away of one body."""
MOST_SECONDS = 1.0
"""For so long."""
SHORT_BYTES = 64 * 1024
"""A body up to which its connection is worth waiting for the rest."""


def body_size(scope: Scope) -> float:
    """Bytes of the body that a request over HTTP/1.1 announces, infinity where it does not tell. 0 over HTTP/2, where a stream ends alone."""
    if scope["http_version"].startswith("1"):
        for name, value in scope["headers"]:
            if name == b"transfer-encoding":
                return math.inf
            if name == b"content-length":
                return int(value) if value.isdigit() else math.inf
    return 0


def last(event: Event) -> Event:
    """The beginning of an answer that is the last one on its connection."""
    headers = [line for line in event["headers"] if line[0] != b"connection"]
    return {**event, "headers": [*headers, (b"connection", b"close")]}


class UnreadBody:
    """The body of a request, which its application reads or does not read. `receive` and `send` are for the application; afterwards
    `throw_away`."""

    def __init__(self, scope: Scope, size: float, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        # Its client sends the body when it is asked for it, and not before.
        self._waits = any(name == b"expect" for name, _ in scope["headers"])
        self._short = size <= SHORT_BYTES and not self._waits
        self._missing = size
        self._read = self._answered = False

    async def receive(self) -> Event:
        event = await self._receive()
        self._waits = False
        self._missing -= len(event.get("body", b""))
        # A body of the size that was announced is whole, also before its end is told.
        self._read = (
            event["type"] != "http.request" or not event.get("more_body", False) or self._missing <= 0
        )
        return event

    async def send(self, event: Event) -> None:
        if event["type"] == "http.response.start":
            self._answered = True
            if not (self._read or self._short):
                event = last(event)
        await self._send(event)

    async def throw_away(self) -> None:
        """Reads on for a moment, when the application has answered without reading all."""
        if self._read or self._waits or not self._answered:
            return
        left = MOST_BYTES
        try:
            async with asyncio.timeout(MOST_SECONDS):
                while left > 0 and not self._read:
                    left -= len((await self.receive()).get("body", b""))
        except TimeoutError:
            return
