"""What one provider does with each keyword, as data: a profile with its cells, limits, names and envelopes. Pure.

A profile is a JSON document (`data/*.json`, or a user's own). Each cell says what the provider does, since when that is known,
from which source, and how: documented by the vendor, observed against its service, measured here, or inferred. What nobody
has said is UNKNOWN, a value like the others.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .conditions import Site, When

STRUCTURE = (
    "root_any",
    "root_union",
    "open_object",
    "typed_map",
    "optional_property",
    "no_required",
    "untyped",
    "untyped_items",
    "type_list",
    "recursion",
    "reference_siblings",
)
"""What a profile may say beside its keywords, each about a shape of schema:

root_any: the root is no object. root_union: the root has anyOf, oneOf or allOf. open_object: an object allows properties that
it does not declare. typed_map: additionalProperties holds a schema. optional_property: a declared property is not required.
no_required: an object requires nothing. untyped: a schema says no type. untyped_items: an array says nothing of its items.
type_list: `type` is a list. recursion: a schema refers to itself. reference_siblings: keywords stand beside $ref.
"""
MEASURES = (
    "properties",
    "nesting",
    "enum_values",
    "long_enum_characters",
    "name_characters",
    "strict_tools",
    "optional_parameters",
    "union_parameters",
    "max_items_sum",
    "fields",
    "tools",
)
"""What a limit may count; `measures.py` says how."""


class Support(enum.StrEnum):
    """What a provider does with a keyword or a shape.

    ENFORCED: its answers obey it. ACCEPTED: it takes it, and its answers need not obey. IGNORED: it drops it without a word.
    RESTRICTED: it takes it, and its answers use less than it allows. REJECTED: it refuses the whole request. UNKNOWN: no
    source says.
    """

    ENFORCED = "ENFORCED"
    ACCEPTED = "ACCEPTED"
    IGNORED = "IGNORED"
    RESTRICTED = "RESTRICTED"
    REJECTED = "REJECTED"
    UNKNOWN = "UNKNOWN"


class Basis(enum.StrEnum):
    """How it is known. NONE: it is not known at all."""

    DOCUMENTED = "DOCUMENTED"
    OBSERVED = "OBSERVED"
    MEASURED = "MEASURED"
    INFERRED = "INFERRED"
    NONE = "NONE"


class KeyOrder(enum.StrEnum):
    """In which order a provider's answers have their keys: as `properties` declares them; the required ones first; as `required`
    lists them."""

    SCHEMA = "SCHEMA"
    REQUIRED_FIRST = "REQUIRED_FIRST"
    REQUIRED_ORDER = "REQUIRED_ORDER"
    UNKNOWN = "UNKNOWN"


class WhenUnknown(enum.StrEnum):
    """What compiling does with what is UNKNOWN: leave it out of the request, or send it and trust nothing."""

    DROP = "DROP"
    KEEP = "KEEP"


@dataclass(frozen=True, slots=True)
class Cell:
    """What a provider does in one case. as_of: the day, YYYY-MM-DD, on which it was known. note: for people."""

    support: Support
    basis: Basis
    source: str
    as_of: str
    note: str = ""
    when: When | None = None
    """The case; None is all that no cell before it was about."""


Cells = tuple[Cell, ...]
"""The cases of one keyword, the first that applies counts; the last one has no condition."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a cell comes from."""

    title: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Limit:
    """A number that a request may not exceed. per_request: summed over all schemas of a request, of which one schema is a part."""

    measure: str
    most: int
    per_request: bool
    cell: Cell
    floor: bool = False
    """Whether it is only the smallest number that was seen to fail."""


@dataclass(frozen=True, slots=True)
class NameRule:
    """What the name of a tool may be: a regular expression for the whole name, and the most characters (0: not known)."""

    pattern: str
    most: int
    cell: Cell


@dataclass(frozen=True, slots=True)
class NotGuaranteed:
    """Something that even an enforced schema does not promise. keywords: only schemas with one of them are concerned; empty: all."""

    text: str
    cell: Cell
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Profile:
    """A provider's dialect. `id` and `version` name it; `as_of` is the newest date in it.

    enforcement: whether answers are held to the schema at all. envelopes: surface (`tool`, `response`, ...) -> JSON in which
    "$name", "$description", "$schema" and "$schema_text" stand for what is sent.
    """

    id: str
    version: int
    title: str
    provider: str
    as_of: str
    enforcement: Cell
    when_unknown: WhenUnknown
    key_order: tuple[KeyOrder, Cell]
    unlisted: Cell
    sources: Mapping[str, Source]
    keywords: Mapping[str, Cells]
    structure: Mapping[str, Cell]
    limits: tuple[Limit, ...]
    tool_name: NameRule | None
    property_name: NameRule | None
    not_guaranteed: tuple[NotGuaranteed, ...]
    envelopes: Mapping[str, Any]
    null_form: str = "union"
    """How null is allowed beside other values: "union" (a type list or anyOf) or "nullable" (the keyword of OpenAPI 3.0)."""
    document: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """The JSON document that it was read from."""

    @property
    def enforces(self) -> bool:
        """Whether the provider holds its answers to any part of a schema."""
        return self.enforcement.support is Support.ENFORCED

    def cell(self, site: Site) -> Cell:
        """What the provider does with a keyword where it stands."""
        for cell in self.keywords.get(site.keyword, ()):
            if cell.when is None or cell.when.holds(site):
                return cell
        return self.unlisted

    def plain_cell(self, keyword: str) -> Cell | None:
        """What `cell` answers for a keyword wherever it stands; None when that depends on the site."""
        cells = self.keywords.get(keyword)
        if not cells:
            return self.unlisted
        return cells[0] if cells[0].when is None else None

    def shape(self, rule: str) -> Cell:
        """What the provider does with a shape of STRUCTURE; UNKNOWN when the profile does not say."""
        return self.structure.get(rule) or Cell(Support.UNKNOWN, Basis.NONE, "", self.as_of)


_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")


def is_profile_id(name: str) -> bool:
    """Whether a text may name a profile: 1 to 64 lower case letters, digits, dots and hyphens."""
    return _NAME.fullmatch(name) is not None
