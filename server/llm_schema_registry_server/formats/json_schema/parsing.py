"""Registration of a schema: everything that is checked, in order, and what is kept. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from ...errors import InvalidSchema, SchemaIssue
from ...model.schema import Fingerprints, SchemaType
from ..engine import ParsedSchema, SchemaSource
from .canonical import digest, drop_unreachable, dump, strip_annotations
from .compiled import OpenedSchema, compile_schema, open_schema
from .complexity import check_references, check_size
from .dialects import Dialect, find_dialect
from .limits import JsonSchemaLimits
from .metaschema import check_metaschema
from .patterns import check_pattern, lint_pattern, weight
from .pointers import join_pointer, split_pointer
from .reading import locate
from .resources import REFERENCE_KEYWORDS, Place, Unresolvable, World


def parse_schema(source: SchemaSource, limits: JsonSchemaLimits, *, strict: bool) -> ParsedSchema:
    """Check a schema and derive what is stored of it; raises InvalidSchema with positions.

    Not strict: a stored schema only has to be readable.
    """
    opened = open_schema(source, limits)
    warnings: list[SchemaIssue] = []
    if strict:
        issues = _issues(opened, limits)
        if issues:
            raise InvalidSchema([_placed(issue, source.content) for issue in issues[: limits.issues]])
        compile_schema(source, limits)
        for place in opened.world.walk(opened.root):
            for pattern, pointer in patterns_of(place):
                warnings.extend(lint_pattern(pattern, pointer))
    return ParsedSchema(
        schema_type=SchemaType.JSON,
        canonical=dump(opened.content, sort=True).encode("utf-8"),
        fingerprints=_fingerprints(source, opened),
        names=_names(opened),
        dependencies=_dependencies(opened),
        warnings=tuple(_placed(issue, source.content) for issue in warnings[: limits.issues]),
        options=opened.options.as_mapping(),
    )


def _issues(opened: OpenedSchema, limits: JsonSchemaLimits) -> list[SchemaIssue]:
    """The first group of faults that there is: each group takes the earlier ones for granted."""
    return (
        check_size(opened.content, limits)
        or check_metaschema(opened.content, opened.options.dialect, limits)
        or [
            SchemaIssue("json/reference", f"two references mean different schemas at {uri!r}")
            for uri in opened.world.conflicts
        ]
        or _embedded_dialects(opened)
        or _pattern_issues(opened, limits)
        or check_references(opened.world, opened.root, limits)
    )


def _embedded_dialects(opened: OpenedSchema) -> list[SchemaIssue]:
    return [
        SchemaIssue(
            "json/dialect",
            f"dialect {str(declared)[:200]!r} is not accepted",
            join_pointer(place.pointer, "$schema"),
        )
        for place in opened.world.walk(opened.root)
        if isinstance(place.schema, dict)
        and (declared := place.schema.get("$schema")) is not None
        and (not isinstance(declared, str) or find_dialect(declared) is None)
    ]


def _pattern_issues(opened: OpenedSchema, limits: JsonSchemaLimits) -> list[SchemaIssue]:
    issues: list[SchemaIssue] = []
    count = total = 0
    for place in opened.world.walk(opened.root):
        for pattern, pointer in patterns_of(place):
            count += 1
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


def patterns_of(place: Place) -> list[tuple[str, str]]:
    """The regular expressions of a subschema itself, each with its pointer."""
    schema = place.schema
    if not isinstance(schema, dict) or (place.dialect is Dialect.DRAFT_07 and "$ref" in schema):
        return []
    out: list[tuple[str, str]] = []
    if isinstance(schema.get("pattern"), str):
        out.append((schema["pattern"], join_pointer(place.pointer, "pattern")))
    if isinstance(schema.get("patternProperties"), dict):
        out.extend(
            (p, join_pointer(place.pointer, "patternProperties", p)) for p in schema["patternProperties"]
        )
    return out


def _placed(issue: SchemaIssue, content: bytes) -> SchemaIssue:
    if issue.line:
        return issue
    line, column = locate(content, issue.pointer)
    return replace(issue, line=line, column=column)


def _fingerprints(source: SchemaSource, opened: OpenedSchema) -> Fingerprints:
    identities = sorted({f"{item.name}\0{item.identity}" for item in source.references})
    options = opened.options
    return Fingerprints(
        content=hashlib.sha256(source.content).hexdigest(),
        generation=digest("json/generation", dump(opened.content, sort=False), *identities),
        validation=digest(
            "json/validation",
            options.dialect.uri,
            "format" if options.asserts_format else "",
            dump(_reduced(opened), sort=True),
            *identities,
        ),
    )


def _reduced(opened: OpenedSchema) -> Any:
    """The root schema with only what decides validity."""
    pointed, reached = _reach(opened.world, opened.root)
    schema = opened.content
    if isinstance(schema, dict):
        schema = drop_unreachable({k: v for k, v in schema.items() if k != "$schema"}, reached)
    return strip_annotations(schema, opened.options.dialect, pointed)


def _reach(world: World, root: Place) -> tuple[frozenset[str], dict[str, frozenset[str]]]:
    """Where references lead in the root document: all pointers on the way, and the names of definitions per keyword.

    Dynamic references may lead to any definition, so that they keep them all.
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
        for place in world.walk(start):
            in_definitions = _definition_of(place) if place.document.number == 0 else None
            if start is root and in_definitions is not None:
                continue
            for target in _targets(world, place):
                if target.document.number == 0:
                    tokens = split_pointer(target.pointer)
                    pointed.update(join_pointer("", *tokens[: i + 1]) for i in range(len(tokens)))
                    found = _definition_of(target)
                    if found is not None:
                        names[found[0]].add(found[1])
                todo.append(target)
            if isinstance(place.schema, dict) and not {"$dynamicRef", "$recursiveRef"}.isdisjoint(
                place.schema
            ):
                held = root.schema if isinstance(root.schema, dict) else {}
                for keyword in names:
                    names[keyword].update(held[keyword] if isinstance(held.get(keyword), dict) else ())
    return frozenset(pointed), {keyword: frozenset(found) for keyword, found in names.items()}


def _definition_of(place: Place) -> tuple[str, str] | None:
    tokens = split_pointer(place.pointer)
    return (tokens[0], tokens[1]) if len(tokens) >= 2 and tokens[0] in ("$defs", "definitions") else None


def _targets(world: World, place: Place) -> list[Place]:
    if not isinstance(place.schema, dict):
        return []
    out = []
    for keyword in REFERENCE_KEYWORDS:
        reference = place.schema.get(keyword)
        if isinstance(reference, str):
            try:
                out.append(world.resolve(place.base, reference))
            except Unresolvable:
                continue  # strict parsing refuses it; a stored schema keeps what it has
    return out


def _names(opened: OpenedSchema) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for place in opened.world.walk(opened.root):
        if not isinstance(place.schema, dict):
            continue
        for keyword in ("properties", "$defs", "definitions"):
            held = place.schema.get(keyword)
            if isinstance(held, dict):
                found.update(dict.fromkeys(held))
        if isinstance(place.schema.get("title"), str):
            found[place.schema["title"]] = None
    return tuple(found)


def _dependencies(opened: OpenedSchema) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for place in opened.world.walk(opened.root):
        for target in _targets(opened.world, place):
            document = target.document
            if document.number and not document.builtin:
                found[document.name] = None
    return tuple(sorted(found))
