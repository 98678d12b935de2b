"""What the limits of profiles count in one schema. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

LONG_ENUM = 250
"""Values of an enum above which its characters count."""
_LEVELS = frozenset({"properties", "items", "prefixItems", "additionalProperties", "patternProperties"})
_DEFINITIONS = frozenset({"$defs", "definitions"})
_NAMING = _DEFINITIONS | {"properties", "patternProperties", "dependentSchemas", "dependencies"}
"""Keywords after which a name comes."""

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
    properties = enums = characters = optional = unions = items = 0
    deepest, longest = (0, ""), (0, "")
    for pointer, schema in places:
        if not isinstance(schema, dict):
            continue
        level, defined = _level(pointer)
        if level + 1 > deepest[0]:
            deepest = (level + 1, pointer)
        for keyword in _DEFINITIONS:
            if keyword in schema:
                characters += sum(map(len, _mapping(schema[keyword])))
        declared = schema.get("properties")
        if isinstance(declared, dict):
            properties += len(declared)
            characters += sum(map(len, declared))
            if not defined:
                required = schema.get("required")
                wanted = set(required) if isinstance(required, list) else set()
                optional += sum(name not in wanted for name in declared)
                unions += sum(map(_union, declared.values()))
        values = schema.get("enum")
        if isinstance(values, list):
            enums += len(values)
            size = sum(map(_characters, values))
            characters += size
            if len(values) > LONG_ENUM and all(isinstance(v, str) for v in values) and size > longest[0]:
                longest = (size, pointer)
        if "const" in schema:
            characters += _characters(schema["const"])
        most = schema.get("maxItems")
        if isinstance(most, int | Decimal) and not isinstance(most, bool):
            items += int(most)
    return {
        "properties": (properties, ""),
        "fields": (properties, ""),
        "enum_values": (enums, ""),
        "name_characters": (characters, ""),
        "optional_parameters": (optional, ""),
        "union_parameters": (unions, ""),
        "max_items_sum": (items, ""),
        "nesting": deepest,
        "long_enum_characters": longest,
        "tools": (1, ""),
        "strict_tools": (1, ""),
    }


def _level(pointer: str) -> tuple[int, bool]:
    """How many objects and arrays are around a place, and whether it is in a definition. Names are told from keywords by where
    they stand; no keyword and no number is escaped in a pointer."""
    tokens = pointer.split("/")
    level, defined, position, end = 0, False, 1, len(tokens)
    while position < end:
        word = tokens[position]
        position += 1
        if word in _NAMING or (position < end and tokens[position].isdigit()):
            position += 1
        if word in _LEVELS:
            level += 1
        elif word in _DEFINITIONS:
            level, defined = 0, True
    return level, defined


def _union(schema: Any) -> bool:
    return isinstance(schema, dict) and ("anyOf" in schema or isinstance(schema.get("type"), list))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _characters(value: Any) -> int:
    return len(value) if isinstance(value, str) else len(str(value))
