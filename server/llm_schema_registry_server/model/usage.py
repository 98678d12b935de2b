"""How much a schema is used: counts of a while, and their sum over time in which the past fades. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from .timestamps import EPOCH

HALF_LIFE = timedelta(days=1)
"""After so long a use counts half in what is called recent."""

_FAR = 1000.0
"""Half-lives between two scores above which the smaller one adds nothing that a float could hold."""


_AHEAD = 64.0
"""Half-lives between now and a score that no number of uses up to now can have: that is one of a clock that was ahead."""


@dataclass(frozen=True, slots=True)
class Uses:
    """How often a schema was handed out, and how often data was validated against it."""

    reads: int = 0
    validations: int = 0

    @property
    def all(self) -> int:
        return self.reads + self.validations

    def __add__(self, other: Uses) -> Uses:
        return Uses(self.reads + other.reads, self.validations + other.validations)


@dataclass(frozen=True, slots=True)
class Usage:
    """What is known of a version's use. `uses`: since it is counted. `score`: what orders versions by recent use, whenever
    each was used last; see `score`. `used_at`: when it was counted last."""

    schema_id: str
    uses: Uses
    score: float
    used_at: datetime

    @classmethod
    def of(cls, schema_id: str, uses: Uses, at: datetime) -> Usage:
        """Of uses, at least one, that were counted until then."""
        return cls(schema_id, uses, score(uses.all, at), at)

    def __add__(self, other: Usage) -> Usage:
        """Of the same version: both."""
        return Usage(
            self.schema_id,
            self.uses + other.uses,
            together(self.score, other.score),
            max(self.used_at, other.used_at),
        )

    def moved_to(self, at: datetime) -> Usage:
        """The same uses as if they had been counted then."""
        return Usage(self.schema_id, self.uses, self.score - (self.used_at - at) / HALF_LIFE, at)

    def recent(self, now: datetime) -> float:
        """How many uses there were lately: each counts half after HALF_LIFE, a quarter after twice that ..."""
        return float(2.0 ** (self.score - _half_lives(now)))


def score(count: int, at: datetime) -> float:
    """Of `count` uses, at least one, at that time: the binary logarithm of their weight, which doubles with every half-life
    since 1970. So that what was counted once never has to be lowered, and scores compare without a clock."""
    return math.log2(count) + _half_lives(at)


def greatest_score(at: datetime) -> float:
    """What is above it was counted by a clock that was far ahead of this time. Such uses would stay the most recent ones for
    as long as the clock was ahead; stores move them to the time of the next report (AccountingWrite.record_usage)."""
    return _half_lives(at) + _AHEAD


def together(one: float, other: float) -> float:
    """The score of the uses of both."""
    return max(one, other) + math.log2(1 + 2.0 ** -min(abs(one - other), _FAR))


def _half_lives(at: datetime) -> float:
    return (at - EPOCH) / HALF_LIFE
