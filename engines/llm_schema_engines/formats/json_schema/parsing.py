"""Parses a schema for registration: all checks in order, and the values that are stored with it. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...errors import InvalidSchema, SchemaIssue
from ...model.schema import Fingerprints, SchemaType
from ..engine import ParsedSchema, SchemaSource
from .canonical import digest, drop_unreachable, dump, strip_annotations
from .compiled import OpenedSchema, compile_schema
from .complexity import check_references, check_size, identifier_issues
from .declared_dialects import dialect_issues, dialect_warnings
from .limits import JsonSchemaLimits
from .metaschema import check_document
from .patterns import check_pattern, lint_pattern, weight
from .pointers import join_pointer, split_pointer
from .reading import INEXACT, locate
from .resources import REFERENCE_KEYWORDS, DocumentIndex, Place, Unresolvable
from .survey import Survey, refers, survey

_DYNAMIC = frozenset({"$dynamicRef", "$recursiveRef"})


def parse_opened(
    source: SchemaSource, opened: OpenedSchema, limits: JsonSchemaLimits, *, strict: bool
) -> ParsedSchema:
    """Check a schema and compute what is stored with it; raises InvalidSchema with positions. opened: the source, opened.

    Not strict: a stored schema only has to be readable.
    """
    seen = survey(opened.document_index.walk(opened.root))
    warnings: list[SchemaIssue] = []
    if strict:
        issues = _issues(source, opened, seen, limits)
        if issues:
            raise InvalidSchema([_placed(issue, source.content) for issue in issues[: limits.issues]])
        if not _needs_no_compilation(source, opened, seen):
            compile_schema(source, limits, opened)
        warnings.extend(dialect_warnings(opened.document_index, seen.declaring))
        for pattern, pointer in seen.patterns:
            warnings.extend(lint_pattern(pattern, pointer))
    return ParsedSchema(
        schema_type=SchemaType.JSON,
        canonical=dump(opened.content, sort=True).encode("utf-8"),
        fingerprints=_fingerprints(source, opened, seen),
        names=seen.names,
        dependencies=_dependencies(opened.document_index, seen),
        warnings=tuple(_placed(issue, source.content) for issue in warnings[: limits.issues]),
        options=opened.options.as_mapping(),
    )


def _needs_no_compilation(source: SchemaSource, opened: OpenedSchema, seen: Survey) -> bool:
    """Whether a schema that fits its metaschema has nothing that the compiler could refuse.

    That is: no keyword with `$` but `$schema`, no references, no regular expression, no number that is not a short
    integer. The compiler would check the form once more, which costs more than the rest of parsing.
    """
    text, content = source.content, opened.content
    declared = isinstance(content, dict) and content.get("$schema") == opened.options.dialect.uri
    return not (
        seen.patterns
        or source.references
        or text.count(b"$") != declared
        or b"\\u" in text
        or INEXACT.search(text)
    )


def _issues(
    source: SchemaSource, opened: OpenedSchema, seen: Survey, limits: JsonSchemaLimits
) -> list[SchemaIssue]:
    """The first group of issues that is not empty: each check relies on the earlier ones."""
    return (
        check_size(opened.content, len(source.content), limits)
        or dialect_issues(opened.document_index, seen.declaring)
        or check_document(opened.document_index, opened.root, seen.declaring, limits)
        or identifier_issues(opened.document_index)
        or _pattern_issues(seen, limits)
        or check_references(opened.document_index, opened.root, seen.referring, limits)
    )


def _pattern_issues(seen: Survey, limits: JsonSchemaLimits) -> list[SchemaIssue]:
    issues: list[SchemaIssue] = []
    count, total = len(seen.patterns), 0
    for pattern, pointer in seen.patterns:
        total += weight(pattern)
        if total > limits.pattern_weight:
            return [
                *issues,
                SchemaIssue(
                    "json/pattern-weight",
                    f"the regular expressions up to here compile to more than {limits.pattern_weight} states, "
                    "which is the limit; repeat less, or use maxLength",
                    pointer,
                ),
            ]
        issue = check_pattern(pattern, pointer, limits)
        if issue is not None:
            issues.append(issue)
    if count > limits.patterns:
        issues.append(
            SchemaIssue("json/patterns", f"has {count} regular expressions; the limit is {limits.patterns}")
        )
    return issues


def _placed(issue: SchemaIssue, content: bytes) -> SchemaIssue:
    if issue.line:
        return issue
    line, column = locate(content, issue.pointer)
    return replace(issue, line=line, column=column)


def _fingerprints(source: SchemaSource, opened: OpenedSchema, seen: Survey) -> Fingerprints:
    identities = sorted({f"{item.name}\0{item.identity}" for item in source.references})
    options = opened.options
    return Fingerprints(
        content=hashlib.sha256(source.content).hexdigest(),
        generation=digest("json/generation", dump(opened.content, sort=False), *identities),
        validation=digest(
            "json/validation",
            options.dialect.uri,
            "format" if options.asserts_format else "",
            dump(_reduced(opened, seen), sort=True),
            *identities,
        ),
    )


def _reduced(opened: OpenedSchema, seen: Survey) -> Any:
    """The root schema reduced to what decides validity."""
    pointed, reached = _reachable(opened.document_index, opened.root) if seen.referring else _NOTHING_REACHED
    schema = opened.content
    if isinstance(schema, dict):
        schema = drop_unreachable({k: v for k, v in schema.items() if k != "$schema"}, reached)
    return strip_annotations(schema, opened.options.dialect, pointed)


_Reachable = tuple[frozenset[str], Mapping[str, frozenset[str]]]
_NOTHING_REACHED: _Reachable = (frozenset(), {"$defs": frozenset(), "definitions": frozenset()})


def _reachable(document_index: DocumentIndex, root: Place) -> _Reachable:
    """Where references lead in the root document: all pointers that they pass, and the names of used definitions.

    Dynamic references may lead to any definition, so that they count as using all.
    """
    pointed: set[str] = set()
    names: dict[str, set[str]] = {"$defs": set(), "definitions": set()}
    todo = [root]
    seen: set[tuple[int, str]] = set()
    while todo:
        start = todo.pop()
        if start.key in seen:
            continue
        seen.add(start.key)
        for place in filter(refers, document_index.walk(start)):
            in_definitions = _definition_of(place) if place.document.number == 0 else None
            if start is root and in_definitions is not None:
                continue
            for target in _targets(document_index, place):
                if target.document.number == 0:
                    tokens = split_pointer(target.pointer)
                    pointed.update(join_pointer("", *tokens[: i + 1]) for i in range(len(tokens)))
                    found = _definition_of(target)
                    if found is not None:
                        names[found[0]].add(found[1])
                todo.append(target)
            if not _DYNAMIC.isdisjoint(place.schema):
                held = root.schema if isinstance(root.schema, dict) else {}
                for keyword in names:
                    names[keyword].update(held[keyword] if isinstance(held.get(keyword), dict) else ())
    return frozenset(pointed), {keyword: frozenset(found) for keyword, found in names.items()}


def _definition_of(place: Place) -> tuple[str, str] | None:
    tokens = split_pointer(place.pointer)
    return (tokens[0], tokens[1]) if len(tokens) >= 2 and tokens[0] in ("$defs", "definitions") else None


def _targets(document_index: DocumentIndex, place: Place) -> list[Place]:
    out = []
    for keyword in REFERENCE_KEYWORDS:
        reference = place.schema.get(keyword)
        if isinstance(reference, str):
            try:
                out.append(document_index.resolve(place.base, reference))
            except Unresolvable:
                continue  # strict parsing refuses it; a stored schema keeps what it has
    return out


def _dependencies(document_index: DocumentIndex, seen: Survey) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for place in seen.referring:
        for target in _targets(document_index, place):
            document = target.document
            if document.number and not document.builtin:
                found[document.name] = None
    return tuple(sorted(found))
