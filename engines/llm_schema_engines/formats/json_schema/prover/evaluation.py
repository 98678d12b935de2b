"""Evaluates whether a class accepts a value, in three-valued logic: None when it is unknown. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from ..regex_engine import matches
from . import formats
from .merging import Classes
from .nodes import Node
from .regex.languages import Languages
from .values import key_of, kind_of

Truth = bool | None

_MAX_DEPTH = 150


def every(truths: Iterable[Truth]) -> Truth:
    """Three-valued conjunction."""
    result: Truth = True
    for truth in truths:
        if truth is False:
            return False
        if truth is None:
            result = None
    return result


def count(truths: list[Truth], least: int, most: int | None) -> Truth:
    """Whether between `least` and `most` of the truths hold."""
    sure, possible = truths.count(True), truths.count(True) + truths.count(None)
    if possible < least or (most is not None and sure > most):
        return False
    return True if sure >= least and (most is None or possible <= most) else None


class Evaluator:
    """Evaluates values on classes."""

    def __init__(self, classes: Classes, languages: Languages) -> None:
        self._nodes = classes.nodes
        self._anything = classes.anything
        self._languages = languages
        self._matches: dict[tuple[str, str], bool] = {}

    def matches(self, pattern: str, text: str) -> bool:
        """Whether a pattern matches: decided by the prover's regex engine or, outside its syntax, by the validator's."""
        key = (pattern, text)
        known = self._matches.get(key)
        if known is None:
            own = self._languages.matches(pattern, text)
            known = matches(pattern, text) if own is None else own
            self._matches[key] = known
        return known

    def holds(self, value: Any, number: int, depth: int = 0) -> Truth:
        """Whether the class accepts the value."""
        if number == self._anything:
            return True
        node = self._nodes[number]
        if node.never:
            return False
        if depth > _MAX_DEPTH:
            return None
        kind = kind_of(value)
        if node.types is not None and kind not in node.types:
            integral = kind == "number" and "integer" in node.types and Fraction(value).denominator == 1
            if not integral:
                return False
        if node.values is not None and key_of(value) not in node.values.keys:
            return False
        own = self._of_kind(value, kind, node, depth + 1)
        if own is False:
            return False
        applied = self._applied(value, node, depth + 1)
        if applied is False:
            return False
        return None if own is None or applied is None or node.opaque else True

    def _applied(self, value: Any, node: Node, depth: int) -> Truth:
        """The subschemas that apply to the value itself."""

        def truths() -> Iterable[Truth]:
            for part in node.all_of:
                yield self.holds(value, part, depth)
            for part in node.none_of:
                yield _negated(self.holds(value, part, depth))
            for group in node.any_of:
                yield count([self.holds(value, part, depth) for part in group], 1, None)
            if node.one_of:
                yield count([self.holds(value, part, depth) for part in node.one_of], 1, 1)
            for test, then, otherwise in node.conditions:
                met = self.holds(value, test, depth)
                outcomes = [self.holds(value, branch, depth) for branch in (then, otherwise)]
                if met is None:
                    yield outcomes[0] if outcomes[0] == outcomes[1] else None
                else:
                    yield outcomes[0 if met else 1]

        return every(truths())

    def _of_kind(self, value: Any, kind: str, node: Node, depth: int) -> Truth:
        if kind == "number":
            return _number(Fraction(value), node)
        if kind == "string":
            return self._string(value, node)
        if kind == "array":
            return self._array(value, node, depth)
        if kind == "object":
            return self._object(value, node, depth)
        return True

    def _string(self, value: str, node: Node) -> bool:
        if len(value) < node.min_length or (node.max_length is not None and len(value) > node.max_length):
            return False
        if node.pattern is not None and not self.matches(node.pattern, value):
            return False
        return all(formats.accepts(symbol, value) for symbol in node.formats)

    def _array(self, value: list[Any], node: Node, depth: int) -> Truth:
        if len(value) < node.min_items or (node.max_items is not None and len(value) > node.max_items):
            return False
        if node.unique and len(set(map(key_of, value))) != len(value):
            return False

        def truths() -> Iterable[Truth]:
            if node.items is not None:
                prefix, rest = node.items
                for i, item in enumerate(value):
                    yield self.holds(item, prefix[i] if i < len(prefix) else rest, depth)
            if node.contains is not None:
                found = [self.holds(item, node.contains.node, depth) for item in value]
                yield count(found, node.contains.least, node.contains.most)

        return every(truths())

    def _object(self, value: dict[str, Any], node: Node, depth: int) -> Truth:
        size = len(value)
        if size < node.min_properties or (node.max_properties is not None and size > node.max_properties):
            return False
        if not node.required <= value.keys():
            return False
        if any(name in value and not names <= value.keys() for name, names in node.needs):
            return False

        def truths() -> Iterable[Truth]:
            for name, item in value.items():
                for target in self.property_classes(node, name):
                    yield self.holds(item, target, depth)
                if node.property_names is not None:
                    yield self.holds(name, node.property_names, depth)
            for name, target in node.implies:
                if name in value:
                    yield self.holds(value, target, depth)

        return every(truths())

    def property_classes(self, node: Node, name: str) -> list[int]:
        """The classes that constrain the value of a property."""
        props = node.properties
        if props is None:
            return []
        found = [props.named[name]] if name in props.named else []
        found += [target for pattern, target in props.patterns.items() if self.matches(pattern, name)]
        return found or [props.additional]


def _negated(truth: Truth) -> Truth:
    return None if truth is None else not truth


def _number(value: Fraction, node: Node) -> bool:
    if node.low is not None and (value < node.low[0] or (value == node.low[0] and node.low[1])):
        return False
    if node.high is not None and (value > node.high[0] or (value == node.high[0] and node.high[1])):
        return False
    return all((value / step).denominator == 1 for step in node.multiples)
