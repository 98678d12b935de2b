"""The well-known types whose JSON form is not that of their fields (protobuf.dev/programming-guides/json). Pure.

Each check returns "" for a valid value, else what the type expects.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from .json_scalars import SCALARS, Check

_TIMESTAMP = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)T(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
    r"(?:\.\d{1,9})?(?:Z|[+-](?P<off_hour>\d\d):(?P<off_minute>\d\d))",
    re.ASCII,
)
_DURATION = re.compile(r"(?P<sign>-?)(?P<seconds>\d{1,12})(?P<fraction>\.\d{1,9})?s", re.ASCII)
_MASK = re.compile(r"(?:[a-z][A-Za-z0-9]*(?:\.[a-z][A-Za-z0-9]*)*(?:,(?=.)|$))*", re.ASCII)
MAX_DURATION = 315_576_000_000
"""Seconds: about 10,000 years (google/protobuf/duration.proto)."""


def timestamp(value: Any) -> str:
    expected = "an RFC 3339 time such as 1972-01-01T10:00:20.021Z, from year 1 to 9999, with Z or an offset"
    match = _TIMESTAMP.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return expected
    part = {name: int(text) for name, text in match.groupdict(default="0").items()}
    try:
        date(part["year"], part["month"], part["day"])
    except ValueError:
        return expected
    in_range = (
        part["hour"] < 24
        and part["minute"] < 60
        and part["second"] < 60
        and part["off_hour"] < 24
        and part["off_minute"] < 60
    )
    return "" if in_range else expected


def duration(value: Any) -> str:
    expected = "a duration such as 1.5s, of at most 10,000 years"
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return expected
    seconds = int(match["seconds"])
    beyond = seconds == MAX_DURATION and float(match["fraction"] or 0) > 0
    return expected if seconds > MAX_DURATION or beyond else ""


def field_mask(value: Any) -> str:
    fits = isinstance(value, str) and _MASK.fullmatch(value)
    return "" if fits else "field paths in lowerCamelCase, separated by commas"


def struct(value: Any) -> str:
    return _finite(value) if isinstance(value, dict) else "an object"


def list_value(value: Any) -> str:
    return _finite(value) if isinstance(value, list) else "an array"


def _finite(value: Any) -> str:
    """JSON values whose numbers a double holds and whose strings are text."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            stack += item.values()
            stack += item
        elif isinstance(item, list):
            stack += item
        elif isinstance(item, str):
            if SCALARS["string"](item):
                return "strings without unpaired surrogates"
        elif isinstance(item, (int, float)) and not isinstance(item, bool) and SCALARS["double"](item):
            return "numbers that fit a double"
    return ""


_WRAPPED = {
    "DoubleValue": "double",
    "FloatValue": "float",
    "Int64Value": "int64",
    "UInt64Value": "uint64",
    "Int32Value": "int32",
    "UInt32Value": "uint32",
    "BoolValue": "bool",
    "StringValue": "string",
    "BytesValue": "bytes",
}

KNOWN: Mapping[str, Check] = {
    "google.protobuf.Timestamp": timestamp,
    "google.protobuf.Duration": duration,
    "google.protobuf.FieldMask": field_mask,
    "google.protobuf.Struct": struct,
    "google.protobuf.ListValue": list_value,
    "google.protobuf.Value": _finite,
    **{f"google.protobuf.{name}": SCALARS[kind] for name, kind in _WRAPPED.items()},
}
"""Full name -> check."""

ANY = "google.protobuf.Any"
VALUE = "google.protobuf.Value"
NULL_VALUE = "google.protobuf.NullValue"

NOT_OBJECTS = frozenset(KNOWN) - {"google.protobuf.Struct"}
"""Messages whose JSON form is not an object."""
