"""What a registration tells about a schema: findings of the quick rules, a bounded number, found while it is parsed. Pure."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

from ..formats.engine import FormatEngine, ParsedSchema, SchemaSource
from ..formats.json_schema.engine import JsonSchemaEngine
from ..model.compatibility import Severity
from ..model.lint import NOTHING_FOUND, LintFinding, LintReport
from .linting import LINT_RULES, faults, json_faults, report, settled
from .subschema import Budget

MOST_TOLD, MOST_TEXT = 50, 16 * 1024
"""Findings, and characters of their texts, that a registration tells."""
_FRAME = 20
"""What a finding costs beside its texts."""
MOST_TRIED = 64 * 1024
"""Bytes of subschemas, defaults and examples that are tried out on each other: less than 20 ms of work."""

ALL = frozenset(rule.id for rule in LINT_RULES if rule.by_default)
"""The rules that run by default."""
ERRORS = frozenset(rule.id for rule in LINT_RULES if rule.by_default and rule.severity is Severity.ERROR)
"""Those whose findings are contradictions."""
QUICK = frozenset(
    rule.id
    for rule in LINT_RULES
    if rule.by_default and not rule.costly and rule.severity is not Severity.INFO
)
"""The rules that look at the text alone, and find what is worse than INFO."""


def parse_and_lint(engine: FormatEngine, source: SchemaSource) -> ParsedSchema:
    """What `engine.parse` returns and raises, strictly, with what the quick rules find in `lint`.

    Takes a small part of the time that parsing takes: the schema is not read again.
    """
    budget = Budget(MOST_TRIED)
    if isinstance(engine, JsonSchemaEngine):
        parsed, opened = engine.parse_opened(source)
        found = json_faults(engine, settled(source, parsed), opened, QUICK, budget)
    else:
        parsed = engine.parse(source)
        found = faults(engine, settled(source, parsed), QUICK, budget)
    first = next(found, None)
    if first is None and not parsed.warnings:
        return parsed
    every = found if first is None else chain((first,), found)
    told = report(parsed.schema_type, source.content, parsed.warnings, every, budget, positions=False)
    return replace(parsed, lint=bounded(told))


def bounded(told: LintReport) -> LintReport:
    """The findings that are worse than INFO, as many as a registration tells."""
    kept: list[LintFinding] = []
    size = 0
    for finding in told.from_severity(Severity.WARNING).findings:
        size += _FRAME + sum(
            len(text) for text in (finding.rule, finding.message, finding.pointer, finding.hint)
        )
        if size > MOST_TEXT or len(kept) == MOST_TOLD:
            return LintReport(tuple(kept), truncated=True)
        kept.append(finding)
    return LintReport(tuple(kept), told.truncated) if kept else NOTHING_FOUND
