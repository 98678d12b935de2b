"""Caches that share a budget hold together what it allows; one that is alone may have nearly all of it."""

from __future__ import annotations

import random

from llm_schema_registry_server.caches.budget import Budget
from llm_schema_registry_server.caches.memory import MemoryCache


def caches(limit: int, count: int) -> tuple[Budget, list[MemoryCache[str, bytes]]]:
    budget = Budget(limit)
    return budget, [MemoryCache(budget, len) for _ in range(count)]


def test_together_they_never_hold_more() -> None:
    chance = random.Random(1)
    budget, several = caches(50_000, 4)
    for n in range(2000):
        chance.choice(several).put(str(n), b"x" * chance.randrange(5000))
        assert budget.held <= budget.limit
    assert budget.held == sum(cache.stats().size for cache in several)


def test_one_may_have_what_the_others_leave() -> None:
    budget, (one, *_) = caches(100_000, 8)
    for n in range(90):
        one.put(str(n), b"x" * 800)

    assert one.stats().evictions < 10
    assert one.held > 6 * budget.limit // 8


def test_what_is_needed_elsewhere_is_taken_from_the_one_that_holds_most() -> None:
    _, (large, small) = caches(100_000, 2)
    small.put("kept", b"x" * 100)
    for n in range(200):
        large.put(str(n), b"x" * 800)
    for n in range(30):
        small.put(str(n), b"x" * 800)

    assert small.stats().evictions == 0
    assert small.get("kept") is not None


def test_one_value_does_not_take_the_whole_budget() -> None:
    _, (one, other) = caches(100_000, 2)
    other.put("a", b"small")
    one.put("large", b"x" * 60_000)

    assert (one.get("large"), other.get("a")) == (None, b"small")
