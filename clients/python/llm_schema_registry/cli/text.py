"""Results as lines of text, safe to show on a terminal."""

from __future__ import annotations

import difflib
import json
import unicodedata
from collections.abc import Iterator
from datetime import datetime

from ..enums import DifferenceKind, SchemaType, Verdict
from ..results import CompatibilityReport, SchemaContent, SchemaDiff


def printable(text: str) -> str:
    """The text without control characters, which could take a terminal over; line ends and tabs stay."""
    return "".join(
        c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf") else "\ufffd" for c in text
    )


def moment(time: datetime | None) -> str:
    """A time to the minute, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M") if time else ""


def pretty(schema: SchemaContent) -> str:
    """The content laid out for reading; the order of its keys is kept because it matters to models."""
    return laid_out(schema.content, schema.schema_type)


def laid_out(content: bytes, schema_type: SchemaType) -> str:
    text = content.decode("utf-8", errors="replace")
    if schema_type not in (SchemaType.JSON, SchemaType.AVRO):
        return text.rstrip("\n")
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:  # lenient registries keep what is no JSON; show it as it is
        return text


def difference(old: str, new: str, old_name: str, new_name: str) -> list[str]:
    """The unified difference of two texts, line by line; empty when they are equal."""
    return list(difflib.unified_diff(old.splitlines(), new.splitlines(), old_name, new_name, lineterm=""))


SIGNS = {
    DifferenceKind.ADDED: "+",
    DifferenceKind.REMOVED: "-",
    DifferenceKind.WIDENED: ">",
    DifferenceKind.NARROWED: "<",
    DifferenceKind.CHANGED: "~",
}


def difference_lines(diff: SchemaDiff) -> Iterator[str]:
    """What changed, a sentence each: added, removed, widened (>), narrowed (<), changed (~)."""
    for d in diff.differences:
        yield f"{SIGNS.get(d.kind, '?')} {d.message}"
    if diff.truncated:
        yield "... and more"


def verdict(report: CompatibilityReport) -> str:
    """The outcome in a word."""
    if report.verdict is Verdict.UNDECIDED:
        return "undecided"
    return "compatible" if report.compatible else "incompatible"


def report_lines(report: CompatibilityReport) -> Iterator[str]:
    """The outcome of a check: the verdict, then each violation with its witness."""
    compared = ", ".join(report.compared_versions) or "nothing"
    yield f"{verdict(report)} at level {report.level.name}, compared with {compared}"
    if report.change_class:
        suggested = f"; next version {report.suggested_version}" if report.suggested_version else ""
        yield f"change: {report.change_class.name}{suggested}"
    for v in report.violations:
        facts = [f for f in (v.direction, v.compared_version and f"against {v.compared_version}") if f]
        yield f"  {v.severity.name.lower()}: {v.rule} at {v.path or '(root)'}" + (
            f" ({', '.join(facts)})" if facts else ""
        )
        yield f"    {v.message}"
        if v.old_value or v.new_value:
            yield f"    {v.old_value or '(nothing)'} -> {v.new_value or '(nothing)'}"
        witness = v.witness_text or v.witness.decode("utf-8", errors="replace")
        if witness:
            yield f"    for example: {witness}"
    for remedy in report.remedies:
        settings = ", ".join(f"{name}={value}" for name, value in remedy.settings.items())
        yield f"  way out{f' ({settings})' if settings else ''}: {remedy.message}"
