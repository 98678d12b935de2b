"""Runs the rules of a type over a parsed schema. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from ..errors import MAX_MESSAGE, MAX_POINTER, clip
from ..formats.engine import ParsedSchema, SchemaSource
from ..formats.json_schema.compiled import OpenedSchema, open_schema
from ..formats.json_schema.limits import DEFAULT_LIMITS
from ..formats.json_schema.reading import locate_all
from ..formats.protobuf import artifact
from ..model.compatibility import Severity
from ..model.lint import LintFinding, LintReport
from ..model.schema import SchemaType
from . import avro, json_schema, protobuf
from .rule import Fault, LintRule
from .screening import rules_for
from .subschema import MOST_TRIED, Budget, Subschema

MOST_FINDINGS = 200
MOST_FAULTS = 1000
"""After so many faults no more are looked for."""

LINT_RULES: tuple[LintRule[Any], ...] = (*json_schema.RULES, *avro.RULES, *protobuf.RULES)
"""Every rule, type by type."""

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
    schema_type: SchemaType, source: SchemaSource, parsed: ParsedSchema, rules: frozenset[str]
) -> LintReport:
    """What the rules find in a parsed schema, and what its parser warns of: by place, the worst first where places are
    equal. At most 200 findings."""
    return report(schema_type, source.content, parsed, faults(schema_type, source, rules))


def report(
    schema_type: SchemaType,
    content: bytes,
    parsed: ParsedSchema,
    found_faults: Iterable[tuple[LintRule[Any], Fault]],
    *,
    positions: bool = True,
) -> LintReport:
    """The findings for faults of a schema, and for what its parser warns of, in the order of `lint_schema`. positions:
    whether to look for lines and columns, which is one more walk over the text."""
    found_here = list(islice(found_faults, MOST_FAULTS))
    places: Mapping[str, tuple[int, int]] = {}
    if positions and found_here and schema_type is not SchemaType.PROTOBUF:
        places = locate_all(content, {fault.pointer for _, fault in found_here})
    found = [*_warnings(parsed)]
    for rule, fault in found_here:
        line, column = places.get(fault.pointer, (0, 0))
        message, pointer = clip(fault.message, MAX_MESSAGE), clip(fault.pointer, MAX_POINTER)
        found.append(LintFinding(rule.id, rule.severity, message, pointer, line, column, rule.hint))
    order = {pointer: number for number, pointer in enumerate(dict.fromkeys(f.pointer for f in found))}
    found.sort(key=lambda f: (f.line, f.column, order[f.pointer], f.severity, f.rule))
    return LintReport(tuple(found[:MOST_FINDINGS]), len(found) > MOST_FINDINGS)


def _warnings(parsed: ParsedSchema) -> Iterator[LintFinding]:
    for issue in parsed.warnings:
        if issue.rule not in _SILENT:
            yield LintFinding(
                issue.rule, Severity.WARNING, issue.message, issue.pointer, issue.line, issue.column
            )


def settled(source: SchemaSource, parsed: ParsedSchema) -> SchemaSource:
    """The same schema with what parsing found out: the options in force and the engine's artifact."""
    return SchemaSource(source.content, source.references, parsed.options, parsed.artifact)


def faults(
    schema_type: SchemaType, source: SchemaSource, rules: frozenset[str]
) -> Iterator[tuple[LintRule[Any], Fault]]:
    """What the rules with these ids find in a schema that has been parsed, part by part."""
    match schema_type:
        case SchemaType.JSON:
            return json_faults(source, open_schema(source, DEFAULT_LIMITS), rules)
        case SchemaType.AVRO:
            return _avro_faults(source, rules)
    return _protobuf_faults(source, rules)


def json_faults(
    source: SchemaSource, opened: OpenedSchema, rules: frozenset[str], *, most_tried: int = MOST_TRIED
) -> Iterator[tuple[LintRule[Subschema], Fault]]:
    """`faults` of a JSON Schema that is open already. most_tried: bytes of subschemas, defaults and examples that are tried
    out on each other."""
    budget = Budget(most_tried)
    for place in opened.document_index.walk(opened.root):
        if isinstance(place.schema, dict) and (concerned := rules_for(place, rules)):
            at = Subschema(source, opened, place, budget)
            for rule in concerned:
                for fault in rule.check(at):
                    yield rule, fault


def _avro_faults(source: SchemaSource, rules: frozenset[str]) -> Iterator[tuple[LintRule[Any], Fault]]:
    for part in avro.parts(source.content):
        for rule in avro.rules_for(part, rules):
            for fault in rule.check(part):
                yield rule, fault


def _protobuf_faults(source: SchemaSource, rules: frozenset[str]) -> Iterator[tuple[LintRule[Any], Fault]]:
    file = artifact.read(source.artifact)[-1]
    for rule in protobuf.RULES:
        if rule.id in rules:
            for fault in rule.check(file):
                yield rule, fault
