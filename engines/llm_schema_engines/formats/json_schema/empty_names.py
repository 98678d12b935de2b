"""Puts empty names back into the paths of errors: the validator leaves them out of its lists, not out of its texts. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, cast

import jsonschema_rs

Tokens = list[str | int]
_EMPTY_NAME = re.compile(rb'""\s*:')
_BEFORE_SCHEMA, _BEFORE_INSTANCE = " in schema", "\n\nOn instance"


def has_empty_names(content: bytes) -> bool:
    """Whether a JSON text may have an object with an empty name."""
    return b'""' in content and _EMPTY_NAME.search(content) is not None


def with_empty_names(error: jsonschema_rs.ValidationError) -> jsonschema_rs.ValidationError:
    """The error, with the paths that its text tells."""
    text, message = error.verbose_message, error.message
    start = text.find(_BEFORE_SCHEMA, len(message))
    if start < 0:
        return error
    last = error.schema_path[-1:]
    schema, end = _read(text, start + len(_BEFORE_SCHEMA), error.schema_path[:-1])
    if schema is None or not text.startswith(_BEFORE_INSTANCE, end):
        return error
    instance, _ = _read(text, end + len(_BEFORE_INSTANCE), error.instance_path)
    if instance is None:
        return error
    return cast("jsonschema_rs.ValidationError", _Error(error, instance, [*schema, *last]))


class _Error:
    """An error of the validator with other paths."""

    __slots__ = ("_error", "evaluation_path", "instance_path", "schema_path")

    def __init__(
        self, error: jsonschema_rs.ValidationError, instance_path: Tokens, schema_path: Tokens
    ) -> None:
        self._error, self.instance_path, self.schema_path = error, instance_path, schema_path
        direct = error.evaluation_path == error.schema_path  # no reference stands on the way
        self.evaluation_path = schema_path if direct else error.evaluation_path

    def __getattr__(self, name: str) -> Any:
        return getattr(self._error, name)


def _read(text: str, at: int, known: Sequence[str | int]) -> tuple[Tokens | None, int]:
    """The path that is written at a place as `["name"][0]`, of which all but the empty names are known, and where it ends; None when
    it is another one."""
    found: Tokens = []
    left = iter(known)
    token = next(left, None)
    while True:
        if text.startswith('[""]', at):
            found.append("")
            at += 4
            continue
        if token is None:
            return found, at
        written = f'["{token}"]' if isinstance(token, str) else f"[{token}]"
        if not text.startswith(written, at):
            return None, at
        found.append(token)
        at += len(written)
        token = next(left, None)
