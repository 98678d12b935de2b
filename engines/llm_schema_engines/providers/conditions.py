"""The cases that a cell of a profile may be about: conditions on a keyword where it stands. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

_LOOK_AROUND = re.compile(r"\(\?<?[=!]|(?<!\\)(?:\\\\)*\\[bB]")
_BACK_REFERENCE = re.compile(r"(?<!\\)(?:\\\\)*\\[1-9]")

FEATURES = ("look_around", "back_reference", "anchor", "unanchored")
"""What a condition may ask of a pattern: look-around or a word boundary, back-references, any ^ or $, not both ^ at the start and $ at the end."""


@dataclass(frozen=True, slots=True)
class Site:
    """A keyword where it stands. schema: the object that holds it. root: whether that is the root of the schema."""

    keyword: str
    value: Any
    schema: Mapping[str, Any]
    root: bool = False
    nested: bool = False
    """For a reference: whether it leads into something other than a definition."""


@dataclass(frozen=True, slots=True)
class When:
    """All that is given must hold.

    root: it stands at the root. values: its value is one of these. types: the JSON type of its value. elements: the JSON types
    of all items of its value. beside: one of these keywords stands beside it. declared: the schema says a type, and none but
    these. pattern: the regular expression has one of FEATURES. above: its value, or its length, is greater.
    nested: the reference leads into something other than a definition. refers: there is a $ref in its value.
    """

    root: bool | None = None
    values: tuple[Any, ...] | None = None
    types: tuple[str, ...] | None = None
    elements: tuple[str, ...] | None = None
    beside: tuple[str, ...] | None = None
    declared: tuple[str, ...] | None = None
    pattern: tuple[str, ...] | None = None
    above: int | None = None
    nested: bool | None = None
    refers: bool | None = None

    def holds(self, site: Site) -> bool:
        """Whether the case is this one."""
        value = site.value
        return (
            (self.root is None or self.root == site.root)
            and (self.nested is None or self.nested == site.nested)
            and (self.values is None or any(_same(value, one) for one in self.values))
            and (self.types is None or type_of(value) in self.types)
            and (
                self.elements is None
                or (isinstance(value, list) and all(type_of(v) in self.elements for v in value))
            )
            and (self.beside is None or any(word in site.schema for word in self.beside))
            and (self.declared is None or _declared(site.schema, self.declared))
            and (
                self.pattern is None
                or (isinstance(value, str) and not features(value).isdisjoint(self.pattern))
            )
            and (self.refers is None or self.refers == _refers(value))
            and (self.above is None or _size(value) > self.above)
        )


def features(pattern: str) -> frozenset[str]:
    """Which of FEATURES a regular expression has, by its text: what stands in brackets is looked at too, so that a feature may be
    found that is none."""
    found = set()
    if _LOOK_AROUND.search(pattern):
        found.add("look_around")
    if _BACK_REFERENCE.search(pattern):
        found.add("back_reference")
    bare = re.sub(r"\\.|\[\^?", "", pattern, flags=re.DOTALL)
    if "^" in bare or "$" in bare:
        found.add("anchor")
    if not (pattern.startswith("^") and pattern.endswith("$") and not pattern.endswith("\\$")):
        found.add("unanchored")
    return frozenset(found)


def type_of(value: Any) -> str:
    """The JSON type of a value; an integral number is an "integer"."""
    match value:
        case bool():
            return "boolean"
        case None:
            return "null"
        case str():
            return "string"
        case list():
            return "array"
        case dict():
            return "object"
        case int():
            return "integer"
        case Decimal() | float():
            return "integer" if value == int(value) else "number"
    return "object"


def stated_types(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """The types that a schema states, in its order."""
    stated = schema.get("type")
    if isinstance(stated, str):
        return (stated,)
    return tuple(t for t in stated if isinstance(t, str)) if isinstance(stated, list) else ()


def _declared(schema: Mapping[str, Any], wanted: tuple[str, ...]) -> bool:
    types = [t for t in stated_types(schema) if t != "null"]
    return bool(types) and all(t in wanted for t in types)


def _same(one: Any, other: Any) -> bool:
    return type_of(one) == type_of(other) and bool(one == other)


def _size(value: Any) -> int | Decimal:
    if isinstance(value, list | dict | str):
        return len(value)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return value
    return 0


def _refers(value: Any) -> bool:
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if "$ref" in item:
                return True
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
    return False
