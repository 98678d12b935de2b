"""The dialects that the registry accepts, and which keyword holds what in each. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonschema_rs

from ...model.dialect import DEFAULT, URIS, Dialect

__all__ = ["DEFAULT", "URIS", "Dialect"]

VALIDATORS: Mapping[Dialect, type[jsonschema_rs.Validator]] = {
    Dialect.DRAFT_04: jsonschema_rs.Draft4Validator,
    Dialect.DRAFT_06: jsonschema_rs.Draft6Validator,
    Dialect.DRAFT_07: jsonschema_rs.Draft7Validator,
    Dialect.DRAFT_2019_09: jsonschema_rs.Draft201909Validator,
    Dialect.DRAFT_2020_12: jsonschema_rs.Draft202012Validator,
}

DRAFTS: Mapping[Dialect, int] = {
    Dialect.DRAFT_04: jsonschema_rs.Draft4,
    Dialect.DRAFT_06: jsonschema_rs.Draft6,
    Dialect.DRAFT_07: jsonschema_rs.Draft7,
    Dialect.DRAFT_2019_09: jsonschema_rs.Draft201909,
    Dialect.DRAFT_2020_12: jsonschema_rs.Draft202012,
}

_NAMES: Mapping[str, Dialect] = {
    "draft-04": Dialect.DRAFT_04,
    "draft4": Dialect.DRAFT_04,
    "draft-06": Dialect.DRAFT_06,
    "draft6": Dialect.DRAFT_06,
    "draft-07": Dialect.DRAFT_07,
    "draft7": Dialect.DRAFT_07,
    "2019-09": Dialect.DRAFT_2019_09,
    "draft2019-09": Dialect.DRAFT_2019_09,
    "2020-12": Dialect.DRAFT_2020_12,
    "draft2020-12": Dialect.DRAFT_2020_12,
}

_FOLDED: Mapping[str, Dialect] = {
    "json-schema.org/schema": DEFAULT,  # "the latest version", in old documents
    **{uri.removesuffix("#").partition("://")[2]: dialect for dialect, uri in URIS.items()},
}


def dialect_of(uri: str) -> Dialect | None:
    """The dialect that a `$schema` URI means: http or https, with or without the empty fragment or a slash at the end."""
    scheme, _, rest = uri.rstrip("#/").partition("://")
    return _FOLDED.get(rest) if scheme in ("http", "https") else None


def find_dialect(name: str) -> Dialect | None:
    """The dialect that a URI or a short name such as `draft-07` means, as settings write it."""
    return dialect_of(name.strip()) or _NAMES.get(name.strip().lower())


# Where subschemas stand. A keyword that a dialect does not know is an annotation: nothing below it is a schema.
_FIRST = frozenset({"additionalProperties", "not", "items", "additionalItems"})
_ONE = frozenset({"additionalProperties", "propertyNames", "contains", "not", "if", "then", "else"})
_MANY = frozenset({"allOf", "anyOf", "oneOf"})
_NAMED = frozenset({"properties", "patternProperties"})

SCHEMA_KEYWORDS: Mapping[Dialect, frozenset[str]] = {
    Dialect.DRAFT_04: _FIRST,
    Dialect.DRAFT_06: _FIRST | {"propertyNames", "contains"},
    Dialect.DRAFT_07: _ONE | {"items", "additionalItems"},
    Dialect.DRAFT_2019_09: _ONE
    | {"items", "additionalItems", "unevaluatedItems", "unevaluatedProperties", "contentSchema"},
    Dialect.DRAFT_2020_12: _ONE | {"items", "unevaluatedItems", "unevaluatedProperties", "contentSchema"},
}
SCHEMA_LIST_KEYWORDS: Mapping[Dialect, frozenset[str]] = {
    Dialect.DRAFT_04: _MANY | {"items"},
    Dialect.DRAFT_06: _MANY | {"items"},
    Dialect.DRAFT_07: _MANY | {"items"},
    Dialect.DRAFT_2019_09: _MANY | {"items"},
    Dialect.DRAFT_2020_12: _MANY | {"prefixItems"},
}
SCHEMA_MAP_KEYWORDS: Mapping[Dialect, frozenset[str]] = {
    Dialect.DRAFT_04: _NAMED | {"definitions", "dependencies"},
    Dialect.DRAFT_06: _NAMED | {"definitions", "dependencies"},
    Dialect.DRAFT_07: _NAMED | {"definitions", "dependencies"},
    Dialect.DRAFT_2019_09: _NAMED | {"$defs", "definitions", "dependentSchemas", "dependencies"},
    Dialect.DRAFT_2020_12: _NAMED | {"$defs", "definitions", "dependentSchemas", "dependencies"},
}

HOLDING_SCHEMAS: Mapping[Dialect, frozenset[str]] = {
    dialect: SCHEMA_KEYWORDS[dialect] | SCHEMA_LIST_KEYWORDS[dialect] | SCHEMA_MAP_KEYWORDS[dialect]
    for dialect in Dialect
}
"""All keywords below which subschemas stand."""

IN_PLACE = frozenset(
    {"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "dependencies"}
)
"""Keywords whose subschemas apply to the same value as the schema that holds them."""

ANNOTATIONS = frozenset(
    {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment"}
)
"""Standard keywords that never decide validity."""


_LATER: Mapping[Dialect, frozenset[str]] = {
    Dialect.DRAFT_04: frozenset(
        {"const", "contains", "propertyNames", "contentEncoding", "contentMediaType", "if", "then", "else"}
    ),
    Dialect.DRAFT_06: frozenset({"if", "then", "else"}),
}
"""Keywords of draft 7 that an older dialect does not know."""


def modernized(schema: Mapping[str, Any], dialect: Dialect) -> Mapping[str, Any]:
    """The keywords of one schema object that decide validity, written as draft 7 and later ones write them.

    Exclusive bounds of draft 4 are flags beside the bound (draft-fge-json-schema-validation-00, section 5.1); what a
    dialect does not know is left out, as is draft 4's `id`. Subschemas stay as they are.
    """
    later = _LATER.get(dialect)
    if later is None:
        return schema
    out = {keyword: value for keyword, value in schema.items() if keyword not in later}
    if dialect is Dialect.DRAFT_04:
        out.pop("id", None)
        for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
            if out.pop(exclusive, False) is True and bound in out:
                out[exclusive] = out.pop(bound)
    return out


def subschemas(schema: Mapping[str, Any], dialect: Dialect) -> list[tuple[str, str | int | None, Any]]:
    """The direct subschemas of a schema object in document order, each with the keyword that holds it and its name or number
    there, None where the keyword holds one alone."""
    if dialect.isolates_references and "$ref" in schema:
        # The siblings of $ref are ignored, but definitions under it can still be pointed at.
        held: Mapping[str, Any] = {k: v for k, v in schema.items() if k == "definitions"}
    else:
        held = schema
    out: list[tuple[str, str | int | None, Any]] = []
    maps, lists, ones = SCHEMA_MAP_KEYWORDS[dialect], SCHEMA_LIST_KEYWORDS[dialect], SCHEMA_KEYWORDS[dialect]
    for keyword, value in held.items():
        if keyword in maps:
            if isinstance(value, dict):
                for name, sub in value.items():
                    if isinstance(sub, dict) or sub is True or sub is False:
                        out.append((keyword, name, sub))
        elif isinstance(value, list):
            if keyword in lists:
                out.extend((keyword, i, sub) for i, sub in enumerate(value))
        elif keyword in ones:
            out.append((keyword, None, value))
    return out
