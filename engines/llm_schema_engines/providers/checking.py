"""Checks a JSON Schema, as it stands, against the profile of a provider. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..formats.json_schema.compiled import OpenedSchema
from ..formats.json_schema.dialects import subschemas
from ..formats.json_schema.pointers import MAX_SHOWN, join_pointer
from ..formats.json_schema.resources import Place, Unresolvable
from .conditions import Site, stated_types
from .findings import Budget, ProfileFinding, ProfileReport, finding, gravest, worst
from .measures import measure
from .places import all_places
from .profile import Cell, Profile, Support

ANNOTATIONS = frozenset(
    {
        "title",
        "description",
        "default",
        "examples",
        "deprecated",
        "readOnly",
        "writeOnly",
        "$comment",
        "$schema",
    }
    | {"$defs", "definitions", "$id", "id", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$vocabulary"}
)
"""Keywords that no answer can break: to leave them unenforced is no loss."""
_OBJECT_WORDS = frozenset(
    {"properties", "patternProperties", "additionalProperties", "required", "propertyNames"}
)
_SAYS_TYPE = frozenset(
    {"type", "$ref", "enum", "const", "anyOf", "oneOf", "allOf", "$dynamicRef", "$recursiveRef"}
)
_UNIONS = ("anyOf", "oneOf", "allOf")
_SHAPES = {
    "root_any": "a root that is no object",
    "root_union": "a root with anyOf, oneOf or allOf",
    "open_object": "an object that may have properties which it does not declare",
    "typed_map": "additionalProperties with a schema",
    "optional_property": "a property that is not required",
    "no_required": "an object that requires no property",
    "untyped": "a schema that states no type",
    "untyped_items": "an array that says nothing of its items",
    "type_list": "`type` with a list",
    "recursion": "a schema that refers to itself",
    "reference_siblings": "a keyword beside $ref",
}
Shape = tuple[str, str]
"""A rule of profile.STRUCTURE, and the pointer where it applies."""


class Survey:
    """What all profiles are asked about one schema, found once."""

    def __init__(self, opened: OpenedSchema) -> None:
        self.opened = opened
        self.places = all_places(opened)
        self.shapes = [shape for place in self.places for shape in shapes_of(place)]
        self.shapes += [("recursion", pointer) for pointer in recursive_references(opened, self.places)]
        self.counts = measure((place.pointer, place.schema) for place in self.places)
        self.words = {word for p in self.places if isinstance(p.schema, dict) for word in p.schema}


def check_profile(opened: OpenedSchema | Survey, profile: Profile, name: str = "") -> ProfileReport:
    """What the provider does with the schema as it stands. opened: a Survey where several profiles are asked about one schema. name: of the tool, "" when it is not known.

    The work is linear in the size of the schema. What other documents say is not looked at: a reference to one is refused.
    """
    survey = opened if isinstance(opened, Survey) else Survey(opened)
    found = [*_keywords(survey.opened, profile, survey.places), *_shapes(survey, profile)]
    budgets = []
    counts = survey.counts
    for limit in profile.limits:
        used, pointer = counts[limit.measure]
        budgets.append(Budget(limit.measure, used, limit.most, limit.per_request))
        if used > limit.most:
            cell = Cell(
                Support.REJECTED, limit.cell.basis, limit.cell.source, limit.cell.as_of, limit.cell.note
            )
            words = limit.measure.replace("_", " ")
            subject = f"{used} {words}, where at most {limit.most} are taken{' in a request' if limit.per_request else ''},"
            found.append(finding(profile, cell, pointer, f"limit/{limit.measure}", subject))
    if name:
        found.extend(check_name(profile, name))
    return ProfileReport(
        profile.id,
        profile.version,
        worst(tuple(found)),
        gravest(found),
        tuple(budgets),
        concerned(profile, survey.words),
        len(found) > len(gravest(found)),
    )


def concerned(profile: Profile, keywords: set[str]) -> tuple[str, ...]:
    """What the provider does not guarantee for a schema with these keywords."""
    return tuple(
        entry.text
        for entry in profile.not_guaranteed
        if not entry.keywords or not keywords.isdisjoint(entry.keywords)
    )


def check_name(profile: Profile, name: str) -> Iterator[ProfileFinding]:
    """Whether a tool may have this name."""
    rule = profile.tool_name
    if rule is None:
        return
    cell = Cell(Support.REJECTED, rule.cell.basis, rule.cell.source, rule.cell.as_of, rule.cell.note)
    shown = repr(name[:80])
    if rule.pattern and not re.fullmatch(rule.pattern, name):
        yield finding(profile, cell, "", "name/tool", f"the name {shown}, which is not {rule.pattern},")
    elif rule.most and len(name) > rule.most:
        yield finding(
            profile, cell, "", "name/tool", f"the name {shown} of {len(name)} characters, above {rule.most},"
        )


def _keywords(opened: OpenedSchema, profile: Profile, places: list[Place]) -> Iterator[ProfileFinding]:
    whole = None if profile.enforces else profile.enforcement
    if whole is not None:  # said once, not for each keyword
        yield finding(profile, whole, "", "enforcement", "the schema as a whole")
    for place in places:
        if not isinstance(place.schema, dict):
            continue
        for word, value in place.schema.items():
            nested = False
            if word == "$ref":
                kind = reference_kind(opened, place, value)
                if kind == "remote":
                    yield _remote(profile, place)
                    continue
                nested = kind == "nested"
            cell = profile.cell(Site(word, value, place.schema, not place.pointer, nested))
            if whole is not None and cell.support in (Support.ACCEPTED, whole.support):
                continue
            if cell.support is Support.ENFORCED or (
                word in ANNOTATIONS and cell.support in (Support.ACCEPTED, Support.IGNORED)
            ):
                continue
            shown = word[:80]
            yield finding(
                profile,
                cell,
                _shown(join_pointer(place.pointer, shown)),
                f"keyword/{shown}",
                f"`{shown}`",
                shown,
            )


def reference_kind(opened: OpenedSchema, place: Place, reference: Any) -> str:
    """ "remote": into another document or by a URI that the provider would have to know. "nested": into something other than a
    definition of the root. "local": the root or a definition."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return "remote"
    try:
        target = opened.document_index.resolve(place.base, reference)
    except Unresolvable:
        return "remote"
    if target.document.number != opened.root.document.number:
        return "remote"
    tokens = reference[1:].split("/")
    if not reference[1:] or (len(tokens) == 3 and tokens[0] == "" and tokens[1] == "$defs"):
        return "local"
    return "nested"


