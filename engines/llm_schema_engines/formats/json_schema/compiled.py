"""Opens a schema with what it references, and compiles it for validation without network or disk. Pure."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import jsonschema_rs
import orjson

from ...errors import InvalidSchema, SchemaIssue
from ..engine import ReferencedSchema, SchemaSource, walk_references
from .complexity import check_addresses
from .dialects import DRAFTS, VALIDATORS
from .limits import JsonSchemaLimits
from .options import InvalidOption, SchemaOptions, choose_dialect, choose_options
from .reading import JsonReadError, nesting, read
from .resources import DocumentIndex, ParsedDocument, Place, ReferencedDocument, build_index, closure

_LINEAR = jsonschema_rs.RegexOptions()


@dataclass(frozen=True, slots=True)
class OpenedSchema:
    """A schema document with its options, the index of all its documents, and its root in that index."""

    content: Any
    options: SchemaOptions
    document_index: DocumentIndex
    root: Place
    members: list[ReferencedDocument]
    """The documents that it references; see closure."""


def open_schema(source: SchemaSource, limits: JsonSchemaLimits) -> OpenedSchema:
    """Read a schema and what it references. Raises InvalidSchema when one of them is not JSON or has no dialect."""
    content = read_schema(source.content, limits)
    if not isinstance(content, dict | bool):
        raise InvalidSchema(
            [SchemaIssue("json/metaschema", f"a schema is an object or a boolean, not {_kind(content)}")]
        )
    try:
        options = choose_options(content, source.options)
        parsed_references = read_references(source.references, source.options, limits)
    except InvalidOption as error:
        raise InvalidSchema([error.issue]) from error
    members = closure(content, options.dialect, source.references, parsed_references, limits)
    return OpenedSchema(content, options, *build_index(content, options.dialect, members, limits), members)


def read_schema(content: bytes, limits: JsonSchemaLimits) -> Any:
    """The JSON value of a schema document; raises InvalidSchema."""
    try:
        document = read(
            content,
            max_bytes=limits.schema_bytes,
            max_depth=limits.schema_depth,
            max_digits=limits.number_digits,
        )
    except JsonReadError as error:
        raise InvalidSchema([error.issue]) from error
    if issues := check_addresses(document, len(content), limits):
        raise InvalidSchema(issues)
    return document


def read_references(
    references: tuple[ReferencedSchema, ...], options: Mapping[str, str], limits: JsonSchemaLimits
) -> Mapping[str, ParsedDocument]:
    """All references, parsed, by identity."""
    out: dict[str, ParsedDocument] = {}
    for item in walk_references(references):
        if item.identity not in out:
            content = read_schema(item.content, limits)
            out[item.identity] = ParsedDocument(content, choose_dialect(content, options))
    return out


def compile_schema(
    source: SchemaSource, limits: JsonSchemaLimits, opened: OpenedSchema | None = None
) -> jsonschema_rs.Validator:
    """The compiled validator (jsonschema-rs), made from the text; raises InvalidSchema with the compiler's reason.

    opened: the same schema, when it has been opened already.
    """
    try:
        options, members = (
            (opened.options, opened.members) if opened else _options_and_documents(source, limits)
        )
        pairs = {member.uri: plain(member.parsed.content) for member in members}
        registry = (
            jsonschema_rs.Registry(list(pairs.items()), draft=DRAFTS[options.dialect]) if pairs else None
        )
        return VALIDATORS[options.dialect](
            source.content.decode("utf-8"),
            registry=registry,
            offline=True,
            pattern_options=_LINEAR,
            validate_formats=options.asserts_format,
        )
    except InvalidOption as error:
        raise InvalidSchema([error.issue]) from error
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        reason = str(error).partition("\n")[0][:300]
        raise InvalidSchema([SchemaIssue("json/compile", f"cannot be compiled: {reason}")]) from error


def _options_and_documents(
    source: SchemaSource, limits: JsonSchemaLimits
) -> tuple[SchemaOptions, list[ReferencedDocument]]:
    """The options and the referenced documents, for a schema that has not been opened."""
    content = _read_fast(source.content, limits)
    options = choose_options(content, source.options)
    parsed_references = read_references(source.references, source.options, limits)
    return options, closure(content, options.dialect, source.references, parsed_references, limits)


def _read_fast(content: bytes, limits: JsonSchemaLimits) -> Any:
    """The document, read by the fast parser, which may round numbers: good enough to find `$schema` and `$id`."""
    if len(content) <= limits.schema_bytes and nesting(content, limits.schema_depth) <= limits.schema_depth:
        with contextlib.suppress(orjson.JSONDecodeError):
            return orjson.loads(content)
    return read_schema(content, limits)


def plain(value: Any) -> Any:
    """The value with integral decimals as ints: JSON Schema makes no difference between 1.0 and 1."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and value.adjusted() < 400 else value
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value


def _kind(value: Any) -> str:
    return json.dumps(value)[:40] if isinstance(value, str | int | None) else type(value).__name__
