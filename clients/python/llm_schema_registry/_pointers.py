"""JSON pointers (RFC 6901), for code that has to do without the engines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote


def unescaped(token: str) -> str:
    """The name that a token of a pointer stands for (section 4)."""
    return token.replace("~1", "/").replace("~0", "~")


def tokens(pointer: str) -> list[str]:
    """The names on the way of a pointer; none of ""."""
    return [unescaped(token) for token in pointer.split("/")[1:]]


def definition(document: Any, reference: str) -> Any:
    """What a reference such as `#/$defs/item` leads to (section 6), through objects only. Raises LookupError."""
    found = document
    for token in reference.split("/")[1:]:
        name = unescaped(unquote(token))
        if not isinstance(found, Mapping) or name not in found:
            raise LookupError(reference)
        found = found[name]
    return found
