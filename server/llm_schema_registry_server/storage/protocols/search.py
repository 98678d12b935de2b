"""Lists, searches, and which subjects use which."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from ...model.schema import SchemaVersion
from ...model.scope import EVERYTHING, SubjectScope
from ...model.subject import Subject
from ..values import Page, Ranked, RankedPage, Recorded, SchemaFilter, SubjectTotals


class SearchRead(Protocol):
    """Versions are sorted by (qualified subject, ordinal) wherever they are listed. Rows that cannot be decoded are left out
    (storage/unreadable.py); counts have them."""

    async def subjects(
        self,
        *,
        prefix: str = "",
        include_deleted: bool = False,
        page: Page,
        scope: SubjectScope = EVERYTHING,
    ) -> Sequence[Subject]:
        """One page of the subjects in `scope` with at least one (live) version whose qualified name starts with `prefix`, sorted
        by qualified name (code points). `page.after` uses (name, 0). Subjects outside the ranges of the scope cost nothing."""
        ...

    async def count_subjects(
        self, *, prefix: str = "", include_deleted: bool = False, scope: SubjectScope = EVERYTHING
    ) -> int:
        """How many subjects `subjects` lists in all: costs a look at each of them."""
        ...

    async def subject_totals(self) -> SubjectTotals:
        """How many subjects there are, without a look at each."""
        ...

    async def scan_versions(self, wanted: SchemaFilter, page: Page) -> Sequence[SchemaVersion]:
        """One page of the versions that pass the filter, by (subject, ordinal) also with `text`."""
        ...

    async def count_versions(self, wanted: SchemaFilter) -> int: ...

    async def ranked_versions(self, wanted: SchemaFilter, page: RankedPage) -> Ranked | None:
        """One page of the versions that pass a filter with words in its `text`, the highest score first; equal ones by
        subject, and of one subject the newer version first. The score of a version changes only with the version.

        None when more than ranking.MOST_HITS versions pass it: then they are not ranked."""
        ...

    async def corrections(self, words: Sequence[str]) -> Mapping[str, str | None]:
        """For each of these words that begins no word of any version: the nearest one that is a word of a version, None
        when there is none near (spelling.py)."""
        ...

    async def history_page(self, schema_id: str, after: int, limit: int) -> Sequence[Recorded]:
        """Up to `limit` records of the history of a version behind the place `after` (0: from the start), oldest first."""
        ...

    async def dependents(self, schema_id: str, page: Page | None = None) -> Sequence[SchemaVersion]:
        """The versions, live or softly deleted, that reference this one directly: those of a page (which has no offset), or
        all of them. A page goes on without those that cannot be decoded; for all of them, StorageDamaged is raised."""
        ...

    async def used_elsewhere(self, subject: Subject) -> str | None:
        """The id of the first version of the subject, softly deleted ones too, that a version of another subject references."""
        ...

    async def dependent_edges(
        self, schema_id: str, most_versions: int, most_edges: int
    ) -> Sequence[tuple[str, SchemaVersion]] | None:
        """Every reference that leads to this version, directly or through other live versions: the id of the version that is
        used and the live one that uses it, by (subject, ordinal) of the user; those that cannot be decoded are left out. None
        when that are more versions (this one too), or more references, than so many."""
        ...

    async def uses(self, subjects: Collection[Subject]) -> Mapping[Subject, frozenset[Subject]]:
        """For each of these subjects that uses others: those that any of its versions, softly deleted ones too, references."""
        ...
