"""Strict validation: finds properties of a payload that its schema does not declare. Pure.

A property is declared when some subschema that can apply at its place names it in `properties`, matches it in
`patternProperties`, or constrains it by `additionalProperties`, `unevaluatedProperties` or as a free-form map. A
place where no schema declares anything is free-form.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from ...model.validation import DataIssue
from .complexity import applied_in_place
from .dialects import Dialect
from .pointers import shown_pointer
from .regex_engine import matches
from .resources import DocumentIndex, Place, Unresolvable


class Declarations:
    """What one schema declares, place by place. Lookups are cached: documents of one schema visit the same places."""

    def __init__(self, document_index: DocumentIndex, root: Place) -> None:
        self._document_index = document_index
        self._states: dict[tuple[tuple[int, str], ...], DeclaredState] = {}
        self.root = self._state((root,))

    def undeclared(self, value: Any, limit: int) -> list[DataIssue]:
        """At most `limit` issues, one for each undeclared property, outermost first."""
        issues: list[DataIssue] = []
        todo: deque[tuple[_Steps, Any, DeclaredState]] = deque([(None, value, self.root)])
        while todo and len(issues) < limit:
            here, value, state = todo.popleft()
            if isinstance(value, dict):
                for name, item in value.items():
                    below = self.member(state, name)
                    if below is None:
                        issues.append(
                            DataIssue(
                                _pointer((here, name)),
                                f"property {name[:100]!r} is not declared",
                                "undeclared",
                                got=name[:100],
                            )
                        )
                        if len(issues) == limit:
                            return issues
                    elif below.schemas and isinstance(item, dict | list):
                        todo.append(((here, name), item, below))
            else:
                for i, item in enumerate(value if isinstance(value, list) else ()):
                    if isinstance(item, dict | list):
                        below = self.item(state, i)
                        if below.schemas:
                            todo.append(((here, i), item, below))
        return issues[:limit]

    def _state(self, places: tuple[Place, ...]) -> DeclaredState:
        key = tuple(place.key for place in places)
        known = self._states.get(key)
        if known is None:
            schemas = applied(self._document_index, places)
            free = not any(_declares(place.schema) for place in schemas)
            known = self._states[key] = DeclaredState(schemas, free)
        return known

    def member(self, state: DeclaredState, name: str) -> DeclaredState | None:
        """The state of a property's value; None when the property is not declared."""
        if name in state.members:
            return state.members[name]
        places = children_of_property(self._document_index, state.schemas, name)
        declared = places or state.free or any(_mentions(p.schema, name) for p in state.schemas)
        found = self._state(places) if declared else None
        if len(state.members) < _REMEMBERED:
            state.members[name] = found
        return found

    def item(self, state: DeclaredState, index: int) -> DeclaredState:
        index = min(index, state.prefix)
        known = state.items.get(index)
        if known is None:
            places = tuple(children_of_item(self._document_index, state.schemas, index))
            known = state.items[index] = self._state(places)
        return known


# From the root to a value: the way to what holds it, and its name or index there.
_Steps = tuple["_Steps", str | int] | None


def _pointer(here: _Steps) -> str:
    """The pointer of a place, for a report. Made only then: pointers of all values could be far longer than the payload."""
    tokens: list[str | int] = []
    while here is not None:
        here, token = here
        tokens.append(token)
    return shown_pointer(reversed(tokens))


_REMEMBERED = 10_000
"""Most property names cached for one place."""


class DeclaredState:
    """The schemas that may apply at a place, and the states of its members and items. `free`: no schema declares any."""

    __slots__ = ("free", "items", "members", "prefix", "schemas")

    def __init__(self, schemas: list[Place], free: bool) -> None:
        self.schemas = schemas
        self.free = free
        self.members: dict[str, DeclaredState | None] = {}
        self.items: dict[int, DeclaredState] = {}
        lists = (p.schema.get(k) for p in schemas for k in ("prefixItems", "items"))
        self.prefix = max((len(held) for held in lists if isinstance(held, list)), default=0)


def applied(document_index: DocumentIndex, places: tuple[Place, ...]) -> list[Place]:
    """The places and everything that may apply to the same value."""
    out: dict[tuple[int, str], Place] = {}
    todo = list(places)
    while todo:
        place = todo.pop()
        if place.key in out:
            continue
        out[place.key] = place
        try:
            todo.extend(p for p in applied_in_place(document_index, place) if not p.pointer.endswith("/not"))
        except Unresolvable:
            continue  # a stored schema may hold a dead reference; the validator refuses what depends on it
    return [place for place in out.values() if isinstance(place.schema, dict)]


def _declares(schema: dict[str, Any]) -> bool:
    return bool(schema.get("properties") or schema.get("patternProperties")) or any(
        isinstance(schema.get(k), dict) and schema[k]
        for k in ("additionalProperties", "unevaluatedProperties")
    )


def _mentions(schema: dict[str, Any], name: str) -> bool:
    """Whether a property is declared without a schema of its own: by being required or part of a listed value."""
    values = [*schema.get("enum", ()), *([schema["const"]] if "const" in schema else [])]
    return name in schema.get("required", ()) or any(isinstance(v, dict) and name in v for v in values)


def children_of_property(document_index: DocumentIndex, schemas: list[Place], name: str) -> tuple[Place, ...]:
    """The subschemas for the value of a property."""
    below: list[Place] = []
    for place in schemas:
        schema = place.schema
        here: list[Place] = []
        if isinstance(schema.get("properties"), dict) and name in schema["properties"]:
            here.append(document_index.below(place, "properties", name))
        here.extend(
            document_index.below(place, "patternProperties", pattern)
            for pattern in schema.get("patternProperties") or ()
            if matches(pattern, name)
        )
        for keyword in ("additionalProperties", "unevaluatedProperties"):
            if not here and isinstance(schema.get(keyword), dict) and schema[keyword]:
                here.append(document_index.below(place, keyword))
        below.extend(here)
    return tuple(below)


def children_of_item(document_index: DocumentIndex, schemas: list[Place], index: int) -> Iterator[Place]:
    """The subschemas for an item."""
    for place in schemas:
        schema = place.schema
        prefix = "prefixItems" if place.dialect is Dialect.DRAFT_2020_12 else "items"
        rest = "items" if place.dialect is Dialect.DRAFT_2020_12 else "additionalItems"
        held = schema.get(prefix)
        if isinstance(held, list) and index < len(held):
            yield document_index.below(place, prefix, index)
        elif isinstance(held, list) or prefix == "prefixItems":
            if isinstance(schema.get(rest), dict):
                yield document_index.below(place, rest)
        elif isinstance(held, dict):
            yield document_index.below(place, prefix)
        for keyword in ("contains", "unevaluatedItems"):
            if isinstance(schema.get(keyword), dict):
                yield document_index.below(place, keyword)
