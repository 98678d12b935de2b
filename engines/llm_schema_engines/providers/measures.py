"""What the limits of profiles count in one schema. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from ..formats.json_schema.pointers import split_pointer

LONG_ENUM = 250
"""Values of an enum above which its characters count."""
_LEVELS = frozenset({"properties", "items", "prefixItems", "additionalProperties", "patternProperties"})
_DEFINITIONS = frozenset({"$defs", "definitions"})

Found = Mapping[str, tuple[int, str]]
"""Measure -> the count, and the pointer of a place that a finding may name."""


def measure(places: Iterable[tuple[str, Any]]) -> Found:
    """All measures of a schema, given as pointers and subschemas.

    properties, fields: declared properties. nesting: how deep objects and arrays stand in each other, counted for the root and
    for each definition. enum_values: of all enums. long_enum_characters: of the longest enum of more than 250 strings.
    name_characters: names of properties and definitions, enum and const values. optional_parameters, union_parameters:
    properties that are not required, and those with anyOf or several types, outside of definitions, without following
    references. max_items_sum: of all maxItems. tools, strict_tools: 1.
    """
    counts = dict.fromkeys(
        (
            "properties",
            "enum_values",
            "name_characters",
            "optional_parameters",
            "union_parameters",
            "max_items_sum",
        ),
        0,
    )
    deepest, longest = (0, ""), (0, "")
    for pointer, schema in places:
        if not isinstance(schema, dict):
            continue
        tokens = split_pointer(pointer) if pointer else []
        level, defined = _level(tokens)
        if level + 1 > deepest[0]:
            deepest = (level + 1, pointer)
        properties = _mapping(schema.get("properties"))
        counts["properties"] += len(properties)
        counts["name_characters"] += sum(map(len, properties))
        for keyword in _DEFINITIONS:
            counts["name_characters"] += sum(map(len, _mapping(schema.get(keyword))))
        if not defined:
            required = schema.get("required")
            wanted = set(required) if isinstance(required, list) else set()
            counts["optional_parameters"] += sum(name not in wanted for name in properties)
            counts["union_parameters"] += sum(map(_union, properties.values()))
        values = schema.get("enum")
        if isinstance(values, list):
            counts["enum_values"] += len(values)
            size = sum(map(_characters, values))
            counts["name_characters"] += size
            if len(values) > LONG_ENUM and all(isinstance(v, str) for v in values) and size > longest[0]:
                longest = (size, pointer)
        if "const" in schema:
            counts["name_characters"] += _characters(schema["const"])
        most = schema.get("maxItems")
        if isinstance(most, int | Decimal) and not isinstance(most, bool):
            counts["max_items_sum"] += int(most)
    whole = {name: (count, "") for name, count in counts.items()}
    return {
        **whole,
        "fields": whole["properties"],
        "nesting": deepest,
        "long_enum_characters": longest,
        "tools": (1, ""),
        "strict_tools": (1, ""),
    }


def _level(tokens: list[str]) -> tuple[int, bool]:
    """How many objects and arrays are around a place, and whether it is in a definition. Names are told from keywords by where
    they stand."""
    level, defined, position = 0, False, 0
    while position < len(tokens):
        word = tokens[position]
        if word in _DEFINITIONS:
            level, defined = 0, True
        elif word in _LEVELS:
            level += 1
        named = word in _DEFINITIONS or word in (
            "properties",
            "patternProperties",
            "dependentSchemas",
            "dependencies",
        )
        numbered = not named and position + 1 < len(tokens) and tokens[position + 1].isdigit()
        position += 2 if named or numbered else 1
    return level, defined


def _union(schema: Any) -> bool:
    return isinstance(schema, dict) and ("anyOf" in schema or isinstance(schema.get("type"), list))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _characters(value: Any) -> int:
    return len(value) if isinstance(value, str) else len(str(value))
