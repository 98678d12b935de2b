"""Is a JSON value a default of a type? (Avro 1.12, "Complex Types: Records", the table of field defaults.) Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

from .nodes import Array, Enum, Fixed, Map, Node, Record, Union, title
from .text import Json

INT = range(-(2**31), 2**31)
LONG = range(-(2**63), 2**63)
FLOAT_LIMIT = 2.0**128 - 2.0**103  # from here on, rounding to 32 bits gives infinity
DOUBLE_LIMIT = 2**1024 - 2**970


def is_integer(value: Json) -> bool:
    return type(value) is int


def is_number(value: Json, limit: float) -> bool:
    return (type(value) is int or type(value) is float) and -limit < value < limit


def is_latin1(value: Json) -> bool:
    return isinstance(value, str) and (not value or max(value) <= "\xff")


SCALARS: Mapping[str, tuple[Callable[[Json], bool], str]] = {
    "null": (lambda value: value is None, "null"),
    "boolean": (lambda value: value is True or value is False, "true or false"),
    "int": (lambda value: is_integer(value) and value in INT, "an integer of 32 bits"),
    "long": (lambda value: is_integer(value) and value in LONG, "an integer of 64 bits"),
    "float": (lambda value: is_number(value, FLOAT_LIMIT), "a number in the range of a float"),
    "double": (lambda value: is_number(value, DOUBLE_LIMIT), "a number in the range of a double"),
    "bytes": (is_latin1, "a string of code points up to U+00FF"),
    "string": (lambda value: isinstance(value, str), "a string"),
}


NON_FINITE_NUMBERS: Mapping[str, float] = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""The numbers that JSON cannot write, by the texts that stand for them."""


def is_non_finite(node: Node, value: Json) -> bool:
    """Whether `value` is the text of a number that JSON cannot write, and `node` a type that has it.

    Java reads such a text as the default of a field whose type is float or double, not inside other types.
    """
    return node.kind in ("float", "double") and isinstance(value, str) and value in NON_FINITE_NUMBERS


class DefaultChecker:
    """Checks defaults against types. Results are cached by (type, value), so that unions of records stay linear.

    The cache uses the identity of values: they must outlive this object (they are parts of the schema's JSON tree).
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], str] = {}
        self.extras: list[str] = []
        """Members of record defaults that the record does not declare."""

    def fault(self, node: Node, value: Json) -> str:
        """Why `value` is not a valid default of `node`; "" when it is. Starts with the path when it is an inner value."""
        scalar = SCALARS.get(node.kind)
        if scalar is not None:
            accepts, expected = scalar
            return "" if accepts(value) else f"{show(value)} is not {expected}"
        if isinstance(node, Fixed):
            if not is_latin1(value):
                return f"{show(value)} is not a string of code points up to U+00FF"
            return "" if len(value) == node.size else f"has {len(value)} bytes; {node.name} has {node.size}"
        if isinstance(node, Enum):
            known = isinstance(value, str) and value in node.symbol_set
            return "" if known else f"{show(value)} is not a symbol of {node.name}"
        key = (id(node), id(value))
        if key not in self._known:
            self._known[key] = self._inside(node, value)
        return self._known[key]

    def _inside(self, node: Node, value: Json) -> str:
        if isinstance(node, Union):
            if any(not self.fault(branch, value) for branch in node.branches):
                return ""
            return f"{show(value)} matches no branch of {title(node)}"
        if isinstance(node, Array):
            if not isinstance(value, list):
                return f"{show(value)} is not an array"
            return _first((f"[{i}]", self.fault(node.items, v)) for i, v in enumerate(value))
        if not isinstance(value, dict):
            return f"{show(value)} is not an object"
        if isinstance(node, Map):
            return _first((f"[{k!r}]", self.fault(node.values, v)) for k, v in value.items())
        assert isinstance(node, Record)
        self.extras.extend(f"{key!r} of {node.name}" for key in value if key not in node.by_name)
        return _first(self._members(node, value))

    def _members(self, record: Record, value: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
        for member in record.fields:
            if member.name in value:
                yield f".{member.name}", self.fault(member.type, value[member.name])
            elif not member.has_default:
                yield "", f"lacks the field {member.name!r} of {record.name}, which has no default"


def _first(faults: Iterator[tuple[str, str]]) -> str:
    return next((f"{place}: {fault}" if place else fault for place, fault in faults if fault), "")


def show(value: Json) -> str:
    """A value for a message, cut to 60 characters."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
