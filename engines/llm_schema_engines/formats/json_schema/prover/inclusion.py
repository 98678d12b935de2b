"""Proves that one class includes another by comparing their nodes, without a search for values. Pure.

True is a proof: every constraint of the wider class follows from constraints of the narrower one, keyword by keyword and
branch by branch. So unions of many untagged branches cost only pairs of branches, where a search would split on each.
False proves nothing; the search decides.

Recursive schemas: a pair that is being proved may be used for the values inside, which are smaller. Subschemas of the
same value form no cycle (registration refuses that), so that the argument is an induction on the size of the value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from .evaluation import Evaluator
from .merging import Classes
from .nodes import Node, Properties
from .statics import StaticFacts

Pair = tuple[int, int]

_MAX_DEPTH = 200
_MAX_VALUES = 1_000
"""Most values of an enum that are tried one by one."""
_MAX_RENAMED = 8
"""Most branches of two `oneOf` that differ and are compared in pairs."""


class Inclusion:
    """Proves inclusions; results are cached, failures too."""

    def __init__(
        self, classes: Classes, statics: StaticFacts, evaluator: Evaluator, tick: Callable[[], None]
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
        self._conjuncts: dict[int, list[Node]] = {}
        self._depth = 0

    def proves(self, narrow: int, wide: int) -> bool:
        """Whether it is proved that `wide` accepts everything that `narrow` accepts; False proves nothing."""
        if (narrow, wide) in self._failed:
            return False
        self._assumed.clear()
        if self._within(narrow, wide):
            self._proved.update(self._assumed)  # all hold: each was proved from the others
            return True
        return False

    def _within(self, narrow: int, wide: int) -> bool:
        if narrow == wide or wide == self._anything or narrow == self._nothing:
            return True
        pair = (narrow, wide)
        if pair in self._proved or pair in self._assumed:
            return True
        if pair in self._failed or self._depth > _MAX_DEPTH:
            return False
        if self._statics.exclusive_everywhere(narrow, wide) and self._statics.possible[narrow]:
            self._failed.add(pair)
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
            # It failed although assumptions were used, so it fails without them: cache the failure. Pairs that were
            # proved since may depend on it, so they are dropped.
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
        if self._all_constraints(narrow, target) or self._each_value(source, wide):
            return True
        if any(self._within(part, wide) for part in source.all_of):
            return True
        groups = (*source.any_of, *((source.one_of,) if source.one_of else ()))
        return any(all(self._within(part, wide) for part in group) for group in groups)

    def _each_value(self, source: Node, wide: int) -> bool:
        """Whether the narrower class lists its values, and the wider one accepts each."""
        if source.values is None or len(source.values.items) > _MAX_VALUES:
            return False
        for value in source.values.items:
            self._tick()
            if self._evaluator.holds(value, wide) is not True:
                return False
        return True

    def _sources(self, narrow: int) -> list[Node]:
        """The node of a class and the nodes of its allOf, nested ones too: all of them hold."""
        known = self._conjuncts.get(narrow)
        if known is None:
            seen: dict[int, None] = {}
            todo = [narrow]
            while todo:
                number = todo.pop()
                if number not in seen:
                    seen[number] = None
                    todo += self._nodes[number].all_of
            known = self._conjuncts[narrow] = [self._nodes[number] for number in seen]
        return known

    def _all_constraints(self, narrow: int, target: Node) -> bool:
        """Whether each constraint of `target` follows from what the narrower class always applies."""
        if target.opaque:
            return False
        kinds = self._statics.possible[narrow]
        sources = self._sources(narrow)
        return (
            _types(kinds, sources, target)
            and (target.values is None or self._values(narrow, target))
            and ("number" not in kinds or _numbers(sources, target))
            and ("string" not in kinds or _strings(sources, target))
            and ("array" not in kinds or self._arrays(sources, target))
            and ("object" not in kinds or self._objects(sources, target))
            and self._applied(narrow, sources, target)
        )

    def _values(self, narrow: int, target: Node) -> bool:
        assert target.values is not None
        mine = self._statics.values(narrow)
        return mine is not None and mine <= target.values.keys

    def _applied(self, narrow: int, sources: list[Node], target: Node) -> bool:
        """The subschemas of `target` that apply to the value itself."""
        exclusive = self._statics.exclusive_everywhere
        if not all(self._within(narrow, part) for part in target.all_of):
            return False
        if not all(
            any(part in source.none_of for source in sources) or exclusive(narrow, part)
            for part in target.none_of
        ):
            return False
        if not all(
            any(group in source.any_of for source in sources)
            or any(self._within(narrow, part) for part in self._statics.candidates(narrow, group))
            for group in target.any_of
        ):
            return False
        if target.one_of and not self._exactly_one(narrow, sources, target.one_of):
            return False
        return all(
            any(condition in source.conditions for source in sources)
            or (self._within(narrow, condition[1]) and self._within(narrow, condition[2]))
            for condition in target.conditions
        )

    def _exactly_one(self, narrow: int, sources: list[Node], group: tuple[int, ...]) -> bool:
        """Whether exactly one branch accepts each value of the narrower class: because its `oneOf` has the same branches,
        or since one branch includes it and the others share nothing with it."""
        if any(self._same_branches(source.one_of, group) for source in sources):
            return True
        candidates = self._statics.candidates(narrow, group)
        chosen = next((part for part in candidates if self._within(narrow, part)), None)
        if chosen is None or group.count(chosen) > 1:
            return False
        if self._statics.union(group) is not None:
            return True
        exclusive = self._statics.exclusive_everywhere
        return all(part == chosen or exclusive(narrow, part) for part in group)

    def _same_branches(self, own: tuple[int, ...], group: tuple[int, ...]) -> bool:
        """Whether two unions have the same branches, in any order; different branches must include each other."""
        if len(own) != len(group):
            return False
        left, right = Counter(own), Counter(group)
        mine, theirs = [*(left - right).elements()], [*(right - left).elements()]
        if len(mine) > _MAX_RENAMED:
            return False
        for number in mine:
            twin = next((n for n in theirs if self._within(number, n) and self._within(n, number)), None)
            if twin is None:
                return False
            theirs.remove(twin)
        return True

    def _arrays(self, sources: list[Node], target: Node) -> bool:
        most = min((s.max_items for s in sources if s.max_items is not None), default=None)
        if max(s.min_items for s in sources) < target.min_items or not _below(most, target.max_items):
            return False
        if target.unique and not any(s.unique for s in sources) and (most is None or most > 1):
            return False
        if target.items is not None and not self._items(sources, target.items, most):
            return False
        wanted = target.contains
        if wanted is None or any(wanted == s.contains for s in sources):
            return True
        return wanted.most is None and any(
            s.contains is not None
            and s.contains.least >= wanted.least
            and self._within(s.contains.node, wanted.node)
            for s in sources
        )

    def _items(self, sources: list[Node], target: tuple[tuple[int, ...], int], most: int | None) -> bool:
        lists = [s.items for s in sources if s.items is not None] or [((), self._anything)]
        length = (
            max(len(prefix) for prefix, _ in (*lists, target)) + 1
        )  # the last place stands for all later ones
        prefix, rest = target
        for i in range(length if most is None else min(length, most)):
            wanted = prefix[i] if i < len(prefix) else rest
            given = [mine[i] if i < len(mine) else other for mine, other in lists]
            if not any(self._within(item, wanted) for item in given):
                return False
        return True

    def _objects(self, sources: list[Node], target: Node) -> bool:
        required = frozenset[str]().union(*(s.required for s in sources))
        least = max(len(required), *(s.min_properties for s in sources))
        most = min((s.max_properties for s in sources if s.max_properties is not None), default=None)
        if least < target.min_properties or not _below(most, target.max_properties):
            return False
        if not target.required <= required:
            return False
        needs = [need for s in sources for need in s.needs]
        if not all(
            needed <= required or any(name == own and needed <= others for own, others in needs)
            for name, needed in target.needs
        ):
            return False
        if not all(any(pair in s.implies for s in sources) for pair in target.implies):
            return False
        names = target.property_names
        if names is not None and not any(
            s.property_names is not None and self._within(s.property_names, names) for s in sources
        ):
            return False
        own = [s.properties for s in sources if s.properties is not None]
        return target.properties is None or self._properties(own, target.properties)

    def _properties(self, sources: list[Properties], target: Properties) -> bool:
        """Whether, for every property name, each class that the wider one requires includes one of the narrower's."""
        sources = sources or [Properties({}, {}, self._anything)]
        listed = dict.fromkeys(name for props in (*sources, target) for name in props.named)
        for name in listed:
            given = [number for props in sources for number in self._classes_of(props, name)]
            if not all(
                any(self._within(one, wanted) for one in given) for wanted in self._classes_of(target, name)
            ):
                return False
        return any(self._unlisted(own, target) for own in sources)

    def _classes_of(self, props: Properties, name: str) -> list[int]:
        matches = self._evaluator.matches
        found = [props.named[name]] if name in props.named else []
        found += [number for pattern, number in props.patterns.items() if matches(pattern, name)]
        return found or [props.additional]

    def _unlisted(self, own: Properties, target: Properties) -> bool:
        """Names that neither side lists: they match patterns, or are additional."""
        fresh = [number for pattern, number in target.patterns.items() if pattern not in own.patterns]
        for pattern, number in own.patterns.items():
            if not self._within(number, target.patterns.get(pattern, target.additional)):
                return False
            if not all(self._within(number, wanted) for wanted in fresh):
                return False
        return all(self._within(own.additional, wanted) for wanted in (*fresh, target.additional))


def _types(kinds: frozenset[str], sources: list[Node], target: Node) -> bool:
    if target.types is None or kinds <= target.types:
        return True
    integral = any(s.types is not None and "number" not in s.types for s in sources)
    return kinds - {"number"} <= target.types and integral and "integer" in target.types


def _numbers(sources: list[Node], target: Node) -> bool:
    if target.low is not None and not any(s.low is not None and s.low >= target.low for s in sources):
        return False
    if target.high is not None:
        value, strict = target.high
        if not any(s.high is not None and (s.high[0], not s.high[1]) <= (value, not strict) for s in sources):
            return False
    return all(
        any((own / step).denominator == 1 for s in sources for own in s.multiples)
        for step in target.multiples
    )


def _strings(sources: list[Node], target: Node) -> bool:
    most = min((s.max_length for s in sources if s.max_length is not None), default=None)
    return (
        max(s.min_length for s in sources) >= target.min_length
        and _below(most, target.max_length)
        and (target.pattern is None or any(s.pattern == target.pattern for s in sources))
        and set(target.formats) <= {symbol for s in sources for symbol in s.formats}
    )


def _below(mine: int | None, theirs: int | None) -> bool:
    return theirs is None or (mine is not None and mine <= theirs)
