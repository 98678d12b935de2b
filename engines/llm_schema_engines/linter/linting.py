"""Runs the rules of a type over a parsed schema. Pure."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..errors import MAX_MESSAGE, MAX_POINTER, SchemaIssue, clip
from ..formats.avro.engine import AvroEngine
from ..formats.engine import FormatEngine, ParsedSchema, SchemaSource
from ..formats.json_schema.compiled import OpenedSchema
from ..formats.json_schema.engine import JsonSchemaEngine
from ..formats.json_schema.reading import locate_all
from ..formats.protobuf import artifact
from ..formats.protobuf.engine import ProtobufEngine
from ..model.compatibility import Severity
from ..model.lint import LintFinding, LintReport
from ..model.schema import SchemaType
from . import avro, json_schema, protobuf
from .rule import Fault, LintRule
from .screening import rules_for
from .subschema import Budget, Subschema

MOST_FINDINGS = 200

LINT_RULES: tuple[LintRule[Any], ...] = (*json_schema.RULES, *avro.RULES, *protobuf.RULES)
"""Every rule, type by type."""

Found = tuple[LintRule[Any], Fault]
_SILENT = frozenset({"AVRO_REFERENCE_UNUSED"})
"""Warnings of parsers about what was given beside the schema."""


def choose_rules(enable: Iterable[str], disable: Iterable[str]) -> frozenset[str]:
    """The ids of the rules to run: those of the default, with some more and without others.

    Raises ValueError for an id that is none and TypeError for a single text.
    """
    known = {rule.id for rule in LINT_RULES}
    chosen = {rule.id for rule in LINT_RULES if rule.by_default}
    for name, given in (("enable", enable), ("disable", disable)):
        if isinstance(given, str | bytes):
            raise TypeError(f"{name}: several rule ids are expected, such as [{given[:60]!r}]")
        if not isinstance(given, Iterable):
            raise TypeError(f"{name}: rule ids are expected, not {type(given).__name__}")
    return frozenset(chosen | _rules("enable", enable, known)) - _rules("disable", disable, known)


def _rules(name: str, given: Iterable[str], known: set[str]) -> frozenset[str]:
    """The rule ids in the argument of that name; raises TypeError and ValueError for what is none."""
    ids = list(given)
    for rule in ids:
        if not isinstance(rule, str):
            raise TypeError(f"{name}: rule ids are expected, not {type(rule).__name__}")
    wanted = frozenset(ids)
    for unknown in sorted(wanted - known):
        close = difflib.get_close_matches(unknown[:100], known, 1)
        tip = f"; {close[0]!r} is one" if close else ""
        raise ValueError(f"{name}: {unknown[:100]!r} is no lint rule{tip}")
    return wanted


def lint_schema(
    engine: FormatEngine, source: SchemaSource, warnings: Sequence[SchemaIssue], rules: frozenset[str]
) -> LintReport:
    """What the rules find in a schema that `engine` has parsed, and what it warned of then: by place, the worst first where
    places are equal. At most 200 findings, of which the gravest are kept."""
    budget = Budget()
    found = faults(engine, source, rules, budget)
    return report(engine.schema_type, source.content, warnings, found, budget)


def report(
    schema_type: SchemaType,
    content: bytes,
    warnings: Iterable[SchemaIssue],
    found: Iterable[Found],
    budget: Budget,
    *,
    positions: bool = True,
) -> LintReport:
    """The findings for faults of a schema, and for what its parser warns of, in the order of `lint_schema`. positions:
    whether to look for lines and columns, which is one more walk over the text."""
    kept, truncated = _gravest(found)
    places: Mapping[str, tuple[int, int]] = {}
    if positions and kept and schema_type is not SchemaType.PROTOBUF:
        places = locate_all(content, {fault.pointer for _, fault in kept})
    findings = [*_warnings(warnings)]
    for rule, fault in kept:
        line, column = places.get(fault.pointer, (0, 0))
        message, pointer = clip(fault.message, MAX_MESSAGE), clip(fault.pointer, MAX_POINTER)
        findings.append(LintFinding(rule.id, rule.severity, message, pointer, line, column, rule.hint))
    order = {pointer: number for number, pointer in enumerate(dict.fromkeys(f.pointer for f in findings))}
    findings.sort(key=lambda f: (f.line, f.column, order[f.pointer], f.severity, f.rule))
    if len(findings) > MOST_FINDINGS:
        gravest = sorted(range(len(findings)), key=lambda n: findings[n].severity)[:MOST_FINDINGS]
        truncated, findings = True, [findings[n] for n in sorted(gravest)]
    return LintReport(tuple(findings), truncated, budget.exhausted)


def _gravest(found: Iterable[Found]) -> tuple[list[Found], bool]:
    """The first faults of each severity, in the order in which they come, and whether there are more."""
    kept: list[Found] = []
    counts: Counter[Severity] = Counter()
    for rule, fault in found:
        counts[rule.severity] += 1
        if counts[rule.severity] <= MOST_FINDINGS:
            kept.append((rule, fault))
    return kept, any(count > MOST_FINDINGS for count in counts.values())


def _warnings(warnings: Iterable[SchemaIssue]) -> Iterator[LintFinding]:
    for issue in warnings:
        if issue.rule not in _SILENT:
            yield LintFinding(
                issue.rule, Severity.WARNING, issue.message, issue.pointer, issue.line, issue.column
            )


def settled(source: SchemaSource, parsed: ParsedSchema) -> SchemaSource:
    """The same schema with what parsing found out: the options in force and the engine's artifact."""
    return SchemaSource(source.content, source.references, parsed.options, parsed.artifact)


def has_rules(schema_type: SchemaType, rules: frozenset[str]) -> bool:
    """Whether any of the rules with these ids is about schemas of the type."""
    return any(rule.id in rules for rule in LINT_RULES if rule.schema_type is schema_type)


def faults(
    engine: FormatEngine, source: SchemaSource, rules: frozenset[str], budget: Budget
) -> Iterator[Found]:
    """What the rules with these ids find in a schema that `engine` has parsed, part by part. Nothing for an engine that is
    none of ours."""
    if not has_rules(engine.schema_type, rules):
        return iter(())
    match engine:
        case JsonSchemaEngine():
            return json_faults(engine, source, engine.open(source), rules, budget)
        case AvroEngine():
            return _avro_faults(source, rules)
        case ProtobufEngine():
            return _protobuf_faults(source, rules)
    return iter(())


def json_faults(
    engine: JsonSchemaEngine,
    source: SchemaSource,
    opened: OpenedSchema,
    rules: frozenset[str],
    budget: Budget,
) -> Iterator[Found]:
    """`faults` of a JSON Schema that is open already."""
    for place in opened.document_index.walk(opened.root):
        if isinstance(place.schema, dict) and (concerned := rules_for(place, rules)):
            at = Subschema(engine, source, opened, place, budget)
            for rule in concerned:
                for fault in rule.check(at):
                    yield rule, fault


def _avro_faults(source: SchemaSource, rules: frozenset[str]) -> Iterator[Found]:
    for part in avro.parts(source.content):
        for rule in avro.rules_for(part, rules):
            for fault in rule.check(part):
                yield rule, fault


def _protobuf_faults(source: SchemaSource, rules: frozenset[str]) -> Iterator[Found]:
    file = artifact.read(source.artifact)[-1]
    for rule in protobuf.RULES:
        if rule.id in rules:
            for fault in rule.check(file):
                yield rule, fault
