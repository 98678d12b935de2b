"""The theory of arrays: constructs an array that meets a set of facts, or proves that there is none. Pure.

Demands that some item must meet are placed first, at every index that makes a difference: each index of a prefix, each
index already used, and one new index. Then the items are solved one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING, Any

from .facts import ClassLiteral, Facts, NotValue
from .nodes import Contains
from .results import IMPOSSIBLE, UNKNOWN, FoundValue, SearchResult
from .values import key_of

if TYPE_CHECKING:
    from .search import Prover

MAX_LENGTH = 30_000
"""Longest array that is constructed."""
MAX_DIFFERENT = 1_100
"""Most items of an array that must all differ, or that are counted."""
_MAX_COPIES = 40
_MAX_COMBINATIONS = 200

Literals = frozenset[ClassLiteral]
Needs = Mapping[int, Literals]


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the array must fulfil. `everywhere`: literals of each item. `fixed`: index -> literals. `demands`: (first
    index, literal, group) of literals that some item must meet; those of one group need different items. `limits`:
    most matching items. `special`: the items from here on are alike until a demand is placed among them."""

    everywhere: Literals
    fixed: Mapping[int, Literals]
    demands: tuple[tuple[int, ClassLiteral, int], ...]
    limits: tuple[Contains, ...]
    prefix: int
    length: int
    special: int


def solve(prover: Prover, facts: Facts) -> SearchResult:
    """An array that meets the facts."""
    if _counts_contradict(prover, facts):
        return IMPOSSIBLE
    plan = _plan(facts)
    longest = MAX_DIFFERENT if facts.distinct or (plan and plan.limits) else MAX_LENGTH
    if plan is None or plan.length > longest:
        prover.note("the array is too long to construct", facts)
        return UNKNOWN
    if facts.most is not None and plan.length > facts.most:
        return IMPOSSIBLE
    result: SearchResult = IMPOSSIBLE
    for needs, length in _placements(prover, facts, plan, plan.demands, plan.fixed, plan.length, ()):
        answer = _with_needs(prover, facts, plan, needs, length)
        if isinstance(answer, FoundValue):
            return answer
        if answer is UNKNOWN:
            result = UNKNOWN
    if result is UNKNOWN:
        prover.note("the items of an array are not decided", facts)
    return result


def _counts_contradict(prover: Prover, facts: Facts) -> bool:
    """Whether more items must match a class than may match it, one that it is part of, or there may be."""
    for needed in facts.counted:
        if facts.most is not None and needed.least > facts.most:
            return True
        for allowed in facts.counted:
            if (
                allowed.most is not None
                and needed.least > allowed.most
                and prover.includes(needed.node, allowed.node)
            ):
                return True
    return False


def _plan(facts: Facts) -> _Plan | None:
    everywhere: set[ClassLiteral] = set()
    fixed: dict[int, Literals] = {}
    demands: list[tuple[int, ClassLiteral, int]] = []
    limits: list[Contains] = []
    length = facts.least
    for bad in facts.bad_items:
        literal = ClassLiteral(bad.number, False)
        if bad.onward:
            demands.append((bad.place, literal, -1 - len(demands)))
        else:
            fixed[bad.place] = fixed.get(bad.place, frozenset()) | {literal}
            length = max(length, bad.place + 1)
    for group, contains in enumerate(facts.counted):
        if contains.least > _MAX_COPIES:
            return None
        demands += [(0, ClassLiteral(contains.node, True), group)] * contains.least
        if contains.most == 0:
            everywhere.add(ClassLiteral(contains.node, False))
        elif contains.most is not None:
            limits.append(contains)
    prefix = max((len(items.prefix) for items in facts.items), default=0)
    special = max(prefix, *(place + 1 for place in fixed), *(start for start, _, _ in demands), 0)
    return _Plan(frozenset(everywhere), fixed, tuple(demands), tuple(limits), prefix, length, special)


def _at(facts: Facts, plan: _Plan, index: int) -> Literals:
    """The literals of the item at an index, before demands are placed."""
    accepted = (items.prefix[index] if index < len(items.prefix) else items.rest for items in facts.items)
    return plan.everywhere | {ClassLiteral(number, True) for number in accepted}


def _placements(
    prover: Prover,
    facts: Facts,
    plan: _Plan,
    demands: tuple[tuple[int, ClassLiteral, int], ...],
    needs: Needs,
    length: int,
    used: tuple[tuple[int, int], ...],
) -> Iterator[tuple[Needs, int]]:
    """Every way to place the demands, equivalent indexes tried once. `used` are (group, index) pairs."""
    prover.tick()
    if not demands:
        yield needs, length
        return
    start, literal, group = demands[0]
    lowest = max((place for g, place in used if g == group), default=-1) + 1  # copies are alike: in order
    for place in _places(plan, needs, max(start, lowest)):
        if facts.most is not None and place >= facts.most:
            break
        placed = {**needs, place: needs.get(place, frozenset()) | {literal}}
        yield from _placements(
            prover, facts, plan, demands[1:], placed, max(length, place + 1), (*used, (group, place))
        )


