"""A second look at a YES: values made for the writer's schema are tried on both validators. Pure.

It shares nothing with the proof but the graph. A value that the writer accepts and the reader refuses would show a fault
of the prover; it is then reported as the NO that it is. The choice is the same each time.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from . import formats
from .merging import Classes
from .nodes import Node
from .regex.languages import Languages
from .regex.syntax import Unsupported
from .values import KINDS, from_fraction, is_decimal

_DEEPEST = 6
_TEXTS = ("", "a", "xy", "A1", "0", "a-b_c", "a@b.co", "https://example.com/a", "x" * 40)
_NUMBERS = (0, 1, -1, 2, 7, 100, 10**6)
_NAMES = ("a", "id", "zz", "x-y", "A1")


def samples(classes: Classes, number: int, languages: Languages, count: int) -> Iterator[Any]:
    """Values that try to be accepted by a class; many of them are."""
    sampler = _Sampler(classes, languages)
    for _ in range(count):
        yield sampler.value(number, 0)


class _Sampler:
    def __init__(self, classes: Classes, languages: Languages) -> None:
        self._nodes = classes.nodes
        self._nothing = classes.nothing
        self._languages = languages
        self._random = random.Random(20201212)
        self._words: dict[tuple[str, int], str] = {}

    def value(self, number: int, depth: int) -> Any:
        nodes = self._together([number])
        finite = [node.values for node in nodes if node.values is not None and node.values.items]
        if finite:
            return self._random.choice(min((v.items for v in finite), key=len))
        kind = self._kind(nodes)
        if kind == "object":
            return self._object(nodes, depth)
        if kind == "array":
            return self._array(nodes, depth)
        if kind == "string":
            return self._string(nodes)
        if kind == "number":
            return self._number(nodes)
        return None if kind == "null" else self._random.random() < 0.5

    def _together(self, numbers: list[int]) -> list[Node]:
        """The nodes that apply together when one branch of each union is chosen."""
        out: dict[int, Node] = {}
        todo = list(numbers)
        while todo and len(out) < 200:
            number = todo.pop()
            if number in out:
                continue
            node = out[number] = self._nodes[number]
            todo += node.all_of
            todo += [self._random.choice(group) for group in node.any_of]
            if node.one_of:
                todo.append(self._random.choice(node.one_of))
            for test, then, otherwise in node.conditions:
                todo += [test, then] if self._random.random() < 0.5 else [otherwise]
        return list(out.values())

    def _kind(self, nodes: list[Node]) -> str:
        kinds = list(KINDS)
        for node in nodes:
            if node.types is not None:
                allowed = {"number" if t == "integer" else t for t in node.types}
                kinds = [kind for kind in kinds if kind in allowed] or kinds
        if len(kinds) == len(KINDS):  # nothing says which: what the keywords are about
            if any(node.properties or node.required for node in nodes):
                return "object"
            if any(node.items for node in nodes):
                return "array"
        return self._random.choice(kinds)

    def _number(self, nodes: list[Node]) -> Any:
        pool = [Fraction(n) for n in _NUMBERS]
        for node in nodes:
            for bound in (node.low, node.high):
                if bound is not None:
                    pool += [bound[0], bound[0] + 1, bound[0] - 1]
            pool += [step * self._random.randint(0, 5) for step in node.multiples]
        if not any(node.types and "number" not in node.types for node in nodes):
            pool.append(Fraction(1, 2))
        chosen = self._random.choice(pool)
        return from_fraction(chosen) if is_decimal(chosen) else 0

    def _string(self, nodes: list[Node]) -> str:
        for node in nodes:
            if node.pattern is not None:
                return self._word(node.pattern, node.min_length)
            if node.formats:
                fitting = [text for text in formats.SAMPLES if formats.accepts(node.formats[0], text)]
                if fitting:
                    return self._random.choice(fitting)
        text = self._random.choice(_TEXTS)
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
        size = max(least, self._random.choice((0, 1, 2, 3))) if depth < _DEEPEST else least
        most = min((node.max_items for node in nodes if node.max_items is not None), default=size)
        out = []
        for i in range(min(size, most, 20)):
            accepted = [
                node.items[0][i] if i < len(node.items[0]) else node.items[1]
                for node in nodes
                if node.items is not None
            ]
            if self._nothing in accepted:
                break
            out.append(self.value(self._random.choice(accepted), depth + 1) if accepted else self._any())
        return out

    def _object(self, nodes: list[Node], depth: int) -> dict[str, Any]:
        required = {name for node in nodes for name in node.required}
        named = {name for node in nodes if node.properties for name in node.properties.named}
        few = 4 / max(len(named), 4) if depth < _DEEPEST else 0.0
        chosen = sorted(required | {name for name in sorted(named) if self._random.random() < few})
        if self._random.random() < 0.2:
            chosen.append(self._random.choice(_NAMES))
        for node in nodes:
            if node.properties and node.properties.patterns and self._random.random() < 0.5:
                chosen.append(self._word(self._random.choice(sorted(node.properties.patterns)), 0))
        out: dict[str, Any] = {}
        for name in dict.fromkeys(chosen):
            accepted = [number for node in nodes if (number := self._member(node, name)) is not None]
            if self._nothing not in accepted:
                out[name] = self.value(self._random.choice(accepted), depth + 1) if accepted else self._any()
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
        return self._random.choice((None, True, 0, -3, "", "a", [], {}, {"a": 1}, [0]))
