"""Runs the rules of a type over a parsed schema. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from ..formats.engine import ParsedSchema, SchemaSource
from ..formats.json_schema.reading import locate_all
from ..formats.protobuf import artifact
from ..model.compatibility import Severity
from ..model.schema import SchemaType
from . import avro, json_schema, protobuf
from .rule import Fault, LintFinding, LintReport, LintRule
from .subschema import subschemas

MOST_FINDINGS = 200
MOST_FAULTS = 1000
"""After so many faults no more are looked for."""

LINT_RULES: tuple[LintRule[Any], ...] = (*json_schema.RULES, *avro.RULES, *protobuf.RULES)
"""Every rule, type by type."""

_PARTS: Mapping[SchemaType, Callable[[SchemaSource], Iterable[Any]]] = {
    SchemaType.JSON: subschemas,
    SchemaType.AVRO: lambda source: avro.parts(source.content),
    SchemaType.PROTOBUF: lambda source: artifact.read(source.artifact)[-1:],
}
"""What the rules of a type look at, one after the other."""
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
    faults = list(islice(_faults(schema_type, source, rules), MOST_FAULTS))
    positions: Mapping[str, tuple[int, int]] = {}
    if faults and schema_type is not SchemaType.PROTOBUF:
        positions = locate_all(source.content, {fault.pointer for _, fault in faults})
    found = [*_warnings(parsed)]
    for rule, fault in faults:
        line, column = positions.get(fault.pointer, (0, 0))
        found.append(
            LintFinding(rule.id, rule.severity, fault.message, fault.pointer, line, column, rule.hint)
        )
    order = {pointer: number for number, pointer in enumerate(dict.fromkeys(f.pointer for f in found))}
    found.sort(key=lambda f: (f.line, f.column, order[f.pointer], f.severity, f.rule))
    return LintReport(tuple(found[:MOST_FINDINGS]), len(found) > MOST_FINDINGS)


def _warnings(parsed: ParsedSchema) -> Iterator[LintFinding]:
    for issue in parsed.warnings:
        if issue.rule not in _SILENT:
            yield LintFinding(
                issue.rule, Severity.WARNING, issue.message, issue.pointer, issue.line, issue.column
            )


def _faults(
    schema_type: SchemaType, source: SchemaSource, rules: frozenset[str]
) -> Iterator[tuple[LintRule[Any], Fault]]:
    own = [rule for rule in LINT_RULES if rule.schema_type is schema_type and rule.id in rules]
    for part in _PARTS[schema_type](source):
        for rule in own:
            yield from ((rule, fault) for fault in rule.check(part))
