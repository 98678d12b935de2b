"""Finds subschemas of a JSON Schema: below a keyword, behind a reference, the parts of an allOf. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import ConversionRefused
from ..json_schema.dialects import Dialect, modernized
from ..json_schema.pointers import join_pointer
from ..json_schema.resources import DocumentIndex, Place, Unresolvable
from . import avro_attributes as attribute
from .losses import Losses

MAX_PARTS = 200
"""Most schemas that one object must fulfil by allOf."""


_SINCE_2019 = frozenset(
    {
        "$recursiveRef",
        "dependentRequired",
        "dependentSchemas",
        "maxContains",
        "minContains",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
_SINCE_2020 = frozenset({"$dynamicRef", "prefixItems"})
_UNKNOWN: Mapping[Dialect, frozenset[str]] = {
    Dialect.DRAFT_04: _SINCE_2019 | _SINCE_2020,
    Dialect.DRAFT_06: _SINCE_2019 | _SINCE_2020,
    Dialect.DRAFT_07: _SINCE_2019 | _SINCE_2020,
    Dialect.DRAFT_2019_09: _SINCE_2020,
    Dialect.DRAFT_2020_12: frozenset({"$recursiveRef", "additionalItems"}),
}
"""Keywords that other dialects know; in this one they are annotations, whatever stands below them."""


def modern(place: Place) -> Place:
    """The place with the keywords of its schema as draft 7 and later ones write them, and none that its dialect does not know."""
    schema = place.schema
    if not isinstance(schema, dict):
        return place
    known = modernized(schema, place.dialect)
    unknown = _UNKNOWN[place.dialect]
    if not unknown.isdisjoint(known):
        known = {keyword: value for keyword, value in known.items() if keyword not in unknown}
    if known is schema:
        return place
    return Place(place.document, place.pointer, known, place.base, place.dialect)


def pointer_of(place: Place) -> str:
    """The place as losses and refusals name it: a pointer, after the name of the reference and `#` where it is in one."""
    document = place.document
    return f"{document.name or document.uri}#{place.pointer}" if document.number else place.pointer


class SchemaNavigator:
    """Finds subschemas of one schema and its references, and reports the losses there."""

    def __init__(self, document_index: DocumentIndex, losses: Losses) -> None:
        self._document_index = document_index
        self._losses = losses

    def below(self, place: Place, *path: str | int) -> Place:
        """The subschema at a path of keywords and numbers."""
        return modern(self._document_index.below(place, *path))

    def parts(self, place: Place) -> list[Place]:
        """The schema and the members of its allOf, nested ones and those behind references too, each once."""
        found: dict[tuple[int, str], Place] = {}
        todo = [place]
        while todo:
            part = todo.pop()
            key = (part.document.number, part.pointer)
            if key in found or not isinstance(part.schema, dict) or len(found) > MAX_PARTS:
                continue
            found[key] = part
            todo.extend(
                self.below(part, "allOf", i) for i in reversed(range(len(part.schema.get("allOf", ()))))
            )
            if "$ref" in part.schema and part is not place:
                todo.append(self.resolve(part))
        return list(found.values())

    def has_parts(self, place: Place) -> bool:
        """Whether an allOf describes members of an object."""
        return "allOf" in place.schema and any("properties" in part.schema for part in self.parts(place))

    def resolve(self, place: Place) -> Place:
        """The target of the `$ref` of a place. Raises ConversionRefused."""
        try:
            return modern(self._document_index.resolve(place.base, place.schema["$ref"]))
        except Unresolvable as error:
            raise ConversionRefused(join_pointer(pointer_of(place), "$ref"), str(error)) from None

    def report_unenforced(self, place: Place, skip: str = "") -> None:
        """Report the keywords that no other schema type can enforce."""
        schema = place.schema
        for keyword in ("anyOf", "oneOf", "allOf", "not", "if", "dependentSchemas", "dependentRequired", "dependencies",
                        "propertyNames", "contains", "unevaluatedProperties", "unevaluatedItems"):  # fmt: skip
            if (
                keyword in schema
                and keyword != skip
                and not (keyword == "propertyNames" and attribute.KEY in schema)
            ):
                self._losses.dropped(join_pointer(pointer_of(place), keyword), f"{keyword} is not enforced")


def is_only_alternatives(schema: Mapping[str, Any]) -> bool:
    """Whether an object is described by its anyOf or oneOf alone."""
    return ("anyOf" in schema or "oneOf" in schema) and not any(
        keyword in schema
        for keyword in ("properties", "additionalProperties", "patternProperties", "allOf", "required")
    )
