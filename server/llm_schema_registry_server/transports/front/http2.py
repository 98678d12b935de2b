"""Frames of HTTP/2 and fields of HPACK, as far as a front writes and reads them (RFC 9113, RFC 7541)."""

from __future__ import annotations

import struct
from collections.abc import Iterable

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What every client says first (RFC 9113 3.4)."""
HEAD = struct.Struct(">HBBBL")
"""The head of a frame: its length in two numbers, kind, flags, stream (RFC 9113 4.1)."""
HEAD_BYTES = 9
LEAST_FRAME_BYTES = 16_384
"""What everybody takes in one frame (SETTINGS_MAX_FRAME_SIZE has no smaller value)."""

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    0x0,
    0x1,
    0x2,
    0x3,
    0x4,
    0x6,
    0x7,
    0x8,
    0x9,
)
END_STREAM, END_HEADERS, PADDED = 0x1, 0x4, 0x8
NO_ERROR, REFUSED_STREAM, CANCEL, INADEQUATE_SECURITY = 0x0, 0x7, 0x8, 0xC
STREAM_BITS = 0x7FFF_FFFF

_LITERAL = b"\0"
"""A field that goes into no table, with its name (RFC 7541 6.2.2): it can be added to any block without knowing the tables."""
_LONGEST_SHORT = 127


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One frame."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def number(value: int) -> bytes:
    """Four bytes, as RST_STREAM and WINDOW_UPDATE have them."""
    return value.to_bytes(4, "big")


def fields(pairs: Iterable[tuple[str, str]]) -> bytes:
    """A header block, or a piece to be added to one."""
    return b"".join(_LITERAL + _text(name) + _text(value) for name, value in pairs)


def _text(text: str) -> bytes:
    data = text.encode()
    size = len(data)
    if size < _LONGEST_SHORT:
        return bytes((size,)) + data
    # RFC 7541 5.1, with a prefix of seven bits.
    length, rest = bytearray((_LONGEST_SHORT,)), size - _LONGEST_SHORT
    while rest >= 128:
        length.append(rest % 128 + 128)
        rest //= 128
    length.append(rest)
    return bytes(length) + data
