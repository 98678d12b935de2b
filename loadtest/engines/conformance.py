"""How many answers the test for drops needs, and how often it alarms without one.

    PYTHONPATH=engines python loadtest/engines/conformance.py [--markdown loadtest/results/conformance.md]

The earlier version has 5,000 answers, the later one is looked at after every answer, as the third version of a subject with its first model. Seeds are fixed.
"""

from __future__ import annotations

import argparse
import platform
import random
import statistics
from collections.abc import Iterator
from pathlib import Path

from llm_schema_engines.answers.conformance import Passes, evidence_of_drop, is_certain, share_of_error

BEFORE = 5_000
ERROR, MARGIN = 0.01, 0.01
SHARE = share_of_error(ERROR, 2, 1, 1)
DROPS = [
    (0.95, 0.94),
    (0.95, 0.92),
    (0.95, 0.90),
    (0.95, 0.85),
    (0.95, 0.50),
    (0.99, 0.94),
    (0.80, 0.75),
    (0.60, 0.50),
]
MOST = 20_000
SERIES = 40
HEAD = "| before | after | found within so many answers: median | 90 % | not found within 20,000 |\n|---|---|---|---|---|"
EVERY = 5
"""Answers between two looks, where it does not matter."""


def until_found(dice: random.Random, before: float, after: float) -> int | None:
    """Answers of the later version until its drop is certain; None when it is not within MOST."""
    earlier = Passes(sum(dice.random() < before for _ in range(BEFORE)), BEFORE)
    passed = 0
    for answers in range(1, MOST + 1):
        passed += dice.random() < after
        if answers % EVERY == 0 and is_certain(
            evidence_of_drop(earlier, Passes(passed, answers), MARGIN), SHARE
        ):
            return answers
    return None


def rows() -> Iterator[str]:
    """The lines of the table."""
    for before, after in DROPS:
        dice = random.Random(45)
        found = [until_found(dice, before, after) for _ in range(SERIES)]
        counts = sorted(n for n in found if n is not None)
        missed = len(found) - len(counts)
        median = f"{statistics.median(counts):,.0f}" if len(counts) > SERIES // 2 else "more"
        most = f"{counts[int(0.9 * SERIES)]:,}" if len(counts) > 0.9 * SERIES else "more"
        yield f"| {before:.0%} | {after:.0%} | {median} | {most} | {missed} of {SERIES} |"


def false_alarms(series: int, answers: int, error: float) -> int:
    """Of so many series without a drop, in which one is found at some time; margin 0, and the whole error for one comparison."""
    dice, alarms = random.Random(46), 0
    for _ in range(series):
        counts = [[0, 0], [0, 0]]
        for number in range(answers):
            which = counts[0 if number < 100 else dice.random() < 0.5]
            which[0] += dice.random() < 0.9
            which[1] += 1
            if number > 100 and is_certain(evidence_of_drop(Passes(*counts[0]), Passes(*counts[1])), error):
                alarms += 1
                break
    return alarms


def page() -> str:
    """The results."""
    series, answers, error = 1000, 1000, 0.1
    lines = [
        "# Drops of conformance",
        "",
        "`PYTHONPATH=engines python loadtest/engines/conformance.py --markdown loadtest/results/conformance.md`",
        "",
        f"Python {platform.python_version()}, fixed seeds. Error {ERROR:.0%}, margin {MARGIN:.0%}; the earlier version has {BEFORE:,} answers, the later one is the third of "
        f"its subject and looked at after every {EVERY} answers. {SERIES} series each.",
        "",
        HEAD,
        *rows(),
        "",
        f"Without a drop (90 % and 90 %, margin 0, looked at after every answer, error {error:.0%}): found in "
        f"{false_alarms(series, answers, error)} of {series:,} series of {answers:,} answers.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args()
    text = page()
    print(text)
    if given.markdown:
        given.markdown.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
