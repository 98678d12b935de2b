"""How much a registry holds, as frozen values. Times are aware, in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .enums import CompatibilityLevel, SchemaState, SchemaType


@dataclass(frozen=True, slots=True)
class TypeCount:
    """The live versions of a type."""

    schema_type: SchemaType
    versions: int


@dataclass(frozen=True, slots=True)
class StateCount:
    """The live versions in a state."""

    state: SchemaState
    versions: int


@dataclass(frozen=True, slots=True)
class LevelCount:
    """The live versions that were registered under a level."""

    compatibility_level: CompatibilityLevel
    versions: int


@dataclass(frozen=True, slots=True)
class GroupCount:
    """The live subjects and versions of a context, or of subjects that begin alike."""

    name: str
    subjects: int
    versions: int


@dataclass(frozen=True, slots=True)
class DayCount:
    """The versions made on a day, which began at `day` (UTC)."""

    day: datetime | None
    versions: int


@dataclass(frozen=True, slots=True)
class SubjectCount:
    """All versions of a subject, how many of them are softly deleted, and the bytes of their contents as sent."""

    subject: str
    versions: int
    deleted_versions: int
    content_bytes: int


@dataclass(frozen=True, slots=True)
class PopularVersion:
    """How much a version is used: since that is counted, and lately (a use counts half after a day)."""

    schema_id: str
    subject: str
    version: str
    reads: int
    validations: int
    recent: float
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Statistics:
    """How much a registry holds, counted at `as_of`; versions are live ones unless it says otherwise.

    `deleted_subjects` have softly deleted versions only. `contexts` and `prefixes` (what stands before the first
    `.`, `/` or `:` of a name) are the ones with most subjects, `largest` the subjects with most versions. `registered`
    are versions made on each of the last days, the oldest first. `content_bytes` are those of distinct contents as sent,
    `object_store_bytes` the part of them that is not in the storage, `row_bytes` all that the storage holds of contents.
    `changes` are those that the change log keeps. `popular` is not counted then but as it is now.
    """

    as_of: datetime | None
    subjects: int
    deleted_subjects: int
    versions: int
    deleted_versions: int
    by_type: tuple[TypeCount, ...]
    by_state: tuple[StateCount, ...]
    by_level: tuple[LevelCount, ...]
    contexts: tuple[GroupCount, ...]
    prefixes: tuple[GroupCount, ...]
    largest: tuple[SubjectCount, ...]
    registered: tuple[DayCount, ...]
    contents: int
    content_bytes: int
    object_store_bytes: int
    row_bytes: int
    changes: int
    oldest_change: datetime | None
    newest_change: datetime | None
    popular: tuple[PopularVersion, ...]
