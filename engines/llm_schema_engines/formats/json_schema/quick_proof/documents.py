"""Documents whose every subschema means what it says where it stands: one dialect, well formed, references replaced. Pure."""

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
"""Deepest nesting of brackets: everything here recurses on the caller's stack."""
_LOCATION_DEPENDENT = re.compile(rb"\$(?:anchor|dynamic|recursive|vocabulary)|unevaluated|\\u00[0-7]")
"""Keywords that make the meaning of a subschema depend on what stands elsewhere, and escapes that may spell them."""
_ROOT_ONLY = (("$schema", b"$schema"), ("$id", b"$id"))
"""Keywords that change nothing as long as they stand nowhere else."""


@dataclass(frozen=True, slots=True)
class SelfContainedDocument:
    """A schema as a value: ints and Decimals are exact, every keyword has the shape that its dialect wants."""

    content: Any
    options: SchemaOptions


def open_document(source: SchemaSource, limits: JsonSchemaLimits) -> SelfContainedDocument | None:
    """None for a document of which a subschema depends on its place, that nests deep, or that is malformed."""
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
    """What `open_document` answers for a source that has been read and found well formed."""
    return None if _is_location_dependent(source) else _document(source.content, content, options)


def _is_location_dependent(source: SchemaSource) -> bool:
    """Whether it uses others, nests deep, or may hold keywords that make one place depend on another."""
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
