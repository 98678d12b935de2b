"""A log takes so many lines of a kind in a second, and says how many it left out."""

from __future__ import annotations

import logging

from llm_schema_registry_server.telemetry.budget import LogBudget, Sparingly


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_lines_over_the_budget_are_left_out_and_told_with_the_next() -> None:
    clock = Clock()
    budget = LogBudget(2, clock)
    first = [budget.take("a") for _ in range(5)]
    clock.now += 1
    second = [budget.take("a") for _ in range(3)]

    assert first == [0, 0, None, None, None]
    assert second == [3, 0, None]


def test_each_kind_has_a_budget_of_its_own() -> None:
    budget = LogBudget(1, Clock())

    assert [budget.take(kind) for kind in "aab"] == [0, None, 0]


def test_what_was_left_out_is_told_once_when_its_second_has_passed() -> None:
    clock = Clock()
    budget = LogBudget(1, clock)
    for kind in "aaab":
        budget.take(kind)
    early = budget.overdue()
    clock.now += 1

    assert list(early) == []
    assert budget.overdue() == [("a", 2)]
    assert list(budget.overdue()) == []
    assert budget.take("a") == 0


def test_a_library_that_repeats_itself_is_heard_once() -> None:
    sparingly = Sparingly()

    def said(text: str) -> bool:
        return sparingly.filter(logging.LogRecord("library", logging.WARNING, "", 0, text, (), None))

    assert [
        said(t) for t in ("accept failed: 24", "accept failed: 24", "bind failed", "accept failed: 23")
    ] == [
        True,
        False,
        True,
        False,
    ]
    for n in range(1000):
        said(f"kind {n}")
    assert len(sparingly._kinds) <= 101
