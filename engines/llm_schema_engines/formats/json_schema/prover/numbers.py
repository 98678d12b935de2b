"""The theory of numbers: finds a number in an interval with multiples, non-multiples and excluded values. Exact. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from .facts import Facts
from .results import IMPOSSIBLE, UNKNOWN, FoundValue, SearchResult
from .values import from_fraction, is_decimal

if TYPE_CHECKING:
    from .search import Prover

_TRIES = 2000
_FRACTIONS = (2, 4, 5, 8, 10, 16, 100)


def solve(prover: Prover, facts: Facts) -> SearchResult:
    """A number that meets the facts."""
    if facts.steps:
        return _multiple(prover, facts, _common(facts.steps))
    for candidate in _candidates(facts):
        prover.tick()
        if _admits(facts, candidate) and is_decimal(candidate):
            return FoundValue(from_fraction(candidate))
    if facts.low is not None and facts.high is not None and facts.low[0] == facts.high[0]:
        return IMPOSSIBLE  # the interval is a single number, which was tried
    prover.note(
        "no number was found", facts
    )  # an interval of more than one number without steps is never empty
    return UNKNOWN


def _common(steps: list[Fraction]) -> Fraction:
    """The least common multiple of rational steps."""
    result = steps[0]
    for step in steps[1:]:
        result = Fraction(
            math.lcm(result.numerator * step.denominator, step.numerator * result.denominator),
            result.denominator * step.denominator,
        )
    return result


def _multiple(prover: Prover, facts: Facts, step: Fraction) -> SearchResult:
    """A multiple of `step`. Non-multiples repeat periodically, so that one period decides."""
    low, high = facts.low, facts.high
    if low is not None:
        first = math.ceil(low[0] / step)
        direction = 1
    elif high is not None:
        first = math.floor(high[0] / step)
        direction = -1
    else:
        first, direction = 0, 1
    period = 1
    for other in facts.non_steps:
        period = math.lcm(period, int(_common([step, other]) / step))
    finite = {key[1] for key in facts.excluded if key[0] == "number"}
    needed = period + len(finite) + 2
    tries = _TRIES + len(finite)
    for i in range(min(needed, tries)):
        prover.tick()
        value = (first + direction * i) * step
        if (direction == 1 and high is not None and value > high[0]) or (
            direction == -1 and low is not None and value < low[0]
        ):
            return IMPOSSIBLE
        if _admits(facts, value):
            return FoundValue(from_fraction(value))
    if needed <= tries and all(
        not _free((first + i) * step, facts.non_steps) for i in range(min(period, _TRIES))
    ):
        return IMPOSSIBLE
    prover.note("the multiples do not decide it", facts)
    return UNKNOWN


def _free(value: Fraction, non_steps: list[Fraction]) -> bool:
    return all((value / other).denominator != 1 for other in non_steps)


def _admits(facts: Facts, value: Fraction) -> bool:
    if ("number", value) in facts.excluded or not _free(value, facts.non_steps):
        return False
    if facts.low is not None and (value < facts.low[0] or (value == facts.low[0] and facts.low[1])):
        return False
    return facts.high is None or value < facts.high[0] or (value == facts.high[0] and not facts.high[1])


def _candidates(facts: Facts) -> Iterator[Fraction]:
    """Numbers to try, simple ones first; enough to get past every excluded value."""
    low = None if facts.low is None else facts.low[0]
    high = None if facts.high is None else facts.high[0]
    more = len(facts.excluded) + 4
    if low is not None and high is not None:
        yield low
        yield high
        if low < 0 < high:
            yield Fraction(0)
        yield from (Fraction(math.ceil(low) + i) for i in range(more))
        for parts in (*_FRACTIONS, 10 ** len(str(more)) * 10):
            yield from (low + (high - low) * Fraction(i, parts) for i in range(1, min(parts, more + 8)))
    else:
        start, sign = (low, 1) if low is not None else (high, -1) if high is not None else (Fraction(0), 1)
        assert start is not None
        yield start
        whole = math.ceil(start) if sign == 1 else math.floor(start)
        yield from (Fraction(whole + sign * i) for i in range(more))
        for parts in (*_FRACTIONS, 1000, 10**6):
            yield from (start + sign * Fraction(i, parts) for i in range(1, more + 8))
