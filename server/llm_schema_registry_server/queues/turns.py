"""Calls begin in turns of the event loop: as many as keep a turn short, and who sent few is not behind who sent many.

What a call costs is told in units of about 20 microseconds; for each kind of call it is learned from the first steps of those before it,
since all that begin in one turn take their first step in one piece. A turn that took too much processor time halves what the next one may
begin, so that calls wait here, where each caller has a queue of its own, and not as tasks of the loop, which knows no callers.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine, Generator, Hashable
from functools import partial
from types import coroutine
from typing import Any, TypeVar

R = TypeVar("R")
TASK_UNITS = 4
"""What it takes to begin a call that runs as a task."""
_UNIT_BYTES = 128
_UNIT_SECONDS = 20e-6
_MOST, _LEAST, _STEP = 256, 4 * TASK_UNITS, 32
# A registration passes a dozen turns of the loop: what one takes beside a flood of other calls, it waits for a dozen times.
_SHORT_SECONDS, _LONG_SECONDS = 0.001, 0.002
_UP, _DOWN = 1 / 2, 1 / 16
"""How far what is known of a kind of call follows one that took more, and one that took less."""


def request_units(request: object) -> int:
    """What it takes to begin a call with this request, which is bytes or, of a stream, something else."""
    return TASK_UNITS + (len(request) // _UNIT_BYTES if isinstance(request, bytes) else 0)


def spent_units(seconds: float) -> int:
    """What a call took that was answered in so many seconds without waiting."""
    return 1 + int(seconds / _UNIT_SECONDS)


class WaitingCall:
    """A call that waits for its turn."""

    __slots__ = ("begin",)

    def __init__(self, begin: Callable[[], None]) -> None:
        self.begin: Callable[[], None] | None = begin

    def leave(self) -> None:
        """Its caller has gone: it will not begin."""
        self.begin = None


def _nearer(known: float, seconds: float) -> float:
    return known + (seconds - known) * (_UP if seconds > known else _DOWN)


@coroutine
def _first_step_noted(work: Coroutine[Any, Any, R], note: Callable[[float], None]) -> Generator[Any, Any, R]:
    """The same work, which has not begun; the processor time of its first step, up to where it waits for the first time, is noted.

    From its second step on nothing of this is between the event loop and the work: an object with a `send` of its own would be
    called for each step, of which a registration has a dozen.
    """
    began = time.thread_time()
    try:
        awaited = work.send(None)
    except StopIteration as done:
        result: R = done.value
        return result
    finally:
        note(time.thread_time() - began)
    while True:
        try:
            yield awaited
        except BaseException as error:  # also of a task that is cancelled: it is the work's
            del awaited  # a future that has failed holds the error, and its traceback this frame
            try:
                awaited = work.throw(error)
            except StopIteration as done:
                result = done.value
                return result
        else:
            del awaited
            result = yield from work
            return result


class CallTurns:
    """The turns of the calls of one listener. `use` says what a call that begins costs; when `free` is false a call must `wait`.

    rounds: how often the event loop goes round in one turn. With several, others who wait for the loop again and again go on as often
    between two turns; an idle loop goes round at once.
    """

    def __init__(self, rounds: int = 1) -> None:
        self._rounds, self._left = rounds, 0
        self._seconds: dict[Hashable, float] = {}
        self._usual = 0.0
        self._waiting: OrderedDict[str, deque[WaitingCall]] = OrderedDict()
        self._used, self._budget = 0.0, _MOST
        self._scheduled = self._passed = False
        self._began = 0.0

    @property
    def free(self) -> bool:
        """Whether a call may begin in this turn."""
        return self._used < self._budget and not self._waiting

    def passes(self) -> bool:
        """Whether a call that was to begin in this turn may go on. Those may not before which others have gone on and taken longer than
        anybody knew: they `turn` once more."""
        if not self._scheduled:
            return True
        if self._passed and time.thread_time() - self._began > _LONG_SECONDS:
            return False
        self._passed = True
        return True

    def units(self, kind: Hashable) -> int:
        """What the first step of a call of this kind takes, as far as is known; of an unknown one, what that of any call does."""
        return max(TASK_UNITS, int(self._seconds.get(kind, self._usual) / _UNIT_SECONDS))

    async def noting(self, kind: Hashable, work: Coroutine[Any, Any, R]) -> R:
        """Does the work; what its first step takes is noted for those of this kind that come after it."""
        return await _first_step_noted(work, partial(self._note, kind))

    def _note(self, kind: Hashable, seconds: float) -> None:
        self._seconds[kind] = _nearer(self._seconds.get(kind, 0.0), seconds)
        self._usual = _nearer(self._usual, seconds)

    def use(self, units: float) -> None:
        """Counts what began in this turn."""
        self._used += units
        if not self._scheduled:
            self._schedule()

    def wait(self, caller: str, begin: Callable[[], None]) -> WaitingCall:
        """Calls `begin`, which must `use` something, in one of the next turns; callers take turns there, one call each."""
        call = WaitingCall(begin)
        self._waiting.setdefault(caller, deque()).append(call)
        if not self._scheduled:
            self._schedule()
        return call

    async def turn(self, caller: Callable[[], str], units: int = TASK_UNITS) -> None:
        """Waits until a call may begin, and counts it."""
        if self.free and self.passes():
            self.use(units)
            return
        await self._waited(caller, units)
        while not self.passes():
            await self._waited(caller, units)

    async def _waited(self, caller: Callable[[], str], units: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def begin() -> None:
            if not turn.done():
                self.use(units)
                turn.set_result(None)

        call = self.wait(caller(), begin)
        try:
            await turn
        finally:
            call.leave()

    async def carry_out(
        self,
        kind: Hashable,
        caller: Callable[[], str],
        work: Callable[[], Coroutine[Any, Any, R]],
        units: int = 0,
    ) -> R:
        """Does a call of a kind in its turn. units: that it takes at least."""
        await self.turn(caller, max(units, self.units(kind)))
        return await self.noting(kind, work())

    def _schedule(self) -> None:
        self._scheduled = True
        self._began = time.thread_time()
        self._left = self._rounds
        asyncio.get_running_loop().call_soon(self._go_round)

    def _go_round(self) -> None:
        self._left -= 1
        if self._left:
            asyncio.get_running_loop().call_soon(self._go_round)
        else:
            self._next_turn()

    def _next_turn(self) -> None:
        took = time.thread_time() - self._began
        if took > _LONG_SECONDS:
            self._budget = max(_LEAST, self._budget // 2)
        elif took < _SHORT_SECONDS:
            self._budget = min(_MOST, self._budget + _STEP)
        self._used, self._scheduled, self._passed = 0.0, False, False
        waiting = self._waiting
        try:
            while waiting and self._used < self._budget:
                caller, calls = next(iter(waiting.items()))
                call = calls.popleft()
                if calls:
                    waiting.move_to_end(caller)
                else:
                    del waiting[caller]
                if (begin := call.begin) is not None:
                    begin()
        finally:
            if waiting and not self._scheduled:
                self._schedule()
