"""Estimates what listing all errors of a payload costs, by its size and nesting. Pure.

The validator decides quickly, but lists the errors of every alternative of every alternative: nested unions multiply.
The depth down to which listing stays cheap is computed here, once for each schema and only when an error occurs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..validation_cost import count
from .compiled import OpenedSchema
from .complexity import applied_in_place
from .dialects import IN_PLACE, subschemas
from .error_texts import ErrorTexts, characters_of_paths, longest_name
from .limits import JsonSchemaLimits
from .resources import DocumentIndex, Place, Unresolvable

Key = tuple[int, str]

_WORK_OF_CHARACTER = 8
"""Of `error_work`: what a character of an error counts."""
_UNIONS = ("anyOf", "oneOf", "allOf")


class ErrorListingCosts:
    """The cost of listing the errors of one schema. Computed when a payload needs it."""

    def __init__(self, opened: OpenedSchema, limits: JsonSchemaLimits) -> None:
        self._opened = opened
        self._limits = limits
        documents = [d.content for d in opened.document_index.documents if not d.builtin]
        counts = [list(_count(content)) for content in documents]
        self._values = sum(len(found) for found in counts)
        self._branches = sum(sum(found) for found in counts)
        self._texts = ErrorTexts(documents)
        self._safe: int | None = None

    def all_are_cheap(self, payload: bytes, value: Any, depth: int) -> bool:
        """Whether a payload, read as `value` and nested so deep, may have all its errors listed."""
        work = self._limits.error_work
        if len(payload) * (depth + 1) * self._values > work:
            return False
        return self._texts_are_short(
            payload, value, depth, work // _WORK_OF_CHARACTER
        ) and self.first_is_cheap(depth)

    def _texts_are_short(self, payload: bytes, value: Any, depth: int, most: int) -> bool:
        values = count(payload).values
        if values * self._texts.of_error(depth, longest_name(payload)) <= most:
            return True
        of_schema = values * self._texts.of_error(depth, 0)
        return of_schema <= most and of_schema + characters_of_paths(value, most) <= most

    def first_is_cheap(self, depth: int) -> bool:
        """Whether a payload of this nesting may have its first error listed: for a union, that takes all its branches."""
        if (1 + self._branches) ** (depth + 1) <= self._limits.error_paths:
            return True
        return depth <= self._safe_depth()

    def prepare(self) -> None:
        """Find now what a deep payload would need."""
        if self._branches:
            self._safe_depth()

    def _safe_depth(self) -> int:
        if self._safe is None:
            opened, limits = self._opened, self._limits
            self._safe = safe_depth(opened.document_index, opened.root, limits.error_paths, limits.data_depth)
        return self._safe


def _count(content: Any) -> Iterator[int]:
    """For each value of a document, how many alternative subschemas it holds directly."""
    stack = [content]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            stack.extend(item.values())
            yield (
                sum(len(item[k]) for k in _UNIONS if isinstance(item.get(k), list))
                + ("$ref" in item)
                + 2 * ("if" in item)
            )
        else:
            if isinstance(item, list):
                stack.extend(item)
            yield 0


def safe_depth(document_index: DocumentIndex, root: Place, budget: int, deepest: int) -> int:
    """The greatest nesting, at most `deepest`, at which one value is evaluated in at most `budget` ways."""
    order, in_place, below = _graph(document_index, root)
    ways = dict.fromkeys(order, 0)
    for depth in range(deepest + 1):
        new: dict[Key, int] = {}
        for key in order:  # subschemas of the same value come before the schema that applies them
            inside = max((ways[child] for child in below[key]), default=0)
            new[key] = 1 + inside + sum(new.get(child, 1) for child in in_place[key])
        if new[root.key] > budget:
            return depth - 1
        if new == ways:
            return deepest
        ways = new
    return deepest


def _graph(
    document_index: DocumentIndex, root: Place
) -> tuple[list[Key], dict[Key, list[Key]], dict[Key, list[Key]]]:
    """All reachable places in an order in which in-place children come first; the edges to in-place children; the edges
    to children for parts of the value."""
    order: list[Key] = []
    in_place: dict[Key, list[Key]] = {}
    below: dict[Key, list[Key]] = {}
    starts = [root]
    while starts:
        stack: list[tuple[Place, bool]] = [(starts.pop(), False)]
        while stack:
            place, expanded = stack.pop()
            if expanded:
                order.append(place.key)
                continue
            if place.key in in_place:
                continue
            try:
                same = list(applied_in_place(document_index, place))
            except Unresolvable:
                same = []  # a stored schema may hold a dead reference
            inside = list(_children(document_index, place))
            in_place[place.key] = [p.key for p in same]
            below[place.key] = [p.key for p in inside]
            starts.extend(inside)
            stack.append((place, True))
            stack.extend((p, False) for p in same)
    return order, in_place, below


def _children(document_index: DocumentIndex, place: Place) -> list[Place]:
    """The subschemas for parts of the value."""
    if not isinstance(place.schema, dict):
        return []
    out = []
    for keyword, name, _ in subschemas(place.schema, place.dialect):
        if keyword not in IN_PLACE and keyword not in ("$defs", "definitions"):
            out.append(document_index.child(place, keyword, name))
    return out
