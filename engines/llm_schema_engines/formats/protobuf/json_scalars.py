"""Scalar values in the JSON form of Protobuf (protobuf.dev/programming-guides/json). Pure.

Each check returns "" for a valid value, else what the kind expects.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from .kinds import INT32, INT64, UINT32, UINT64

Check = Callable[[Any], str]

# Long enough for any number that fits a double; the exponent is bounded before Decimal sees it.
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_INTEGER_KEY = re.compile(r"-?(?:0|[1-9][0-9]*)", re.ASCII)
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}|[A-Za-z0-9_-]*={0,2}", re.ASCII)
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_NUMBER_LENGTH = 400
_NOT_FINITE = frozenset({"NaN", "Infinity", "-Infinity"})
MAX_FLOAT = struct.unpack("<f", b"\xff\xff\x7f\x7f")[0]


def integer(low: int, high: int) -> Check:
    """A check for integers from `low` to `high`, written as a number or as a string."""
    expected = f"an integer from {low} to {high}"

    def check(value: Any) -> str:
        if isinstance(value, str):
            if len(value) > _NUMBER_LENGTH or not _NUMBER.fullmatch(value):
                return expected
            value = Decimal(value)
        if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
            return expected
        if isinstance(value, float) and not math.isfinite(value):
            return expected
        # The range first: Decimal has no integral part of 1e30 at its usual precision.
        return "" if low <= value <= high and value == value // 1 else expected

    return check


def floating(limit: float, name: str) -> Check:
    """A check for numbers of at most `limit` in size, or the strings NaN, Infinity, -Infinity."""
    expected = f'a {name}: a number, a numeric string, "NaN", "Infinity" or "-Infinity"'

    def check(value: Any) -> str:
        if isinstance(value, str):
            if value in _NOT_FINITE:
                return ""
            if len(value) > _NUMBER_LENGTH or not _NUMBER.fullmatch(value):
                return expected
            value = float(value)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return expected
        # Half a step above the largest float still rounds to it.
        return "" if abs(value) <= limit * (1 + 2**-25 if limit == MAX_FLOAT else 1) else expected

    return check


def boolean(value: Any) -> str:
    return "" if isinstance(value, bool) else "true or false"


def string(value: Any) -> str:
    if not isinstance(value, str):
        return "a string"
    return "a string without unpaired surrogates" if not value.isascii() and _SURROGATE.search(value) else ""


def base64(value: Any) -> str:
    """Standard or URL-safe alphabet, with or without padding."""
    expected = "bytes in base64"
    if not isinstance(value, str) or not _BASE64.fullmatch(value):
        return expected
    digits = len(value.rstrip("="))
    padding = len(value) - digits
    return expected if digits % 4 == 1 or (padding and (digits + padding) % 4) else ""


SCALARS: Mapping[str, Check] = {
    "int32": integer(*INT32),
    "sint32": integer(*INT32),
    "sfixed32": integer(*INT32),
    "int64": integer(*INT64),
    "sint64": integer(*INT64),
    "sfixed64": integer(*INT64),
    "uint32": integer(*UINT32),
    "fixed32": integer(*UINT32),
    "uint64": integer(*UINT64),
    "fixed64": integer(*UINT64),
    "float": floating(MAX_FLOAT, "float"),
    "double": floating(1.7976931348623157e308, "double"),
    "bool": boolean,
    "string": string,
    "bytes": base64,
}


def map_key(kind: str, key: str) -> str:
    """Keys are strings in JSON; numbers and booleans are written as their text."""
    if kind == "string":
        return string(key)
    if kind == "bool":
        return "" if key in ("true", "false") else '"true" or "false"'
    expected = SCALARS[kind](key)
    return expected or ("" if _INTEGER_KEY.fullmatch(key) else "an integer in a string")
