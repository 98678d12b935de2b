"""Reads the heads of the frames of HTTP/2, and what those cost with which a client makes work and asks for nothing: calls that are reset,
pings, settings, priorities, empty pieces of a message or of headers (CVE-2023-44487, CVE-2019-9512 to 9518, CVE-2024-27316).

An engine notices them when the work is done. Here, where what a client sends is in the clear for the first time, they are counted before.
"""

from __future__ import annotations

from typing import NamedTuple

from .http2 import (
    CONTINUATION,
    DATA,
    END_STREAM,
    HEAD,
    HEAD_BYTES,
    PING,
    PREFACE,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    STREAM_BITS,
)

COSTS = {
    RST_STREAM: 1.0,
    PRIORITY: 0.05,
    SETTINGS: 0.05,
    PING: 0.05,
    CONTINUATION: 0.05,
}
"""A call that is reset counts as one; of the others, which cost an engine less and clients send more of, twenty do."""
ANSWERED_COST = 0.25
"""Of a call that is reset when its answer has begun."""
EMPTY_DATA_COST = 0.05
UPDATE_COST, UPDATES_PER_DATA, UPDATES_AT_ONCE = 0.05, 4, 10_000
"""Of a WINDOW_UPDATE that answers nothing: a client needs one or two for each frame of DATA that it gets."""


class FrameHead(NamedTuple):
    """Of a frame with `length` bytes of payload (RFC 9113 4.1)."""

    kind: int
    flags: int
    stream: int
    length: int

    @property
    def cost(self) -> float:
        """In calls that are reset."""
        if self.kind == DATA:
            return EMPTY_DATA_COST if not self.length and not self.flags & END_STREAM else 0.0
        return COSTS.get(self.kind, 0.0)


class FrameHeads:
    """Those of one side of a connection, in whatever pieces they come: a client's, which begins with a preface, unless it is an engine's."""

    def __init__(self, *, engine: bool = False) -> None:
        self._skip = 0 if engine else len(PREFACE)
        self._part = b""

    def read(self, data: bytes, most: int) -> tuple[list[FrameHead], int]:
        """At most so many heads of frames, and how many of the next bytes were read for them: all of them, unless there may be more heads."""
        found: list[FrameHead] = []
        at, size = 0, len(data)
        if self._part:
            missing = HEAD_BYTES - len(self._part)
            self._part += data[:missing]
            if len(self._part) < HEAD_BYTES:
                return found, size
            found.append(self._head(self._part, 0))
            self._part, at = b"", missing
        while True:
            if at + self._skip >= size:
                self._skip -= size - at
                return found, size
            at, self._skip = at + self._skip, 0
            if len(found) >= most:
                return found, at
            if at + HEAD_BYTES > size:
                self._part = data[at:]
                return found, size
            found.append(self._head(data, at))
            at += HEAD_BYTES

    def _head(self, data: bytes, at: int) -> FrameHead:
        high, low, kind, flags, stream = HEAD.unpack_from(data, at)
        self._skip = high << 8 | low
        return FrameHead(kind, flags, stream & STREAM_BITS, self._skip)