def _places(plan: _Plan, needs: Needs, lowest: int) -> list[int]:
    """The indexes that make a difference: those below `plan.special`, those in use, and the first of all others."""
    fresh = max(lowest, plan.special)
    while fresh in needs:
        fresh += 1
    return [*range(lowest, plan.special), *sorted(n for n in needs if n >= max(lowest, plan.special)), fresh]


def _with_needs(prover: Prover, facts: Facts, plan: _Plan, needs: Needs, length: int) -> SearchResult:
    make = _with_equal_items if facts.repeated else _fill
    result: SearchResult = IMPOSSIBLE
    for limited in _limited(plan, needs, length):
        if limited is None:
            return UNKNOWN
        answer = make(prover, facts, plan, limited, length)
        if isinstance(answer, FoundValue) and key_of(answer.value) in facts.excluded:
            answer = _longer(prover, facts, plan, limited, length)
        if isinstance(answer, FoundValue):
            return answer
        if answer is UNKNOWN:
            result = UNKNOWN
    return result


def _limited(plan: _Plan, needs: Needs, length: int) -> Iterator[Needs | None]:
    """The ways to keep the limits: choose which items may match; all others must not.

    None when there are too many ways.
    """
    ways: list[dict[int, Literals]] = [dict(needs)]
    for contains in plan.limits:
        assert contains.most is not None
        free = min(contains.most, length)
        if comb(length, free) * len(ways) > _MAX_COMBINATIONS:
            yield None
            return
        refused = ClassLiteral(contains.node, False)
        ways = [
            {i: way.get(i, frozenset()) | (frozenset() if i in chosen else {refused}) for i in range(length)}
            for way in ways
            for chosen in combinations(range(length), free)
        ]
    yield from ways


def _longer(prover: Prover, facts: Facts, plan: _Plan, needs: Needs, length: int) -> SearchResult:
    """An array that differs from the excluded ones: first by another value of some item, then by more items."""
    for place in range(length):
        answer = _fill(prover, facts, plan, needs, length, avoid_at=place)
        if isinstance(answer, FoundValue) and key_of(answer.value) not in facts.excluded:
            return answer
    for more in range(1, 1 if plan.limits else len(facts.excluded) + 2):
        if facts.most is not None and length + more > facts.most:
            break
        answer = _fill(prover, facts, plan, needs, length + more)
        if isinstance(answer, FoundValue) and key_of(answer.value) not in facts.excluded:
            return answer
    prover.note("an array other than the excluded ones was not found", facts)
    return UNKNOWN


def _fill(
    prover: Prover, facts: Facts, plan: _Plan, needs: Needs, length: int, avoid_at: int = -1
) -> SearchResult:
    """Solve the items of an array of this length, one after the other."""
    special = min(length, max((plan.prefix, *(place + 1 for place in needs))))
    prover.tick(1 + length // 64)
    goals = [_item_goal(facts, plan, needs, i) for i in range(min(length, special + 1))]
    alike = len(set(goals)) <= 1
    out: list[Any] = []
    for i in range(length):
        literals = goals[min(i, special)]
        if i > max(special, avoid_at) and not facts.distinct:
            return FoundValue(out + [out[-1]] * (length - i))  # the rest is like the item before
        goal: set[ClassLiteral | NotValue] = set(literals)
        if facts.distinct:
            goal |= {NotValue(key_of(item)) for item in out}
            prover.tick(len(out) // 16)
        if i == avoid_at:
            goal |= _excluded_items(facts, i)
        answer = prover.solve(frozenset(goal))
        if not isinstance(answer, FoundValue):
            # An earlier item's value may be the cause, unless all items are interchangeable.
            independent = not facts.distinct or not out or alike
            if independent and i != avoid_at:
                return answer
            return IMPOSSIBLE if prover.solve(literals) is IMPOSSIBLE else UNKNOWN
        out.append(answer.value)
    return FoundValue(out)


def _excluded_items(facts: Facts, index: int) -> set[NotValue]:
    found = set()
    for kind, value in facts.excluded:
        if kind == "array" and isinstance(value, tuple) and index < len(value):
            found.add(NotValue(value[index]))
    return found


def _item_goal(facts: Facts, plan: _Plan, needs: Needs, index: int) -> Literals:
    return _at(facts, plan, index) | needs.get(index, frozenset())


def _with_equal_items(prover: Prover, facts: Facts, plan: _Plan, needs: Needs, length: int) -> SearchResult:
    """An array in which two items are equal: one value for two places."""
    result: SearchResult = IMPOSSIBLE
    reach = max(length, plan.prefix) + 2
    for second in range(1, reach):
        if facts.most is not None and second >= facts.most:
            break
        if plan.limits and second >= length:
            return UNKNOWN  # the limits were distributed over the first places only
        for first in range(second):
            prover.tick()
            both = _item_goal(facts, plan, needs, first) | _item_goal(facts, plan, needs, second)
            if not isinstance(prover.solve(both), FoundValue):
                if prover.solve(both) is UNKNOWN:
                    result = UNKNOWN
                continue
            answer = _fill(prover, facts, plan, {**needs, first: both, second: both}, max(length, second + 1))
            if isinstance(answer, FoundValue):
                items = [*answer.value]
                items[second] = items[first]
                if key_of(items) not in facts.excluded:
                    return FoundValue(items)
                result = UNKNOWN
            elif answer is UNKNOWN:
                result = UNKNOWN
    return result
