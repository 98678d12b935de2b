"""Most calls in flight: over the limit a call is refused at once, and those under way do not notice."""

from __future__ import annotations

from types import TracebackType

from ...errors import LimitExceeded
from ..call import Call
from ..guard import Guard, Rank, not_needed


class Limits:
    """At most `calls` unary calls and `streams` streams at a time; counts both (`calls_now`, `streams_now`)."""

    rank, on_cached = Rank.LIMITS, not_needed("a cached answer holds nothing while others wait")

    def __init__(self, *, calls: int, streams: int) -> None:
        self._most = {False: calls, True: streams}
        self._now = {False: 0, True: 0}

    def __call__(self, call: Call) -> Guard:
        return _Slot(call, self)

    @property
    def calls_now(self) -> int:
        """Unary calls in flight."""
        return self._now[False]

    @property
    def streams_now(self) -> int:
        """Streams in flight."""
        return self._now[True]

    def take(self, stream: bool) -> None:
        """Takes a slot. Raises LimitExceeded when none is free."""
        if self._now[stream] >= self._most[stream]:
            what = "streams" if stream else "calls"
            raise LimitExceeded(
                f"{self._most[stream]} {what} are in flight, which is the limit; try again with a back-off",
                limit=self._most[stream],
                what=what,
            )
        self._now[stream] += 1

    def give_back(self, stream: bool) -> None:
        """Frees a slot taken before."""
        self._now[stream] -= 1


class _Slot(Guard):
    __slots__ = ("_limits",)

    def __init__(self, call: Call, limits: Limits) -> None:
        super().__init__(call)
        self._limits = limits

    async def __aenter__(self) -> None:
        self._limits.take(self.call.operation.streams)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._limits.give_back(self.call.operation.streams)
