"""Clients of HTTP/2 that do what no library lets one do: never read, reset at once. Blocking; frames by hand (RFC 9113, RFC 7541)."""

from __future__ import annotations

import socket
import struct
from types import TracebackType
from typing import Self

_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _WINDOW_UPDATE = 0x0, 0x1, 0x3, 0x4, 0x8
_END_STREAM, _END_HEADERS = 0x1, 0x4
_CANCEL = 8
_FRAME_BYTES = 16_384


class RawHttp2:
    """One connection to a gRPC server. source: our address. It reads nothing unless it is told to."""

    def __init__(self, port: int, source: str = "127.0.0.1", *, receive_buffer: int = 1 << 16) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.bind((source, 0))
        self.socket.connect(("127.0.0.1", port))
        self._stream = -1
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(_SETTINGS, 0, 0, b""))

    @property
    def peer(self) -> str:
        """As grpc-core names us at the other end."""
        host, port = self.socket.getsockname()
        return f"ipv4:{host}:{port}"

    def call(self, path: str, message: bytes, *, compressed: bool = False, reset: bool = False) -> None:
        """Begin a call with one message; reset: and cancel it at once."""
        self._stream += 2
        fields = {
            ":method": "POST",
            ":scheme": "http",
            ":path": path,
            ":authority": "x",
            "te": "trailers",
            "content-type": "application/grpc",
            **({"grpc-encoding": "gzip"} if compressed else {}),
        }
        block = b"".join(b"\0" + _literal(name) + _literal(value) for name, value in fields.items())
        body = struct.pack(">BI", compressed, len(message)) + message
        frames = [_frame(_HEADERS, _END_HEADERS, self._stream, block)]
        for at in range(0, len(body), _FRAME_BYTES):
            last = at + _FRAME_BYTES >= len(body)
            frames.append(
                _frame(_DATA, _END_STREAM if last else 0, self._stream, body[at : at + _FRAME_BYTES])
            )
        if reset:
            frames = [frames[0], _frame(_RST_STREAM, 0, self._stream, struct.pack(">I", _CANCEL))]
        self.socket.sendall(b"".join(frames))

    def allow(self, size: int) -> None:
        """Let the other end send so many bytes more on this connection."""
        self.socket.sendall(_frame(_WINDOW_UPDATE, 0, 0, struct.pack(">I", size)))

    def close(self) -> None:
        """Closes the connection."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _literal(text: str) -> bytes:
    raw = text.encode()
    if len(raw) >= 127:
        raise ValueError("longer than a literal with a length of one byte")
    return bytes([len(raw)]) + raw


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload
