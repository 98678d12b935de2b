"""No call outlives its deadline: a unary call as a whole, a stream whenever it waits for its handler."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType

from ...errors import DeadlineExceeded
from ..call import Call
from ..guard import Guard, Rank, not_needed


class Within(Guard):
    """Around a wait: turns the call's deadline into DeadlineExceeded. Nothing happens when the call has none."""

    __slots__ = ("_timeout",)

    async def __aenter__(self) -> None:
        deadline = self.call.deadline
        # asyncio.timeout_at wants the loop's clock, which uvloop does not share with time.monotonic().
        self._timeout = asyncio.timeout(None if deadline is None else max(0.0, deadline - time.monotonic()))
        await self._timeout.__aenter__()
        if self.call.operation.streams:
            self.call.waits = self._move

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.call.waits = None
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError as expired:
            raise DeadlineExceeded(
                f"{self.call.operation.name} took longer than its deadline; allow more time or ask for less"
            ) from expired

    def _move(self) -> None:
        deadline = self.call.deadline
        if not self._timeout.expired():
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            self._timeout.reschedule(None if left is None else asyncio.get_running_loop().time() + left)


class Deadline:
    """Gives every unary call a deadline, the caller's or `default_seconds`, and enforces it.

    A stream lives as long as its caller wants; the pipeline enforces its deadline, if it has one, message by message,
    because a stream may not be cancelled while the transport holds it.
    """

    rank, on_cached = Rank.DEADLINE, not_needed("a cached answer goes out without waiting")

    def __init__(self, default_seconds: float) -> None:
        self._default = default_seconds

    def __call__(self, call: Call) -> Guard:
        if call.operation.streams:
            return Guard(call)
        if call.deadline is None:
            call.deadline = time.monotonic() + self._default
        return Within(call)
