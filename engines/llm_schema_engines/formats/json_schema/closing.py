"""Closes the objects of a JSON Schema, to find out whether open objects make a change incompatible. Pure."""

from __future__ import annotations

from typing import Any

import orjson

_EXTRA = ("additionalProperties", "unevaluatedProperties", "patternProperties")
"""Keywords that already constrain properties that `properties` does not name."""
_SPREAD = (
    "$ref",
    "$dynamicRef",
    "$recursiveRef",
    "allOf",
    "anyOf",
    "oneOf",
    "if",
    "dependentSchemas",
    "extends",
)
"""Keywords that describe one object in several places: closing one place would refuse the properties of the others."""
_MAPS = ("properties", "$defs", "definitions")
_SINGLE = ("items", "contains", "not", "additionalItems", "propertyNames")


def close_objects(content: bytes) -> bytes | None:
    """`content` with `additionalProperties: false` wherever an object declares properties and does not constrain others.

    None when there is no such place, when the content is not JSON, or when objects are described in several places.
    """
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    closed = 0
    pending: list[Any] = [document]
    while pending:
        schema = pending.pop()
        if not isinstance(schema, dict):
            continue
        if any(keyword in schema for keyword in _SPREAD):
            return None
        for keyword in _MAPS:
            members = schema.get(keyword)
            if isinstance(members, dict):
                pending.extend(members.values())
        pending.extend(schema.get(keyword) for keyword in _SINGLE)
        for keyword in ("items", "prefixItems"):
            members = schema.get(keyword)
            if isinstance(members, list):
                pending.extend(members)
        if isinstance(schema.get("properties"), dict) and not any(keyword in schema for keyword in _EXTRA):
            schema["additionalProperties"] = False
            closed += 1
    return orjson.dumps(document) if closed else None
