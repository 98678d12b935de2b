"""Several schemas that apply to the same value, taken together: allOf, references with siblings. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ..formats.json_schema.canonical import dump
from ..formats.json_schema.dialects import Dialect, modernized
from ..formats.json_schema.pointers import join_pointer
from ..formats.json_schema.resources import DocumentIndex, Place
from .conditions import stated_types, type_of

TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")
OF_TYPE: Mapping[str, tuple[str, ...]] = {
    "object": (
        "properties",
        "required",
        "additionalProperties",
        "patternProperties",
        "propertyNames",
        "minProperties",
        "maxProperties",
        "dependentRequired",
        "dependentSchemas",
        "dependencies",
        "unevaluatedProperties",
    ),
    "array": (
        "items",
        "prefixItems",
        "additionalItems",
        "minItems",
        "maxItems",
        "uniqueItems",
        "contains",
        "minContains",
        "maxContains",
        "unevaluatedItems",
    ),
    "string": (
        "minLength",
        "maxLength",
        "pattern",
        "format",
        "contentEncoding",
        "contentMediaType",
        "contentSchema",
    ),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}
FAMILY = {word: kind for kind, words in OF_TYPE.items() for word in words}


_SAYING = frozenset({*FAMILY, "type", "enum", "const", "anyOf", "oneOf"})


_DECLARING = frozenset(
    {"if", "then", "else", "dependentSchemas", "dependencies", "not", "additionalProperties"}
)
_DECLARING |= {"patternProperties", "$dynamicRef", "$recursiveRef"}


@dataclass(frozen=True, slots=True)
class Given:
    """A keyword as one of the schemas gives it."""

    value: Any
    place: Place
    keyword: str

    @property
    def pointer(self) -> str:
        return join_pointer(self.place.pointer, self.keyword)


@dataclass(slots=True)
class Conjunction:
    """The keywords of all schemas that apply to one value, each with where it stands, in the order in which they come.

    parts: the schema objects. impossible: one of them is `false`.
    """

    index: DocumentIndex
    parts: list[tuple[Place, Mapping[str, Any]]] = field(default_factory=list)
    impossible: bool = False
    distributed: bool = False
    """Whether it is one branch of a union, beside which others may hold."""
    head: Place | None = None
    """The schema of which all parts are what it applies to the same value; None when there are several."""

    def add(self, place: Place) -> None:
        """One more schema, without what its allOf and $ref lead to."""
        if place.schema is False:
            self.impossible = True
        elif isinstance(place.schema, dict):
            self.parts.append((place, keywords_of(place)))

    def all(self, keyword: str) -> list[Given]:
        """What the schemas say by a keyword, the first one first."""
        return [Given(schema[keyword], place, keyword) for place, schema in self.parts if keyword in schema]

    def first(self, keyword: str) -> Given | None:
        found = self.all(keyword)
        return found[0] if found else None

    def words(self) -> Iterator[str]:
        """All keywords, each once."""
        yield from dict.fromkeys(word for _, schema in self.parts for word in schema)

    def types(self) -> list[str] | None:
        """The types that all schemas allow, in the order of the first one that states some; None when none does."""
        allowed: list[str] | None = None
        for _, schema in self.parts:
            stated = list(stated_types(schema))
            if "type" not in schema:
                continue
            if "integer" in stated and "number" in stated:
                stated.remove("integer")
            allowed = stated if allowed is None else _meet(allowed, stated)
        return allowed

    def values(self) -> list[Any] | None:
        """The values that every enum and const allows; None when there is none of these."""
        allowed: dict[str, Any] | None = None
        for given in [*self.all("const"), *self.all("enum")]:
            listed = [given.value] if given.keyword == "const" else given.value
            keyed = {value_key(v): v for v in listed}
            allowed = keyed if allowed is None else {key: v for key, v in allowed.items() if key in keyed}
        return None if allowed is None else list(allowed.values())

    def without(self, given: Given, words: frozenset[str]) -> Conjunction:
        """The same without one keyword of one schema, and without all of `words`."""
        parts: list[tuple[Place, Mapping[str, Any]]] = [
            (
                place,
                {
                    k: v
                    for k, v in schema.items()
                    if k not in words and not (place is given.place and k == given.keyword)
                },
            )
            for place, schema in self.parts
        ]
        said = [(place, schema) for place, schema in parts if not _SAYING.isdisjoint(schema)]
        return Conjunction(self.index, said, self.impossible, True, self.head)

    @property
    def key(self) -> tuple[tuple[tuple[int, str], tuple[str, ...]], ...]:
        """Equal for the same keywords of the same schemas."""
        return tuple(dict.fromkeys((place.key, tuple(schema)) for place, schema in self.parts))

    def closing(self) -> Given | None:
        """An unevaluatedProperties that refuses just what no part declares; None where it is not sure that there is one."""
        given = self.first("unevaluatedProperties")
        if given is None or given.value is not False or given.place is not self.head:
            return None
        if any(not _DECLARING.isdisjoint(schema) for _, schema in self.parts):
            return None  # these may declare more, or evaluate everything
        return given if len(self.all("unevaluatedProperties")) == 1 else None

    def bound(self, keyword: str, choose: Callable[..., Any]) -> Any:
        """The sharpest of the numbers that the schemas give."""
        return choose(given.value for given in self.all(keyword))


def keywords_of(place: Place) -> Mapping[str, Any]:
    """The keywords of a schema that count, as 2020-12 writes them; what an array says of its items stays as it is."""
    schema: Mapping[str, Any] = place.schema
    if place.dialect.isolates_references and "$ref" in schema:
        return {"$ref": schema["$ref"]}
    schema = modernized(schema, place.dialect)
    if place.dialect is not Dialect.DRAFT_2019_09 and place.dialect is not Dialect.DRAFT_2020_12:
        schema = {k: v for k, v in schema.items() if k not in _LATER_WORDS}
    return schema


def _meet(one: list[str], other: list[str]) -> list[str]:
    both = []
    for kind in one:
        if kind in other or (kind == "integer" and "number" in other):
            both.append(kind)
        elif kind == "number" and "integer" in other:
            both.append("integer")
    return list(dict.fromkeys(both))


_LATER_WORDS = frozenset(
    {"prefixItems", "unevaluatedItems", "unevaluatedProperties", "dependentRequired", "dependentSchemas"}
    | {"minContains", "maxContains"}
)


def value_key(value: Any) -> str:
    """Equal for values that JSON Schema takes for equal (1 and 1.0, not 1 and true)."""
    return dump(value, sort=True)


def same(one: Any, other: Any) -> bool:
    """Whether JSON Schema takes two values for equal (1 and 1.0, not 1 and true)."""
    kinds = {type_of(one), type_of(other)}
    if len(kinds) > 1:
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return set(one) == set(other) and all(same(v, other[k]) for k, v in one.items())
    return bool(one == other)


def integer_range(minimum: Any, maximum: Any, above: Any, below: Any) -> tuple[int, int] | None:
    """The least and the greatest integer within bounds; None when a side is open."""
    lows = [math.ceil(Decimal(minimum))] if minimum is not None else []
    highs = [math.floor(Decimal(maximum))] if maximum is not None else []
    if above is not None:
        lows.append(math.floor(Decimal(above)) + 1)
    if below is not None:
        highs.append(math.ceil(Decimal(below)) - 1)
    return (max(lows), min(highs)) if lows and highs else None
