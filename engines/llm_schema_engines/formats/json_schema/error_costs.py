"""Estimates what listing all errors of a payload costs, by its size and nesting. Pure.

The validator decides quickly, but lists the errors of every alternative of every alternative: nested unions multiply.
The depth down to which listing stays cheap is computed here, once for each schema and only when an error occurs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
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
_BYTES_OF_ERROR = 1400
"""Of `error_work`: what an error takes in the memory of the library, which makes all of them before it hands out the first one."""
_SILENT = frozenset(
    ("title", "description", "default", "examples", "properties", "patternProperties", "items", "prefixItems", "allOf", "$ref",
     "$id", "$schema", "$defs", "definitions", "$comment", "$anchor", "deprecated", "readOnly", "writeOnly")
)  # fmt: skip
"""Keywords that make no errors of their own."""
_LISTS = ("required", "dependentRequired", "dependencies")
"""Keywords of objects that make an error for each name."""
_OVERLAPPING = (
    "patternProperties",
    "contains",
    "dependentSchemas",
    "dependencies",
    "not",
    "propertyNames",
    "if",
)
"""Keywords whose subschemas are for values for which others may be, too."""


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
        flat = not self._branches and all(map(_is_flat, documents))
        self._of_values: _FlatErrors | _ErrorsOfValues | None = _FlatErrors(documents) if flat else None

    def all_are_cheap(self, payload: bytes, value: Any, depth: int) -> bool:
        """Whether a payload, read as `value` and nested so deep, may have all its errors listed."""
        work = self._limits.error_work
        if len(payload) * (depth + 1) * self._values > work:
            return False
        return (
            self._texts_are_short(payload, value, depth, work // _WORK_OF_CHARACTER)
            and self.first_is_cheap(depth)
            and self.errors_of_values().within(work // _BYTES_OF_ERROR, value)
        )

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
        self.errors_of_values()
        if self._branches:
            self._safe_depth()

    def errors_of_values(self) -> _FlatErrors | _ErrorsOfValues:
        if self._of_values is None:
            opened = self._opened
            self._of_values = _ErrorsOfValues(opened.document_index, opened.root)
        return self._of_values

    def _safe_depth(self) -> int:
        if self._safe is None:
            opened, limits = self._opened, self._limits
            self._safe = safe_depth(opened.document_index, opened.root, limits.error_paths, limits.data_depth)
        return self._safe


class _MostErrors(ABC):
    """How many errors the values of a payload can have at most, by how deep they lie in it."""

    @abstractmethod
    def _at(self, depth: int) -> tuple[int, int]:
        """Of a scalar at this depth; of a list or an object."""

    def within(self, most: int, value: Any) -> bool:
        """Whether the errors of a value and of what is inside it are surely at most so many."""
        errors, level, depth = 0, [value], 0
        while level:
            scalars, containers = self._at(depth)
            inside: list[Any] = []
            for item in level:
                if isinstance(item, dict):
                    inside.extend(item.values())
                elif isinstance(item, list):
                    inside.extend(item)
                else:
                    errors += scalars
                    continue
                errors += containers
            if errors > most:
                return False
            level, depth = inside, depth + 1
        return True


class _FlatErrors(_MostErrors):
    """Where each value is checked by one subschema at most."""

    def __init__(self, documents: Sequence[Any]) -> None:
        found = [_errors_of(schema) for document in documents for schema in _objects(document)]
        # `false` refuses what no other subschema is for.
        self._most = max((s for s, _ in found), default=1) + 1, max((c for _, c in found), default=1) + 1

    def _at(self, depth: int) -> tuple[int, int]:
        return self._most


class _ErrorsOfValues(_MostErrors):
    """Where subschemas are for the same value."""

    def __init__(self, document_index: DocumentIndex, root: Place) -> None:
        order, self._in_place, self._below = _graph(document_index, root)
        self._order, self._root = list(order), root.key
        self._own = {key: _errors_of(place.schema) for key, place in order.items()}
        self._times = {key: _times(place.schema) for key, place in order.items()}
        self._found = [self._next({})]

    def _at(self, depth: int) -> tuple[int, int]:
        while len(self._found) <= depth:
            if len(self._found) > 1 and self._found[-1] == self._found[-2]:
                return self._found[-1][self._root]
            self._found.append(self._next(self._found[-1]))
        return self._found[depth][self._root]

    def _next(self, above: Mapping[Key, tuple[int, int]]) -> Mapping[Key, tuple[int, int]]:
        """For each place: the errors that it makes of one value of a kind, a level deeper than `above`; {}: of the value itself."""
        found: dict[Key, tuple[int, int]] = {}
        for key in self._order:  # subschemas of the same value come before the schema that applies them
            parts = [found[child] for child in self._in_place[key] if child in found]
            if above:
                inside = [above[child] for child in self._below[key] if child in above]
                most = max((s for s, _ in inside), default=0), max((c for _, c in inside), default=0)
                parts.append((most[0] * self._times[key], most[1] * self._times[key]))
            else:
                parts.append(self._own[key])
            found[key] = sum(s for s, _ in parts), sum(c for _, c in parts)
        return found


def _is_flat(document: Any) -> bool:
    return not any(keyword in schema for schema in _objects(document) for keyword in _OVERLAPPING)


def _objects(document: Any) -> Iterator[dict[str, Any]]:
    """All objects in a document: more than the schemas."""
    stack = [document]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            stack.extend(item.values())
            yield item
        elif isinstance(item, list):
            stack.extend(item)


def _times(schema: Any) -> int:
    """How many subschemas of a schema may be for the same part of a value."""
    if not isinstance(schema, dict):
        return 1
    patterns = schema.get("patternProperties")
    return 1 + (len(patterns) if isinstance(patterns, dict) else 0) + ("contains" in schema)


def _errors_of(schema: Any) -> tuple[int, int]:
    """How many errors the keywords of a schema itself make at most: of a scalar, of a list or an object."""
    if not isinstance(schema, dict):
        return int(schema is False), int(schema is False)
    scalar = sum(keyword not in _SILENT for keyword in schema)
    names = 0
    for keyword in _LISTS:
        listed = schema.get(keyword)
        for one in listed.values() if isinstance(listed, dict) else (listed,):
            names += len(one) if isinstance(one, list) else 0
    return scalar, scalar + names


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
) -> tuple[dict[Key, Place], dict[Key, list[Key]], dict[Key, list[Key]]]:
    """All reachable places in an order in which in-place children come first; the edges to in-place children; the edges
    to children for parts of the value."""
    order: dict[Key, Place] = {}
    in_place: dict[Key, list[Key]] = {}
    below: dict[Key, list[Key]] = {}
    starts = [root]
    while starts:
        stack: list[tuple[Place, bool]] = [(starts.pop(), False)]
        while stack:
            place, expanded = stack.pop()
            if expanded:
                order[place.key] = place
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
