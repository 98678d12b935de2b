"""Parses a schema for registration: all checks in order, and the values that are stored with it. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

from ...errors import InvalidSchema, SchemaIssue, clip
from ...model.schema import Fingerprints, SchemaType
from ..engine import ParsedSchema, SchemaSource
from .canonical import digest, drop_unreachable, dump, strip_annotations
from .compiled import OpenedSchema, compile_schema
from .complexity import check_references, check_size, identifier_issues
from .declared_dialects import dialect_issues, dialect_warnings
from .dialects import Dialect
from .limits import JsonSchemaLimits
from .metaschema import check_document
from .parsing_cost import Limit
from .patterns import check_pattern, lint_pattern, weight
from .pointers import MAX_SHOWN, join_pointer, split_pointer
from .reading import has_inexact_number, locate_all
from .resources import DocumentIndex, Place
from .strays import Strays, find_strays, targets
from .survey import Survey, refers, survey

_DYNAMIC = frozenset({"$dynamicRef", "$recursiveRef"})


def parse_opened(
    source: SchemaSource,
    opened: OpenedSchema,
    limits: JsonSchemaLimits,
    *,
    strict: bool,
    within: Limit | None = None,
) -> ParsedSchema:
    """Check a schema and compute what is stored with it; raises InvalidSchema with positions. opened: the source, opened.

    Not strict: a stored schema only has to be readable. within: raises TooDear when it may take longer.
    """
    strays = find_strays(opened.document_index, opened.root)
    seen = survey(chain(opened.document_index.walk(opened.root), strays.places))
    warnings: list[SchemaIssue] = []
    if within is not None:
        within.check()
        within.admit_patterns(seen.patterns)
    if strict:
        issues = _issues(source, opened, seen, strays, limits, within)
        if within is not None:
            within.check()
        if issues:
            raise InvalidSchema(_placed(issues[: limits.issues], source.content))
        if not _needs_no_compilation(source, opened, seen):
            try:
                compile_schema(source, limits, opened)
            except InvalidSchema as error:
                raise InvalidSchema(_placed(error.issues, source.content)) from error
        warnings.extend(dialect_warnings(opened.document_index, seen.declaring))
        for pattern, pointer in seen.patterns:
            warnings.extend(lint_pattern(pattern, pointer))
    return ParsedSchema(
        schema_type=SchemaType.JSON,
        canonical=dump(opened.content, sort=True).encode("utf-8"),
        fingerprints=_fingerprints(source, opened, seen),
        names=seen.names,
        dependencies=_dependencies(opened.document_index, seen),
        warnings=tuple(_placed(warnings[: limits.issues], source.content)),
        options=opened.options.as_mapping(),
    )


def _needs_no_compilation(source: SchemaSource, opened: OpenedSchema, seen: Survey) -> bool:
    """Whether a schema that fits its metaschema has nothing that the compiler could refuse.

    That is: no keyword with `$` but `$schema`, however it is spelled, in draft-04 no `id` either, no references, no number that is not a
    short integer; regular expressions have been compiled one by one. The compiler would check the form once more, which costs more than
    the rest of parsing.
    """
    text, content = source.content, opened.content
    declared = isinstance(content, dict) and content.get("$schema") == opened.options.dialect.uri
    anchors = sum(pattern.count("$") for pattern, _ in seen.patterns)
    return not (
        source.references
        or text.count(b"$") != declared + anchors
        or b"\\u002" in text
        or (opened.options.dialect is Dialect.DRAFT_04 and (b'"id"' in text or b"\\u00" in text))
        or has_inexact_number(text)
    )


def _issues(
    source: SchemaSource,
    opened: OpenedSchema,
    seen: Survey,
    strays: Strays,
    limits: JsonSchemaLimits,
    within: Limit | None,
) -> list[SchemaIssue]:
    """The first group of issues that is not empty: each check relies on the earlier ones."""
    may_list = None if within is None else partial(within.admit_listing, len(source.content))
    return (
        check_size(opened.content, len(source.content), limits)
        or dialect_issues(opened.document_index, seen.declaring)
        or check_document(opened.document_index, opened.root, seen.declaring, strays, limits, may_list)
        or identifier_issues(opened.document_index)
        or _pattern_issues(seen, limits)
        or check_references(opened.document_index, seen.referring, seen.combining, limits)
    )


def _pattern_issues(seen: Survey, limits: JsonSchemaLimits) -> list[SchemaIssue]:
    issues: list[SchemaIssue] = []
    count, total = len(seen.patterns), 0
    if count > limits.patterns:
        return [
            SchemaIssue(
                "json/patterns",
                f"has {count} regular expressions; the limit is {limits.patterns} (setting json_schema.patterns)",
            )
        ]
    for pattern, pointer in seen.patterns:
        if len(pattern) <= limits.pattern_length:  # a longer one is refused below, before it is read
            total += weight(pattern)
        if total > limits.pattern_weight:
            return [
                *issues,
                SchemaIssue(
                    "json/pattern-weight",
                    f"the regular expressions up to here compile to more than {limits.pattern_weight} states, "
                    "which is the limit (setting json_schema.pattern_weight); repeat less, or use maxLength",
                    pointer,
                ),
            ]
        issue = check_pattern(pattern, pointer, limits)
        if issue is not None:
            issues.append(issue)
    return issues


def _placed(issues: Sequence[SchemaIssue], content: bytes) -> list[SchemaIssue]:
    """The issues with line and column, found in one walk over the text."""
    places = locate_all(content, (issue.pointer for issue in issues if not issue.line))
    placed = []
    for issue in issues:
        line, column = (issue.line, issue.column) if issue.line else places[issue.pointer]
        placed.append(replace(issue, pointer=clip(issue.pointer, MAX_SHOWN), line=line, column=column))
    return placed


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


def reachable_definitions(opened: OpenedSchema) -> Mapping[str, frozenset[str]]:
    """The names under `$defs` and `definitions` that a reference leads to from the root, directly or not."""
    return _reachable(opened.document_index, opened.root)[1]


def _reachable(document_index: DocumentIndex, root: Place) -> _Reachable:
    """Where references lead in the root document: all pointers that they pass, and the names of used definitions.

    Dynamic references may lead to any definition, so that they count as using all.
    """
    pointed: set[str] = set()
    names: dict[str, set[str]] = {"$defs": set(), "definitions": set()}
    walked: set[tuple[int, str]] = set()
    found = {root.key}
    todo = [root]
    dynamic = False
    while todo:
        start = todo.pop()
        # Targets inside of each other are walked once: each of many nested ones would be quadratic.
        for place in document_index.walk_new(start, walked, definitions=start is not root):
            if not refers(place):
                continue
            dynamic = dynamic or not _DYNAMIC.isdisjoint(place.schema)
            for target in targets(document_index, place):
                if target.key in found:
                    continue
                found.add(target.key)
                todo.append(target)
                if target.document.number == 0:
                    tokens = split_pointer(target.pointer)
                    pointed.update(join_pointer("", *tokens[: i + 1]) for i in range(len(tokens)))
                    definition = _definition_of(tokens)
                    if definition is not None:
                        names[definition[0]].add(definition[1])
    if dynamic:
        held = root.schema if isinstance(root.schema, dict) else {}
        for keyword in names:
            names[keyword].update(held[keyword] if isinstance(held.get(keyword), dict) else ())
    return frozenset(pointed), {keyword: frozenset(held) for keyword, held in names.items()}


def _definition_of(tokens: Sequence[str]) -> tuple[str, str] | None:
    return (tokens[0], tokens[1]) if len(tokens) >= 2 and tokens[0] in ("$defs", "definitions") else None


def _dependencies(document_index: DocumentIndex, seen: Survey) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for place in seen.referring:
        for target in targets(document_index, place):
            document = target.document
            if document.number and not document.builtin:
                found[document.name] = None
    return tuple(sorted(found))
