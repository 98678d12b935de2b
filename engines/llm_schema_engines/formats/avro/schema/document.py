"""A schema text with its references, parsed: the input of every other part of the engine. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ....errors import InvalidSchema, SchemaIssue
from ...engine import ReferencedSchema, walk_references
from ..limits import AvroLimits
from . import issues as rule
from . import text
from .canonical import canonical
from .issues import Issues
from .nodes import Named, Node, first_visit_depth
from .parser import Parser
from .values import without_value


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """One parsed schema text.

    `size`: bytes. `tree`: its JSON value. `root`: its type. `defined`: the named types that it defines, by full name.
    `visible`: the types that it may use, those of its references, direct and transitive, and its own.
    `dependencies`: the names of the direct references whose types it uses.
    """

    size: int
    tree: text.Json
    root: Node
    defined: Mapping[str, Named]
    visible: Mapping[str, Named]
    dependencies: tuple[str, ...] = ()
    warnings: tuple[SchemaIssue, ...] = ()
    referenced: tuple[Document, ...] = ()
    """The documents of `dependencies`, in that order."""


def load(
    content: bytes, references: Sequence[ReferencedSchema], limits: AvroLimits, *, strict: bool
) -> Document:
    """Parse a schema and its references (those leniently, because they are stored already). Raises InvalidSchema."""
    _check_total(references, limits)
    done: dict[tuple[str, str], Document] = {}
    by_identity: dict[str, Document] = {}
    for reference in walk_references(references):
        document = by_identity.get(reference.identity)
        if document is None:
            try:
                document = _load(reference.content, reference.references, done, limits, strict=False)
            except InvalidSchema as error:
                raise InvalidSchema(
                    [
                        SchemaIssue(
                            rule.REFERENCE_INVALID.id, f"the reference {reference.name!r}: {error.issues[0]}"
                        )
                    ]
                ) from None
            by_identity[reference.identity] = document
        done[reference.name, reference.identity] = document
    return _load(content, references, done, limits, strict=strict)


def _check_total(references: Sequence[ReferencedSchema], limits: AvroLimits) -> None:
    total = sum(len(reference.content) for reference in walk_references(references))
    if total > 4 * limits.schema_bytes:
        raise InvalidSchema(
            [
                SchemaIssue(
                    rule.LIMIT.id,
                    f"the references are {total} bytes; the limit is {4 * limits.schema_bytes}, four times the setting limits.schema_bytes",
                )
            ]
        )


def _load(
    content: bytes,
    references: Sequence[ReferencedSchema],
    done: Mapping[tuple[str, str], Document],
    limits: AvroLimits,
    *,
    strict: bool,
) -> Document:
    if len(content) > limits.schema_bytes:
        raise InvalidSchema(
            [
                SchemaIssue(
                    rule.LIMIT.id,
                    f"the schema is {len(content)} bytes; the limit is {limits.schema_bytes} (setting limits.schema_bytes)",
                )
            ]
        )
    try:
        tree, content_text, repeated = text.read(content, comments=limits.comments or not strict)
    except text.InvalidJsonText as error:
        broken = rule.LIMIT if error.deep else rule.SYNTAX
        message = error.message
        if strict and not limits.comments and text.has_comments(content):
            message += "; comments are no JSON, and taken only where the setting `avro.comments` allows them"
        raise InvalidSchema([SchemaIssue(broken.id, message, line=error.line, column=error.column)]) from None
    found = Issues(limits.issues, strict=strict)
    direct = [(reference, done[reference.name, reference.identity]) for reference in references]
    try:
        if repeated:
            _report_repeated(content_text, found, limits)
        visible = _visible(direct, found)
        parser = Parser(limits, found, visible)
        root = parser.parse(tree)
        if direct and first_visit_depth(root) > (deepest := 2 * limits.schema_depth):
            found.add(
                rule.LIMIT,
                None,
                f"types, referenced ones included, are nested more than {deepest} deep, twice the setting avro.schema_depth",
            )
    except rule.IssueLimitReached:
        found.close(content_text)
        raise AssertionError("IssueLimitReached comes after an issue") from None
    except RecursionError:
        raise InvalidSchema([SchemaIssue(rule.LIMIT.id, "the schema is nested too deeply")]) from None
    used = _used(direct, parser.used, found)
    for reference, document in direct:
        if reference.name not in document.defined:
            found.warn(
                rule.REFERENCE_NAME,
                None,
                f"the reference {reference.name!r} does not define a type of that name",
            )
    for record in without_value(root) if parser.recursive else ():
        found.warn(
            rule.NO_FINITE_VALUE, None, f"{record.name} contains itself, so that no data can be written"
        )
    warnings = found.close(content_text)
    return Document(
        len(content),
        tree,
        root,
        parser.defined,
        {**visible, **parser.defined},
        tuple(reference.name for reference, _ in used),
        warnings,
        tuple(document for _, document in used),
    )


def _report_repeated(content: str, found: Issues, limits: AvroLimits) -> None:
    for path, place in text.repeated_keys(content, limits.issues):
        at: rule.LinkedPath = None
        for step in path:
            at = (at, step)
        found.add(rule.KEY_REPEATED, at, f"the key {path[-1]!r} stands in the same object twice", place)


def _visible(direct: Sequence[tuple[ReferencedSchema, Document]], found: Issues) -> dict[str, Named]:
    """The types that the references define. Two references may define the same type, but not two types of one name."""
    visible: dict[str, Named] = {}
    for reference, document in direct:
        for name, node in document.visible.items():
            other = visible.setdefault(name, node)
            if other is not node and canonical(other) != canonical(node):
                found.add(
                    rule.REFERENCE_CONFLICT, None,
                    f"the reference {reference.name!r} brings another definition of {name!r} than those before it",
                )  # fmt: skip
    return visible


def _used(
    direct: Sequence[tuple[ReferencedSchema, Document]], used: set[str], found: Issues
) -> list[tuple[ReferencedSchema, Document]]:
    out = []
    for reference, document in direct:
        if used.isdisjoint(document.visible):
            found.warn(rule.REFERENCE_UNUSED, None, f"the reference {reference.name!r} is not used")
        else:
            out.append((reference, document))
    return out