def _remote(profile: Profile, place: Place) -> ProfileFinding:
    message = (
        f"a reference to another document, or by its identifier, cannot be sent: {profile.provider} gets one schema "
        "and opens no address; the compiled form has everything in one document"
    )
    return ProfileFinding(
        _shown(join_pointer(place.pointer, "$ref")), "$ref", "keyword/$ref", Support.REJECTED, message
    )


def _shapes(survey: Survey, profile: Profile) -> Iterator[ProfileFinding]:
    for rule, pointer in survey.shapes:
        yield from _shape(profile, rule, pointer)


def _shape(profile: Profile, rule: str, pointer: str) -> Iterator[ProfileFinding]:
    cell = shape_cell(profile, rule)
    if not profile.enforces and cell.support is profile.enforcement.support:
        return
    if cell.support not in (Support.ENFORCED, Support.ACCEPTED, Support.IGNORED):
        yield finding(profile, cell, _shown(pointer), f"shape/{rule}", _SHAPES[rule])


def shape_cell(profile: Profile, rule: str) -> Cell:
    """What the provider does with a shape; where a profile enforces nothing and takes every keyword, it takes every shape."""
    if rule not in profile.structure and profile.unlisted.support is Support.ACCEPTED:
        return profile.unlisted
    return profile.shape(rule)


def shapes_of(place: Place) -> Iterator[Shape]:
    """The shapes of one subschema; recursion is seen only from the whole."""
    schema, pointer = place.schema, place.pointer
    if schema is True:
        yield "untyped", pointer
    if not isinstance(schema, dict):
        return
    types = stated_types(schema)
    if not pointer:
        if types != ("object",):
            yield "root_any", pointer
        if any(word in schema for word in _UNIONS):
            yield "root_union", pointer
    if "object" in types or (not types and not _OBJECT_WORDS.isdisjoint(schema)):
        yield from _object_shapes(schema, pointer)
    if _SAYS_TYPE.isdisjoint(schema):
        yield "untyped", pointer
    if "array" in types and "items" not in schema and "prefixItems" not in schema:
        yield "untyped_items", pointer
    if isinstance(schema.get("type"), list):
        yield "type_list", join_pointer(pointer, "type")
    if "$ref" in schema and any(not word.startswith("$") for word in schema):
        yield "reference_siblings", join_pointer(pointer, "$ref")


def _object_shapes(schema: dict[str, Any], pointer: str) -> Iterator[Shape]:
    extra = schema.get("additionalProperties", True)
    if extra is True or extra == {}:
        yield "open_object", pointer
    elif extra is not False:
        yield "typed_map", join_pointer(pointer, "additionalProperties")
    properties, required = schema.get("properties"), schema.get("required")
    if isinstance(properties, dict) and properties:
        wanted = set(required) if isinstance(required, list) else set()
        for name in properties:
            if name not in wanted:
                yield "optional_property", join_pointer(pointer, "properties", name)
        if not wanted:
            yield "no_required", pointer


def recursive_references(opened: OpenedSchema, places: list[Place]) -> list[str]:
    """Pointers of the references, in the root document, through which a schema leads back to itself. places: all of it."""
    root = opened.root
    done: set[tuple[int, str]] = set()
    open_: set[tuple[int, str]] = set()
    found: list[str] = []
    stack: list[tuple[Place, Iterator[tuple[Place, str]]]] = []

    def enter(place: Place) -> None:
        open_.add(place.key)
        stack.append((place, _edges(opened, place)))

    for start in (root, *places):
        if start.key in done or start.key in open_:
            continue
        enter(start)
        while stack:
            place, edges = stack[-1]
            target, reference = next(edges, (None, ""))
            if target is None:
                stack.pop()
                open_.discard(place.key)
                done.add(place.key)
            elif target.key in open_:
                if reference and place.document.number == root.document.number:
                    found.append(reference)
            elif target.key not in done:
                enter(target)
    return list(dict.fromkeys(found))


def _edges(opened: OpenedSchema, place: Place) -> Iterator[tuple[Place, str]]:
    """The places that a place leads to, each with the pointer of the reference, "" for a subschema."""
    index = opened.document_index
    if not isinstance(place.schema, dict):
        return
    for word, name, _ in subschemas(place.schema, place.dialect):
        if word not in ("$defs", "definitions"):
            yield index.child(place, word, name), ""
    for word in ("$ref", "$dynamicRef", "$recursiveRef"):
        reference = place.schema.get(word)
        if isinstance(reference, str):
            try:
                yield index.resolve(place.base, reference), join_pointer(place.pointer, word)
            except Unresolvable:
                continue


def _shown(pointer: str) -> str:
    return pointer if len(pointer) <= MAX_SHOWN else pointer[: MAX_SHOWN - 3] + "..."
