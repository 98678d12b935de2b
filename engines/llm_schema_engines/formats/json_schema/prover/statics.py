"""Facts about classes that need no search: possible kinds, and disjoint pairs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .merging import Classes
from .nodes import Node
from .values import KINDS, Key, kind_of

Kinds = frozenset[str]
ALL: Kinds = frozenset(KINDS)

_MAX_DEPTH = 4
"""Deepest nesting of allOf and references through which tags are collected."""


class TaggedUnion(NamedTuple):
    """A union of objects that one required property tells apart: its name, and the branch of each of its values."""

    tag: str
    branches: Mapping[Key, int]


class StaticFacts:
    """For each class: `possible`, the kinds of which it may accept values; `total`, those of which it accepts all."""

    def __init__(self, classes: Classes) -> None:
        self._classes = classes
        count = len(classes.nodes)
        self.possible: list[Kinds] = [ALL] * count
        self.total: list[Kinds] = [Kinds()] * count
        self._tags: dict[int, dict[str, frozenset[Key]]] = {}
        self._exclusive: dict[tuple[int, int, str], bool] = {}
        self._unions: dict[tuple[int, ...], TaggedUnion | None] = {}
        for _ in range(8):  # sound after each round; each round resolves one more level of references
            if not self._round():
                break

    def _round(self) -> bool:
        changed = False
        for number, node in enumerate(self._classes.nodes):
            possible, total = self._possible(node), self._total(node)
            if possible != self.possible[number] or total != self.total[number]:
                self.possible[number], self.total[number] = possible, total
                changed = True
        return changed

    def _possible(self, node: Node) -> Kinds:
        if node.never:
            return Kinds()
        kinds = ALL
        if node.types is not None:
            kinds &= frozenset("number" if t == "integer" else t for t in node.types)
        if node.values is not None:
            kinds &= frozenset(map(kind_of, node.values.items))
        for part in node.all_of:
            kinds &= self.possible[part]
        for group in (*node.any_of, *((node.one_of,) if node.one_of else ())):
            kinds &= Kinds().union(*(self.possible[part] for part in group))
        for part in node.none_of:
            kinds -= self.total[part]
        return kinds

    def _total(self, node: Node) -> Kinds:
        if node.never or node.opaque or node.values is not None:
            return Kinds()
        kinds = ALL
        if node.types is not None:
            kinds &= node.types
        if node.low is not None or node.high is not None or node.multiples:
            kinds -= {"number"}
        if node.min_length or node.max_length is not None or node.pattern is not None or node.formats:
            kinds -= {"string"}
        if (
            node.min_items
            or node.max_items is not None
            or node.unique
            or node.items is not None
            or node.contains is not None
        ):
            kinds -= {"array"}
        if (
            node.min_properties
            or node.max_properties is not None
            or node.properties is not None
            or node.required
            or node.property_names is not None
            or node.needs
            or node.implies
        ):
            kinds -= {"object"}
        for part in node.all_of:
            kinds &= self.total[part]
        for group in node.any_of:
            kinds &= Kinds().union(*(self.total[part] for part in group))
        if node.one_of:
            kinds &= frozenset(
                k
                for k in ALL
                if sum(k in self.total[part] for part in node.one_of) == 1
                and sum(k in self.possible[part] for part in node.one_of) == 1
            )
        for part in node.none_of:
            kinds &= ALL - self.possible[part]
        for _, then, otherwise in node.conditions:
            kinds &= self.total[then] & self.total[otherwise]
        return kinds

    def exclusive(self, a: int, b: int, kind: str) -> bool:
        """Whether it is known that no value of this kind is accepted by both; False proves nothing."""
        key = (a, b, kind) if a < b else (b, a, kind)
        known = self._exclusive.get(key)
        if known is None:
            known = self._exclusive[key] = self._decide(a, b, kind)
        return known

    def exclusive_everywhere(self, a: int, b: int) -> bool:
        return all(self.exclusive(a, b, kind) for kind in KINDS)

    def _decide(self, a: int, b: int, kind: str) -> bool:
        if kind not in self.possible[a] or kind not in self.possible[b]:
            return True
        if kind == "object":
            first, second = self.tags(a), self.tags(b)
            if any(name in second and not (keys & second[name]) for name, keys in first.items()):
                return True
        mine, theirs = self.values(a), self.values(b)
        return mine is not None and theirs is not None and not (mine & theirs)

    def values(self, number: int, depth: int = 0) -> frozenset[Key] | None:
        """The finite set of values that enums allow a class; None without enums."""
        node = self._classes.nodes[number]
        if node.never:
            return frozenset()
        found = None if node.values is None else node.values.keys
        if depth < _MAX_DEPTH:
            for part in node.all_of:
                inner = self.values(part, depth + 1)
                if inner is not None:
                    found = inner if found is None else found & inner
        return found

    def union(self, group: tuple[int, ...]) -> TaggedUnion | None:
        """The group as a tagged union: no value is accepted by two of its branches. None when that is not known."""
        if group not in self._unions:
            self._unions[group] = self._find_tag(group) if len(group) > 1 else None
        return self._unions[group]

    def _find_tag(self, group: tuple[int, ...]) -> TaggedUnion | None:
        if any(not self.possible[number] <= {"object"} for number in group):
            return None
        for tag in self.tags(group[0]):
            branches: dict[Key, int] = {}
            count = 0
            for number in group:
                keys = self.tags(number).get(tag)
                if keys is None:
                    break
                count += len(keys)
                branches.update(dict.fromkeys(keys, number))
            else:
                if len(branches) == count:
                    return TaggedUnion(tag, branches)
        return None

    def candidates(self, narrow: int, group: tuple[int, ...]) -> Sequence[int]:
        """The branches of a union that may include a class: in a tagged one at most that of its tag."""
        if narrow in group:
            return (narrow,)
        union = self.union(group)
        keys = None if union is None else self.tags(narrow).get(union.tag)
        if union is None or keys is None:
            return group
        chosen = {union.branches.get(key) for key in keys}
        return tuple(number for number in chosen if number is not None) if len(chosen) == 1 else ()

    def tags(self, number: int) -> dict[str, frozenset[Key]]:
        """Required properties with a finite set of values, as the tags of a tagged union."""
        known = self._tags.get(number)
        if known is None:
            nodes = self._conjuncts(number)
            required = frozenset[str]().union(*(node.required for node in nodes))
            known = self._tags[number] = self._collect(nodes, required)
        return known

    def _conjuncts(self, number: int) -> list[Node]:
        """The node of a class and those of its allOf, down to _MAX_DEPTH: all of them hold."""
        level, seen = [number], {number}
        for _ in range(_MAX_DEPTH):
            level = [p for n in level for p in self._classes.nodes[n].all_of if p not in seen]
            seen.update(level)
        return [self._classes.nodes[n] for n in sorted(seen)]

    def _collect(self, nodes: list[Node], required: frozenset[str]) -> dict[str, frozenset[Key]]:
        found: dict[str, frozenset[Key]] = {}
        for node in nodes:
            named = {} if node.properties is None else node.properties.named
            for name in sorted(required & named.keys()):
                keys = self.values(named[name])
                if keys is not None:
                    found[name] = found[name] & keys if name in found else keys
        return found
