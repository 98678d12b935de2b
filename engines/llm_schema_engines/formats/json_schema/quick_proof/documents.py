"""Documents in which the meaning of a subschema does not depend on its place: one dialect, references inlined. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import orjson

from ....errors import InvalidSchema
from ....model.fast_init import fast_init
from ...engine import SchemaSource
from ..compiled import read_schema
from ..dialects import SCHEMA_KEYWORDS, SCHEMA_LIST_KEYWORDS, SCHEMA_MAP_KEYWORDS, Dialect, modernized
from ..limits import JsonSchemaLimits
from ..metaschema import fits_metaschema
from ..options import InvalidOption, SchemaOptions, choose_options
from ..reading import has_inexact_number, nesting
from .inlining import NotInlined, inlined

_MAX_DEPTH = 100
"""Deepest nesting of brackets: the walk is recursive."""
_LOCATION_DEPENDENT = re.compile(rb"\$(?:anchor|dynamic|recursive|vocabulary)|unevaluated|\\u00[0-7]")
"""Keywords that make the meaning of a subschema depend on other places, and escapes that could hide such keywords."""
_ROOT_ONLY = (("$schema", b"$schema"), ("$id", b"$id"))
"""Keywords that are harmless at the root but not elsewhere."""


@fast_init
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
        content = read_schema(text, limits) if has_inexact_number(text) else orjson.loads(text)
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
        bool(source.references)
        or (_is_suspicious(text) and _LOCATION_DEPENDENT.search(text) is not None)
        or nesting(text, _MAX_DEPTH) > _MAX_DEPTH
    )


def _is_suspicious(text: bytes) -> bool:
    """True of every text in which _LOCATION_DEPENDENT finds something; far quicker."""
    return (
        b"$a" in text
        or b"$d" in text
        or b"$r" in text
        or b"$v" in text
        or b"unevaluated" in text
        or b"\\u00" in text
    )


def _document(text: bytes, content: Any, options: SchemaOptions) -> SelfContainedDocument | None:
    at_the_root = content if isinstance(content, dict) else {}
    if any(text.count(keyword) != (name in at_the_root) for name, keyword in _ROOT_ONLY):
        return None
    try:
        if options.dialect < Dialect.DRAFT_07:
            content = _modernized(content, options.dialect)
        return SelfContainedDocument(
            inlined(content, options.dialect) if b"$ref" in text else content, options
        )
    except NotInlined:
        return None


def _modernized(schema: Any, dialect: Dialect, *, is_root: bool = True) -> Any:
    """The same schema with the keywords of draft 7. Raises NotInlined for one with an `id` below its root."""
    if not isinstance(schema, dict):
        return schema
    if dialect is Dialect.DRAFT_04 and not is_root and isinstance(schema.get("id"), str):
        raise NotInlined
    return {
        key: _modernized_member(key, value, dialect) for key, value in modernized(schema, dialect).items()
    }


def _modernized_member(keyword: str, value: Any, dialect: Dialect) -> Any:
    if isinstance(value, dict) and keyword in SCHEMA_MAP_KEYWORDS[dialect]:
        return {name: _modernized(sub, dialect, is_root=False) for name, sub in value.items()}
    if isinstance(value, list) and keyword in SCHEMA_LIST_KEYWORDS[dialect]:
        return [_modernized(sub, dialect, is_root=False) for sub in value]
    return _modernized(value, dialect, is_root=False) if keyword in SCHEMA_KEYWORDS[dialect] else value
