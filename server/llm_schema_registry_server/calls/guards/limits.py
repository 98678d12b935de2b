"""Most calls in flight: over the limit a call is refused at once, and those under way do not notice."""

from __future__ import annotations

from types import TracebackType

from ...errors import LimitExceeded
from ..call import Call
from ..guard import Guard, Rank, not_needed


class Limits:
    """At most `calls` unary calls and `streams` streams at a time, `streams_per_caller` of one address; counts them
    (`calls_now`, `streams_now`). A caller without an address (on a unix socket) is bounded by `streams` alone."""

    rank, on_cached = Rank.LIMITS, not_needed("a cached answer holds nothing while others wait")

    def __init__(self, *, calls: int, streams: int, streams_per_caller: int | None = None) -> None:
        self._most = {False: calls, True: streams}
        self._now = {False: 0, True: 0}
        self._most_of_caller = streams_per_caller
        self._callers: dict[str, int] = {}

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

    def take_of_caller(self, address: str) -> None:
        """Counts a stream of a caller. Raises LimitExceeded when it has too many."""
        now = self._callers.get(address, 0)
        if address and self._most_of_caller is not None and now >= self._most_of_caller:
            raise LimitExceeded(
                f"{now} streams of {address} are open, which is the limit of one caller "
                "(setting limits.streams_per_caller); follow several subjects with one stream",
                limit=self._most_of_caller,
                what="streams of one caller",
            )
        self._callers[address] = now + 1

    def give_back_of_caller(self, address: str) -> None:
        """Counts a stream of a caller that has ended."""
        left = self._callers[address] - 1
        if left:
            self._callers[address] = left
        else:
            del self._callers[address]


class _Slot(Guard):
    __slots__ = ("_limits",)

    def __init__(self, call: Call, limits: Limits) -> None:
        super().__init__(call)
        self._limits = limits

    async def __aenter__(self) -> None:
        stream = self.call.operation.streams
        self._limits.take(stream)
        if stream:
            try:
                self._limits.take_of_caller(self.call.peer.address)
            except LimitExceeded:
                self._limits.give_back(stream)
                raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stream = self.call.operation.streams
        self._limits.give_back(stream)
        if stream:
            self._limits.give_back_of_caller(self.call.peer.address)
