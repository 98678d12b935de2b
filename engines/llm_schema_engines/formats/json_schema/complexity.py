"""Limits that are checked before compilation: size, references, and ways to evaluate one value. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ...errors import SchemaIssue
from .dialects import IN_PLACE, Dialect, subschemas
from .limits import JsonSchemaLimits
from .pointers import join_pointer
from .resources import REFERENCE_KEYWORDS, DocumentIndex, Place, Unresolvable
from .uris import DEFAULT_BASE


def check_size(content: Any, size: int, limits: JsonSchemaLimits) -> list[SchemaIssue]:
    """Issues of size: too many values, or too many members in one object. size: bytes of the document."""
    if size <= min(limits.schema_nodes, limits.keywords_per_object):
        return []  # each value and each member takes a byte at least
    nodes = 0
    stack: list[tuple[str, Any]] = [("", content)]
    while stack:
        pointer, value = stack.pop()
        nodes += 1
        if nodes > limits.schema_nodes:
            return [
                SchemaIssue(
                    "json/nodes",
                    f"has more than {limits.schema_nodes} values, which is the limit (setting json_schema.schema_nodes)",
                )
            ]
        if isinstance(value, dict):
            if len(value) > limits.keywords_per_object:
                return [
                    SchemaIssue(
                        "json/keywords",
                        f"an object has {len(value)} members; the limit is {limits.keywords_per_object} (setting json_schema.keywords_per_object)",
                        pointer,
                    )
                ]
            stack.extend((join_pointer(pointer, k), v) for k, v in value.items())
        elif isinstance(value, list):
            stack.extend((join_pointer(pointer, i), v) for i, v in enumerate(value))
    return []


def check_addresses(content: Any, size: int, limits: JsonSchemaLimits) -> list[SchemaIssue]:
    """The issue when the places in a document take too long to name.

    Each subschema is known by its pointer, so that many values below long names take many times the room of the text.
    Also holds for stored schemas. size: bytes of the document.
    """
    if size * size // 4 <= limits.pointers:
        return []  # half of the text as a name around the other half
    total = 0
    stack: list[tuple[int, Any]] = [(0, content)]
    while stack:
        length, value = stack.pop()  # a container, and the length of its pointer
        if isinstance(value, dict):
            total += (length + 1) * len(value) + sum(map(len, value))
            stack += [
                (length + len(name) + 1, member)
                for name, member in value.items()
                if isinstance(member, dict | list)
            ]
        elif isinstance(value, list):
            total += (length + 6) * len(value)
            stack += [(length + 6, item) for item in value if isinstance(item, dict | list)]
        if total > limits.pointers:
            return [
                SchemaIssue(
                    "json/pointers",
                    f"the JSON pointers of its values are longer than {limits.pointers} characters together, which is "
                    "the limit (setting json_schema.pointers); shorten the names around many values",
                )
            ]
    return []


def check_references(
    document_index: DocumentIndex,
    referring: Sequence[Place],
    combining: Sequence[Place],
    limits: JsonSchemaLimits,
) -> list[SchemaIssue]:
    """Issues of references: unresolvable, too many, in a loop on the same value, or too many evaluation paths.

    referring: the subschemas of the root document that have any. combining: those that apply others to the value that they apply to.
    """
    issues: list[SchemaIssue] = []
    count = 0
    for place in referring:
        for keyword in REFERENCE_KEYWORDS:
            reference = place.schema.get(keyword)
            if not isinstance(reference, str) or not _known(keyword, place.dialect):
                continue
            count += 1
            try:
                document_index.resolve(place.base, reference)
            except Unresolvable as error:
                issues.append(
                    SchemaIssue(
                        "json/reference",
                        f"{keyword} {reference[:200]!r}: {error}",
                        join_pointer(place.pointer, keyword),
                    )
                )
    if count > limits.references_in_schema:
        issues.append(
            SchemaIssue(
                "json/references",
                f"has {count} references; the limit is {limits.references_in_schema} (setting json_schema.references_in_schema)",
            )
        )
    return issues[: limits.issues] or _check_paths(document_index, combining, limits)


def identifier_issues(document_index: DocumentIndex) -> list[SchemaIssue]:
    """Identifiers that two different schemas have, in one document or in several."""
    return [
        SchemaIssue(
            "json/identifier",
            f"{conflict.uri.removeprefix(DEFAULT_BASE)[:200]!r} identifies two different schemas: "
            f"{_where(conflict.first)} and {_where(conflict.second)}; rename one, or make them equal",
            "" if conflict.second.document.number else conflict.second.pointer,
        )
        for conflict in document_index.conflicts
    ]


def _where(place: Place | None) -> str:
    if place is None:
        return "the metaschema of that URI"
    pointer = place.pointer[:200] or "the root"
    document = place.document
    return (
        f"{pointer} of this schema"
        if not document.number
        else f"{pointer} of the reference {document.name[:200]!r}"
    )


def _known(keyword: str, dialect: Dialect) -> bool:
    if keyword == "$recursiveRef":
        return dialect is Dialect.DRAFT_2019_09
    return keyword == "$ref" or dialect is Dialect.DRAFT_2020_12


def applied_in_place(document_index: DocumentIndex, place: Place) -> Iterator[Place]:
    """The subschemas that apply to the same value as `place`, through references too."""
    schema = place.schema
    if not isinstance(schema, dict):
        return
    for keyword in REFERENCE_KEYWORDS:
        reference = schema.get(keyword)
        if isinstance(reference, str) and _known(keyword, place.dialect):
            yield document_index.resolve(place.base, reference)
    if "$ref" in schema and place.dialect.isolates_references:
        return
    for keyword, name, _ in subschemas(schema, place.dialect):
        if keyword in IN_PLACE:
            yield document_index.child(place, keyword, name)


def _check_paths(
    document_index: DocumentIndex, combining: Sequence[Place], limits: JsonSchemaLimits
) -> list[SchemaIssue]:
    """Count, for each subschema, the ways in which subschemas apply to one value under it."""
    paths: dict[tuple[int, str], int] = {}
    done: set[tuple[int, str]] = set()
    for start in combining:
        active: list[tuple[Place, Iterator[Place]]] = []
        on_stack: set[tuple[int, str]] = set()
        if start.key in done:
            continue
        active.append((start, applied_in_place(document_index, start)))
        on_stack.add(start.key)
        paths[start.key] = 1
        while active:
            place, rest = active[-1]
            try:
                child = next(rest, None)
            except Unresolvable:
                continue  # inside a referenced schema, which was checked when it was registered
            if child is None:
                active.pop()
                on_stack.discard(place.key)
                done.add(place.key)
                if paths[place.key] > limits.evaluation_paths:
                    return [
                        SchemaIssue(
                            "json/evaluation-paths",
                            f"subschemas apply to one value in more than {limits.evaluation_paths} ways, "
                            "which is the limit (setting json_schema.evaluation_paths); merge the alternatives or references",
                            place.pointer,
                        )
                    ]
                if active:
                    paths[active[-1][0].key] += paths[place.key]
                continue
            if child.key in on_stack:
                return [
                    SchemaIssue(
                        "json/reference-loop",
                        "the schema refers to itself without looking into the data, which can never be decided",
                        place.pointer,
                    )
                ]
            if child.key in done:
                paths[place.key] += paths[child.key]
            elif len(active) >= limits.reference_chain:
                return [
                    SchemaIssue(
                        "json/reference-chain",
                        f"more than {limits.reference_chain} schemas in a chain apply to one value, "
                        "which is the limit (setting json_schema.reference_chain)",
                        start.pointer,
                    )
                ]
            else:
                paths[child.key] = 1
                on_stack.add(child.key)
                active.append((child, applied_in_place(document_index, child)))
    return []
