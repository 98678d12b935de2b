"""Checks a JSON Schema, as it stands, against the profile of a provider. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from ..formats.json_schema.compiled import OpenedSchema
from ..formats.json_schema.dialects import subschemas
from ..formats.json_schema.pointers import MAX_SHOWN, join_pointer
from ..formats.json_schema.resources import REFERENCE_KEYWORDS, Place, Unresolvable
from .conditions import Site, stated_types
from .findings import MOST_FINDINGS, Budget, Fit, ProfileFinding, ProfileReport, finding, gravest, gravity
from .measures import measure
from .places import all_places
from .profile import Cell, Limit, Profile, Support
from .rulings import DEPENDS, MAX_KEYWORD, NOTHING, Rulings

_OBJECT_WORDS = frozenset(
    {"properties", "patternProperties", "additionalProperties", "required", "propertyNames"}
)
_SAYS_TYPE = frozenset(
    {"type", "$ref", "enum", "const", "anyOf", "oneOf", "allOf", "$dynamicRef", "$recursiveRef"}
)
_REFERENCES = frozenset(REFERENCE_KEYWORDS)
_UNIONS = ("anyOf", "oneOf", "allOf")
Shape = tuple[str, str]
"""A rule of profile.STRUCTURE, and the pointer where it applies."""


class Survey:
    """What all profiles are asked about one schema, found once.

    Where a keyword stands, and where a shape is, has a number: keywords first, in the order of the subschemas, then shapes.
    """

    def __init__(self, opened: OpenedSchema) -> None:
        self.opened = opened
        self.places = all_places(opened)
        self.keywords: dict[str, list[int]] = {}
        """All keywords, with the numbers of their sites; of $ref, those that lead into the document."""
        self.remote: list[int] = []
        """The numbers of the $ref that lead into other documents."""
        self.shapes: dict[str, list[int]] = {}
        self.counts = measure((place.pointer, place.schema) for place in self.places)
        self._sites: list[tuple[Place, str]] = []
        self._shapes: list[Shape] = []
        self._made: dict[int, Site] = {}
        self._nested: set[int] = set()
        self.size = 0
        """Where the numbers end."""
        self._number()

    def _number(self) -> None:
        sites, keywords, shapes = self._sites, self.keywords, self._shapes
        refers = False
        for place in self.places:
            schema = place.schema
            if isinstance(schema, dict):
                for word in schema:
                    if word in keywords:
                        keywords[word].append(len(sites))
                    else:
                        keywords[word] = [len(sites)]
                    sites.append((place, word))
                refers = refers or not _REFERENCES.isdisjoint(schema)
            shapes.extend(shapes_of(place))
        if refers:  # else nothing can lead back
            shapes += [("recursion", pointer) for pointer in recursive_references(self.opened, self.places)]
            self._sort_references()
        self.size = len(sites) + len(shapes)
        for number, (rule, _) in enumerate(shapes, len(sites)):
            self.shapes.setdefault(rule, []).append(number)

    def _sort_references(self) -> None:
        own = []
        for number in self.keywords.get("$ref", ()):
            place = self._sites[number][0]
            kind = reference_kind(self.opened, place, place.schema["$ref"])
            if kind == "remote":
                self.remote.append(number)
                continue
            own.append(number)
            if kind == "nested":
                self._nested.add(number)
        if "$ref" in self.keywords:
            self.keywords["$ref"] = own

    def site(self, number: int) -> Site:
        """Of a keyword, by its number."""
        made = self._made.get(number)
        if made is None:
            place, word = self._sites[number]
            schema = place.schema
            made = Site(word, schema[word], schema, not place.pointer, number in self._nested)
            self._made[number] = made
        return made

    def placed(self, number: int, found: ProfileFinding) -> ProfileFinding:
        """The finding where a keyword or a shape is; as it is for a number of neither."""
        keywords = len(self._sites)
        if 0 <= number < keywords:
            place, word = self._sites[number]
            return found.at(_shown(join_pointer(place.pointer, word[:MAX_KEYWORD])))
        if keywords <= number < self.size:
            return found.at(_shown(self._shapes[number - keywords][1]))
        return found


Group = tuple[ProfileFinding, Sequence[int]]
"""A finding, and the numbers of where it is to be found; see Survey.placed."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A ProfileReport in short: its fit, the first of the gravest findings, and how many it has."""

    fit: Fit
    gravest: ProfileFinding | None
    findings: int


def check_profile(opened: OpenedSchema | Survey, profile: Profile | Rulings, name: str = "") -> ProfileReport:
    """What the provider does with the schema as it stands. opened: a Survey where several profiles are asked about one schema. profile:
    Rulings where one profile is asked about several. name: of the tool, "" when it is not known.

    The work is linear in the size of the schema. What other documents say is not looked at: a reference to one is refused.
    """
    survey = opened if isinstance(opened, Survey) else Survey(opened)
    rulings = profile if isinstance(profile, Rulings) else Rulings(profile)
    found = [(number, one) for one, numbers in _groups(survey, rulings, name) for number in numbers]
    found.sort(key=itemgetter(0))
    kept = gravest([one for _, one in found])
    asked = rulings.profile
    return ProfileReport(
        asked.id,
        asked.version,
        max((one for _, one in found), key=gravity).fit if found else Fit.FITS,
        tuple(survey.placed(*found[n]) for n in kept),
        tuple(
            Budget(limit.measure, survey.counts[limit.measure][0], limit.most, limit.per_request)
            for limit in asked.limits
        ),
        concerned(asked, survey.keywords.keys()),
        len(found) > len(kept),
    )


