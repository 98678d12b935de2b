"""Strict validation: what a payload holds that its schema never mentions. Pure.

A property is declared when some subschema that can apply at its place names it in `properties`, matches it in
`patternProperties`, or constrains it by `additionalProperties`, `unevaluatedProperties` or as a free-form map. A
place where no schema declares anything is free-form.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import jsonschema_rs

from ...model.validation import DataIssue
from .complexity import applied_in_place
from .dialects import Dialect
from .pointers import join_pointer
from .resources import Place, Unresolvable, World


def undeclared(world: World, root: Place, value: Any, limit: int) -> list[DataIssue]:
    """At most `limit` issues, one for each undeclared property, outermost first."""
    issues: list[DataIssue] = []
    todo: list[tuple[str, Any, tuple[Place, ...]]] = [("", value, (root,))]
    while todo and len(issues) < limit:
        pointer, value, places = todo.pop(0)
        schemas = applied(world, places)
        if isinstance(value, dict):
            free = not any(_declares(place.schema) for place in schemas)
            for name, item in value.items():
                below = children_of_property(world, schemas, name)
                here = join_pointer(pointer, name)
                if not below and not free and not any(_mentions(p.schema, name) for p in schemas):
                    issues.append(
                        DataIssue(
                            here, f"property {name[:100]!r} is not declared", "undeclared", got=name[:100]
                        )
                    )
                elif below:
                    todo.append((here, item, below))
        elif isinstance(value, list):
            for i, item in enumerate(value):
                below = tuple(children_of_item(world, schemas, i))
                if below and isinstance(item, dict | list):
                    todo.append((join_pointer(pointer, i), item, below))
    return issues[:limit]


def applied(world: World, places: tuple[Place, ...]) -> list[Place]:
    """The places and everything that may apply to the same value."""
    out: dict[tuple[int, str], Place] = {}
    todo = list(places)
    while todo:
        place = todo.pop()
        if place.key in out:
            continue
        out[place.key] = place
        try:
            todo.extend(p for p in applied_in_place(world, place) if not p.pointer.endswith("/not"))
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


def children_of_property(world: World, schemas: list[Place], name: str) -> tuple[Place, ...]:
    """The subschemas for the value of a property."""
    below: list[Place] = []
    for place in schemas:
        schema = place.schema
        here: list[Place] = []
        if isinstance(schema.get("properties"), dict) and name in schema["properties"]:
            here.append(_child(world, place, "properties", name))
        here.extend(
            _child(world, place, "patternProperties", pattern)
            for pattern in schema.get("patternProperties") or ()
            if _matches(pattern, name)
        )
        for keyword in ("additionalProperties", "unevaluatedProperties"):
            if not here and isinstance(schema.get(keyword), dict) and schema[keyword]:
                here.append(_child(world, place, keyword))
        below.extend(here)
    return tuple(below)


def children_of_item(world: World, schemas: list[Place], index: int) -> Iterator[Place]:
    """The subschemas for an item."""
    for place in schemas:
        schema = place.schema
        prefix = "prefixItems" if place.dialect is Dialect.DRAFT_2020_12 else "items"
        rest = "items" if place.dialect is Dialect.DRAFT_2020_12 else "additionalItems"
        held = schema.get(prefix)
        if isinstance(held, list) and index < len(held):
            yield _child(world, place, prefix, index)
        elif isinstance(held, list) or prefix == "prefixItems":
            if isinstance(schema.get(rest), dict):
                yield _child(world, place, rest)
        elif isinstance(held, dict):
            yield _child(world, place, prefix)
        for keyword in ("contains", "unevaluatedItems"):
            if isinstance(schema.get(keyword), dict):
                yield _child(world, place, keyword)


def _child(world: World, place: Place, *tokens: str | int) -> Place:
    pointer = join_pointer(place.pointer, *tokens)
    schema: Any = place.schema
    for token in tokens:
        schema = schema[token]
    base, dialect = world.bases.get((place.document.number, pointer), (place.base, place.dialect))
    return Place(place.document, pointer, schema, base, dialect)


def _matches(pattern: str, name: str) -> bool:
    return bool(_pattern_validator(pattern).is_valid(name))


@functools.lru_cache(maxsize=1024)
def _pattern_validator(pattern: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft202012Validator({"pattern": pattern}, offline=True)
