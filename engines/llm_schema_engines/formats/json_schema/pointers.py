"""JSON pointers (RFC 6901). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

MAX_SHOWN = 1000
"""Characters of a pointer in a message: its names come from whoever sent the schema or the data."""


def escape(token: str | int) -> str:
    """One reference token as it stands in a pointer."""
    text = str(token)
    return text.replace("~", "~0").replace("/", "~1") if "~" in text or "/" in text else text


def join_pointer(pointer: str, *tokens: str | int) -> str:
    """The pointer that goes on from `pointer` by `tokens`."""
    for token in tokens:
        pointer += "/" + escape(token)
    return pointer


def to_pointer(tokens: Iterable[str | int]) -> str:
    """The pointer made of `tokens` from the root."""
    return join_pointer("", *tokens)


def shown_pointer(tokens: Iterable[str | int]) -> str:
    """The pointer for a message or report: cut where names make it longer than 1,000 characters."""
    pointer = ""
    for token in tokens:
        text = str(token)[:MAX_SHOWN]
        pointer += "/" + (escape(text) if "~" in text or "/" in text else text)
        if len(pointer) > MAX_SHOWN:
            return pointer[: MAX_SHOWN - 3] + "..."
    return pointer


def split_pointer(pointer: str) -> list[str]:
    """The unescaped tokens of a pointer."""
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]


def from_fragment(fragment: str) -> str:
    """The pointer inside a URI fragment: percent-encoding taken away."""
    return unquote(fragment)


def follow(document: Any, pointer: str) -> Any:
    """The value at `pointer`; raises LookupError when there is none."""
    value = document
    for token in split_pointer(pointer):
        if isinstance(value, dict):
            value = value[token]
        elif isinstance(value, list) and token.isascii() and token.isdigit() and str(int(token)) == token:
            value = value[int(token)]
        else:
            raise LookupError(pointer)
    return value
