"""How much a registry holds: counted from time to time, not updated with every write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from llm_schema_engines.model.compatibility import CompatibilityLevel
from llm_schema_engines.model.schema import SchemaType

from .lifecycle import SchemaState

DAYS = 30
"""Days for which registrations are counted per day."""
TOP = 20
"""The greatest subjects, contexts and prefixes that are listed."""


@dataclass(frozen=True, slots=True)
class Group:
    """The live subjects and versions under one name: a context, or the first part of subjects' names."""

    name: str
    subjects: int
    versions: int


@dataclass(frozen=True, slots=True)
class SubjectSize:
    """The versions of a subject, live or softly deleted, and the bytes of their contents as they were sent."""

    subject: str
    versions: int
    deleted: int
    size: int


@dataclass(frozen=True, slots=True)
class ContentSizes:
    """Distinct contents (type + bytes + references).

    size: their bytes as they were sent. elsewhere: the part of them that is in an object store. rows: what the rows of
    the storage hold of them: bytes as sent that are not elsewhere, canonical and compiled forms.
    """

    count: int = 0
    size: int = 0
    elsewhere: int = 0
    rows: int = 0


@dataclass(frozen=True, slots=True)
class LogSize:
    """The changes in the log, and the times of the first and the last of them."""

    changes: int = 0
    oldest: datetime | None = None
    newest: datetime | None = None


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counts of one moment. Versions are live ones unless it says otherwise.

    at: the moment. subjects: with at least one live version; deleted_subjects: with softly deleted ones only.
    contexts, prefixes: the TOP ones with most subjects; a prefix goes up to the first `.`, `/` or `:` of the name.
    largest: the TOP subjects with most versions, softly deleted ones too.
    registered: versions made in each of the last DAYS days (UTC), the oldest day first, deleted ones too.
    """

    at: datetime
    subjects: int
    deleted_subjects: int
    versions: int
    deleted_versions: int
    by_type: Mapping[SchemaType, int]
    by_state: Mapping[SchemaState, int]
    by_level: Mapping[CompatibilityLevel, int]
    contexts: Sequence[Group]
    prefixes: Sequence[Group]
    largest: Sequence[SubjectSize]
    registered: Sequence[tuple[date, int]]
    contents: ContentSizes
    log: LogSize


def first_day(at: datetime) -> datetime:
    """When the oldest day began of which `registered` tells."""
    return datetime.combine(at.date() - timedelta(days=DAYS - 1), time(), at.tzinfo)


def by_day(at: datetime, counts: Mapping[date, int]) -> Sequence[tuple[date, int]]:
    """One count for each of the last days, those without any too."""
    days = (first_day(at).date() + timedelta(days=n) for n in range(DAYS))
    return tuple((day, counts.get(day, 0)) for day in days)
