"""Samples values of a class, to check proofs: values of the writer's schema are validated on both sides. Pure.

Sampling shares only the graph with the proof. A value that the writer accepts and the reader refuses would reveal a bug
of the prover; it is then reported as NO. Samples are deterministic.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, TypeVar

from . import formats
from .merging import Classes
from .nodes import Node
from .regex.languages import Languages
from .regex.syntax import Unsupported
from .values import KINDS, from_fraction, is_decimal

T = TypeVar("T")

_MAX_DEPTH = 6
_MAX_VALUES = 1000
"""Most values in one sample, inner ones included; further ones are left out."""
_TEXTS = ("", "a", "xy", "A1", "0", "a-b_c", "a@b.co", "https://example.com/a", "x" * 40)
_NUMBERS = tuple(Fraction(n) for n in (0, 1, -1, 2, 7, 100, 10**6))
_HALF = Fraction(1, 2)
_NAMES = ("a", "id", "zz", "x-y", "A1")


def samples(classes: Classes, number: int, languages: Languages, count: int) -> Iterator[Any]:
    """Values that the class probably accepts (not certainly)."""
    sampler = _Sampler(classes, languages)
    for _ in range(count):
        yield sampler.sample(number)


class _Sampler:
    def __init__(self, classes: Classes, languages: Languages) -> None:
        self._nodes = classes.nodes
        self._nothing = classes.nothing
        self._languages = languages
        self._chance = random.Random(20201212).random
        self._words: dict[tuple[str, int], str] = {}
        self._plain: dict[int, tuple[list[Node], Sequence[str]]] = {}
        """Classes without branches: their one node, and the kinds of their values."""
        self._left = 0

    def sample(self, number: int) -> Any:
        self._left = _MAX_VALUES
        return self.value(number, 0)

    def value(self, number: int, depth: int) -> Any:
        self._left -= 1
        nodes, kinds = self._plain.get(number) or self._chosen(number)
        finite = [node.values.items for node in nodes if node.values is not None and node.values.items]
        if finite:
            return self._one(min(finite, key=len))
        kind = self._one(kinds)
        if kind == "object":
            return self._object(nodes, depth)
        if kind == "array":
            return self._array(nodes, depth)
        if kind == "string":
            return self._string(nodes)
        if kind == "number":
            return self._number(nodes)
        return None if kind == "null" else self._chance() < 0.5

    def _one(self, of: Sequence[T]) -> T:
        return of[int(self._chance() * len(of))]

    def _chosen(self, number: int) -> tuple[list[Node], Sequence[str]]:
        only = self._nodes[number]
        if only.all_of or only.any_of or only.one_of or only.conditions:
            nodes = self._together(number)
            return nodes, _kinds(nodes)
        plain = self._plain[number] = ([only], _kinds([only]))
        return plain

    def _together(self, number: int) -> list[Node]:
        """The nodes that apply together when one branch of each union is chosen."""
        out: dict[int, Node] = {}
        todo = [number]
        while todo and len(out) < 200:
            number = todo.pop()
            if number in out:
                continue
            node = out[number] = self._nodes[number]
            todo += node.all_of
            todo += [self._one(group) for group in node.any_of]
            if node.one_of:
                todo.append(self._one(node.one_of))
            for test, then, otherwise in node.conditions:
                todo += [test, then] if self._chance() < 0.5 else [otherwise]
        return list(out.values())

    def _number(self, nodes: list[Node]) -> Any:
        pool = list(_NUMBERS)
        for node in nodes:
            for bound in (node.low, node.high):
                if bound is not None:
                    pool += [bound[0], bound[0] + 1, bound[0] - 1]
            pool += [step * int(6 * self._chance()) for step in node.multiples]
        if not any(node.types and "number" not in node.types for node in nodes):
            pool.append(_HALF)
        chosen = self._one(pool)
        if chosen.denominator == 1:
            return chosen.numerator
        return from_fraction(chosen) if is_decimal(chosen) else 0

    def _string(self, nodes: list[Node]) -> str:
        for node in nodes:
            if node.pattern is not None:
                return self._word(node.pattern, node.min_length)
            if node.formats:
                fitting = [text for text in formats.SAMPLES if formats.accepts(node.formats[0], text)]
                if fitting:
                    return self._one(fitting)
        text = self._one(_TEXTS)
        least = max(node.min_length for node in nodes)
        most = min((node.max_length for node in nodes if node.max_length is not None), default=None)
        text += "b" * min(max(least - len(text), 0), 1000)
        return text if most is None else text[:most]

    def _word(self, pattern: str, least: int) -> str:
        key = (pattern, least)
        if key not in self._words:
            try:
                search = self._languages.find(
                    matching=[pattern], avoiding=[], least=min(least, 100), most=None, excluded=()
                )
                self._words[key] = search.word or ""
            except Unsupported:
                self._words[key] = ""
        return self._words[key]

    def _array(self, nodes: list[Node], depth: int) -> list[Any]:
        least = max(node.min_items for node in nodes)
        size = max(least, self._one((0, 1, 2, 3))) if depth < _MAX_DEPTH else least
        most = min((node.max_items for node in nodes if node.max_items is not None), default=size)
        out = []
        for i in range(min(size, most, 20)):
            accepted = [
                node.items[0][i] if i < len(node.items[0]) else node.items[1]
                for node in nodes
                if node.items is not None
            ]
            if self._nothing in accepted or self._left <= 0:
                break
            out.append(self.value(self._one(accepted), depth + 1) if accepted else self._any())
        return out

    def _object(self, nodes: list[Node], depth: int) -> dict[str, Any]:
        required = {name for node in nodes for name in node.required}
        named = {name for node in nodes if node.properties for name in node.properties.named}
        few = 4 / max(len(named), 4) if depth < _MAX_DEPTH else 0.0
        chosen = sorted(required | {name for name in sorted(named) if self._chance() < few})
        if self._chance() < 0.2:
            chosen.append(self._one(_NAMES))
        for node in nodes:
            if node.properties and node.properties.patterns and self._chance() < 0.5:
                chosen.append(self._word(self._one(sorted(node.properties.patterns)), 0))
        out: dict[str, Any] = {}
        for name in dict.fromkeys(chosen):
            accepted = [number for node in nodes if (number := self._member(node, name)) is not None]
            if self._nothing not in accepted and self._left > 0:
                out[name] = self.value(self._one(accepted), depth + 1) if accepted else self._any()
        return out

    def _member(self, node: Node, name: str) -> int | None:
        """A class for the value of a property; patterns are tried before what is left."""
        props = node.properties
        if props is None:
            return None
        if name in props.named:
            return props.named[name]
        for pattern, number in props.patterns.items():
            if self._languages.matches(pattern, name):
                return number
        return props.additional

    def _any(self) -> Any:
        return self._one((None, True, 0, -3, "", "a", [], {}, {"a": 1}, [0]))


def _kinds(nodes: Sequence[Node]) -> Sequence[str]:
    """The kinds that a value for these nodes may have."""
    kinds = list(KINDS)
    for node in nodes:
        if node.types is not None:
            allowed = {"number" if t == "integer" else t for t in node.types}
            kinds = [kind for kind in kinds if kind in allowed] or kinds
    if len(kinds) == len(KINDS):  # no type is given: take the one that the keywords are about
        if any(node.properties or node.required for node in nodes):
            return ["object"]
        if any(node.items for node in nodes):
            return ["array"]
    return kinds
