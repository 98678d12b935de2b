"""One difference between two versions, made from their values. Pure."""

from __future__ import annotations

from typing import Any

from ....model.difference import Difference, DifferenceKind
from ..canonical import dump

__all__ = ["Difference", "DifferenceKind", "make_difference"]

_TEXT = 500


def make_difference(kind: DifferenceKind, pointer: str, old: Any, new: Any, sentence: str) -> Difference:
    """A difference of two values, which become JSON text cut at 500 characters; None is absence."""
    where = f"at {pointer}" if pointer else "at the root"
    return Difference(kind, pointer, f"{where}: {sentence}", _text(old), _text(new))


def _text(value: Any) -> str:
    if value is None:
        return ""
    text = dump(value, sort=False)
    return text if len(text) <= _TEXT else text[: _TEXT - 3] + "..."
