"""Verdicts on real revisions of JSON Schemas, both directions, with times and reasons.

    PYTHONPATH=server python loadtest/engines/json_schema_pairs.py PAIRS.jsonl [--markdown docs/json-schema-verdicts.md]

PAIRS.jsonl holds one JSON object a line: {"path", "old", "new"}, the schemas as values or as text. A pair counts when
both revisions may be registered; the others are listed by the rule that refuses them. Times are those of the whole
comparison (read, compile, build, prove, confirm), as processor time of one thread.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema_rs

from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.formats.json_schema import JsonSchemaEngine
from llm_schema_engines.formats.json_schema.dialects import DRAFTS
from llm_schema_engines.formats.json_schema.options import choose_dialect
from llm_schema_engines.model.compatibility import CompareOptions, Comparison, Verdict
from llm_schema_registry_server.errors import InvalidSchema

ENGINE = JsonSchemaEngine()
DIRECTIONS = ("backward", "forward")


@dataclass
class Tally:
    """What came out over all pairs."""

    pairs: int = 0
    registered: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    verdicts: dict[str, Counter[str]] = field(default_factory=lambda: {d: Counter() for d in DIRECTIONS})
    reasons: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    second: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    witnesses: list[int] = field(default_factory=list)


def sources(line: str) -> tuple[SchemaSource, SchemaSource]:
    pair = json.loads(line)
    texts = (side if isinstance(side, str) else json.dumps(side) for side in (pair["old"], pair["new"]))
    old, new = (SchemaSource(text.encode()) for text in texts)
    return old, new


def second_opinion(reader: SchemaSource, writer: SchemaSource) -> str:
    """What the Rust library's experimental `covers` says of the same question: yes, no, unknown or failed."""
    try:
        sides = []
        for side in (reader, writer):
            schema: Any = json.loads(side.content)
            sides.append(
                jsonschema_rs.canonicalize(schema, draft=DRAFTS[choose_dialect(schema, {})], offline=True)
            )
        return str(sides[0].covers(sides[1]).value).lower()
    except (ValueError, jsonschema_rs.ReferencingError):
        return "failed"


def run(lines: Iterator[str]) -> Tally:
    tally = Tally()
    for line in lines:
        tally.pairs += 1
        old, new = sources(line)
        try:
            ENGINE.parse(old)
            ENGINE.parse(new)
        except InvalidSchema as error:
            tally.refused[error.issues[0].rule] += 1
            continue
        tally.registered += 1
        for direction, reader, writer in (("backward", new, old), ("forward", old, new)):
            started = time.thread_time()
            comparison = ENGINE.compare(reader, writer, CompareOptions())
            tally.seconds.append(time.thread_time() - started)
            note(tally, direction, comparison, second_opinion(reader, writer))
    return tally


def note(tally: Tally, direction: str, comparison: Comparison, second: str) -> None:
    verdict = comparison.verdict.name
    tally.verdicts[direction][verdict] += 1
    tally.second[f"{verdict} / {second}"] += 1
    if comparison.verdict is Verdict.UNDECIDED:
        tally.reasons[comparison.violations[0].message] += 1
    for violation in comparison.violations:
        tally.rules[violation.rule] += comparison.verdict is Verdict.NO
        if violation.witness is not None:
            tally.witnesses.append(len(violation.witness.data))


def page(tally: Tally, command: str) -> str:
    """The results as Markdown."""
    total = 2 * tally.registered
    undecided = sum(c["UNDECIDED"] for c in tally.verdicts.values())
    quantiles = statistics.quantiles(tally.seconds, n=100)
    lines = [
        "# Verdicts on real revisions of JSON Schemas",
        "",
        f"`{command}`",
        "",
        f"{tally.pairs} consecutive revisions (SchemaStore), {tally.registered} of which may be registered on both "
        f"sides: {total} questions, {undecided} undecided ({100 * undecided / total:.1f} %). Every NO has a witness "
        "that the validator accepted under one revision and refused under the other.",
        "",
        "| direction | YES | NO | UNDECIDED |",
        "|---|---|---|---|",
        *(f"| {d} | {c['YES']} | {c['NO']} | {c['UNDECIDED']} |" for d, c in tally.verdicts.items()),
        "",
        f"Time of a comparison: p50 {quantiles[49] * 1e3:.1f} ms, p90 {quantiles[89] * 1e3:.1f} ms, "
        f"p99 {quantiles[98] * 1e3:.1f} ms, most {max(tally.seconds) * 1e3:.1f} ms (processor time of one thread, "
        f"Python {platform.python_version()}). Witnesses: {statistics.median(tally.witnesses):.0f} bytes at the "
        f"median, {max(tally.witnesses)} at most.",
        "",
        "| not registered because of | pairs |",
        "|---|---|",
        *(f"| {rule} | {count} |" for rule, count in tally.refused.most_common()),
        "",
        "| undecided because | questions |",
        "|---|---|",
        *(f"| {reason.partition(': ')[2]} | {count} |" for reason, count in tally.reasons.most_common()),
        "",
        "| rule broken | violations |",
        "|---|---|",
        *(f"| {rule} | {count} |" for rule, count in tally.rules.most_common() if count),
        "",
        "A second engine on the same questions (`jsonschema_rs.canonicalize(reader).covers(writer)`), ours / theirs; "
        "`YES / no` and `NO / yes` would be contradictions.",
        "",
        "| ours / theirs | questions |",
        "|---|---|",
        *(f"| {both} | {count} |" for both, count in sorted(tally.second.items())),
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    with options.pairs.open(encoding="utf-8") as lines:
        tally = run(iter(lines))
    command = f"python loadtest/engines/json_schema_pairs.py {options.pairs.name}"
    text = page(tally, command)
    if options.markdown:
        options.markdown.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
