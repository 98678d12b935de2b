"""One difference between two versions. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

from ..canonical import dump

_TEXT = 500


class Kind(enum.StrEnum):
    """What a difference does. WIDENED: more is accepted here. NARROWED: less. CHANGED: neither is plain."""

    ADDED = "added"
    REMOVED = "removed"
    WIDENED = "widened"
    NARROWED = "narrowed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Difference:
    """`old` and `new` are JSON text, cut at 500 characters; "" is absence. `sentence` says it in words."""

    kind: Kind
    pointer: str
    old: str
    new: str
    sentence: str


def made(kind: Kind, pointer: str, old: Any, new: Any, sentence: str) -> Difference:
    """A difference of two values; None is absence."""
    where = f"at {pointer}" if pointer else "at the root"
    return Difference(kind, pointer, _text(old), _text(new), f"{where}: {sentence}")


def _text(value: Any) -> str:
    if value is None:
        return ""
    text = dump(value, sort=False)
    return text if len(text) <= _TEXT else text[: _TEXT - 3] + "..."
