"""Validates a schema against its dialect's metaschema; every issue has a pointer. Pure."""

from __future__ import annotations

import functools
from typing import Any

import jsonschema_rs

from ...errors import SchemaIssue
from .dialects import URIS, VALIDATORS, Dialect
from .limits import JsonSchemaLimits
from .pointers import shown_pointer, to_pointer


@functools.cache
def _validator(dialect: Dialect) -> jsonschema_rs.Validator:
    return VALIDATORS[dialect]({"$ref": URIS[dialect]}, offline=True, validate_formats=False)


def fits_metaschema(content: Any, dialect: Dialect) -> bool:
    """Whether `content` is valid under the dialect's metaschema."""
    return bool(_validator(dialect).is_valid(content))


def check_metaschema(content: Any, dialect: Dialect, limits: JsonSchemaLimits) -> list[SchemaIssue]:
    """The issues of `content` under the dialect's metaschema, at most `limits.issues`, outermost first."""
    if fits_metaschema(content, dialect):
        return []
    seen: dict[tuple[str, str], SchemaIssue] = {}
    for error in _validator(dialect).iter_errors(content):
        pointer = to_pointer(error.instance_path)
        issue = SchemaIssue("json/metaschema", _sentence(error, limits), pointer)
        seen.setdefault((pointer, error.kind.name), issue)
        if len(seen) >= limits.issues:
            break
    return sorted(seen.values(), key=lambda issue: (issue.pointer.count("/"), issue.pointer))


def _sentence(error: jsonschema_rs.ValidationError, limits: JsonSchemaLimits) -> str:
    place = shown_pointer(error.instance_path[-1:])[1:101]
    keyword = f"{place!r}: " if place else ""
    message = error.message
    if len(message) > limits.error_text:
        message = message[: limits.error_text - 3] + "..."
    return f"{keyword}{message}"
