"""Arguments and results of a store that are no values of the model. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from llm_schema_engines.model.fast_init import fast_init
from llm_schema_engines.model.schema import SchemaType

from ..model.change import Change
from ..model.config import Config
from ..model.lifecycle import SchemaState, Transition
from ..model.schema import SchemaVersion, StoredContent
from ..model.scope import EVERYTHING, SubjectScope
from ..model.subject import Subject


@dataclass(frozen=True, slots=True)
class SchemaFilter:
    """Which versions `scan_versions` yields; None and empty mean "any".

    `text`: full text over subject, description, tags, metadata values and names (type and field names) of the schema;
    every word must occur, a word matches the beginning of an indexed word, letter case does not count.
    `subject`: this qualified subject and no other.
    `subject_pattern`: `*` stands for any characters, `?` for one; anything else for itself; the whole qualified
    subject must match. `tags`: all must be present. `metadata`: all pairs must be present. `latest_only`: only the
    newest live version in ACTIVE or DEPRECATED of each subject. `scope`: of these subjects and no others.
    """

    text: str = ""
    subject: str = ""
    subject_prefix: str = ""
    subject_pattern: str = ""
    schema_type: SchemaType | None = None
    state: SchemaState | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    include_deleted: bool = False
    latest_only: bool = False
    scope: SubjectScope = EVERYTHING


@dataclass(frozen=True, slots=True)
class Page:
    """A slice of a sorted list: skip `offset` rows after the row with key `after` (None: from the start)."""

    limit: int
    offset: int = 0
    after: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class RankedPage:
    """A slice of a ranked list: skip `offset` hits after the one with (score, subject, ordinal) `after`."""

    limit: int
    offset: int = 0
    after: tuple[int, str, int] | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A version that a search has found, and its score (ranking.py)."""

    version: SchemaVersion
    score: int


@dataclass(frozen=True, slots=True)
class Ranked:
    """One page of hits, the best first, and how many there are in all."""

    hits: Sequence[Hit]
    total: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """Steps of a version that were recorded together, and the place of that record: the places of a version grow."""

    place: int
    steps: Sequence[Transition]


@dataclass(frozen=True, slots=True)
class SubjectTotals:
    """How many subjects there are: with a live version, and with any. changes: has grown whenever a subject has joined or left
    them; equal numbers mean equal sets of subjects."""

    live: int
    subjects: int
    changes: int


@dataclass(frozen=True, slots=True)
class LogPage:
    """Some changes in order, and `oldest`: changes up to that sequence are no longer stored. unreadable: sequences among them
    whose changes cannot be decoded; what they were is not known."""

    oldest: int
    changes: Sequence[Change]
    unreadable: Sequence[int] = ()

    @property
    def last(self) -> int:
        """The sequence of the last change that was looked at, readable or not; 0 when there was none."""
        return max([*(c.sequence for c in self.changes[-1:]), *self.unreadable[-1:]], default=0)


@fast_init
@dataclass(frozen=True, slots=True)
class Precondition:
    """What the decision to append a version to a subject depends on: it is valid while the store has an equal precondition.

    stamp, next_ordinal: of the subject, see ReadTx. configs: what is set in each scope that was asked about.
    mark: used by the back end to recognise it; others ignore it.
    """

    stamp: tuple[int, int]
    next_ordinal: int
    configs: Mapping[str, Config | None]
    mark: str = ""


@fast_init
@dataclass(frozen=True, slots=True)
class SubjectSnapshot:
    """A subject at one moment: the precondition of an append, and its versions with one identity, by ordinal. same: the live
    ones; hidden: the softly deleted ones."""

    precondition: Precondition
    same: Sequence[SchemaVersion]
    hidden: Sequence[SchemaVersion] = ()

    @classmethod
    def of(cls, precondition: Precondition, versions: Sequence[SchemaVersion]) -> SubjectSnapshot:
        """versions: all with the identity."""
        if not versions:
            return cls(precondition, ())
        return cls(precondition, [v for v in versions if v.live], [v for v in versions if not v.live])


@fast_init
@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version to append, with all that belongs to it.

    version: its ordinal is the `next_ordinal` of the precondition; its global id and revision are assigned.
    names: the schema's own names, for search. change: tells of this version. steps: how it came to its state.
    targets: the versions that it references, by schema id, with the revisions they had when they were chosen.
    audit: what the audit log records of it, without its revision (model.audit.encode); "" for nothing.
    """

    version: SchemaVersion
    content: StoredContent
    names: Sequence[str]
    change: Change
    steps: Sequence[Transition]
    targets: Mapping[str, int] = field(default_factory=dict)
    audit: str = ""

    @property
    def size(self) -> int:
        """Bytes of the stored content."""
        return len(self.content.content) + len(self.content.canonical) + len(self.content.artifact)


@dataclass(frozen=True, slots=True)
class Hiding:
    """Live versions of a subject that are to be deleted softly, together.

    schema_ids: not empty. changes: tell of them, one of each, in the same order. audit: what the audit log records of each change,
    without its revision (model.audit.encode); () for nothing.
    """

    subject: Subject
    schema_ids: Sequence[str]
    changes: Sequence[Change]
    at: datetime
    audit: Sequence[str] = ()


INLINE_CONTENT_BYTES = 64 * 1024
"""A content of at most so many bytes (SchemaVersion.size) is read together with its version; a longer one only when it is not in
memory."""


@dataclass(frozen=True, slots=True)
class VersionWithContent:
    """A version and its stored content. content: None when it was not read together with it; Store.contents reads it then."""

    version: SchemaVersion
    content: StoredContent | None = None


@dataclass(frozen=True, slots=True)
class StampedVersions:
    """Versions of a subject and its stamp at the moment when they were read."""

    stamp: tuple[int, int]
    versions: Sequence[SchemaVersion]
