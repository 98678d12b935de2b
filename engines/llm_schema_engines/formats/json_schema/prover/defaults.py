"""Readers that fill in defaults before they validate: which required properties the defaults supply. Pure.

A required property is waived when its schema has a valid default and nothing else in the reader could notice that the property
has come. That is known for documents in which exactly one schema object describes each object and each array (references,
objects, arrays and unions of which one branch at most accepts objects or arrays), none of which counts, compares or excludes.
In every other document no property is waived.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..compiled import OpenedSchema
from ..dialects import modernized
from ..regex_engine import matches
from ..resources import DocumentIndex, Place, Unresolvable
from ..undeclared import applied, children_of_item, children_of_property
from .building import FIELDS, Builder
from .evaluation import Evaluator
from .merging import merge
from .nodes import Graph
from .regex.languages import Languages

_CONSTRAINING = frozenset(
    {*FIELDS, "allOf", "$ref", "$dynamicRef", "$recursiveRef", "unevaluatedItems", "unevaluatedProperties"}
)
_BLIND = frozenset(
    {
        *("type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
        *("minLength", "maxLength", "pattern", "format", "contentEncoding", "contentMediaType"),
        *("items", "prefixItems", "additionalItems", "minItems", "maxItems"),
        *("properties", "patternProperties", "additionalProperties", "required", "minProperties"),
    }
)
"""Keywords that do not notice a further property of the object, or of an object inside of the value."""
_NOTICING_HERE = frozenset({"maxProperties", "propertyNames"})
"""Keywords that notice a further property of the object itself only."""
_CONTAINERS = frozenset({"object", "array"})
_MAX_CHAIN = 32
"""Longest chain of references and unions that is followed to see whether a schema accepts objects or arrays."""

Waived = Mapping[tuple[int, str], frozenset[str]]
"""Required properties that a default supplies, by the place of the schema that requires them."""


def waivable(opened: OpenedSchema) -> Waived:
    """The required properties that a default supplies."""
    try:
        places = list(_Description(opened.document_index).places(opened.root))
    except (_Noticed, Unresolvable):
        return {}
    wanted = {place.key: _with_default(place.schema) for place in places}
    if not any(wanted.values()):
        return {}
    graph = Graph()
    builder = Builder(graph, opened, "reader")
    builder.build()
    children = {
        (place.key, name): builder.number(builder.child(place, "properties", name))
        for place in places
        for name in wanted[place.key]
    }
    builder.build()
    classes = merge(graph)
    evaluator = Evaluator(classes, Languages(1000))
    found = {
        place.key: frozenset(
            name
            for name in wanted[place.key]
            if evaluator.holds(
                place.schema["properties"][name]["default"], classes.class_of[children[place.key, name]]
            )
            is True
        )
        for place in places
    }
    return {key: names for key, names in found.items() if names}


def _with_default(schema: Mapping[str, Any]) -> frozenset[str]:
    """The required properties of an object schema that have a default, when nothing in it notices further properties."""
    if not _NOTICING_HERE.isdisjoint(schema):
        return frozenset()
    props = schema.get("properties", {})
    return frozenset(
        name
        for name in schema.get("required", ())
        if isinstance(props.get(name), dict) and "default" in props[name]
    )


class _Noticed(Exception):
    """Something in the document might notice a further property."""


class _Description:
    """Which schema object describes the values at each place of a document."""

    def __init__(self, document_index: DocumentIndex) -> None:
        self._document_index = document_index

    def places(self, root: Place) -> Iterator[Place]:
        """The schema objects that describe objects or arrays alone, from the root on. Raises _Noticed when there is one that
        does not, Unresolvable."""
        todo, seen = [root], {root.key}
        while todo:
            place = todo.pop()
            if isinstance(place.schema, bool):
                continue
            further, alone = self._follow(place)
            if alone:
                yield place
            for each in further:
                if each.key not in seen:
                    seen.add(each.key)
                    todo.append(each)

    def _follow(self, place: Place) -> tuple[list[Place], bool]:
        """The places that lie below a place or stand for it, and whether it describes a value itself."""
        schema = modernized(place.schema, place.dialect)
        words = _CONSTRAINING.intersection(schema)
        if "$ref" in words and (place.dialect.isolates_references or words == {"$ref"}):
            return [self._document_index.resolve(place.base, schema["$ref"])], False
        for union in ("anyOf", "oneOf", "allOf"):
            if words == {union}:
                branches = [self._document_index.below(place, union, i) for i in range(len(schema[union]))]
                # Of an allOf, two branches describe one object; of a union, one branch alone may.
                if sum(map(self._may_hold, branches)) > 1:
                    raise _Noticed
                return branches, False
        if not words <= _BLIND | _NOTICING_HERE | {"enum", "const", "uniqueItems"} or _lists_containers(
            schema
        ):
            raise _Noticed
        if schema.get("uniqueItems") is True and ("items" not in schema or self._items_may_hold(place)):
            raise _Noticed  # two items may become equal
        patterns = schema.get("patternProperties", {})
        if len(patterns) > 1 or any(
            matches(p, name) for p in patterns for name in schema.get("properties", ())
        ):
            raise _Noticed  # two schemas describe one value
        return list(self._children(place)), True

    def _children(self, place: Place) -> Iterator[Place]:
        for keyword in ("properties", "patternProperties"):
            for name in place.schema.get(keyword, ()):
                yield self._document_index.below(place, keyword, name)
        for keyword in ("additionalProperties", "additionalItems", "items", "prefixItems"):
            held = place.schema.get(keyword)
            if isinstance(held, list):
                for i in range(len(held)):
                    yield self._document_index.below(place, keyword, i)
            elif held is not None:
                yield self._document_index.below(place, keyword)

    def _items_may_hold(self, place: Place) -> bool:
        return isinstance(place.schema["items"], list) or self._may_hold(
            self._document_index.below(place, "items")
        )

    def _may_hold(self, place: Place, chain: int = 0) -> bool:
        """Whether a schema may accept an object or an array; True also where that is not seen at once."""
        if isinstance(place.schema, bool) or chain > _MAX_CHAIN:
            return place.schema is not False
        schema = modernized(place.schema, place.dialect)
        if "$ref" in schema:
            return self._may_hold(self._document_index.resolve(place.base, schema["$ref"]), chain + 1)
        if "type" in schema:
            named = schema["type"]
            return not _CONTAINERS.isdisjoint([named] if isinstance(named, str) else named)
        if "const" in schema or "enum" in schema:
            return _lists_containers(schema)
        return True


def _lists_containers(schema: Mapping[str, Any]) -> bool:
    values = [*schema.get("enum", ()), *([schema["const"]] if "const" in schema else [])]
    return any(isinstance(value, dict | list) for value in values)


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
