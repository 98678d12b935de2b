"""Counts the frames of HTTP/2 with which a client makes work and asks for nothing: calls that are reset, pings, settings, priorities,
empty pieces of a message or of headers (CVE-2023-44487, CVE-2019-9512 to 9518, CVE-2024-27316).

An engine notices them when the work is done. Here, where what a client sends is in the clear for the first time, they are counted before.
"""

from __future__ import annotations

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
)

COSTS = {
    RST_STREAM: 1.0,
    PRIORITY: 0.05,
    SETTINGS: 0.05,
    PING: 0.05,
    CONTINUATION: 0.05,
}
"""A call that is reset counts as one; of the others, which cost an engine less and clients send more of, twenty do."""
EMPTY_DATA_COST = 0.05
UPDATE_COST, UPDATES_PER_DATA, UPDATES_AT_ONCE = 0.05, 4, 10_000
"""Of a WINDOW_UPDATE that answers nothing: a client needs one or two for each frame of DATA that it gets."""


class FrameMeter:
    """Reads the heads of the frames of one connection, in whatever pieces they come."""

    def __init__(self) -> None:
        self._skip = len(PREFACE)
        self._head = b""

    def cost(self, data: bytes) -> float:
        """Of the frames that begin in the next bytes of the connection."""
        cost, at, size = 0.0, 0, len(data)
        if self._head:
            missing = HEAD_BYTES - len(self._head)
            self._head += data[:missing]
            if len(self._head) < HEAD_BYTES:
                return 0.0
            cost, self._skip = self._frame(self._head, 0)
            self._head, at = b"", missing
        while True:
            at += self._skip
            if at >= size:
                self._skip = at - size
                return cost
            if at + HEAD_BYTES > size:
                self._head, self._skip = data[at:], 0
                return cost
            of_frame, self._skip = self._frame(data, at)
            cost += of_frame
            at += HEAD_BYTES

    @staticmethod
    def _frame(data: bytes, at: int) -> tuple[float, int]:
        """The cost of the frame whose head is there, and the length of its payload."""
        high, low, kind, flags, _ = HEAD.unpack_from(data, at)
        length = high << 8 | low
        if kind == DATA:
            return (EMPTY_DATA_COST if not length and not flags & END_STREAM else 0.0), length
        return COSTS.get(kind, 0.0), length
