"""Checks what a caller gives a tool against its inputSchema: of JSON Schema just what those schemas use. Errors say the way out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}
_KNOWN = frozenset(
    {
        "type", "enum", "minimum", "maximum", "maxLength", "minLength", "items", "maxItems", "properties", "required",
        "additionalProperties", "description", "default",
    }
)  # fmt: skip
MOST_ERRORS = 10


class BadArguments(Exception):
    """What is wrong with the arguments of a tool: pointers, and what each should be."""

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{pointer or 'arguments'}: {why}" for pointer, why in errors))
        self.errors = tuple(errors)


def demand(schema: Mapping[str, Any], arguments: Any) -> dict[str, Any]:
    """The arguments, with the defaults of those that are not given. Raises BadArguments."""
    errors = list(_errors(schema, arguments, ""))[:MOST_ERRORS]
    if errors:
        raise BadArguments(errors)
    defaults = {name: p["default"] for name, p in schema["properties"].items() if "default" in p}
    # A whole number may be written as 5.0.
    whole = {n: int(v) for n, v in arguments.items() if isinstance(v, float) and _wants_integer(schema, n)}
    return {**defaults, **arguments, **whole}


def unknown_keywords(schema: Any) -> set[str]:
    """Keywords of a schema that this module does not check."""
    if not isinstance(schema, dict):
        return set()
    found = set(schema) - _KNOWN
    for inner in (schema.get("items"), *schema.get("properties", {}).values()):
        found |= unknown_keywords(inner)
    return found


def _errors(schema: Mapping[str, Any], value: Any, pointer: str) -> list[tuple[str, str]]:
    kinds = schema.get("type")
    if kinds is not None:
        names = [kinds] if isinstance(kinds, str) else kinds
        if not any(_is(value, name) for name in names):
            return [(pointer, f"must be {' or '.join(names)}")]
    if "enum" in schema and value not in schema["enum"]:
        return [(pointer, f"must be one of {', '.join(map(str, schema['enum']))}")]
    if isinstance(value, str):
        return _of_text(schema, value, pointer)
    if isinstance(value, int | float) and not isinstance(value, bool):
        least, most = schema.get("minimum"), schema.get("maximum")
        if (least is not None and value < least) or (most is not None and value > most):
            return [(pointer, f"must be from {least} to {most}")]
    if isinstance(value, list) and "items" in schema:
        return _of_list(schema, value, pointer)
    if isinstance(value, dict) and "properties" in schema:
        return _of_object(schema, value, pointer)
    return []


def _of_text(schema: Mapping[str, Any], value: str, pointer: str) -> list[tuple[str, str]]:
    most, least = schema.get("maxLength"), schema.get("minLength", 0)
    if len(value) < least or (most is not None and len(value) > most):
        return [(pointer, f"must have {least} to {most} characters, and has {len(value)}")]
    return []


def _of_list(schema: Mapping[str, Any], value: list[Any], pointer: str) -> list[tuple[str, str]]:
    most = schema["maxItems"]
    if len(value) > most:
        return [(pointer, f"must have at most {most} items, and has {len(value)}")]
    return [
        error
        for place, item in enumerate(value)
        for error in _errors(schema["items"], item, f"{pointer}/{place}")
    ]


def _of_object(schema: Mapping[str, Any], value: Mapping[str, Any], pointer: str) -> list[tuple[str, str]]:
    known = schema["properties"]
    unknown = [name for name in value if name not in known]
    if unknown and schema.get("additionalProperties") is False:
        return [(f"{pointer}/{unknown[0][:100]}", f"is no argument; there are {', '.join(known)}")]
    missing = [
        (f"{pointer}/{name}", "is missing") for name in schema.get("required", ()) if name not in value
    ]
    return missing + [
        error
        for name, inner in known.items()
        if name in value
        for error in _errors(inner, value[name], f"{pointer}/{name}")
    ]


def _wants_integer(schema: Mapping[str, Any], name: str) -> bool:
    return bool(schema["properties"][name].get("type") == "integer")


def _is(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    if isinstance(value, float):
        return name == "integer" and value.is_integer()
    return isinstance(value, _TYPES[name])
