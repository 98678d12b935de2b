"""Validates a schema against its dialect's metaschema; every issue has a pointer. Pure."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import jsonschema_rs

from ...errors import SchemaIssue
from .declared_dialects import counts
from .dialects import URIS, VALIDATORS, Dialect
from .limits import JsonSchemaLimits
from .metaschema_words import sentence
from .pointers import shown_pointer, to_pointer
from .resources import DocumentIndex, Place
from .rewriting import plain
from .strays import Strays, find_strays


@functools.cache
def _validator(dialect: Dialect) -> jsonschema_rs.Validator:
    return VALIDATORS[dialect]({"$ref": URIS[dialect]}, offline=True, validate_formats=False)


def fits_metaschema(content: Any, dialect: Dialect) -> bool:
    """Whether `content` is valid under the dialect's metaschema."""
    return bool(_validator(dialect).is_valid(content))


def check_opened(document_index: DocumentIndex, root: Place, limits: JsonSchemaLimits) -> list[SchemaIssue]:
    """As check_document, for a document that has not been surveyed."""
    strays = find_strays(document_index, root)
    places = chain(document_index.walk(root), strays.places)
    declaring = [p for p in places if isinstance(p.schema, dict) and p.schema.get("$schema") is not None]
    return check_document(document_index, root, declaring, strays, limits)


def check_document(
    document_index: DocumentIndex,
    root: Place,
    declaring: Sequence[Place],
    strays: Strays,
    limits: JsonSchemaLimits,
    may_list: Callable[[], None] | None = None,
) -> list[SchemaIssue]:
    """The issues of a document under the metaschemas of its dialects: a subschema that is a resource with a `$schema` is
    checked by its own, and one where references lead past all known keywords by that around it. declaring: the subschemas with a `$schema`. may_list: called
    before issues are listed; raises what breaks it off."""
    resources = [p for p in declaring if p.pointer and counts(document_index, p)]
    if not resources and not strays.roots:
        return check_metaschema(root.schema, root.dialect, limits, may_list)
    apart: dict[int, Mapping[str, Any]] = {id(place.schema): {} for place in resources}

    def whole(place: Place) -> Any:
        return plain(place.schema, apart) if apart else place.schema

    issues = check_metaschema(whole(root), root.dialect, limits, may_list)
    for place in strays.roots:
        if id(place.schema) not in apart:
            issues.extend(
                replace(issue, pointer=place.pointer + issue.pointer)
                for issue in check_metaschema(whole(place), place.dialect, limits, may_list)
            )
    for place in resources:
        content = {keyword: plain(value, apart) for keyword, value in place.schema.items()}
        issues.extend(
            replace(issue, pointer=place.pointer + issue.pointer)
            for issue in check_metaschema(content, place.dialect, limits, may_list)
        )
    return issues[: limits.issues]


def check_metaschema(
    content: Any, dialect: Dialect, limits: JsonSchemaLimits, may_list: Callable[[], None] | None = None
) -> list[SchemaIssue]:
    """The issues of `content` under the dialect's metaschema, at most `limits.issues`, outermost first. may_list: see
    check_document."""
    if fits_metaschema(content, dialect):
        return []
    if may_list is not None:
        may_list()
    seen: dict[tuple[str, str], SchemaIssue] = {}
    for error in _validator(dialect).iter_errors(content):
        pointer = to_pointer(error.instance_path)
        issue = SchemaIssue("json/metaschema", _sentence(error, limits), pointer)
        seen.setdefault((pointer, error.kind.name), issue)
        if len(seen) >= limits.issues:
            break
    return sorted(seen.values(), key=lambda issue: (issue.pointer.count("/"), issue.pointer))


def _sentence(error: jsonschema_rs.ValidationError, limits: JsonSchemaLimits) -> str:
    place = shown_pointer(error.instance_path[-1:])[1:101]
    keyword = f"{place!r}: " if place else ""
    message = sentence(error) or error.message
    if len(message) > limits.error_text:
        message = message[: limits.error_text - 3] + "..."
    return f"{keyword}{message}"
