"""Inclusion of one class in another by comparing their nodes, without searching for values. Pure.

A yes is a proof: every constraint of the wider class follows from one of the narrower. It is found keyword by keyword
and branch by branch, so that unions of many untagged branches, which would make a search branch on each, cost only
pairs. A no means nothing; the search decides.

Recursive schemas: a pair that is being proved may be used for the values inside, which are smaller. Subschemas of the
same value form no cycle (registration refuses that), so that the argument is an induction on the size of the value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .evaluation import Evaluator
from .merging import Classes
from .nodes import Node, Properties
from .statics import Statics

Pair = tuple[int, int]

_DEEPEST = 200


class Inclusion:
    """Remembers what it has proved, and what it could not."""

    def __init__(
        self, classes: Classes, statics: Statics, evaluator: Evaluator, tick: Callable[[], None]
    ) -> None:
        self._nodes = classes.nodes
        self._anything = classes.anything
        self._nothing = classes.nothing
        self._statics = statics
        self._evaluator = evaluator
        self._tick = tick
        self._proved: set[Pair] = set()
        self._failed: set[Pair] = set()
        self._assumed: dict[Pair, None] = {}
        self._depth = 0

    def proves(self, narrow: int, wide: int) -> bool:
        """Whether it is plain that `wide` accepts everything that `narrow` accepts."""
        if (narrow, wide) in self._failed:
            return False
        self._assumed.clear()
        if self._within(narrow, wide):
            self._proved.update(self._assumed)  # all of them stand: each was proved from the others
            return True
        return False

    def _within(self, narrow: int, wide: int) -> bool:
        if narrow == wide or wide == self._anything or narrow == self._nothing:
            return True
        pair = (narrow, wide)
        if pair in self._proved or pair in self._assumed:
            return True
        if pair in self._failed or self._depth > _DEEPEST:
            return False
        self._tick()
        before = len(self._assumed)
        self._assumed[pair] = None
        self._depth += 1
        try:
            held = self._decide(narrow, wide)
        finally:
            self._depth -= 1
        if not held:
            # Without the optimism of the assumptions it would fail as well: the failure is final. What was proved
            # since may rest on it.
            self._failed.add(pair)
            while len(self._assumed) > before:
                self._assumed.popitem()
        return held

    def _decide(self, narrow: int, wide: int) -> bool:
        if not self._statics.possible[narrow]:
            return True
        source, target = self._nodes[narrow], self._nodes[wide]
        if target.never or not self._statics.possible[narrow] <= self._statics.possible[wide]:
            return False
        if self._all_constraints(narrow, source, target):
            return True
        if any(self._within(part, wide) for part in source.all_of):
            return True
        groups = (*source.any_of, *((source.one_of,) if source.one_of else ()))
        return any(all(self._within(part, wide) for part in group) for group in groups)

    def _all_constraints(self, narrow: int, source: Node, target: Node) -> bool:
        """Whether each constraint of `target` follows from the node of the narrower class."""
        if target.opaque:
            return False
        kinds = self._statics.possible[narrow]
        return (
            _types(source, target)
            and (target.values is None or self._values(narrow, target))
            and ("number" not in kinds or _numbers(source, target))
            and ("string" not in kinds or _strings(source, target))
            and ("array" not in kinds or self._arrays(source, target))
            and ("object" not in kinds or self._objects(source, target))
            and self._applied(narrow, source, target)
        )

    def _values(self, narrow: int, target: Node) -> bool:
        assert target.values is not None
        mine = self._statics.values(narrow)
        return mine is not None and mine <= target.values.keys

    def _applied(self, narrow: int, source: Node, target: Node) -> bool:
        """The subschemas of `target` that apply to the value itself."""
        exclusive = self._statics.exclusive_everywhere
        if not all(self._within(narrow, part) for part in target.all_of):
            return False
        if not all(part in source.none_of or exclusive(narrow, part) for part in target.none_of):
            return False
        if not all(
            group in source.any_of or any(self._within(narrow, part) for part in group)
            for group in target.any_of
        ):
            return False
        if target.one_of and target.one_of != source.one_of:
            chosen = next((part for part in target.one_of if self._within(narrow, part)), None)
            if chosen is None or target.one_of.count(chosen) > 1:
                return False
            if not all(part == chosen or exclusive(narrow, part) for part in target.one_of):
                return False
        return all(
            condition in source.conditions
            or (self._within(narrow, condition[1]) and self._within(narrow, condition[2]))
            for condition in target.conditions
        )

    def _arrays(self, source: Node, target: Node) -> bool:
        if source.min_items < target.min_items or not _below(source.max_items, target.max_items):
            return False
        if target.unique and not source.unique and (source.max_items is None or source.max_items > 1):
            return False
        if target.items is not None:
            mine, rest = source.items or ((), self._anything)
            theirs, other_rest = target.items
            length = max(len(mine), len(theirs)) + 1
            if source.max_items is not None:
                length = min(length, source.max_items)
            for i in range(length):
                item = mine[i] if i < len(mine) else rest
                wanted = theirs[i] if i < len(theirs) else other_rest
                if not self._within(item, wanted):
                    return False
        wanted_contains = target.contains
        if wanted_contains is None or wanted_contains == source.contains:
            return True
        own = source.contains
        return (
            own is not None
            and wanted_contains.most is None
            and own.least >= wanted_contains.least
            and self._within(own.node, wanted_contains.node)
        )

    def _objects(self, source: Node, target: Node) -> bool:
        if source.min_properties < target.min_properties and len(source.required) < target.min_properties:
            return False
        if not _below(source.max_properties, target.max_properties):
            return False
        if not target.required <= source.required:
            return False
        own_needs = dict(source.needs)
        if not all(
            needed <= source.required or needed <= own_needs.get(name, frozenset())
            for name, needed in target.needs
        ):
            return False
        if not all(pair in source.implies for pair in target.implies):
            return False
        if target.property_names is not None and (
            source.property_names is None or not self._within(source.property_names, target.property_names)
        ):
            return False
        return target.properties is None or self._properties(source.properties, target.properties)

    def _properties(self, source: Properties | None, target: Properties) -> bool:
        """Every name that the narrower class allows, against every class that the wider one puts on it."""
        own = source or Properties({}, {}, self._anything)
        matches = self._evaluator.matches

        def demanded(name: str) -> Iterable[int]:
            found = [target.named[name]] if name in target.named else []
            found += [number for pattern, number in target.patterns.items() if matches(pattern, name)]
            return found or [target.additional]

        def given(name: str) -> list[int]:
            found = [own.named[name]] if name in own.named else []
            found += [number for pattern, number in own.patterns.items() if matches(pattern, name)]
            return found or [own.additional]

        for name in {**own.named, **target.named}:
            classes = given(name)
            if not all(any(self._within(one, wanted) for one in classes) for wanted in demanded(name)):
                return False
        # Names that neither side lists match some patterns of each, or are additional.
        fresh = [number for pattern, number in target.patterns.items() if pattern not in own.patterns]
        for pattern, number in own.patterns.items():
            if not self._within(number, target.patterns.get(pattern, target.additional)):
                return False
            if not all(self._within(number, wanted) for wanted in fresh):
                return False
        return all(self._within(own.additional, wanted) for wanted in (*fresh, target.additional))


def _types(source: Node, target: Node) -> bool:
    if target.types is None:
        return True
    if source.types is None:
        return False
    return all(t in target.types or (t == "integer" and "number" in target.types) for t in source.types)


def _numbers(source: Node, target: Node) -> bool:
    if target.low is not None and (source.low is None or source.low < target.low):
        return False
    if target.high is not None and (
        source.high is None or (source.high[0], not source.high[1]) > (target.high[0], not target.high[1])
    ):
        return False
    return all(any((own / step).denominator == 1 for own in source.multiples) for step in target.multiples)


def _strings(source: Node, target: Node) -> bool:
    return (
        source.min_length >= target.min_length
        and _below(source.max_length, target.max_length)
        and target.pattern in (None, source.pattern)
        and set(target.formats) <= set(source.formats)
    )


def _below(mine: int | None, theirs: int | None) -> bool:
    return theirs is None or (mine is not None and mine <= theirs)
