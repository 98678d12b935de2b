"""What a registration tells about a schema: findings of the quick rules, a bounded number, found while it is parsed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain

from ..formats.avro.engine import AvroEngine
from ..formats.engine import FormatEngine, ParsedSchema, SchemaSource
from ..formats.json_schema.engine import JsonSchemaEngine
from ..formats.protobuf.engine import ProtobufEngine
from ..model.compatibility import Severity
from ..model.lint import NOTHING_FOUND, LintFinding, LintReport
from .linting import LINT_RULES, faults, json_faults, report, settled

MOST_TOLD, MOST_BYTES = 50, 16 * 1024
"""Findings, and bytes of their texts, that a registration tells."""
MOST_TRIED = 64 * 1024
"""Bytes of subschemas, defaults and examples that are tried out on each other: less than 20 ms of work."""

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
    if isinstance(engine, JsonSchemaEngine):
        parsed, opened = engine.parse_opened(source)
        found = json_faults(settled(source, parsed), opened, QUICK, most_tried=MOST_TRIED)
    elif isinstance(engine, AvroEngine | ProtobufEngine):
        parsed = engine.parse(source)
        found = faults(engine.schema_type, settled(source, parsed), QUICK)
    else:
        return engine.parse(source)
    first = next(found, None)
    if first is None and not parsed.warnings:
        return parsed
    every = found if first is None else chain((first,), found)
    told = report(parsed.schema_type, source.content, parsed, every, positions=False)
    return replace(parsed, lint=bounded(told))


def bounded(told: LintReport) -> LintReport:
    """The findings that are worse than INFO, as many as a registration tells."""
    kept: list[LintFinding] = []
    worse = [finding for finding in told.findings if finding.severity is not Severity.INFO]
    for finding, size in zip(worse, _sizes(worse), strict=True):
        if size > MOST_BYTES or len(kept) == MOST_TOLD:
            return LintReport(tuple(kept), truncated=True)
        kept.append(finding)
    return LintReport(tuple(kept), told.truncated) if kept else NOTHING_FOUND


def _sizes(findings: Iterable[LintFinding]) -> Iterator[int]:
    """Bytes of the findings up to each."""
    size = 0
    for f in findings:
        size += (
            sum(len(text.encode(errors="replace")) for text in (f.rule, f.message, f.pointer, f.hint)) + 20
        )
        yield size
