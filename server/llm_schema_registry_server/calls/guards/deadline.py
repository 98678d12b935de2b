"""No call outlives its deadline: a unary call as a whole, a stream whenever it waits for its handler."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType

from ...errors import DeadlineExceeded
from ..call import Call
from ..guard import Guard, Rank, not_needed

SOON_SECONDS = 1.0
"""Deadlines that are nearer have a timer from the start."""


class LateTimers:
    """Calls whose deadlines are far away: most of them end long before, and need no timer of their own, which costs more than all
    the rest of the guard. Twice a second those that are near by then get one, of the usual precision."""

    def __init__(self) -> None:
        self._waiting: dict[Within, None] = {}
        self._loop: asyncio.AbstractEventLoop | None = None  # the one that has the timer of the next look

    def take(self, within: Within, left: float) -> bool:
        """Whether the timer is made later. left: seconds until the deadline."""
        if left <= SOON_SECONDS:
            return False
        self._waiting[within] = None
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._look_later(loop)
        return True

    def leave(self, within: Within) -> None:
        """It has ended, or has its timer."""
        self._waiting.pop(within, None)

    def _make_timers(self) -> None:
        near = time.monotonic() + SOON_SECONDS
        for within in [w for w in self._waiting if w.call.deadline is None or w.call.deadline <= near]:
            del self._waiting[within]
            within.set_timer()
        if self._waiting:
            self._look_later(asyncio.get_running_loop())
        else:
            self._loop = None

    def _look_later(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        loop.call_later(SOON_SECONDS / 2, self._make_timers)


class Within(Guard):
    """Around a wait: turns the call's deadline into DeadlineExceeded. Nothing happens when the call has none."""

    __slots__ = ("_late", "_timeout")

    def __init__(self, call: Call, late: LateTimers | None = None) -> None:
        """late: makes the timer when the deadline comes near; None makes it at once."""
        super().__init__(call)
        self._late = late

    async def __aenter__(self) -> None:
        deadline = self.call.deadline
        # asyncio.timeout_at wants the loop's clock, which uvloop does not share with time.monotonic().
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        if left is None or self._late is None or not self._late.take(self, left):
            self._late = None
            self._timeout = asyncio.timeout(left)
        else:
            self._timeout = asyncio.timeout(None)
        await self._timeout.__aenter__()
        if self.call.operation.streams:
            self.call.waits = self.set_timer

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.call.waits = None
        if self._late is not None:
            self._late.leave(self)
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError as expired:
            raise DeadlineExceeded(
                f"{self.call.operation.name} took longer than its deadline; allow more time or ask for less"
            ) from expired

    def set_timer(self) -> None:
        """Let the wait end at the deadline of the call."""
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
        self._default, self._late = default_seconds, LateTimers()

    def __call__(self, call: Call) -> Guard:
        if call.operation.streams:
            return Guard(call)
        if call.deadline is None:
            call.deadline = time.monotonic() + self._default
        return Within(call, self._late)
