"""Token buckets: who may do how much in a time. A bucket is one number (the generic cell rate algorithm, ITU-T I.371). Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

_SLACK = 1e-8
"""Seconds by which sums of floating point numbers may be wrong."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many calls a second in the long run, and at most `burst` at once. Both greater than 0."""

    per_second: float
    burst: int
    interval: float = field(init=False)
    """Seconds after which one more call is allowed."""
    full: float = field(init=False)
    """Seconds in which an empty bucket fills."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "interval", 1.0 / self.per_second)
        object.__setattr__(self, "full", self.burst / self.per_second)

    def times(self, factor: float) -> Rate:
        """As many times as much, at least one call at once."""
        return Rate(self.per_second * factor, max(1, math.floor(self.burst * factor)))


class Bucket:
    """The tokens of one caller. Times are seconds on any clock that never goes back; `full_at` is when it will be full."""

    __slots__ = ("full_at",)

    def __init__(self) -> None:
        self.full_at = 0.0

    def take(self, rate: Rate, now: float) -> bool:
        """Takes a token; False when there is none."""
        full_at = (self.full_at if self.full_at > now else now) + rate.interval
        if full_at - now > rate.full + _SLACK:
            return False
        self.full_at = full_at
        return True

    def left(self, rate: Rate, now: float) -> int:
        """How many tokens there are."""
        return int((rate.full - max(0.0, self.full_at - now) + _SLACK) / rate.interval)

    def wait(self, rate: Rate, now: float) -> float:
        """Seconds until there is a token; 0 when there is one."""
        return max(0.0, self.full_at + rate.interval - now - rate.full)


@dataclass(frozen=True, slots=True)
class Leased:
    """What a shared bucket gave away: `tokens`, 0 when there is none for `wait` seconds. `left` are still in it, and it is full
    again in `full_in` seconds if nobody takes more."""

    tokens: int
    left: int
    wait: float
    full_in: float
