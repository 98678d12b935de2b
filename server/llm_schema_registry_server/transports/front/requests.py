"""Looks at what clients of HTTP/2 send that ask for something else than gRPC: at the heads of their frames, and at nothing inside of them."""

from __future__ import annotations

from collections.abc import Callable

from .frames import ANSWERED_COST, FrameHead, FrameHeads
from .http2 import DATA, END_STREAM, HEADERS, RST_STREAM
from .incomplete import INCOMPLETE_COST, Incomplete, IncompleteCalls
from .inspection import FRAMES_AT_ONCE, FRAMES_PER_UNIT, Inspection, worthless_frames


class RequestInspection(Inspection):
    """Of one connection of `caller`: whether it sends frames that callers need, and how many of its requests have not come as a whole.
    `spend`: see CallInspection."""

    def __init__(self, incomplete: IncompleteCalls, caller: str, spend: Callable[[float], bool]) -> None:
        self._incomplete, self._spend = Incomplete(incomplete, caller), spend
        self._in, self._out = FrameHeads(), FrameHeads(engine=True)
        self._newest = 0  # stream that the client has begun
        self._headed: set[int] = set()  # whose answer has begun, and not ended
        self._rest = b""
        self._debt = 0.0  # for what the engine has ended since the client was last heard
        self.unfinished, self.units = False, 0.0

    def incoming(self, data: bytes) -> bytes:
        """The same bytes, as far as they were looked at. Raises Abuse."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        heads, at = self._in.read(data, FRAMES_AT_ONCE)
        self.unfinished = at < len(data)
        if self.unfinished:
            data, self._rest = data[:at], data[at:]
        self.units += len(heads) / FRAMES_PER_UNIT
        cost, self._debt = self._debt, 0.0
        for head in heads:
            cost += self._request(head)
        if cost and not self._spend(cost):
            raise worthless_frames()
        return data

    def _request(self, head: FrameHead) -> float:
        """Notes what becomes of a request with a frame of its client; what the frame costs. Raises Abuse."""
        cost, stream = head.cost, head.stream
        if head.kind == HEADERS and stream > self._newest:
            self._newest = stream
            if not head.flags & END_STREAM:
                self._incomplete.begins(stream)
        elif _ends(head):
            if stream in self._incomplete.streams:
                self._incomplete.ends(stream)
            if head.kind == RST_STREAM and stream in self._headed:
                self._headed.remove(stream)
                cost = ANSWERED_COST
        return cost

    def outgoing(self, data: bytes) -> bytes:
        """The same bytes."""
        heads, _ = self._out.read(data, len(data))
        self.units += len(heads) / FRAMES_PER_UNIT
        for head in heads:
            if _ends(head):
                self._headed.discard(head.stream)
                if head.stream in self._incomplete.streams:
                    self._incomplete.ends(head.stream)
                    self._debt += INCOMPLETE_COST
            elif head.kind == HEADERS:
                self._headed.add(head.stream)
        return data

    def close(self) -> None:
        """The connection is gone. Requests whose body never came count as if they were reset."""
        cost = self._debt + self._incomplete.close() * INCOMPLETE_COST
        self._debt = 0.0
        if cost:
            self._spend(cost)


def _ends(head: FrameHead) -> bool:
    """Whether it is the last frame of its sender on its stream."""
    return head.kind == RST_STREAM or (head.kind in (HEADERS, DATA) and bool(head.flags & END_STREAM))
