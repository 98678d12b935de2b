"""The time, by a wall clock that may leap."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from ..model.timestamps import Clock, wall_clock


class SteadyClock:
    """Tells the time in UTC. A wall clock that leaps ahead is believed only when it stays there: what is stored meanwhile, in
    the change log, in leases, in statistics, is dated as if it had not leapt. One that is set back is believed at once.

    on_leap: called with the seconds of a leap when it is seen first. leap_seconds: how far the wall clock may get ahead of the
    time that passes before it is doubted. believed_after_seconds: one that stays ahead for so long is right; it was set, or the
    machine slept.
    """

    def __init__(
        self,
        on_leap: Callable[[float], None],
        *,
        leap_seconds: float = 3600.0,
        believed_after_seconds: float = 60.0,
        wall: Clock = wall_clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_leap, self._wall, self._monotonic = on_leap, wall, monotonic
        self._time, self._at = wall(), monotonic()
        self._leap = timedelta(seconds=leap_seconds)
        self._believed_after = believed_after_seconds
        self._leapt_at: float | None = None

    def __call__(self) -> datetime:
        wall, at = self._wall(), self._monotonic()
        expected = self._time + timedelta(seconds=at - self._at)
        if wall - expected > self._leap:
            if self._leapt_at is None:
                self._leapt_at = at
                self._on_leap((wall - expected).total_seconds())
            if at - self._leapt_at < self._believed_after:
                return expected
        self._time, self._at, self._leapt_at = wall, at, None
        return wall
