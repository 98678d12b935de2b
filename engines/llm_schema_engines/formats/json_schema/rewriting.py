"""Documents as the validator is given them: rewritten where it departs from the specification. Pure.

jsonschema-rs 0.60 heeds `$schema` where it does not count, knows only one spelling of it, and finds an identifier only as the
declared dialect writes it, and also where it is ignored, beside a `$ref` of draft 7 and older ones (draft-handrews-json-schema-01,
section 8.3); it skips a reference that is empty; it follows `$ref` to a `$dynamicAnchor` as if it were dynamic
(2020-12 core, section 8.2.3.1: it is not); and in 2019-09 it lets `unevaluatedItems` see what `contains` has matched (2019-09
core, section 9.3.1.3: it does not). What it is given instead means the same and is free of these.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from .declared_dialects import counts
from .dialects import Dialect
from .resources import REFERENCE_KEYWORDS, DocumentIndex, Place, Unresolvable
from .uris import resolve_uri, split_fragment

CONTAINS_MARK = "contains, without annotations"
"""`$comment` of a schema that holds a `contains` of 2019-09; see data_issues."""
_IDENTIFIERS = {"$id", "id"}
_COUNTED = ("contains", "minContains", "maxContains")
_SUSPECT = re.compile(
    rb"""\\u00(?:24|[67])  # an escape that may hide a keyword
    | Ref"\s*:\s*""         # an empty $dynamicRef or $recursiveRef
    | \$ref"\s*:\s*""       # an empty $ref
    | \$dynamicAnchor
    """,
    re.VERBOSE | re.IGNORECASE,
)

_SUSPICIOUS = (rb"\u00", b'""', b"$dynamicAnchor")
"""One of these is in every text in which _SUSPECT finds something; to look for them is far quicker."""


def is_plain(text: bytes, content: Any, dialect: Dialect) -> bool:
    """Whether the validator reads the document right as it stands; False when a look at the text does not tell.

    content: the parsed text.
    """
    declared = content.get("$schema") if isinstance(content, dict) else None
    return (
        declared in (None, dialect.uri)
        and text.count(b"$schema") == (declared is not None)
        and not (any(part in text for part in _SUSPICIOUS) and _SUSPECT.search(text))
        and not (
            dialect.isolates_references and b'"$ref"' in text and _identifies_inside(text, content, dialect)
        )
        and not (dialect is Dialect.DRAFT_2019_09 and b'"contains"' in text)
    )


def _identifies_inside(text: bytes, content: Any, dialect: Dialect) -> bool:
    """Whether an identifier may stand below the root, or beside a reference."""
    at_root = isinstance(content, dict) and dialect.identifier in content and "$ref" not in content
    return text.count(b'"%s"' % dialect.identifier.encode()) > at_root


def rewritten(document_index: DocumentIndex, root: Place) -> Any:
    """The content of a document as the validator needs it, with integral numbers as ints."""
    changed: dict[int, Mapping[str, Any]] = {}
    for place in document_index.walk(root):
        schema = place.schema
        if isinstance(schema, dict):
            changes = _changed(document_index, place)
            if changes is not schema:
                changed[id(schema)] = changes
    return plain(root.schema, changed)


def _changed(document_index: DocumentIndex, place: Place) -> Mapping[str, Any]:
    schema: Mapping[str, Any] = place.schema
    if not place.pointer or "$schema" in schema:
        schema = _with_dialect(document_index, place)
    if place.dialect.isolates_references and "$ref" in schema and schema.keys() & _IDENTIFIERS:
        schema = {keyword: value for keyword, value in schema.items() if keyword not in _IDENTIFIERS}
    for keyword in REFERENCE_KEYWORDS:
        reference = schema.get(keyword)
        if isinstance(reference, str):
            static = _static(document_index, place, keyword, reference)
            if static != reference:
                schema = {**schema, keyword: static}
    if place.dialect is Dialect.DRAFT_2019_09 and "contains" in schema:
        schema = _without_annotation(schema)
    return schema


def _with_dialect(document_index: DocumentIndex, place: Place) -> Mapping[str, Any]:
    """Only with a `$schema` that counts, and an identifier as the dialect writes it."""
    out = {keyword: value for keyword, value in place.schema.items() if keyword != "$schema"}
    if not counts(document_index, place):
        return out
    identifier = out.get("$id", out.get("id"))
    if place.pointer and identifier is not None:
        out.setdefault(place.dialect.identifier, identifier)
    return {"$schema": place.dialect.uri, **out}


def _static(document_index: DocumentIndex, place: Place, keyword: str, reference: str) -> str:
    """A reference that the validator follows as the specification says."""
    if not reference:
        return "#"  # RFC 3986, section 4.4: the document itself
    uri, fragment = split_fragment(resolve_uri(place.base, reference))
    if keyword != "$ref" or not fragment or fragment.startswith("/"):
        return reference
    try:
        target = document_index.resolve(place.base, reference)
    except Unresolvable:
        return reference  # the validator says what is missing
    if not isinstance(target.schema, dict) or target.schema.get("$dynamicAnchor") != fragment:
        return reference
    below = target.pointer[len(document_index.resources[uri].pointer) :]
    return reference.partition("#")[0] + "#" + quote(below, safe="/~!$&'()*+,;=:@")


def _without_annotation(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """`contains` inside of `not`, from which no annotation comes out (2019-09 core, section 7.7.1.2)."""
    counted = {keyword: schema[keyword] for keyword in _COUNTED if keyword in schema}
    rest = {keyword: value for keyword, value in schema.items() if keyword not in _COUNTED}
    held = {"not": {"not": {"$comment": CONTAINS_MARK, **counted}}}
    return {**rest, "allOf": [*schema.get("allOf", ()), held]}


def plain(value: Any, changed: Mapping[int, Mapping[str, Any]] | None = None) -> Any:
    """The value with integral decimals as ints: JSON Schema makes no difference between 1.0 and 1.

    changed: by id(), what stands in the place of an object.
    """
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and value.adjusted() < 400 else value
    if isinstance(value, dict):
        held = changed.get(id(value), value) if changed else value
        return {k: plain(v, changed) for k, v in held.items()}
    if isinstance(value, list):
        return [plain(v, changed) for v in value]
    return value


def speaks(document_index: DocumentIndex, dialect: Dialect) -> bool:
    """Whether any subschema of any document is in this dialect."""
    return any(document.dialect is dialect for document in document_index.documents) or any(
        own is dialect for _, own in document_index.bases.values()
    )
