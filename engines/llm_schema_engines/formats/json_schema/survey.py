"""Collects what parsing needs of all subschemas of a document in one walk. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ...model.fast_init import fast_init
from .dialects import IN_PLACE
from .pointers import join_pointer
from .resources import REFERENCE_KEYWORDS, Place

_REFERENCES = frozenset(REFERENCE_KEYWORDS)
_PATTERNS = frozenset({"pattern", "patternProperties"})
_NAMING = ("properties", "$defs", "definitions")
_NAMES = frozenset({*_NAMING, "title"})
_COMBINATORS = IN_PLACE | _REFERENCES
_LOOKED_AT = _PATTERNS | _NAMES | _COMBINATORS | {"$schema"}


@fast_init
@dataclass(frozen=True, slots=True)
class Survey:
    """Subschemas in document order. `patterns`: regular expressions, each with its pointer. `referring`: those with a
    reference. `combining`: those that apply others to the value that they apply to, by references too. `declaring`: those with a
    dialect of their own. `names`: properties, definitions and titles, each once."""

    patterns: tuple[tuple[str, str], ...]
    referring: tuple[Place, ...]
    combining: tuple[Place, ...]
    declaring: tuple[Place, ...]
    names: tuple[str, ...]


def survey(places: Iterable[Place]) -> Survey:
    """One walk over all subschemas of a document."""
    patterns: list[tuple[str, str]] = []
    referring: list[Place] = []
    combining: list[Place] = []
    declaring: list[Place] = []
    names: dict[str, None] = {}
    for place in places:
        schema = place.schema
        if not isinstance(schema, dict) or _LOOKED_AT.isdisjoint(schema):
            continue  # most have nothing of all this
        if not _PATTERNS.isdisjoint(schema):
            patterns.extend(_patterns_of(place))
        if not _COMBINATORS.isdisjoint(schema):
            combining.append(place)
            if refers(place):
                referring.append(place)
        if schema.get("$schema") is not None:
            declaring.append(place)
        if not _NAMES.isdisjoint(schema):
            names.update(dict.fromkeys(_names_of(place)))
    return Survey(tuple(patterns), tuple(referring), tuple(combining), tuple(declaring), tuple(names))


def refers(place: Place) -> bool:
    """Whether a subschema itself has a keyword that refers to others."""
    return isinstance(place.schema, dict) and not _REFERENCES.isdisjoint(place.schema)


def _patterns_of(place: Place) -> list[tuple[str, str]]:
    """The regular expressions of a subschema itself, each with its pointer."""
    schema = place.schema
    if place.dialect.isolates_references and "$ref" in schema:
        return []
    out: list[tuple[str, str]] = []
    if isinstance(schema.get("pattern"), str):
        out.append((schema["pattern"], join_pointer(place.pointer, "pattern")))
    if isinstance(schema.get("patternProperties"), dict):
        out.extend(
            (p, join_pointer(place.pointer, "patternProperties", p)) for p in schema["patternProperties"]
        )
    return out


def _names_of(place: Place) -> list[str]:
    out: list[str] = []
    for keyword in _NAMING:
        held = place.schema.get(keyword)
        if isinstance(held, dict):
            out.extend(held)
    if isinstance(place.schema.get("title"), str):
        out.append(place.schema["title"])
    return out
