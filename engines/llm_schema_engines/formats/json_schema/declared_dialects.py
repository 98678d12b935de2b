"""The `$schema` keywords of a document: which count, what is wrong or odd about them, and how to hand them to the validator.

`$schema` counts at the root and beside an identifier (JSON Schema 2020-12 core, section 8.1.1). The validator heeds it
everywhere, knows fewer spellings, and finds an identifier only as the declared dialect writes it; so it is given documents in
which every `$schema` counts and is spelled as the dialect's own URI. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from ...errors import SchemaIssue
from .dialects import Dialect, find_dialect
from .pointers import join_pointer
from .resources import DocumentIndex, Place

_KEYWORD = b"$schema"
_HIDDEN = re.compile(rb"\\u00(?:24|[67])", re.IGNORECASE)
"""Escapes with which `$schema` can be written so that a search for the word does not find it."""


def declares_at_root_only(text: bytes, content: Any) -> bool:
    """Whether no subschema below the root declares a dialect; False when a look at the text does not tell.

    content: the parsed text.
    """
    at_root = isinstance(content, dict) and "$schema" in content
    return text.count(_KEYWORD) == at_root and not _HIDDEN.search(text)


def counts(document_index: DocumentIndex, place: Place) -> bool:
    """Whether the `$schema` of a subschema counts."""
    return not place.pointer or place.key in document_index.bases


def dialect_issues(document_index: DocumentIndex, declaring: Sequence[Place]) -> list[SchemaIssue]:
    """Subschemas that are resources of their own, in a dialect that is not known."""
    return [
        SchemaIssue(
            "json/dialect",
            f"dialect {str(declared)[:200]!r} is not accepted",
            join_pointer(place.pointer, "$schema"),
        )
        for place in declaring
        if counts(document_index, place)
        and (not isinstance(declared := place.schema["$schema"], str) or find_dialect(declared) is None)
    ]


def dialect_warnings(document_index: DocumentIndex, declaring: Sequence[Place]) -> Iterator[SchemaIssue]:
    """Dialects that are spelled in an odd way, or stand where they do not count."""
    for place in declaring:
        declared, pointer = place.schema["$schema"], join_pointer(place.pointer, "$schema")
        shown = str(declared)[:200]
        if not counts(document_index, place):
            if not isinstance(declared, str) or find_dialect(declared) is not place.dialect:
                yield SchemaIssue(
                    "json/dialect-ignored",
                    f"{shown!r} is ignored: a dialect counts at the root and beside an identifier; "
                    f"{place.dialect.uri} is in force here",
                    pointer,
                )
        elif declared != place.dialect.uri and isinstance(declared, str):
            yield SchemaIssue(
                "json/dialect-spelling", f"{shown!r} is read as {place.dialect.uri}; write that", pointer
            )


def spelled_for_validator(document_index: DocumentIndex, root: Place) -> Any:
    """The content of a document with only those `$schema` that count, each as its dialect's URI. Integral numbers are ints.

    An identifier that is written as the dialect around it writes it is added as its own dialect writes it.
    """
    changed: dict[int, Mapping[str, Any]] = {}
    for place in document_index.walk(root):
        schema = place.schema
        if isinstance(schema, dict) and (not place.pointer or "$schema" in schema):
            changed[id(schema)] = _spelled(document_index, place)
    return plain(root.schema, changed)


def _spelled(document_index: DocumentIndex, place: Place) -> Mapping[str, Any]:
    out = {keyword: value for keyword, value in place.schema.items() if keyword != "$schema"}
    if not counts(document_index, place):
        return out
    identifier = out.get("$id", out.get("id"))
    if place.pointer and identifier is not None:
        out.setdefault(place.dialect.identifier, identifier)
    return {"$schema": place.dialect.uri, **out}


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
