"""The valid part of a document that is still arriving, for user interfaces. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..formats.json_schema.pointers import split_pointer, to_pointer
from .streaming import DocumentStream
from .verdict import StreamStatus

MISSING = object()


@dataclass(frozen=True, slots=True)
class PartialValue:
    """What has arrived so far and is valid so far; of a document that is dead, what came before.

    value: the value; None with `empty` when nothing has come. Containers that are open and a string that is arriving are in it as
    far as they go; numbers, literals and names only when they are complete. open: where something may still change, as a JSON
    pointer; everything that does not lead there is complete. None when the document is.
    """

    value: Any
    empty: bool
    open: str | None

    @property
    def complete(self) -> bool:
        """Whether nothing will change any more."""
        return self.open is None

    def is_complete(self, pointer: str) -> bool:
        """Whether the value at a JSON pointer is there and will not change. Raises ValueError for what is no pointer."""
        if pointer and not pointer.startswith("/"):
            raise ValueError(f"pointer: {pointer[:60]!r} is no JSON pointer; it is empty or begins with /")
        if self.empty or not _has(self.value, pointer):
            return False
        return self.open is None or not (self.open == pointer or self.open.startswith(pointer + "/"))


def partial_value(stream: DocumentStream) -> PartialValue:
    """The value of a stream that keeps it. Copies the open containers, not what is in them."""
    if stream.status is StreamStatus.COMPLETE:
        return PartialValue(stream.value, False, None)
    path = stream.open_path()
    text = stream.open_string()
    inner: Any = MISSING if text is None else text
    for depth in range(len(stream.frames) - 1, -1, -1):
        frame = stream.frames[depth]
        if frame.is_object:
            copied: Any = dict(frame.value)
            if inner is not MISSING:
                copied[frame.key] = inner
        else:
            copied = list(frame.value)
            if inner is not MISSING:
                copied.append(inner)
        inner = copied
    if inner is MISSING:
        return PartialValue(None, True, "")
    return PartialValue(inner, False, to_pointer(path))


def _has(value: Any, pointer: str) -> bool:
    for token in split_pointer(pointer):
        if isinstance(value, dict) and token in value:
            value = value[token]
        elif isinstance(value, list) and _is_index(token, value):
            value = value[int(token)]
        else:
            return False
    return True


def _is_index(token: str, held: Sequence[Any]) -> bool:
    return token.isascii() and token.isdigit() and str(int(token[:9])) == token and int(token) < len(held)
