"""The time, by a wall clock that may leap."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from ..model.timestamps import Clock, wall_clock

LEAP = timedelta(hours=1)
"""How far the wall clock may get ahead of the time that passes before it is doubted."""
BELIEVED_AFTER = timedelta(minutes=1)
"""A wall clock that stays ahead for so long is right: it was set, or the machine slept."""


class SteadyClock:
    """Tells the time in UTC. A wall clock that leaps ahead is believed only when it stays there: what is stored meanwhile, in
    the change log, in leases, in statistics, is dated as if it had not leapt. One that is set back is believed at once.

    on_leap: called with the seconds of a leap when it is seen first.
    """

    def __init__(
        self,
        on_leap: Callable[[float], None],
        *,
        wall: Clock = wall_clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_leap, self._wall, self._monotonic = on_leap, wall, monotonic
        self._time, self._at = wall(), monotonic()
        self._leapt_at: float | None = None

    def __call__(self) -> datetime:
        wall, at = self._wall(), self._monotonic()
        expected = self._time + timedelta(seconds=at - self._at)
        if wall - expected > LEAP:
            if self._leapt_at is None:
                self._leapt_at = at
                self._on_leap((wall - expected).total_seconds())
            if at - self._leapt_at < BELIEVED_AFTER.total_seconds():
                return expected
        self._time, self._at, self._leapt_at = wall, at, None
        return wall
