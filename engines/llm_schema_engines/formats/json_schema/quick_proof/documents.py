"""Documents in which the meaning of a subschema does not depend on its place: one dialect, references inlined. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import orjson

from ....errors import InvalidSchema
from ...engine import SchemaSource
from ..compiled import read_schema
from ..limits import JsonSchemaLimits
from ..metaschema import fits_metaschema
from ..options import InvalidOption, SchemaOptions, choose_options
from ..reading import INEXACT, nesting
from .inlining import NotInlined, inlined

_MAX_DEPTH = 100
"""Deepest nesting of brackets: the walk is recursive."""
_LOCATION_DEPENDENT = re.compile(rb"\$(?:anchor|dynamic|recursive|vocabulary)|unevaluated|\\u00[0-7]")
"""Keywords that make the meaning of a subschema depend on other places, and escapes that could hide such keywords."""
_ROOT_ONLY = (("$schema", b"$schema"), ("$id", b"$id"))
"""Keywords that are harmless at the root but not elsewhere."""


@dataclass(frozen=True, slots=True)
class SelfContainedDocument:
    """A schema without references that fits its metaschema; numbers are exact (int or Decimal)."""

    content: Any
    options: SchemaOptions


def open_document(source: SchemaSource, limits: JsonSchemaLimits) -> SelfContainedDocument | None:
    """The document; None when a subschema depends on its place, when it nests too deep, or when it is malformed."""
    text = source.content
    if _is_location_dependent(source):
        return None
    try:
        content = read_schema(text, limits) if INEXACT.search(text) else orjson.loads(text)
        options = choose_options(content, source.options)
    except (InvalidSchema, InvalidOption, orjson.JSONDecodeError):
        return None
    return _document(text, content, options) if fits_metaschema(content, options.dialect) else None


def document_of(source: SchemaSource, content: Any, options: SchemaOptions) -> SelfContainedDocument | None:
    """As `open_document`, for a source that has been read already and fits its metaschema."""
    return None if _is_location_dependent(source) else _document(source.content, content, options)


def _is_location_dependent(source: SchemaSource) -> bool:
    """Whether it has references to other schemas, nests too deep, or may have location-dependent keywords."""
    text = source.content
    return (
        bool(source.references or _LOCATION_DEPENDENT.search(text)) or nesting(text, _MAX_DEPTH) > _MAX_DEPTH
    )


def _document(text: bytes, content: Any, options: SchemaOptions) -> SelfContainedDocument | None:
    at_the_root = content if isinstance(content, dict) else {}
    if any(text.count(keyword) != (name in at_the_root) for name, keyword in _ROOT_ONLY):
        return None
    try:
        return SelfContainedDocument(
            inlined(content, options.dialect) if b"$ref" in text else content, options
        )
    except NotInlined:
        return None
