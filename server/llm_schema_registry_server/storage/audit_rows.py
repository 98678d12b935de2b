"""Entries of the audit log as rows of a database and back. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from ..model.audit import AuditEntry, AuditEvent, AuditOutcome, AuditSeverity, Summary
from ..model.timestamps import micros

LOG_COLUMNS = (
    "position",
    "at",
    "principal",
    "operation",
    "event",
    "outcome",
    "severity",
    "resources",
    "entry",
)
"""The columns of the log: `entry` is the canonical form, the others repeat of it what lists are filtered by."""
WINDOW = 50_000
"""Positions that one list looks at, at most: a filter that lets hardly anything pass costs no more than that."""


class Noted(NamedTuple):
    """An entry that waits for its place: its canonical form, and the place in the change log that goes into it, or 0."""

    entry: str
    revision: int = 0


class Logged(NamedTuple):
    """A row of the log, as it is stored; its columns are LOG_COLUMNS."""

    position: int
    at: int
    principal: str
    operation: str
    event: int
    outcome: int
    severity: int
    resources: str
    entry: str


class StoredCheckpoint(NamedTuple):
    """A checkpoint: the size of the log, when it was signed (microseconds since 1970 UTC), and the signed note."""

    size: int
    at: int
    note: str


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries a list yields; None and "" mean any. first, end: positions, from the first one to before the second one.
    since, until: times. severity: at least this one. resource: its name; with its kind before a colon, `subject:orders`."""

    first: int = 0
    end: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    principal: str = ""
    operation: str = ""
    event: AuditEvent | None = None
    outcome: AuditOutcome | None = None
    severity: AuditSeverity | None = None
    resource: str = ""


class Condition(NamedTuple):
    """What a column must be: `sql` with one place for a value."""

    sql: str
    value: Any


def row_of(position: int, entry: AuditEntry | Summary, text: str) -> Logged:
    """The row of an entry with this canonical form."""
    return Logged(
        position,
        micros(entry.at),
        entry.principal,
        entry.operation,
        int(entry.event),
        int(entry.outcome),
        int(entry.severity),
        # Each between line breaks, by name and by kind and name: names have no line breaks.
        "".join([f"\n{name}\n\n{kind}:{name}\n" for kind, name in entry.resources]),
        text,
    )


def conditions(wanted: AuditFilter, contains: str) -> Sequence[Condition]:
    """What rows must fulfil, but for their positions. contains: SQL that tells whether `resources` holds a value; `{}` is its place."""
    found = []
    if wanted.since is not None:
        found.append(Condition("at >= {}", micros(wanted.since)))
    if wanted.until is not None:
        found.append(Condition("at < {}", micros(wanted.until)))
    if wanted.principal:
        found.append(Condition("principal = {}", wanted.principal))
    if wanted.operation:
        found.append(Condition("operation = {}", wanted.operation))
    if wanted.event is not None:
        found.append(Condition("event = {}", int(wanted.event)))
    if wanted.outcome is not None:
        found.append(Condition("outcome = {}", int(wanted.outcome)))
    if wanted.severity is not None:
        found.append(Condition("severity >= {}", int(wanted.severity)))
    if wanted.resource:
        found.append(Condition(contains, f"\n{wanted.resource}\n"))
    return found


def passes(row: Logged, wanted: AuditFilter) -> bool:
    """Whether a row passes a filter, but for its position."""
    return (
        (wanted.since is None or row.at >= micros(wanted.since))
        and (wanted.until is None or row.at < micros(wanted.until))
        and wanted.principal in ("", row.principal)
        and wanted.operation in ("", row.operation)
        and wanted.event in (None, row.event)
        and wanted.outcome in (None, row.outcome)
        and (wanted.severity is None or row.severity >= wanted.severity)
        and (not wanted.resource or f"\n{wanted.resource}\n" in row.resources)
    )
