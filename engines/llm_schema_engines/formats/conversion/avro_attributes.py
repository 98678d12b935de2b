"""Attributes of converted Avro schemas for what Avro itself cannot express. Pure.

Anyone can write them: invalid values are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NAME = "x-json-name"
"""On a field: its name in documents of the original schema, where that is not a valid Avro name."""
OPTIONAL = "x-optional"
"""On a field: documents of the original schema may leave it out; null or the default represents that."""
NUMBER = "x-field-number"
"""On a field: its number in Protobuf."""
PROTO_NAME = "x-proto-name"
"""On a field: its name in Protobuf, where its documents use the JSON name."""
ONEOF = "x-oneof"
"""On a field: the oneof that it belongs to in Protobuf; at most one of its fields is set."""
NUMBERS = "x-enum-numbers"
"""On an enum: the numbers of its symbols in Protobuf."""
VALUES = "x-enum-values"
"""On an enum: symbol -> the value in documents of the original schema, where that is not a valid Avro name."""
KIND = "x-kind"
"""On an int or a long: the original integer type (uint32, uint64)."""
KEY = "x-key-kind"
"""On a map: the scalar kind that its keys are texts of."""
JSON_TEXT = "x-json-text"
"""On a string: it holds any JSON value as text."""
OPEN = "x-open"
"""On a record: documents of the original schema may have undeclared members."""
JSON_SCHEMA = "x-json-schema"
"""Anywhere: JSON Schema keywords that Avro does not enforce."""

LOGICAL = "x-logical-type"
"""In JSON Schema: the logical type of an Avro number that has no counterpart there."""

DAY = 86_400_000
TIMES: Mapping[str, int] = {"time-millis": DAY - 1, "time-micros": DAY * 1000 - 1}
"""The largest value of a time of day, by logical type."""

ATTRIBUTES = frozenset(
    {NAME, OPTIONAL, NUMBER, PROTO_NAME, ONEOF, NUMBERS, VALUES, KIND, KEY, JSON_TEXT, OPEN, JSON_SCHEMA}
)

KEYWORDS = frozenset(
    {
        "minLength", "maxLength", "pattern", "format", "contentMediaType", "contentEncoding", "examples", "minimum",
        "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems", "uniqueItems",
        "minProperties", "maxProperties", LOGICAL,
    }
)  # fmt: skip
"""The keywords that JSON_SCHEMA may hold."""


_SIZES = frozenset({"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"})
_NUMBERS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})


def is_keyword(key: str, value: Any) -> bool:
    """Whether JSON Schema allows this value for the keyword, and JSON_SCHEMA may hold it."""
    if key in _SIZES:
        return type(value) is int and value >= 0
    if key in _NUMBERS:
        return type(value) in (int, float) and (key != "multipleOf" or value > 0)
    if key == "uniqueItems":
        return isinstance(value, bool)
    if key == "examples":
        return isinstance(value, list)
    return key in KEYWORDS and isinstance(value, str)


def enum_numbers(value: Any, count: int) -> tuple[int, ...]:
    """The numbers of an enum's symbols, when there is one of 32 bits for each."""
    if not isinstance(value, list) or len(value) != count:
        return ()
    good = all(type(number) is int and -(2**31) <= number < 2**31 for number in value)
    return tuple(value) if good else ()
