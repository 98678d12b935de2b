"""Opens a schema with what it references, and compiles it for validation without network or disk. Pure."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema_rs
import orjson

from ...errors import InvalidSchema, SchemaIssue
from ...model.fast_init import fast_init
from ..engine import ReferencedSchema, SchemaSource, walk_references
from .complexity import check_addresses
from .dialects import VALIDATORS, Dialect
from .limits import JsonSchemaLimits
from .options import InvalidOption, SchemaOptions, choose_dialect, choose_options
from .pointers import join_pointer, to_pointer
from .reading import JsonReadError, nesting, read
from .regex_engine import OPTIONS
from .resources import DocumentIndex, ParsedDocument, Place, ReferencedDocument, build_index, closure
from .rewriting import is_plain, plain, rewritten, speaks

_QUOTED = (
    "$id",
    "id",
    "$ref",
    "$dynamicRef",
    "$recursiveRef",
    "$anchor",
    "$dynamicAnchor",
    "$schema",
    "pattern",
)
"""Keywords whose value the compiler quotes when it refuses it."""


@fast_init
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


@dataclass(frozen=True, slots=True)
class CompiledSchema:
    """A compiled validator (jsonschema-rs). integers_by_form: to draft 4, 1.0 is no integer; data must be given with
    integral numbers as ints, so that it is one, as to every later dialect."""

    validator: jsonschema_rs.Validator
    integers_by_form: bool


def compile_schema(
    source: SchemaSource, limits: JsonSchemaLimits, opened: OpenedSchema | None = None
) -> CompiledSchema:
    """The compiled schema; raises InvalidSchema with the compiler's reason.

    opened: the same schema, when it has been opened already.
    """
    try:
        documents = _documents(source, limits, opened)
        options, pairs = documents.options, documents.members
        validator = VALIDATORS[options.dialect](
            documents.root,
            registry=jsonschema_rs.Registry(list(pairs.items())) if pairs else None,
            offline=True,
            pattern_options=OPTIONS,
            validate_formats=options.asserts_format,
        )
        return CompiledSchema(validator, documents.integers_by_form)
    except InvalidOption as error:
        raise InvalidSchema([error.issue]) from error
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        reason = str(error).partition("\n")[0][:300]
        place = _place_of(error, opened or open_schema(source, limits))
        raise InvalidSchema([SchemaIssue("json/compile", f"cannot be compiled: {reason}", place)]) from error


def _place_of(error: Exception, opened: OpenedSchema) -> str:
    """Where the compiler refuses the document: the place that it tells, or else the keyword whose value it quotes; ""
    when neither is known."""
    if isinstance(error, jsonschema_rs.ValidationError) and error.instance_path:
        return to_pointer(error.instance_path)
    reason = str(error)
    for place in opened.document_index.walk(opened.root):
        if not isinstance(place.schema, dict):
            continue
        for keyword in _QUOTED:
            value = place.schema.get(keyword)
            if isinstance(value, str) and value and f"'{value}'" in reason:
                return join_pointer(place.pointer, keyword)
    return ""


@dataclass(frozen=True, slots=True)
class _Documents:
    """What the validator is given. root: the text where it can be, for its exact numbers. members: by URI."""

    options: SchemaOptions
    root: Any
    members: Mapping[str, Any]
    integers_by_form: bool


def _documents(source: SchemaSource, limits: JsonSchemaLimits, opened: OpenedSchema | None) -> _Documents:
    content = opened.content if opened else _read_fast(source.content, limits)
    options = opened.options if opened else choose_options(content, source.options)
    if is_plain(source.content, content, options.dialect):
        members = opened.members if opened else _members(source, content, options, limits)
        texts = {item.identity: item.content for item in walk_references(source.references)}
        if all(is_plain(texts[m.identity], m.parsed.content, m.parsed.dialect) for m in members):
            dialects = {options.dialect, *(member.parsed.dialect for member in members)}
            return _Documents(
                options,
                source.content.decode("utf-8"),
                {member.uri: _declared(member.parsed) for member in members},
                Dialect.DRAFT_04 in dialects,
            )
    opened = opened or open_schema(source, limits)
    index = opened.document_index
    roots = {document.uri: index.places[document.number][0] for document in index.documents}
    return _Documents(
        opened.options,
        rewritten(index, opened.root),
        {member.uri: rewritten(index, roots[member.uri]) for member in opened.members},
        speaks(index, Dialect.DRAFT_04),
    )


def _members(
    source: SchemaSource, content: Any, options: SchemaOptions, limits: JsonSchemaLimits
) -> list[ReferencedDocument]:
    parsed_references = read_references(source.references, source.options, limits)
    return closure(content, options.dialect, source.references, parsed_references, limits)


def _declared(document: ParsedDocument) -> Any:
    """A referenced document with its dialect, which the validator would otherwise guess."""
    content = plain(document.content)
    return {**content, "$schema": document.dialect.uri} if isinstance(content, dict) else content


def _read_fast(content: bytes, limits: JsonSchemaLimits) -> Any:
    """The document, read by the fast parser, which may round numbers: good enough to find `$schema` and `$id`."""
    if len(content) <= limits.schema_bytes and nesting(content, limits.schema_depth) <= limits.schema_depth:
        with contextlib.suppress(orjson.JSONDecodeError):
            return orjson.loads(content)
    return read_schema(content, limits)


def _kind(value: Any) -> str:
    return json.dumps(value)[:40] if isinstance(value, str | int | None) else type(value).__name__
