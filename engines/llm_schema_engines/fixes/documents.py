"""JSON documents that are edited: JSON Patch operations (RFC 6902), and text that looks like what it was made of. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from ..formats.json_schema.pointers import to_pointer

Token = str | int
Tokens = tuple[Token, ...]


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()
"""What stands where a document has nothing; `None` is null."""


class PatchFailed(Exception):
    """An operation leads to a place that the document does not have."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a JSON Patch: `add`, `remove` or `replace`."""

    op: str
    path: Tokens
    value: Any = None

    def as_json(self) -> dict[str, Any]:
        out = {"op": self.op, "path": to_pointer(self.path)}
        return out if self.op == "remove" else {**out, "value": self.value}


def read_document(content: bytes) -> Any:
    """The value of JSON text that an engine has accepted; other numbers than integers are Decimal."""
    return json.loads(content, parse_float=Decimal)


def value_at(document: Any, path: Iterable[Token]) -> Any:
    """The value at a path, or MISSING."""
    value = document
    for token in path:
        if isinstance(value, dict) and token in value:
            value = value[token]
        elif isinstance(value, list) and (place := _index(token)) is not None and place < len(value):
            value = value[place]
        else:
            return MISSING
    return value


def put(document: Any, path: Tokens, value: Any) -> Operation:
    """The operation that sets a member, whether it is there or not."""
    return Operation("add" if value_at(document, path) is MISSING else "replace", path, value)


def patched(document: Any, operations: Iterable[Operation]) -> Any:
    """The document after the operations; what it was is not changed. Raises PatchFailed."""
    for operation in operations:
        document = _changed(document, operation.path, operation)
    return document


def patch_text(operations: Sequence[Operation]) -> str:
    """The operations as the text of a JSON Patch."""
    return "".join(_written([operation.as_json() for operation in operations], "", ""))


def _changed(value: Any, path: Tokens, operation: Operation) -> Any:
    if not path:
        if operation.op == "remove":
            raise PatchFailed("the whole document cannot be removed")
        return operation.value
    token, rest = path[0], path[1:]
    if isinstance(value, dict):
        key = str(token)
        if key not in value and (rest or operation.op != "add"):
            raise PatchFailed(to_pointer(operation.path))
        if not rest and operation.op == "remove":
            return {k: v for k, v in value.items() if k != key}
        return {**value, key: operation.value if not rest else _changed(value[key], rest, operation)}
    place = _index(token)
    if (
        not isinstance(value, list)
        or place is None
        or place > len(value) - (operation.op != "add" or bool(rest))
    ):
        raise PatchFailed(to_pointer(operation.path))
    if rest:
        return [*value[:place], _changed(value[place], rest, operation), *value[place + 1 :]]
    kept = value[place:] if operation.op == "add" else value[place + 1 :]
    return [*value[:place], *([] if operation.op == "remove" else [operation.value]), *kept]


def _index(token: Token) -> int | None:
    if isinstance(token, int):
        return token
    return int(token) if token.isascii() and token.isdigit() and len(token) < 9 else None


_INDENT = re.compile(rb"^[ \t]*[\[{][ \t]*\r?\n([ \t]+)")


def write_document(value: Any, like: bytes) -> bytes:
    """JSON text in the manner of `like`: on one line, or indented as that is."""
    found = _INDENT.match(like)
    text = "".join(_written(value, found.group(1).decode() if found else "", "\n"))
    return text.encode() + (b"\n" if like.endswith(b"\n") else b"")


def _written(value: Any, indent: str, line: str) -> Iterator[str]:
    if isinstance(value, dict | list) and value:
        opening, closing = "{}" if isinstance(value, dict) else "[]"
        inner = line + indent
        yield opening
        for place, item in enumerate(value.items() if isinstance(value, dict) else value):
            if place:
                yield "," if indent else ", "
            if indent:
                yield inner
            if isinstance(value, dict):
                yield json.dumps(item[0], ensure_ascii=False) + ": "
                item = item[1]
            yield from _written(item, indent, inner)
        if indent:
            yield line
        yield closing
    elif isinstance(value, Decimal):
        yield str(value)
    else:
        yield json.dumps(value, ensure_ascii=False)