def sum_up(survey: Survey, rulings: Rulings) -> Summary:
    """What `check_profile` finds, of which no more than one finding is written out."""
    groups = _groups(survey, rulings)
    if not groups:
        return Summary(Fit.FITS, None, 0)
    one, numbers = min(groups, key=_gravest_first)
    count = min(sum(len(places) for _, places in groups), MOST_FINDINGS)
    return Summary(one.fit, survey.placed(numbers[0], one), count)


def _gravest_first(group: Group) -> tuple[int, int]:
    return -gravity(group[0]), group[1][0]


def _groups(survey: Survey, rulings: Rulings, name: str = "") -> list[Group]:
    """All findings, in no order; the places of each in theirs."""
    out: list[Group] = []
    whole, kept = rulings.whole, rulings.keywords
    if isinstance(whole, ProfileFinding):
        out.append((whole, (-1,)))
    if survey.remote:
        out.append((rulings.remote, survey.remote))
    for word, numbers in survey.keywords.items():
        said = kept.get(word) or rulings.keyword(word)
        if said is NOTHING or not numbers:
            continue
        if said is DEPENDS:
            out += _one_by_one(survey, rulings, numbers)
        elif isinstance(said, ProfileFinding):
            out.append((said, numbers))
    for rule, numbers in survey.shapes.items():
        said = rulings.shapes.get(rule) or rulings.shape(rule)
        if isinstance(said, ProfileFinding):
            out.append((said, numbers))
    after = survey.size
    for limit in rulings.profile.limits:
        used, pointer = survey.counts[limit.measure]
        if used > limit.most:
            out.append((_exceeded(rulings.profile, limit, used, pointer), (after,)))
            after += 1
    if name:
        out += [(one, (after,)) for one in check_name(rulings.profile, name)]
    return out


def _one_by_one(survey: Survey, rulings: Rulings, numbers: Iterable[int]) -> Iterator[Group]:
    for number in numbers:
        said = rulings.site(survey.site(number))
        if isinstance(said, ProfileFinding):
            yield said, (number,)


def _exceeded(profile: Profile, limit: Limit, used: int, pointer: str) -> ProfileFinding:
    cell = Cell(Support.REJECTED, limit.cell.basis, limit.cell.source, limit.cell.as_of, limit.cell.note)
    words = limit.measure.replace("_", " ")
    subject = (
        f"{used} {words}, where at most {limit.most} are taken{' in a request' if limit.per_request else ''},"
    )
    return finding(profile, cell, pointer, f"limit/{limit.measure}", subject)


def concerned(profile: Profile, keywords: AbstractSet[str]) -> tuple[str, ...]:
    """What the provider does not guarantee for a schema with these keywords."""
    return tuple(
        entry.text
        for entry in profile.not_guaranteed
        if not entry.keywords or any(word in keywords for word in entry.keywords)
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
    done = _without_references(places)
    open_: set[tuple[int, str]] = set()
    found: list[str] = []
    stack: list[tuple[Place, Iterator[tuple[Place, str]]]] = []

    def enter(place: Place) -> None:
        open_.add(place.key)
        stack.append((place, _edges(opened, place, done)))

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


def _without_references(places: list[Place]) -> set[tuple[int, str]]:
    """The keys of the places with no reference in them or below: they lead nowhere."""
    leading: set[str] = set()  # all places are of one document
    for place in places:
        if isinstance(place.schema, dict) and not _REFERENCES.isdisjoint(place.schema):
            pointer = place.pointer
            while pointer not in leading:
                leading.add(pointer)
                pointer = pointer.rpartition("/")[0]
    return {place.key for place in places if place.pointer not in leading}


def _edges(
    opened: OpenedSchema, place: Place, done: AbstractSet[tuple[int, str]]
) -> Iterator[tuple[Place, str]]:
    """The places that a place leads to, each with the pointer of the reference, "" for a subschema; without subschemas that are
    `done`."""
    index = opened.document_index
    if not isinstance(place.schema, dict):
        return
    for word, name, _ in subschemas(place.schema, place.dialect):
        if word not in ("$defs", "definitions"):
            tokens = (word,) if name is None else (word, name)
            if (place.document.number, join_pointer(place.pointer, *tokens)) not in done:
                yield index.below(place, *tokens), ""
    for word in ("$ref", "$dynamicRef", "$recursiveRef"):
        reference = place.schema.get(word)
        if isinstance(reference, str):
            try:
                yield index.resolve(place.base, reference), join_pointer(place.pointer, word)
            except Unresolvable:
                continue


def _shown(pointer: str) -> str:
    return pointer if len(pointer) <= MAX_SHOWN else pointer[: MAX_SHOWN - 3] + "..."
