"""Values that a subschema surely accepts, told by a glance: most defaults and examples are of this kind. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from .keywords import EVERY

_SAY_NOTHING = frozenset(
    [
        "$schema",
        "$comment",
        "title",
        "description",
        "default",
        "examples",
        "readOnly",
        "writeOnly",
        "deprecated",
        "$defs",
        "definitions",
    ]
)
_OF_EMPTY = frozenset(
    [
        "items",
        "prefixItems",
        "additionalItems",
        "maxItems",
        "uniqueItems",
        "properties",
        "patternProperties",
        "additionalProperties",
        "propertyNames",
        "maxProperties",
        "dependencies",
        "dependentSchemas",
        "dependentRequired",
    ]
)
"""Keywords that accept an empty array, and an empty object."""
_LOOKED_AT = (
    frozenset(["type", "enum", "const", "minimum", "maximum", "minLength", "maxLength"])
    | _OF_EMPTY
    | _SAY_NOTHING
)
_TYPES = {bool: "boolean", str: "string", int: "integer", type(None): "null", list: "array", dict: "object"}
"""Types of values as they are read; a number with a fraction or an exponent is a Decimal."""


def plainly_valid(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether the value is surely valid; False is no verdict."""
    if not _LOOKED_AT.issuperset(EVERY.intersection(schema)):
        return False
    kind = _TYPES.get(type(value), "number")
    if kind in ("array", "object") and value:
        return False
    if not _is_of_type(kind, schema.get("type")) or not _is_listed(value, schema):
        return False
    match value:
        case bool() | None:
            return True
        case str():
            return bool(schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)))
        case int() | Decimal():
            least, most = schema.get("minimum", value), schema.get("maximum", value)
            return bool(least <= value <= most)
        case list() | dict():
            return True
    return False


def _is_of_type(kind: str, stated: Any) -> bool:
    types = (stated,) if isinstance(stated, str) else stated
    return types is None or kind in types or (kind == "integer" and "number" in types)


def _is_listed(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether `enum` and `const` hold the value as it is: 1.0 for 1 is left to the validator."""
    listed = [schema["const"]] if "const" in schema else []
    enum = schema.get("enum")
    return all(type(item) is type(value) and item == value for item in listed) and (
        enum is None or any(type(item) is type(value) and item == value for item in enum)
    )
