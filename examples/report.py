"""What the demonstration prints: tables of verdicts and documents, the change stream, totals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from outcome import DocumentOutcome, Outcome
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from llm_schema_registry import ChangeClass, ChangeEvent, IncompatibleSchema, Registration, RegistryError

PER_KIND = 4
"""Rows of each kind (source and change class, or reason of refusal) of the real schemas in the short table."""

SHOWN_EVENTS = 5

COLOURS = {
    ChangeClass.NONE: "dim",
    ChangeClass.ORDER_ONLY: "cyan",
    ChangeClass.ANNOTATION_ONLY: "cyan",
    ChangeClass.COMPATIBLE: "green",
    ChangeClass.BREAKING: "red",
}


def outcome_table(outcomes: Sequence[Outcome], *, everything: bool) -> Table:
    """One row per case: what its second revision changes, and why it was refused if it was."""
    shown = outcomes if everything else _selection(outcomes)
    table = Table(
        title="The second revision of each schema, at level BACKWARD", title_justify="left", expand=True
    )
    table.add_column("subject", min_width=26, ratio=3, overflow="fold")
    table.add_column("verdict", min_width=15)
    table.add_column("first violation, and data that shows it", ratio=7, overflow="fold")
    for outcome in shown:
        verdict = Text("\n").join([_class(outcome), Text(_version(outcome))])
        table.add_row(outcome.case.subject, verdict, _lines(_why(outcome), _witness(outcome)))
    if len(shown) < len(outcomes):
        table.caption = f"{len(outcomes) - len(shown)} more rows with --all"
    return table


def validation_table(documents: Sequence[DocumentOutcome]) -> Table:
    """One row per document."""
    table = Table(title="Documents, validated against the first revision", title_justify="left", expand=True)
    for name in ("subject", "document", "verdict", "first error"):
        table.add_column(name, overflow="fold")
    for d in documents:
        first = d.report.errors[0] if d.report.errors else None
        verdict = Text("valid", "green") if d.report.valid else Text("invalid", "red")
        error = f"{first.path or '/'}: {first.message}" if first else ""
        table.add_row(Text(d.case.subject), d.document.name, verdict, _short(error, 80))
    return table


def stream_lines(events: Sequence[ChangeEvent]) -> Panel:
    """The last events that the change stream delivered."""
    lines = [f"{event.revision}  {event.subject} {event.version}" for event in events[-SHOWN_EVENTS:]]
    title = f"The change stream delivered {len(events)} registrations; the last {len(lines)}"
    return Panel(Text("\n".join(lines)), title=title, title_align="left")


def totals(
    outcomes: Sequence[Outcome],
    documents: Sequence[DocumentOutcome],
    events: Sequence[ChangeEvent],
    seconds: float,
) -> Table:
    """Everything in numbers."""
    written = sum(len(outcome.written) for outcome in outcomes)
    right = sum(d.report.valid == d.document.valid for d in documents)
    table = Table(title="Totals", title_justify="left", show_header=False)
    table.add_row("subjects", str(len(outcomes)))
    for kind, count in sorted(Counter(_kind(outcome) for outcome in outcomes).items()):
        table.add_row(f"  {kind}", str(count))
    table.add_row("versions written", str(written))
    table.add_row("registrations told by the change stream", str(len(events)))
    table.add_row("documents judged as expected", f"{right} of {len(documents)}")
    table.add_row("two revisions of everything took", f"{seconds:.1f} s")
    return table


def _selection(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Ours, and a few of each kind of the others."""
    ours = [o for o in outcomes if o.case.ours]
    others = sorted((o for o in outcomes if not o.case.ours), key=_source_and_kind)
    return ours + [o for _, group in groupby(others, _source_and_kind) for o in list(group)[:PER_KIND]]


def _source_and_kind(outcome: Outcome) -> tuple[str, str]:
    return outcome.case.subject.partition("/")[0], _kind(outcome)


def _kind(outcome: Outcome) -> str:
    if isinstance(outcome.first, RegistryError):
        return f"first revision refused: {outcome.reason}"
    if isinstance(outcome.second, Registration):
        return f"registered: {outcome.second.change_class}"
    if outcome.change_class is not None:
        return f"refused: {'UNDECIDED' if outcome.undecided else outcome.change_class}"
    return f"refused: {outcome.reason}"


def _lines(*texts: Text) -> Text:
    """The texts that say something, a line each."""
    return Text("\n").join(text for text in texts if text)


def _class(outcome: Outcome) -> Text:
    kind = outcome.change_class
    if outcome.undecided:
        return Text("UNDECIDED", "yellow")
    return Text("-", "dim") if kind is None else Text(kind.name, COLOURS.get(kind, ""))


def _version(outcome: Outcome) -> str:
    if isinstance(outcome.second, Registration):
        return outcome.second.version
    wanted = outcome.report.suggested_version if outcome.report is not None else ""
    return f"refused ({wanted})" if wanted else "refused"


def _why(outcome: Outcome) -> Text:
    error = outcome.first if isinstance(outcome.first, RegistryError) else outcome.second
    if isinstance(error, RegistryError) and not isinstance(error, IncompatibleSchema):
        return _short(f"{error.reason}: {error.message}")
    violation = outcome.violation
    if violation is None:
        return Text()
    return _short(f"{violation.rule} {violation.path or '/'}: {violation.message}")


def _witness(outcome: Outcome) -> Text:
    text = outcome.violation.witness_text if outcome.violation else ""
    return _short(f"e.g. {text}", 100) if text else Text()


def _short(text: str, limit: int = 160) -> Text:
    """One line of at most `limit` characters, in which brackets are just brackets."""
    line = " ".join(text.split())
    return Text(line if len(line) <= limit else line[: limit - 1] + "…")
