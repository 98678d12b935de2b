"""Readers that fill in defaults before they validate: which required properties the defaults supply. Pure.

A required property is waived when its schema has a valid default and no keyword of the document could depend on whether
the property is present: none that counts, excludes or combines.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..compiled import OpenedSchema
from ..resources import Place
from ..undeclared import applied, children_of_item, children_of_property
from .building import Builder
from .evaluation import Evaluator
from .merging import merge
from .nodes import Graph
from .regex.languages import Languages

_OBSERVING_KEYWORDS = frozenset(
    {
        "maxProperties",
        "propertyNames",
        "dependencies",
        "dependentRequired",
        "dependentSchemas",
        "not",
        "if",
        "oneOf",
        "allOf",
        "unevaluatedProperties",
        "$dynamicRef",
        "$recursiveRef",
    }
)

Waived = Mapping[tuple[int, str], frozenset[str]]


def waivable(opened: OpenedSchema) -> Waived:
    """The required properties that a default supplies, by the place of the schema that requires them."""
    places = [place for place in opened.document_index.walk(opened.root) if isinstance(place.schema, dict)]
    if any(not _OBSERVING_KEYWORDS.isdisjoint(place.schema) for place in places):
        return {}
    graph = Graph()
    builder = Builder(graph, opened, "reader")
    builder.build()
    numbers = {place.key: builder.number(place) for place in places}
    builder.build()
    classes = merge(graph)
    evaluator = Evaluator(classes, Languages(1000))

    def supplied(place: Place) -> frozenset[str]:
        props = place.schema.get("properties", {})
        return frozenset(
            name
            for name in place.schema.get("required", ())
            if isinstance(props.get(name), dict)
            and "default" in props[name]
            and "$ref" not in place.schema
            and evaluator.holds(
                props[name]["default"],
                classes.class_of[numbers[builder.child(place, "properties", name).key]],
            )
            is True
        )

    found = {place.key: supplied(place) for place in places}
    return {key: names for key, names in found.items() if names}


def supply(opened: OpenedSchema, waived: Waived, value: Any) -> Any:
    """The value with the waived defaults filled in, at every depth."""
    return _supply(opened, waived, value, (opened.root,)) if waived else value


def _supply(opened: OpenedSchema, waived: Waived, value: Any, places: tuple[Place, ...]) -> Any:
    document_index = opened.document_index
    schemas = applied(document_index, places)
    if isinstance(value, list):
        return [
            _supply(opened, waived, item, tuple(children_of_item(document_index, schemas, i)))
            for i, item in enumerate(value)
        ]
    if not isinstance(value, dict):
        return value
    out = {
        name: _supply(opened, waived, item, children_of_property(document_index, schemas, name))
        for name, item in value.items()
    }
    for place in schemas:
        for name in sorted(waived.get(place.key, ())):
            out.setdefault(name, place.schema["properties"][name]["default"])
    return out
