"""JSON values in proofs: kinds, equality as JSON Schema defines it, exact numbers. Pure."""

from __future__ import annotations

from collections.abc import Hashable
from decimal import Decimal
from fractions import Fraction
from typing import Any

KINDS = ("null", "boolean", "number", "string", "array", "object")
Key = tuple[str, Hashable]
MAX_VALUE = 64 * 1024
"""Largest value that is constructed, and largest witness: characters of its texts plus one for each value and member."""


def kind_of(value: Any) -> str:
    """The JSON type of a value; integers are numbers."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | Decimal):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def key_of(value: Any) -> Key:
    """A key that is equal exactly for values that JSON Schema calls equal (1 and 1.0; not 1 and true)."""
    if value is None or isinstance(value, bool | str):
        return (kind_of(value), value)
    if isinstance(value, int | Decimal):
        return ("number", Fraction(value))
    if isinstance(value, list):
        return ("array", tuple(map(key_of, value)))
    return ("object", tuple(sorted((k, key_of(v)) for k, v in value.items())))


def is_large(value: Any) -> bool:
    """Whether a value is larger than MAX_VALUE. Parts that are the same object count each time, as they are written."""
    if type(value) is str:
        return len(value) >= MAX_VALUE
    left = MAX_VALUE - 1
    stack = [value]
    while stack and left >= 0:
        item = stack.pop()
        if type(item) is dict:
            left -= sum(map(len, item)) + len(item)
            item = item.values()
        elif type(item) is not list:
            continue
        else:
            left -= len(item)
        for inner in item:
            left -= 1
            kind = type(inner)
            if kind is str:
                left -= len(inner)
            elif kind is list or kind is dict:
                stack.append(inner)
    return left < 0


def is_decimal(number: Fraction) -> bool:
    """Whether the number has a finite decimal expansion, which JSON text needs."""
    denominator = number.denominator
    for prime in (2, 5):
        while denominator % prime == 0:
            denominator //= prime
    return denominator == 1


def from_fraction(number: Fraction) -> int | Decimal:
    """The number as the strict reader would return it; it must have a finite decimal expansion."""
    if number.denominator == 1:
        return number.numerator
    places = 0
    scaled = number
    while scaled.denominator != 1:
        scaled *= 10
        places += 1
    return Decimal(f"{scaled.numerator}e-{places}")
