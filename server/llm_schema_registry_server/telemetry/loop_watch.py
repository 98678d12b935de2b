"""How long the event loop makes everybody wait, and at which code it stands meanwhile."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import PurePath
from types import FrameType

from prometheus_client.core import Metric

from . import families as f
from .cells import add_histogram

LATE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
"""Upper bounds in seconds of the classes in which waits are counted."""

_LONGEST_PERIOD = 0.025
_MOST_PLACES = 3


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in which the event loop did not come to its next turn. seconds: by the clock; processor_seconds: of them, at most so many
    did its thread compute (the rest it waited for a processor, or for another thread that held the interpreter); code: where it
    stood, "" when that was not seen."""

    seconds: float
    processor_seconds: float
    code: str


@dataclass(slots=True)
class Waits:
    """How many waits there were of each class of LATE_BUCKETS, the last longer than all, and their sum."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(LATE_BUCKETS) + 1))
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        """Counts one."""
        self.counts[bisect_left(LATE_BUCKETS, seconds)] += 1
        self.seconds += seconds


class LoopWatch:
    """Asks the running loop for a turn every few milliseconds and notes how late it comes: `late` by the clock, `busy` by the
    processor time of the loop's thread. One that comes `stall_seconds` late is told to `on_stall`; 0: none is.

    Calls pay nothing for it: it costs two short turns of threads in each period, which is a quarter of `stall_seconds`, at most 25 ms.
    """

    def __init__(self, stall_seconds: float, on_stall: Callable[[Stretch], None]) -> None:
        self._stall, self._on_stall = stall_seconds, on_stall
        self._period = min(_LONGEST_PERIOD, stall_seconds / 4) if stall_seconds else _LONGEST_PERIOD
        self.late, self.busy = Waits(), Waits()
        self._due = self._used = 0.0
        self._places: list[str] = []
        self._timer: asyncio.TimerHandle | None = None
        self._ended = threading.Event()
        self._looking: threading.Thread | None = None

    def start(self) -> None:
        """Watches the running loop from now on."""
        self._loop = asyncio.get_running_loop()
        self._ask()
        if self._stall:
            loop_thread = threading.get_ident()
            self._looking = threading.Thread(
                target=self._look, args=(loop_thread,), name="loop-watch", daemon=True
            )
            self._looking.start()

    async def stop(self) -> None:
        """Watches no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._ended.set()
        if self._looking is not None:
            await asyncio.to_thread(self._looking.join)

    def _ask(self) -> None:
        self._places = []
        self._used = time.thread_time()
        self._due = time.monotonic() + self._period
        self._timer = self._loop.call_later(self._period, self._turn)

    def _turn(self) -> None:
        late = max(0.0, time.monotonic() - self._due)
        # What the thread computed before the turn was due cannot be told apart: this is the most that it can have been.
        busy = min(late, time.thread_time() - self._used)
        places = self._places
        self._ask()
        self.late.add(late)
        self.busy.add(busy)
        if self._stall and late >= self._stall:
            self._on_stall(Stretch(late, busy, " | ".join(places)))

    def _look(self, loop_thread: int) -> None:
        """The thread that looks where the loop stands when it is late."""
        while not self._ended.wait(self._period):
            if time.monotonic() - self._due < self._stall / 2:
                continue
            frame = sys._current_frames().get(loop_thread)
            places = self._places
            if frame is not None and len(places) < _MOST_PLACES and (place := _place(frame)) not in places:
                places.append(place)


def _place(frame: FrameType) -> str:
    """The innermost lines of a stack: where the interpreter stands, and who of this package asked for it."""
    innermost = inner = _named(frame)
    outer: FrameType | None = frame
    while outer is not None and not _ours(outer):
        outer = outer.f_back
    if outer is not None:
        inner = _named(outer)
    return inner if inner == innermost else f"{inner} > {innermost}"


def _ours(frame: FrameType) -> bool:
    return "llm_schema" in frame.f_code.co_filename


def _named(frame: FrameType) -> str:
    """File, line and function; the file without the directories of this machine."""
    file = PurePath(frame.f_code.co_filename)
    return f"{file.parent.name}/{file.name}:{frame.f_lineno} {frame.f_code.co_name}"


def collect_loop(late: Waits, busy: Waits) -> Iterable[Metric]:
    """The family of what a watch counts."""
    family = f.LOOP_LATE.histogram()
    for by, waits in (("clock", late), ("processor", busy)):
        add_histogram(family, (by,), LATE_BUCKETS, tuple(waits.counts), waits.seconds)
    yield family
