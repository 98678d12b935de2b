"""Results as lines of text, safe to show on a terminal."""

from __future__ import annotations

import difflib
import json
import shlex
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from rich.text import Text

from ..enums import DifferenceKind, SchemaType, Severity, Verdict
from ..results import CompatibilityReport, SchemaContent, SchemaDiff


def printable(text: str) -> str:
    """The text without control characters, which could take a terminal over; line ends and tabs stay."""
    return "".join(
        c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf") else "\ufffd" for c in text
    )


def styled(text: str, style: str) -> Text:
    """A line in a colour, where the terminal shows colours."""
    return Text(printable(text), style)


def good(text: str) -> Text:
    """A line that says yes."""
    return styled(text, "green")


def bad(text: str) -> Text:
    """A line that says no."""
    return styled(text, "red")


def doubtful(text: str) -> Text:
    """A line that says neither, or warns."""
    return styled(text, "yellow")


def counted(count: int, noun: str) -> str:
    """A number of things: `1 version`, `2 versions`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


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


_DIFF_STYLES = (("---", "bold"), ("+++", "bold"), ("@@", "cyan"), ("+", "green"), ("-", "red"))


def colored_difference(lines: list[str]) -> Iterator[Text]:
    """A unified difference in the usual colours."""
    for number, line in enumerate(lines):
        # Beyond the two lines of the head, `---` is a removed line that begins with `--`.
        styles = _DIFF_STYLES if number < 2 else _DIFF_STYLES[2:]
        yield styled(line, next((style for begin, style in styles if line.startswith(begin)), ""))


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


SEVERITY_STYLES: dict[str, Callable[[str], str | Text]] = {"ERROR": bad, "WARNING": doubtful, "INFO": str}
VERDICT_STYLES = {"compatible": good, "undecided": doubtful, "incompatible": bad}

Command = Callable[[str], str]
"""From options such as `--level none` to what to type so that they count."""


def settings_command(subject: str) -> Command:
    """How settings of a subject are changed."""
    return lambda options: f"schema-registry config set {shlex.quote(subject)} {options}"


def option_command(options: str) -> str:
    """How a check without a server is told the same."""
    return f"the same command with {options}"


def fix_command(*words: str) -> str:
    """How edits are found that make the same check pass."""
    return " ".join(["schema-registry fix", *(shlex.quote(word) for word in words)])


def options_of(settings: Mapping[str, str]) -> str:
    """Settings as the options that `check` and `config set` share."""
    words = []
    for name, value in settings.items():
        option = "--" + name.replace("_", "-")
        words.append(option if value == "true" else f"{option} {shlex.quote(value.lower())}")
    return " ".join(words)


def _step(report: CompatibilityReport) -> str:
    """The version that the schema would get; a refused one gets none."""
    if not report.suggested_version:
        return ""
    if not report.compatible:
        return f"; where the level allows it, it would become {report.suggested_version}"
    return f"; registered, it would become {report.suggested_version}"


def report_lines(
    report: CompatibilityReport,
    command: Command | None = None,
    *,
    registered: bool = False,
    fix: str = "",
) -> Iterator[str | Text]:
    """The outcome of a check: the verdict, each violation with its witness, and the ways out with what to type.

    registered: the version that it let in has been told already. fix: the command that finds edits which pass.
    """
    compared = ", ".join(report.compared_versions) or "nothing"
    word = verdict(report)
    yield VERDICT_STYLES[word](f"{word} at level {report.level.name}, compared with {compared}")
    if report.change_class:
        yield f"change: {report.change_class.name}{'' if registered else _step(report)}"
    for v in report.violations:
        facts = [f for f in (v.direction, v.compared_version and f"against {v.compared_version}") if f]
        line = f"  {v.severity.name.lower()}: {v.rule} at {v.path or '(root)'}" + (
            f" ({', '.join(facts)})" if facts else ""
        )
        yield (bad if v.severity is Severity.ERROR and not v.undecided else doubtful)(line)
        yield f"    {v.message}"
        if v.old_value or v.new_value:
            yield f"    {v.old_value or '(nothing)'} -> {v.new_value or '(nothing)'}"
        witness = v.witness_text or v.witness.decode("utf-8", errors="replace")
        if witness:
            yield f"    for example: {witness}"
    for remedy in report.remedies:
        yield styled(f"  way out: {remedy.message}", "cyan")
        if remedy.settings and command is not None:
            yield styled(f"    {command(options_of(remedy.settings))}", "cyan")
    if any(remedy.kind == "EDIT" for remedy in report.remedies):
        yield "  the rules: docs/protobuf.md"
    if fix and not report.compatible:
        yield styled(f"  edits that would pass: {fix}", "cyan")
