"""Converts the validator's errors into issues with stable types and bounded texts. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import jsonschema_rs

from ...model.validation import DataIssue
from .canonical import dump
from .limits import JsonSchemaLimits
from .pointers import shown_pointer
from .rewriting import CONTAINS_MARK

# jsonschema-rs names one keyword differently from its spelling in the schema.
_RENAMED: Mapping[str, str] = {"falseSchema": "false", "constant": "const"}


def to_issue(error: jsonschema_rs.ValidationError, limits: JsonSchemaLimits) -> DataIssue:
    """One error of the validator as an issue: type = the keyword that failed."""
    keyword = keyword_of(error)
    got = _text(error.instance, limits)
    return DataIssue(
        path=shown_pointer(error.instance_path),
        message=_clip(_MESSAGES.get(keyword, _plain_message)(error.kind, got, error.message), limits),
        error_type=keyword,
        schema_path=shown_pointer(schema_path_of(error)),
        expected=_expected(error.kind, limits),
        got=got,
    )


def schema_path_of(error: jsonschema_rs.ValidationError) -> list[str | int]:
    """Where in the schema the keyword stands that failed."""
    path: list[str | int] = error.schema_path
    if error.kind.name == "not" and _is_rewritten_contains(error):
        return [*path[:-3], "contains"]
    return path


def _is_rewritten_contains(error: jsonschema_rs.ValidationError) -> bool:
    """Whether an error of `not` is one of a `contains` that the validator was given inside of it; see rewriting."""
    held = getattr(error.kind, "schema", None)
    inner = held.get("not") if isinstance(held, dict) else None
    return isinstance(inner, dict) and inner.get("$comment") == CONTAINS_MARK


def keyword_of(error: jsonschema_rs.ValidationError) -> str:
    """The keyword that failed, as it is spelt in schemas; `false` for a schema that accepts nothing."""
    name = error.kind.name
    if name == "required":
        last = error.schema_path[-1] if error.schema_path else ""
        return last if last in ("dependentRequired", "dependencies") else name
    if name == "not" and _is_rewritten_contains(error):
        return "contains"
    return _RENAMED.get(name, name)


Message = Callable[[Any, str, str], str]


def _plain_message(_kind: Any, _got: str, message: str) -> str:
    return message


_MESSAGES: Mapping[str, Message] = {
    "type": lambda kind, got, _: f"{got} is not of type {' or '.join(kind.types)}",
    "required": lambda kind, _got, _: f"property {kind.property!r} is required and missing",
    "dependentRequired": lambda kind, _got, _: (
        f"property {kind.property!r} is missing beside the one that needs it"
    ),
    "dependencies": lambda kind, _got, _: (
        f"property {kind.property!r} is missing beside the one that needs it"
    ),
    "additionalProperties": lambda kind, _got, _: f"properties not allowed here: {_names(kind.unexpected)}",
    "unevaluatedProperties": lambda kind, _got, _: f"properties not allowed here: {_names(kind.unexpected)}",
    "enum": lambda _kind, got, _: f"{got} is not one of the allowed values",
    "const": lambda _kind, got, _: f"{got} is not the only allowed value",
    "anyOf": lambda _kind, got, _: f"{got} matches none of the alternatives",
    "oneOf": lambda _kind, got, message: (
        f"{got} matches more than one of the alternatives"
        if "more than one" in message
        else f"{got} matches none of the alternatives"
    ),
    "not": lambda _kind, got, _: f"{got} is what the schema excludes",
    "false": lambda _kind, _got, _: "nothing is allowed here",
    "pattern": lambda kind, got, _: f"{got} does not match {kind.pattern!r}",
    "format": lambda kind, got, _: f"{got} is not a {kind.format}",
    "contains": lambda _kind, got, message: (
        f"too few or too many items of {got} match `contains`" if "not" in message else message
    ),
    "uniqueItems": lambda _kind, _got, _: "two items are equal",
}
"""Keyword -> a short message; the library's own messages quote whole documents."""


def _names(names: list[str]) -> str:
    shown = ", ".join(repr(name[:60]) for name in names[:10])
    return shown + (f" and {len(names) - 10} more" if len(names) > 10 else "")


_EXPECTATIONS = (
    "types",
    "property",
    "options",
    "expected_value",
    "limit",
    "multiple_of",
    "pattern",
    "format",
)


def _expected(kind: Any, limits: JsonSchemaLimits) -> str:
    for name in _EXPECTATIONS:
        if hasattr(kind, name):
            value = getattr(kind, name)
            if name == "types":
                return " or ".join(value)
            return _clip(value, limits) if isinstance(value, str) else _text(value, limits)
    return ""


def _text(value: Any, limits: JsonSchemaLimits) -> str:
    if isinstance(value, str) and len(value) > limits.error_text:
        value = value[: limits.error_text]
    return _clip(dump(_floats_as_text(_shallow(value)), sort=False), limits)


def _shallow(value: Any, depth: int = 3, width: int = 20) -> Any:
    """The value cut to the size of a message, so that large values cost nothing."""
    if isinstance(value, list):
        return [_shallow(item, depth - 1) for item in value[:width]] if depth else ["..."]
    if isinstance(value, dict):
        if not depth:
            return {"...": "..."}
        return {k[:100]: _shallow(v, depth - 1) for k, v in list(value.items())[:width]}
    return value[:1000] if isinstance(value, str) else value


def _floats_as_text(value: Any) -> Any:
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, list):
        return [_floats_as_text(item) for item in value]
    if isinstance(value, dict):
        return {k: _floats_as_text(v) for k, v in value.items()}
    return value


def _clip(text: str, limits: JsonSchemaLimits) -> str:
    return text if len(text) <= limits.error_text else text[: limits.error_text - 3] + "..."
