"""The test for drops of the rate of valid answers: its error holds however often it is looked at, and it finds what is there."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

import pytest

from llm_schema_engines.answers.conformance import (
    Interval,
    Passes,
    evidence_of_drop,
    interval_of,
    is_certain,
    share_of_error,
)

SERIES = 250


def _series(
    dice: random.Random, before: float, after: float, answers: int
) -> Iterator[tuple[Passes, Passes]]:
    """Counts after each answer of two versions whose answers come mixed; the earlier one has some at the beginning."""
    counts = [[0, 0], [0, 0]]
    for number in range(answers):
        which = 0 if number < 50 else dice.random() < 0.6
        counts[which][0] += dice.random() < (before, after)[which]
        counts[which][1] += 1
        yield Passes(*counts[0]), Passes(*counts[1])


@pytest.mark.parametrize(
    ("before", "after", "margin"), [(0.5, 0.5, 0.0), (0.95, 0.95, 0.0), (0.9, 0.88, 0.02), (0.02, 0.02, 0.0)]
)
def test_false_alarms_are_as_rare_as_promised_though_every_answer_is_looked_at(
    before: float, after: float, margin: float
) -> None:
    dice, error, alarms, naive = random.Random(18), 0.1, 0, 0
    for _ in range(SERIES):
        alarm = naive_alarm = False
        for earlier, later in _series(dice, before, after, 600):
            alarm = alarm or is_certain(evidence_of_drop(earlier, later, margin), error)
            naive_alarm = naive_alarm or _z(earlier, later, margin) > 1.2816  # one-sided, 10 %
        alarms += alarm
        naive += naive_alarm

    assert alarms <= SERIES * error
    assert naive > 2 * SERIES * error, (
        "the series must be such that a test made for one look alarms too often"
    )


def _z(before: Passes, after: Passes, margin: float) -> float:
    if min(before.answers, after.answers) < 30:
        return 0.0
    spread = sum(p.rate * (1 - p.rate) / p.answers for p in (before, after))
    return (before.rate - after.rate - margin) / math.sqrt(spread) if spread else 0.0


def test_the_errors_of_many_tests_together_are_as_rare_as_promised() -> None:
    dice, error, alarms = random.Random(7), 0.2, 0
    for _ in range(100):
        alarms += any(
            is_certain(evidence_of_drop(earlier, later), share_of_error(error, version, model))
            for version in range(1, 4)
            for model in range(1, 3)
            for earlier, later in _series(dice, 0.8, 0.8, 200)
        )

    assert alarms <= 100 * error


@pytest.mark.parametrize(
    ("after", "margin", "most"), [(0.90, 0.0, 1500), (0.90, 0.01, 3500), (0.85, 0.01, 500), (0.5, 0.01, 60)]
)
def test_a_drop_from_95_percent_is_found_within(after: float, margin: float, most: int) -> None:
    dice, found = random.Random(11), 0
    error = share_of_error(0.01, 1, 1, 1)
    for _ in range(50):
        later = [0, 0]
        before = Passes(sum(dice.random() < 0.95 for _ in range(5000)), 5000)
        for number in range(1, most + 1):
            later[0] += dice.random() < after
            later[1] += 1
            if number % 10 == 0 and is_certain(evidence_of_drop(before, Passes(*later), margin), error):
                found += 1
                break

    assert found >= 45


def test_intervals_hold_the_rate_at_all_times_together() -> None:
    dice, missed, error = random.Random(3), 0, 0.1
    for _ in range(100):
        passed, outside = 0, False
        for number in range(1, 201):
            passed += dice.random() < 0.9
            found = interval_of(Passes(passed, number), error)
            outside = outside or not found.low <= 0.9 <= found.high
        missed += outside

    assert missed <= 100 * error


def test_intervals_narrow_and_hold_what_was_seen() -> None:
    few, many = interval_of(Passes(9, 10), 0.05), interval_of(Passes(9000, 10000), 0.05)

    assert 0 < few.low < many.low < 0.9 < many.high < few.high < 1
    assert interval_of(Passes(0, 0), 0.05) == Interval(0.0, 1.0)
    assert interval_of(Passes(0, 100), 0.05).low == 0.0
    assert interval_of(Passes(100, 100), 0.05).high == 1.0


def test_no_drop_is_no_evidence() -> None:
    assert evidence_of_drop(Passes(50, 100), Passes(50, 100)) < 0
    assert evidence_of_drop(Passes(50, 100), Passes(100, 100)) < 0
    assert evidence_of_drop(Passes(0, 0), Passes(0, 1000)) <= 0
    assert evidence_of_drop(Passes(1000, 1000), Passes(0, 0)) <= 0
    assert evidence_of_drop(Passes(95_000, 100_000), Passes(94_500, 100_000), 0.01) < 0


def test_a_margin_only_lessens_the_evidence() -> None:
    before, after = Passes(950, 1000), Passes(850, 1000)
    found = [evidence_of_drop(before, after, margin) for margin in (0.0, 0.001, 0.01, 0.05, 0.2)]

    assert found == sorted(found, reverse=True)
    assert found[0] == pytest.approx(found[1], abs=1.5)


@pytest.mark.parametrize("count", [10**6, 10**9, 10**12])
def test_large_counts_neither_overflow_nor_alarm(count: int) -> None:
    same = Passes(count * 9 // 10, count)

    assert evidence_of_drop(same, same) < 0
    assert is_certain(evidence_of_drop(same, Passes(count * 8 // 10, count)), 1e-9)


def test_places_use_no_more_than_there_is() -> None:
    used = sum(share_of_error(1.0, version, model) for version in range(1, 300) for model in range(1, 300))

    assert 0.99 < used < 1
    with pytest.raises(ValueError, match="the first one is 1"):
        share_of_error(0.1, 1, 0)


def test_impossible_counts_and_margins_are_refused() -> None:
    with pytest.raises(ValueError, match="3 of 2 answers"):
        Passes(3, 2)
    with pytest.raises(ValueError, match="margin"):
        evidence_of_drop(Passes(1, 2), Passes(1, 2), 1.0)
