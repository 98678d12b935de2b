"""The elementary facts that a value of one kind must satisfy, and the state that collects them. Pure.

A goal is a set of facts. A clause is a list of alternatives, each a list of facts, of which one must hold.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from .nodes import Bound, Contains, Properties, Values
from .values import Key


class ClassLiteral(NamedTuple):
    """The class `number` accepts the value; not `holds`: it rejects the value."""

    number: int
    holds: bool


class InSet(NamedTuple):
    """The value is one of a finite set."""

    values: Values


class NotValue(NamedTuple):
    """The value is not this one."""

    key: Key


class NotInSet(NamedTuple):
    """The value is none of these."""

    keys: frozenset[Key]


class LowerBound(NamedTuple):
    bound: Bound


class UpperBound(NamedTuple):
    bound: Bound


class Multiple(NamedTuple):
    step: Fraction
    holds: bool


class AtLeast(NamedTuple):
    """A minimum of characters, items or properties, by the kind."""

    bound: int


class AtMost(NamedTuple):
    bound: int


class Matches(NamedTuple):
    pattern: str
    holds: bool


class HasFormat(NamedTuple):
    symbol: str
    holds: bool


class Items(NamedTuple):
    prefix: tuple[int, ...]
    rest: int


class Distinct(NamedTuple):
    holds: bool


class Counted(NamedTuple):
    contains: Contains


class BadItem(NamedTuple):
    """The item at `place` is rejected by the class; with `onward`, the item there or at a later place."""

    place: int
    onward: bool
    number: int


class Required(NamedTuple):
    names: frozenset[str]


class Absent(NamedTuple):
    name: str


class PropertyNames(NamedTuple):
    """Every property name is accepted by the class; not `holds`: some name is rejected."""

    number: int
    holds: bool


class PropertyClasses(NamedTuple):
    """Named, matching and additional properties are accepted by their classes."""

    properties: Properties


class BadProperty(NamedTuple):
    """The property `name` is present and its value is rejected by the class."""

    name: str
    number: int


class BadMatch(NamedTuple):
    """Some property whose name matches the pattern has a value that the class rejects."""

    pattern: str
    number: int


class BadAdditional(NamedTuple):
    """Some property outside of the names and patterns has a value that the class rejects."""

    names: frozenset[str]
    patterns: frozenset[str]
    number: int


class Unmodelled(NamedTuple):
    """A constraint that the prover does not model was left out: there may be more candidates, never fewer."""

    reason: str


Fact = (
    ClassLiteral
    | InSet
    | NotValue
    | NotInSet
    | LowerBound
    | UpperBound
    | Multiple
    | AtLeast
    | AtMost
    | Matches
    | HasFormat
    | Items
    | Distinct
    | Counted
    | BadItem
    | Required
    | Absent
    | PropertyNames
    | PropertyClasses
    | BadProperty
    | BadMatch
    | BadAdditional
    | Unmodelled
)
Alternative = tuple[Fact, ...]
Clause = tuple[Alternative, ...]
Goal = frozenset[ClassLiteral | NotValue | Matches]


@dataclass(slots=True)
class Facts:
    """All facts about the value that a search looks for. `copy` before branching."""

    kind: str
    owners: tuple[int, ...] = ()
    """The classes that accept the value by the goal itself."""
    root: bool = False
    literals: dict[int, bool] = field(default_factory=dict)
    pending: list[Clause] = field(default_factory=list)
    within: list[Values] = field(default_factory=list)
    excluded: set[Key] = field(default_factory=set)
    low: Bound | None = None
    high: Bound | None = None
    steps: list[Fraction] = field(default_factory=list)
    non_steps: list[Fraction] = field(default_factory=list)
    least: int = 0
    most: int | None = None
    matching: set[str] = field(default_factory=set)
    avoiding: set[str] = field(default_factory=set)
    formats: set[str] = field(default_factory=set)
    non_formats: set[str] = field(default_factory=set)
    items: list[Items] = field(default_factory=list)
    distinct: bool = False
    repeated: bool = False
    counted: list[Contains] = field(default_factory=list)
    bad_items: list[BadItem] = field(default_factory=list)
    required: set[str] = field(default_factory=set)
    absent: set[str] = field(default_factory=set)
    names: list[int] = field(default_factory=list)
    bad_names: list[int] = field(default_factory=list)
    props: list[Properties] = field(default_factory=list)
    bad_properties: list[BadProperty] = field(default_factory=list)
    bad_classes: list[BadMatch | BadAdditional] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    def copy(self) -> Facts:
        new = Facts(self.kind, self.owners, self.root, self.literals.copy(), self.pending.copy())
        new.within = self.within.copy()
        new.excluded = self.excluded.copy()
        new.low, new.high = self.low, self.high
        new.least, new.most = self.least, self.most
        new.distinct, new.repeated = self.distinct, self.repeated
        new.dropped = self.dropped.copy()
        if self.kind == "number":
            new.steps, new.non_steps = self.steps.copy(), self.non_steps.copy()
        elif self.kind == "string":
            new.matching, new.avoiding = self.matching.copy(), self.avoiding.copy()
            new.formats, new.non_formats = self.formats.copy(), self.non_formats.copy()
        elif self.kind == "array":
            new.items, new.counted = self.items.copy(), self.counted.copy()
            new.bad_items = self.bad_items.copy()
        elif self.kind == "object":
            new.required, new.absent = self.required.copy(), self.absent.copy()
            new.names, new.bad_names = self.names.copy(), self.bad_names.copy()
            new.props, new.bad_properties = self.props.copy(), self.bad_properties.copy()
            new.bad_classes = self.bad_classes.copy()
        return new

    def add(self, fact: Fact) -> None:
        """Add a fact other than a literal."""
        match fact:
            case InSet(values):
                self.within.append(values)
            case NotValue(key):
                self.excluded.add(key)
            case NotInSet(keys):
                self.excluded |= keys
            case LowerBound((value, strict)):
                if self.low is None or (value, strict) > self.low:
                    self.low = (value, strict)
            case UpperBound((value, strict)):
                if self.high is None or (value, not strict) < (self.high[0], not self.high[1]):
                    self.high = (value, strict)
            case Multiple(step, holds):
                (self.steps if holds else self.non_steps).append(step)
            case AtLeast(bound):
                self.least = max(self.least, bound)
            case AtMost(bound):
                self.most = bound if self.most is None else min(self.most, bound)
            case Matches(pattern, holds):
                (self.matching if holds else self.avoiding).add(pattern)
            case HasFormat(symbol, holds):
                (self.formats if holds else self.non_formats).add(symbol)
            case Unmodelled(reason):
                self.dropped.append(reason)
            case _:
                self._add_structure(fact)

    def _add_structure(self, fact: Fact) -> None:
        match fact:
            case Items():
                self.items.append(fact)
            case Distinct(holds):
                self.distinct |= holds
                self.repeated |= not holds
            case Counted(contains):
                self.counted.append(contains)
            case BadItem():
                self.bad_items.append(fact)
            case Required(names):
                self.required |= names
            case Absent(name):
                self.absent.add(name)
            case PropertyNames(number, holds):
                (self.names if holds else self.bad_names).append(number)
            case PropertyClasses(properties):
                self.props.append(properties)
            case BadProperty():
                self.bad_properties.append(fact)
                self.required.add(fact.name)
            case BadMatch() | BadAdditional():
                self.bad_classes.append(fact)
            case _:
                raise AssertionError(f"{fact!r} is a literal, which is expanded and not added")

    @property
    def consistent(self) -> bool:
        """False when facts contradict each other in a way that needs no search."""
        least = max(self.least, len(self.required)) if self.kind == "object" else self.least
        if self.most is not None and self.most < least:
            return False
        if self.required & self.absent or self.matching & self.avoiding or self.formats & self.non_formats:
            return False
        if self.distinct and self.repeated:
            return False
        if self.low is not None and self.high is not None:
            (low, low_strict), (high, high_strict) = self.low, self.high
            return low < high or (low == high and not low_strict and not high_strict)
        return True
