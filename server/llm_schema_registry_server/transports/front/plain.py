"""What a client hears that speaks no TLS on a port that speaks nothing else: that it should."""

from __future__ import annotations

import asyncio
import struct
from contextlib import suppress
from typing import Protocol

from .connection import Left
from .http2 import (
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEAD_BYTES,
    HEADERS,
    INADEQUATE_SECURITY,
    PREFACE,
    SETTINGS,
    STREAM_BITS,
    fields,
    frame,
)

TOLD = "this port speaks TLS: use https:// (gRPC: grpcs://, or credentials of TLS)"

_SECONDS = 2.0
"""How long a client may take to say what it wants to be refused."""
_MOST_BYTES = 64 * 1024
_UNIMPLEMENTED = "12"
"""google.rpc.Code: no client calls again after it."""


class Talking(Protocol):
    """A client that has sent something in the clear: see connection.py."""

    def take(self) -> bytes: ...
    async def more(self) -> None: ...
    def write(self, data: bytes) -> None: ...


async def tell(client: Talking, *, http: bool) -> None:
    """Says it in the protocol that the client speaks, HTTP/2 (as an answer to its first call, which clients of gRPC show) or `http`;
    nothing to others."""
    first = client.take()
    with suppress(Left, TimeoutError):
        async with asyncio.timeout(_SECONDS):
            if first[: len(PREFACE)] == PREFACE[: len(first)]:
                await _tell_http2(client, first)
            elif http and first[:1].isalpha() and first[:1].isupper():
                client.write(_response())


async def _tell_http2(client: Talking, data: bytes) -> None:
    client.write(frame(SETTINGS, 0, 0, b""))
    while (stream := _first_call(data)) is None:
        if len(data) > _MOST_BYTES:
            return
        await client.more()
        data += client.take()
    block = fields(
        (
            (":status", "200"),
            ("content-type", "application/grpc"),
            ("grpc-status", _UNIMPLEMENTED),
            ("grpc-message", TOLD),
        )
    )
    goaway = struct.pack(">II", stream, INADEQUATE_SECURITY) + TOLD.encode()
    client.write(frame(HEADERS, END_STREAM | END_HEADERS, stream, block) + frame(GOAWAY, 0, 0, goaway))


def _first_call(data: bytes) -> int | None:
    """The stream of the first request; None as long as there is none (RFC 9113 4.1)."""
    place = len(PREFACE)
    while place + HEAD_BYTES <= len(data):
        size, kind = int.from_bytes(data[place : place + 3], "big"), data[place + 3]
        if kind == HEADERS:
            return int.from_bytes(data[place + 5 : place + HEAD_BYTES], "big") & STREAM_BITS
        place += HEAD_BYTES + size
    return None


def _response() -> bytes:
    body = f"{TOLD}\n".encode()
    head = (
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
