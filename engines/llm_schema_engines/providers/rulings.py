"""What one profile says of each keyword and shape, put into words once for all places and all schemas. Pure."""

from __future__ import annotations

import enum

from ..formats.json_schema import dialects
from .conditions import Site
from .findings import ProfileFinding, finding
from .profile import Cell, Profile, Support

ANNOTATIONS = dialects.ANNOTATIONS | {
    *("$schema", "$vocabulary", "$defs", "definitions"),
    *("$id", "id", "$anchor", "$dynamicAnchor", "$recursiveAnchor"),
}
"""Keywords that no answer can break: to leave them unenforced is no loss."""
_KEPT = ANNOTATIONS | {
    *(
        "type",
        "properties",
        "required",
        "additionalProperties",
        "patternProperties",
        "propertyNames",
        "items",
    ),
    *(
        "prefixItems",
        "anyOf",
        "oneOf",
        "allOf",
        "not",
        "if",
        "then",
        "else",
        "$ref",
        "enum",
        "const",
        "format",
    ),
    *("pattern", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    *("multipleOf", "minItems", "maxItems", "uniqueItems", "contains", "minProperties", "maxProperties"),
}
"""Common keywords, about which an answer is kept also where the profile does not list them."""
MAX_KEYWORD = 80
"""Characters of a keyword that are shown."""
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


class Silence(enum.Enum):
    """In the place of a finding. NOTHING: there is none. DEPENDS: that depends on the site."""

    NOTHING = "NOTHING"
    DEPENDS = "DEPENDS"


NOTHING, DEPENDS = Silence.NOTHING, Silence.DEPENDS
Said = ProfileFinding | Silence
"""A finding without its pointer, or none."""


class Rulings:
    """A profile, ready to check many schemas. What it answers about shapes, about keywords that the profile lists and about common ones
    is kept; other keywords are as many as callers make up."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self._whole = None if profile.enforces else profile.enforcement
        self.whole: Said = NOTHING if self._whole is None else self._enforcement(self._whole)
        """Of a schema, whatever it holds: said once, not for each keyword."""
        self.keywords: dict[str, Said] = {}
        """What `keyword` has answered and keeps."""
        self.shapes: dict[str, Said] = {}
        """What `shape` has answered."""
        self._cases: dict[tuple[str, int], tuple[Cell, Said]] = {}
        self.remote = _remote(profile)
        """Of a reference that leads into another document."""

    def keyword(self, word: str) -> Said:
        """Of a keyword wherever it stands."""
        said = self.keywords.get(word)
        if said is None:
            cell = self.profile.plain_cell(word)
            said = DEPENDS if cell is None else self._said(word, cell)
            if word in _KEPT or word in self.profile.keywords:
                self.keywords[word] = said
        return said

    def site(self, site: Site) -> Said:
        """Of a keyword where it stands."""
        cell = self.profile.cell(site)
        key = (site.keyword, id(cell))
        kept = self._cases.get(key)
        if kept is None:  # with the cell, so that its id stays its own
            kept = self._cases[key] = cell, self._said(site.keyword, cell)
        return kept[1]

    def shape(self, rule: str) -> Said:
        """Of a shape of profile.STRUCTURE."""
        said = self.shapes.get(rule)
        if said is None:
            said = self.shapes[rule] = self._shape(rule)
        return said

    def _enforcement(self, cell: Cell) -> ProfileFinding:
        return finding(self.profile, cell, "", "enforcement", "the schema as a whole")

    def _said(self, word: str, cell: Cell) -> Said:
        support, whole = cell.support, self._whole
        if whole is not None and support in (Support.ACCEPTED, whole.support):
            return NOTHING
        if support is Support.ENFORCED or (
            word in ANNOTATIONS and support in (Support.ACCEPTED, Support.IGNORED)
        ):
            return NOTHING
        shown = word[:MAX_KEYWORD]
        return finding(self.profile, cell, "", f"keyword/{shown}", f"`{shown}`", shown)

    def _shape(self, rule: str) -> Said:
        cell = shape_cell(self.profile, rule)
        if self._whole is not None and cell.support is self._whole.support:
            return NOTHING
        if cell.support in (Support.ENFORCED, Support.ACCEPTED, Support.IGNORED):
            return NOTHING
        return finding(self.profile, cell, "", f"shape/{rule}", _SHAPES[rule])


def shape_cell(profile: Profile, rule: str) -> Cell:
    """What the provider does with a shape; where a profile enforces nothing and takes every keyword, it takes every shape."""
    if rule not in profile.structure and profile.unlisted.support is Support.ACCEPTED:
        return profile.unlisted
    return profile.shape(rule)


def _remote(profile: Profile) -> ProfileFinding:
    message = (
        f"a reference to another document, or by its identifier, cannot be sent: {profile.provider} gets one schema "
        "and opens no address; the compiled form has everything in one document"
    )
    return ProfileFinding("", "$ref", "keyword/$ref", Support.REJECTED, message)
