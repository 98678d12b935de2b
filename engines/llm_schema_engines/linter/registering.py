"""What a registration tells about a schema: findings of the quick rules, a bounded number, found while it is parsed. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from ..formats.engine import FormatEngine, ParsedSchema, SchemaSource
from ..formats.json_schema.engine import JsonSchemaEngine
from ..formats.json_schema.parsing_cost import LARGEST, Limit, TooDear, text_cost
from ..model.compatibility import Severity
from ..model.lint import NOTHING_FOUND, LintFinding, LintReport
from .linting import LINT_RULES, Found, faults, json_faults, report, settled
from .subschema import Budget

MOST_TOLD, MOST_TEXT = 50, 16 * 1024
"""Findings, and characters of their texts, that a registration tells."""
_FRAME = 20
"""What a finding costs beside its texts."""
MOST_TRIED = 64 * 1024
"""Bytes of subschemas, defaults and examples that are tried out on each other: less than 20 ms of work."""

TRIED_AT_ONCE, WORDS_AT_ONCE = 4096, 10
"""The same, and unknown words that are compared with the keywords, where other work must not wait."""

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
        return _linted(
            parsed, source, json_faults(engine, settled(source, parsed), opened, QUICK, budget), budget
        )
    parsed = engine.parse(source)
    return _linted(parsed, source, faults(engine, settled(source, parsed), QUICK, budget), budget)


def parse_and_lint_within(engine: FormatEngine, source: SchemaSource, seconds: float) -> ParsedSchema | None:
    """As `parse_and_lint`, for a thread whose other work must not wait; None when it may take longer than `seconds` of processor
    time, or when the engine cannot tell."""
    if not isinstance(engine, JsonSchemaEngine) or source.size > LARGEST or text_cost(source) > seconds * 1e9:
        return None
    limit = Limit(seconds)
    budget = Budget(TRIED_AT_ONCE, WORDS_AT_ONCE, check=limit.check)
    try:
        parsed, opened = engine.parse_opened(source, within=limit)
        found = json_faults(engine, settled(source, parsed), opened, QUICK, budget)
        linted = _linted(parsed, source, found, budget)
    except TooDear:
        return None
    return None if budget.exhausted else linted


def _linted(
    parsed: ParsedSchema, source: SchemaSource, found: Iterator[Found], budget: Budget
) -> ParsedSchema:
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
