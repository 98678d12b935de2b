"""Counts calls whose first message has not come as a whole: each takes some 13 KB of an engine's memory, and no guard knows of it yet."""

from __future__ import annotations

from collections import Counter

from .inspection import Abuse

SETTING = "grpc.incomplete_calls_per_address"
INCOMPLETE_COST = 1.0
"""Of a call that ends without a message: an engine has as much work with it as with one that is reset."""
_ALL = 16
"""All callers together may have so many times as many as one of them."""
_FREE = 8
"""Of each connection: the head of a call and its message may come in two pieces. Not counted."""


class IncompleteCalls:
    """Those of all connections: at most `per_caller` of one caller, sixteen times as many of all. When those are there, each caller may
    have an equal share of them, so that none is refused because of what others have."""

    def __init__(self, per_caller: int) -> None:
        self._per_caller, self._most = per_caller, _ALL * per_caller
        self._callers: Counter[str] = Counter()
        self._all = 0

    def __len__(self) -> int:
        return self._all

    def take(self, caller: str) -> bool:
        """Notes one more, if there is room."""
        has = self._callers.get(caller, 0)
        if has >= self._per_caller:
            return False
        if self._all >= self._most and has >= self._most // len(self._callers):
            return False
        self._callers[caller] = has + 1
        self._all += 1
        return True

    def release(self, caller: str, count: int) -> None:
        """So many are over."""
        self._all -= count
        self._callers[caller] -= count
        if not self._callers[caller]:
            del self._callers[caller]


class Incomplete:
    """Those of one connection of `caller`."""

    __slots__ = ("_all", "_caller", "streams")

    def __init__(self, of_all: IncompleteCalls, caller: str) -> None:
        self._all, self._caller = of_all, caller
        self.streams: set[int] = set()

    def begins(self, stream: int) -> None:
        """A call has begun. Raises Abuse when there is no room for one more."""
        if len(self.streams) >= _FREE and not self._all.take(self._caller):
            raise Abuse("calls whose messages do not come", SETTING)
        self.streams.add(stream)

    def ends(self, stream: int) -> None:
        """A call that is in `streams` has its message, or will never have one."""
        self.streams.remove(stream)
        if len(self.streams) >= _FREE:
            self._all.release(self._caller, 1)

    def close(self) -> int:
        """The connection is gone. How many calls it leaves."""
        left = len(self.streams)
        if left > _FREE:
            self._all.release(self._caller, left - _FREE)
        self.streams.clear()
        return left
