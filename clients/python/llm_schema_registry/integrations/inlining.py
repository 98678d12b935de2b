"""A JSON Schema without references, for documents that have definitions of their own. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._pointers import definition

MOST_NODES = 10_000
"""Values of a schema whose definitions are written in place."""
_HOLDERS = frozenset({"$defs", "definitions", "$schema", "$id", "id"})
"""Keywords of the root that are of no use without references."""
_ELSEWHERE = frozenset({"$id", "$dynamicRef", "$recursiveRef"})
"""Keywords with which a reference may mean another place than its text says."""


def inlined(document: Any) -> dict[str, Any] | None:
    """The schema with its definitions where they are used; None when that cannot be said: a recursion, a reference to another
    document or to an anchor, or too much of it."""
    if not isinstance(document, dict):
        return None
    shown = {word: held for word, held in document.items() if word not in _HOLDERS}
    try:
        found: dict[str, Any] = _Inliner(document).of(shown, ())
    except _Impossible:
        return None
    return found


class _Impossible(Exception):
    pass


class _Inliner:
    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._nodes = 0

    def of(self, value: Any, under: tuple[str, ...]) -> Any:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise _Impossible
        if isinstance(value, list):
            return [self.of(item, under) for item in value]
        if not isinstance(value, dict):
            return value
        if _ELSEWHERE & value.keys():
            raise _Impossible
        reference = value.get("$ref")
        if isinstance(reference, str):
            if reference in under or not reference.startswith("#/"):
                raise _Impossible
            try:
                at = definition(self._document, reference)
            except LookupError:
                raise _Impossible from None
            target = self.of(at, (*under, reference))
            others = {word: held for word, held in value.items() if word != "$ref"}
            return {"allOf": [target], **self.of(others, under)} if others else target
        return {word: self.of(held, under) for word, held in value.items()}
