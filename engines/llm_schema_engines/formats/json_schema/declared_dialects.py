"""The `$schema` keywords of a document: which count, and what is wrong or odd about them. Pure.

`$schema` counts at the root and beside an identifier (JSON Schema 2020-12 core, section 8.1.1).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...errors import SchemaIssue
from .dialects import dialect_of
from .pointers import join_pointer
from .resources import DocumentIndex, Place


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
        and (not isinstance(declared := place.schema["$schema"], str) or dialect_of(declared) is None)
    ]


def dialect_warnings(document_index: DocumentIndex, declaring: Sequence[Place]) -> Iterator[SchemaIssue]:
    """Dialects that are spelled in an odd way, or stand where they do not count."""
    for place in declaring:
        declared, pointer = place.schema["$schema"], join_pointer(place.pointer, "$schema")
        shown = str(declared)[:200]
        if not counts(document_index, place):
            if not isinstance(declared, str) or dialect_of(declared) is not place.dialect:
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
