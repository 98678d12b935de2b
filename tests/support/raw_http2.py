"""Clients of HTTP/2 that do what no library lets one do: never read, reset at once, send any frame. Blocking; frames by hand (RFC 9113,
RFC 7541)."""

from __future__ import annotations

import socket
import ssl
import struct
from types import TracebackType
from typing import Self

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 8, 9
END_STREAM, ACK, END_HEADERS = 0x1, 0x1, 0x4
_INITIAL_WINDOW = 65_535
_CANCEL = 8
_SETTINGS_INITIAL_WINDOW_SIZE = 0x4
_FRAME_BYTES = 16_384


class CallEnded(ConnectionResetError):
    """The other end has ended the newest call, and not the connection."""


class RawHttp2:
    """One connection to a gRPC server. source: our address. context: for TLS. It reads nothing unless it is told to."""

    def __init__(
        self,
        port: int,
        source: str = "127.0.0.1",
        *,
        receive_buffer: int = 1 << 16,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.bind((source, 0))
        self.socket.connect(("127.0.0.1", port))
        if context is not None:
            context.set_alpn_protocols(["h2"])
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self._stream = -1
        self._window = self._own_window = self._first_window = _INITIAL_WINDOW
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(SETTINGS, 0, 0, b""))

    @property
    def peer(self) -> str:
        """As grpc-core names us at the other end."""
        host, port = self.socket.getsockname()
        return f"ipv4:{host}:{port}"

    def call(
        self,
        path: str,
        message: bytes,
        *,
        compressed: bool = False,
        reset: bool = False,
        within_windows: bool = False,
    ) -> None:
        """Begin a call with one message; reset: and cancel it at once. within_windows: send no more than the other end allows, and wait
        for it."""
        block = self.begin(path, compressed)
        body = struct.pack(">BI", compressed, len(message)) + message
        headers = _frame(HEADERS, END_HEADERS, self._stream, block)
        if reset:
            self.socket.sendall(headers + _frame(RST_STREAM, 0, self._stream, struct.pack(">I", _CANCEL)))
            return
        frames = [headers]
        for at in range(0, len(body), _FRAME_BYTES):
            part = body[at : at + _FRAME_BYTES]
            last = at + _FRAME_BYTES >= len(body)
            if within_windows:
                self.socket.sendall(b"".join(frames))
                frames.clear()
                self.await_windows(len(part))
            frames.append(_frame(DATA, END_STREAM if last else 0, self._stream, part))
        self.socket.sendall(b"".join(frames))

    def begin(self, path: str, compressed: bool = False) -> bytes:
        """Take the number of the next stream; the header block of a call on it."""
        self._stream += 2
        self._own_window = self._first_window
        fields = {
            ":method": "POST",
            ":scheme": "http",
            ":path": path,
            ":authority": "x",
            "te": "trailers",
            "content-type": "application/grpc",
            **({"grpc-encoding": "gzip"} if compressed else {}),
        }
        return b"".join(b"\0" + _literal(name) + _literal(value) for name, value in fields.items())

    def send(self, kind: int, flags: int = 0, payload: bytes = b"", *, stream: int | None = None) -> None:
        """Any frame, on the newest stream unless another one is named."""
        self.socket.sendall(_frame(kind, flags, self._stream if stream is None else stream, payload))

    def await_windows(self, size: int) -> None:
        """Read until so many bytes may be sent on the newest stream. Raises OSError when the other end closes."""
        while min(self._window, self._own_window) < size:
            self._learn()
        self._window -= size
        self._own_window -= size

    def _learn(self) -> None:
        """Reads one frame."""
        size, kind, flags, stream = struct.unpack(">IBBI", b"\0" + self._exactly(9))
        payload = self._exactly(size)
        if kind == WINDOW_UPDATE:
            (more,) = struct.unpack(">I", payload)
            if stream == 0:
                self._window += more
            elif stream == self._stream:
                self._own_window += more
        elif kind == SETTINGS and not flags & ACK:
            for at in range(0, size, 6):
                name, value = struct.unpack_from(">HI", payload, at)
                if name == _SETTINGS_INITIAL_WINDOW_SIZE:
                    self._own_window += value - self._first_window
                    self._first_window = value
            self.send(SETTINGS, ACK, stream=0)
        elif stream == self._stream and (kind == RST_STREAM or (kind == HEADERS and flags & END_STREAM)):
            raise CallEnded("the call was ended by the other end")

    def _exactly(self, size: int) -> bytes:
        parts = b""
        while len(parts) < size:
            more = self.socket.recv(size - len(parts))
            if not more:
                raise ConnectionResetError("the other end has closed the connection")
            parts += more
        return parts

    def cancel(self) -> None:
        """Reset the newest call."""
        self.send(RST_STREAM, 0, struct.pack(">I", _CANCEL))

    def allow(self, size: int) -> None:
        """Let the other end send so many bytes more on this connection."""
        self.socket.sendall(_frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", size)))

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
