"""Versions and their history, the ordinals and global ids that they get, and the settings of scopes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from ...model.config import Config
from ...model.lifecycle import Transition
from ...model.schema import SchemaVersion
from ...model.selector import Single
from ...model.subject import Subject


class VersionsRead(Protocol):
    """Reads of versions and of what belongs to them."""

    async def version(self, schema_id: str) -> SchemaVersion | None:
        """The version with this id, live or softly deleted."""
        ...

    async def versions_by_id(self, schema_ids: Collection[str]) -> Mapping[str, SchemaVersion]:
        """The versions with these ids, live or softly deleted; unknown ones are missing."""
        ...

    async def selected(self, subject: Subject, selector: Single) -> SchemaVersion | None:
        """The version that model.selection.choose chooses among all of the subject's, without reading them."""
        ...

    async def versions(self, subject: Subject, *, include_deleted: bool = False) -> Sequence[SchemaVersion]:
        """The subject's versions by ordinal; empty for an unknown subject."""
        ...

    async def versions_since(self, subject: Subject, revision: int) -> Sequence[SchemaVersion]:
        """The subject's versions, softly deleted ones too, with a greater revision than this one, by ordinal."""
        ...

    async def subject_stamp(self, subject: Subject) -> tuple[int, int]:
        """How many versions the subject has, softly deleted ones too, and the greatest revision among them; (0, 0) for an
        unknown subject. Equal stamps mean equal versions: every change of one raises its revision, every removal
        lowers the number. Much cheaper than `versions`."""
        ...

    async def versions_with(self, subject: Subject, identity: str) -> Sequence[SchemaVersion]:
        """The subject's versions with this identity, live or softly deleted, by ordinal."""
        ...

    async def next_ordinal(self, subject: Subject) -> int:
        """One more than the highest ordinal the subject ever had."""
        ...

    async def versions_by_global_id(self, context: str, global_id: int) -> Sequence[SchemaVersion]:
        """Every version of the context, live or softly deleted, of one distinct content."""
        ...

    async def history(self, schema_id: str) -> Sequence[Transition]:
        """The recorded transitions of a version, oldest first."""
        ...

    async def config(self, scope: str) -> Config | None: ...


class VersionsWrite(VersionsRead, Protocol):
    """Writes of versions and of what belongs to them."""

    async def lock_subject(self, subject: Subject) -> None:
        """Hold the lock of this subject until the end of the transaction. Call it first: what is read after it stays true, and
        the changes of a subject are in the order of its locks."""
        ...

    async def allot_global_id(self, context: str, identity: str) -> int:
        """The number of this identity in this context (`Subject.context`), which never changes once it is committed; from 1 to
        2**31 - 1. Each context counts by itself: two contexts use the same numbers for different contents. Raises
        LimitExceeded when there are no more."""
        ...

    async def insert_version(self, version: SchemaVersion, names: Sequence[str]) -> None:
        """Add a version; `names` are the schema's own names, for search. Raises ConcurrentUpdate when the schema id,
        (subject, ordinal) or (subject, semantic version) is taken. Back ends with several writers also raise it, at the
        end of the block, when a version that it references was removed meanwhile or when its references close a cycle of
        subjects (see cycles.py) with what was committed meanwhile."""
        ...

    async def update_version(self, version: SchemaVersion) -> None:
        """Replace what may change: version, global_id, level, state, change_class, description, tags, metadata,
        updated_at, revision, deleted_at. Raises ConcurrentUpdate when the version was removed meanwhile or its new
        semantic version is taken."""
        ...

    async def hide_versions(self, subject: Subject, revisions: Mapping[str, int], at: datetime) -> None:
        """Set updated_at and deleted_at of many versions of a subject to `at`, and the revision of each, by schema id, however many with one
        statement. Raises ConcurrentUpdate when one was removed meanwhile."""
        ...

    async def remove_version(self, schema_id: str) -> None:
        """Remove a version for ever, with its history; its ordinal is never used again. Contents that no version
        uses any more go too; their numbers (allot_global_id) stay. Does nothing for an unknown id."""
        ...

    async def remove_versions(self, schema_ids: Collection[str]) -> None:
        """`remove_version` of many, however many with the same few statements."""
        ...

    async def record_transitions(self, steps: Sequence[Transition]) -> None:
        """Add to the histories of versions, in this order."""
        ...

    async def set_config(self, scope: str, config: Config | None) -> None:
        """Store the settings of a scope; None removes them. Raises ConcurrentUpdate when another transaction has
        changed them since this one read them."""
        ...
