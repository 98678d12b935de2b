"""Expands "a class accepts (or rejects) a value of one kind" into elementary facts and clauses. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from .facts import (
    Absent,
    Alternative,
    AtLeast,
    AtMost,
    BadAdditional,
    BadItem,
    BadMatch,
    BadProperty,
    ClassLiteral,
    Clause,
    Counted,
    Distinct,
    Fact,
    HasFormat,
    InSet,
    Items,
    LowerBound,
    Matches,
    Multiple,
    NotInSet,
    PropertyClasses,
    PropertyNames,
    Required,
    Unmodelled,
    UpperBound,
)
from .merging import Classes
from .nodes import Contains, Node, Values
from .statics import StaticFacts
from .values import kind_of


@dataclass(frozen=True, slots=True)
class Expansion:
    """The expansion of a literal: all `facts` hold, and one alternative of each clause. Not `possible`: contradiction."""

    possible: bool = True
    facts: tuple[Fact, ...] = ()
    clauses: tuple[Clause, ...] = ()


UNSATISFIABLE = Expansion(possible=False)
ALWAYS_TRUE = Expansion()


class Expander:
    """Expands literals; results are cached by class, kind and polarity."""

    def __init__(self, classes: Classes, statics: StaticFacts) -> None:
        self._classes = classes
        self._statics = statics
        self._known: dict[tuple[int, str, bool], Expansion] = {}

    def expand(self, literal: ClassLiteral, kind: str) -> Expansion:
        key = (literal.number, kind, literal.holds)
        known = self._known.get(key)
        if known is None:
            node = self._classes.nodes[literal.number]
            known = (
                self._accepted(literal.number, node, kind)
                if literal.holds
                else self._rejected(literal.number, node, kind)
            )
            self._known[key] = known
        return known

    def _accepted(self, number: int, node: Node, kind: str) -> Expansion:
        if node.never or kind not in self._statics.possible[number]:
            return UNSATISFIABLE
        facts: list[Fact] = [ClassLiteral(part, True) for part in node.all_of]
        facts += [ClassLiteral(part, False) for part in node.none_of]
        clauses: list[Clause] = [
            tuple((ClassLiteral(part, True),) for part in group) for group in node.any_of
        ]
        if node.one_of:
            clauses.append(self._exactly_one(node.one_of, kind))
        for test, then, otherwise in node.conditions:
            clauses.append(
                (
                    (ClassLiteral(test, True), ClassLiteral(then, True)),
                    (ClassLiteral(test, False), ClassLiteral(otherwise, True)),
                )
            )
        if node.values is not None:
            items = tuple(item for item in node.values.items if kind_of(item) == kind)
            facts.append(InSet(Values(items, node.values.keys)))
        if node.opaque:
            facts.append(Unmodelled(f"{node.opaque[0]} is not modelled here"))
        facts += _KIND_FACTS.get(kind, _nothing)(node)
        if kind == "object":
            clauses += [((Absent(name),), (Required(names | {name}),)) for name, names in node.needs]
            clauses += [
                ((Absent(name),), (Required(frozenset((name,))), ClassLiteral(target, True)))
                for name, target in node.implies
            ]
        return Expansion(facts=tuple(facts), clauses=tuple(clauses))

    def _exactly_one(self, branches: tuple[int, ...], kind: str) -> Clause:
        if self._statics.union(branches) is not None:
            return tuple((ClassLiteral(chosen, True),) for chosen in branches)
        return tuple(
            (
                ClassLiteral(chosen, True),
                *(
                    ClassLiteral(other, False)
                    for j, other in enumerate(branches)
                    if j != i and not (other != chosen and self._statics.exclusive(chosen, other, kind))
                ),
            )
            for i, chosen in enumerate(branches)
        )

    def _rejected(self, number: int, node: Node, kind: str) -> Expansion:
        if node.never or kind not in self._statics.possible[number]:
            return ALWAYS_TRUE
        if kind in self._statics.total[number]:
            return UNSATISFIABLE
        alternatives = list(self._violations(node, kind))
        if not alternatives:
            return UNSATISFIABLE
        if len(alternatives) == 1:
            return Expansion(facts=alternatives[0])
        return Expansion(clauses=(tuple(alternatives),))

    def _violations(self, node: Node, kind: str) -> Iterator[Alternative]:
        """The ways to be rejected; at least one of them applies to every rejected value."""
        if node.types is not None and kind == "number" and "number" not in node.types:
            yield (Multiple(Fraction(1), False),)
        if node.values is not None:
            yield (NotInSet(frozenset(key for key in node.values.keys if key[0] == kind)),)
        for part in node.all_of:
            yield (ClassLiteral(part, False),)
        for group in node.any_of:
            yield tuple(ClassLiteral(part, False) for part in group)
        if node.one_of:
            yield tuple(ClassLiteral(part, False) for part in node.one_of)
            overlapping = () if self._statics.union(node.one_of) else node.one_of
            for i, first in enumerate(overlapping):
                for second in node.one_of[:i]:
                    if first == second or not self._statics.exclusive(first, second, kind):
                        yield (ClassLiteral(second, True), ClassLiteral(first, True))
        for part in node.none_of:
            yield (ClassLiteral(part, True),)
        for test, then, otherwise in node.conditions:
            yield (ClassLiteral(test, True), ClassLiteral(then, False))
            yield (ClassLiteral(test, False), ClassLiteral(otherwise, False))
        yield from _KIND_VIOLATIONS.get(kind, _no_violations)(node)
        if node.opaque:
            yield (Unmodelled(f"{node.opaque[0]} is not modelled here"),)


def _nothing(_node: Node) -> list[Fact]:
    return []


def _no_violations(_node: Node) -> Iterator[Alternative]:
    return iter(())


def _number(node: Node) -> list[Fact]:
    facts: list[Fact] = [Multiple(step, True) for step in node.multiples]
    if node.types is not None and "number" not in node.types:
        facts.append(Multiple(Fraction(1), True))
    if node.low is not None:
        facts.append(LowerBound(node.low))
    if node.high is not None:
        facts.append(UpperBound(node.high))
    return facts


def _number_violations(node: Node) -> Iterator[Alternative]:
    if node.low is not None:
        yield (UpperBound((node.low[0], not node.low[1])),)
    if node.high is not None:
        yield (LowerBound((node.high[0], not node.high[1])),)
    for step in node.multiples:
        yield (Multiple(step, False),)


def _counts(least: int, most: int | None) -> list[Fact]:
    facts: list[Fact] = [AtLeast(least)] if least else []
    if most is not None:
        facts.append(AtMost(most))
    return facts


def _count_violations(least: int, most: int | None) -> Iterator[Alternative]:
    if least:
        yield (AtMost(least - 1),)
    if most is not None:
        yield (AtLeast(most + 1),)


def _string(node: Node) -> list[Fact]:
    facts = _counts(node.min_length, node.max_length)
    if node.pattern is not None:
        facts.append(Matches(node.pattern, True))
    facts += [HasFormat(symbol, True) for symbol in node.formats]
    return facts


def _string_violations(node: Node) -> Iterator[Alternative]:
    yield from _count_violations(node.min_length, node.max_length)
    if node.pattern is not None:
        yield (Matches(node.pattern, False),)
    for symbol in node.formats:
        yield (HasFormat(symbol, False),)


def _array(node: Node) -> list[Fact]:
    facts = _counts(node.min_items, node.max_items)
    if node.unique:
        facts.append(Distinct(True))
    if node.items is not None:
        facts.append(Items(*node.items))
    if node.contains is not None:
        contains = node.contains
        if contains.least:
            facts.append(Counted(Contains(contains.node, contains.least, None)))
        if contains.most is not None:
            facts.append(Counted(Contains(contains.node, 0, contains.most)))
    return facts


def _array_violations(node: Node) -> Iterator[Alternative]:
    yield from _count_violations(node.min_items, node.max_items)
    if node.unique:
        yield (Distinct(False),)
    if node.items is not None:
        prefix, rest = node.items
        for i, number in enumerate(prefix):
            yield (BadItem(i, False, number),)
        yield (BadItem(len(prefix), True, rest),)
    if node.contains is not None:
        contains = node.contains
        if contains.least:
            yield (Counted(Contains(contains.node, 0, contains.least - 1)),)
        if contains.most is not None:
            yield (Counted(Contains(contains.node, contains.most + 1, None)),)


def _object(node: Node) -> list[Fact]:
    facts = _counts(node.min_properties, node.max_properties)
    if node.required:
        facts.append(Required(node.required))
    if node.properties is not None:
        facts.append(PropertyClasses(node.properties))
    if node.property_names is not None:
        facts.append(PropertyNames(node.property_names, True))
    return facts


def _object_violations(node: Node) -> Iterator[Alternative]:
    yield from _count_violations(node.min_properties, node.max_properties)
    for name in sorted(node.required):
        yield (Absent(name),)
    if node.properties is not None:
        props = node.properties
        for name, number in props.named.items():
            yield (BadProperty(name, number),)
        for pattern, number in props.patterns.items():
            yield (BadMatch(pattern, number),)
        yield (BadAdditional(frozenset(props.named), frozenset(props.patterns), props.additional),)
    if node.property_names is not None:
        yield (PropertyNames(node.property_names, False),)
    for name, names in node.needs:
        for missing in sorted(names):
            yield (Required(frozenset((name,))), Absent(missing))
    for name, target in node.implies:
        yield (Required(frozenset((name,))), ClassLiteral(target, False))


_KIND_FACTS = {"number": _number, "string": _string, "array": _array, "object": _object}
_KIND_VIOLATIONS = {
    "number": _number_violations,
    "string": _string_violations,
    "array": _array_violations,
    "object": _object_violations,
}
