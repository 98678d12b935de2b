"""A gRPC client of server streams that costs little: frames of HTTP/2 are taken apart as they come (RFC 9113), nothing else is done.

A thousand streams in Python need a client that takes some microseconds for a message: with grpcio it takes some fifty, and the client is what
is measured.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Sequence
from typing import Any

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY, _WINDOW = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
_LARGEST_WINDOW, _FIRST_WINDOW, _INITIAL_WINDOW_SIZE = 2**31 - 1, 65_535, 4
_HEAD = 9


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _headers(path: str) -> bytes:
    """Literal fields that are not indexed (RFC 7541 6.2.2)."""
    fields = {
        ":method": "POST",
        ":scheme": "http",
        ":path": path,
        ":authority": "localhost",
        "content-type": "application/grpc",
        "te": "trailers",
    }
    return b"".join(
        b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
        for name, value in fields.items()
    )


class RawStreams(asyncio.Protocol):
    """One connection with a stream for each of `requests`. `message` is told the number of the stream, from 0, and the bytes of each message."""

    def __init__(self, path: str, requests: Sequence[bytes], message: Callable[[int, bytes], None]) -> None:
        self._path, self._requests, self._message = path, requests, message
        self._rest = b""
        self._parts: dict[int, bytes] = {}
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        settings = struct.pack(">HI", _INITIAL_WINDOW_SIZE, _LARGEST_WINDOW)
        pieces = [_PREFACE, _frame(_SETTINGS, 0, 0, settings)]
        pieces.append(_frame(_WINDOW, 0, 0, struct.pack(">I", _LARGEST_WINDOW - _FIRST_WINDOW)))
        for number, request in enumerate(self._requests):
            stream = 2 * number + 1
            body = b"\0" + struct.pack(">I", len(request)) + request
            pieces.append(_frame(_HEADERS, _END_HEADERS, stream, _headers(self._path)))
            pieces.append(_frame(_DATA, _END_STREAM, stream, body))
        self._transport.write(b"".join(pieces))

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        start, end = 0, len(data)
        while end - start >= _HEAD:
            length = int.from_bytes(data[start : start + 3], "big")
            if end - start < _HEAD + length:
                break
            kind, flags = data[start + 3], data[start + 4]
            stream = int.from_bytes(data[start + 5 : start + 9], "big")
            start += _HEAD
            payload = data[start : start + length]
            start += length
            if kind == _DATA:
                self._data(stream, payload)
            elif kind == _SETTINGS and not flags & _ACK:
                self._transport.write(_frame(_SETTINGS, _ACK, 0, b""))
            elif kind == _PING and not flags & _ACK:
                self._transport.write(_frame(_PING, _ACK, 0, payload))
            elif kind in (_RESET, _GOAWAY) or (kind == _HEADERS and flags & _END_STREAM):
                raise SystemExit(f"stream {stream} ended: frame {kind}, {payload!r}")
        self._rest = data[start:]

    def _data(self, stream: int, payload: bytes) -> None:
        if stream in self._parts:
            payload = self._parts.pop(stream) + payload
        while len(payload) >= 5:
            size = 5 + int.from_bytes(payload[1:5], "big")
            if len(payload) < size:
                break
            self._message(stream // 2, payload[5:size])
            payload = payload[size:]
        if payload:
            self._parts[stream] = payload
