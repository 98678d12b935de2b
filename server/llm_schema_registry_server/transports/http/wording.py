"""Errors in the words of HTTP: what handlers say in those of the proto, told to somebody who wrote JSON to a path. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from ...calls.failure import Failure
from ...errors import FieldViolation
from ...rpc.protobuf.method import Method

_FRIENDLY: Mapping[str, str] = {
    "schema_content": "schema",
    "new_schema": "schema",
    "data": "data_json",
}
"""Fields of bytes and what bodies have instead of them (json_in.py)."""

# Not within quotes or pointers: those are words of the caller or of a schema.
_WORD = r"(?<![\w'\"/#`.-])((?:[a-z_]+\.)?)({names})(?![\w'\"/`-])"


class Wording:
    """The words of one server: its RPCs are told by their paths."""

    def __init__(self, methods: Iterable[Method]) -> None:
        self._paths = {
            method.name: f"{method.bindings[0].verb} {method.bindings[0].path}"
            for method in methods
            if method.bindings
        }
        names = "|".join(sorted(self._paths, key=len, reverse=True))
        self._rpc = re.compile(rf"(?<![\w'\"`/])({names})(?![\w'\"`])") if names else None

    def of(self, failed: Failure, body: bytes | None) -> Failure:
        """The failure of a request with this body: fields as the caller wrote them. None: the request has no body, and so no
        other names for its fields."""
        about = [] if body is None else [field for field in _FRIENDLY if _is_about(failed, field)]
        renamed = {f: _FRIENDLY[f] for f in about if _has(body, _FRIENDLY[f]) and not _has(body, f)}
        absent = [f for f in about if not _has(body, _FRIENDLY[f]) and not _has(body, f)]
        message = failed.message if self._rpc is None else self._rpc.sub(self._path, failed.message)
        if absent and any(v.field.rpartition(".")[2] == absent[0] for v in failed.violations):
            message += f"; in JSON it may be given as `{_FRIENDLY[absent[0]]}` too"
        if not renamed:
            return failed if message == failed.message else replace(failed, message=message)
        word = re.compile(_WORD.replace("{names}", "|".join(renamed)))

        def rename(text: str) -> str:
            return word.sub(lambda found: found[1] + renamed[found[2]], text)

        return replace(
            failed,
            message=rename(message),
            violations=tuple(
                FieldViolation(rename(v.field), rename(v.description)) for v in failed.violations
            ),
            facts={name: rename(value) if name == "field" else value for name, value in failed.facts.items()},
        )

    def _path(self, found: re.Match[str]) -> str:
        return self._paths[found[1]]


def _has(body: bytes | None, name: str) -> bool:
    return body is not None and b'"%b"' % name.encode() in body


def _is_about(failed: Failure, field: str) -> bool:
    """Whether the failure is about this field, or advises to give it."""
    if field == "data":  # also a word of English
        return any(v.field == field for v in failed.violations)
    return field in failed.message
