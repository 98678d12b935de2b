"""Lists, searches, and which subjects use which."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from ...model.schema import SchemaVersion
from ...model.subject import Subject
from ..values import Page, Ranked, RankedPage, SchemaFilter


class SearchRead(Protocol):
    """Versions are sorted by (qualified subject, ordinal) wherever they are listed. Rows that cannot be decoded are left out
    (storage/unreadable.py); counts have them."""

    async def subjects(
        self, *, prefix: str = "", include_deleted: bool = False, page: Page
    ) -> tuple[Sequence[Subject], int]:
        """One page of the subjects with at least one (live) version whose qualified name starts with `prefix`, sorted
        by qualified name (code points), and how many there are in all. `page.after` uses (name, 0)."""
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

    async def dependents(self, schema_id: str, *, strict: bool = True) -> Sequence[SchemaVersion]:
        """The versions, live or softly deleted, that reference this one directly. strict: raise StorageDamaged for one that
        cannot be decoded instead of leaving it out."""
        ...

    async def uses(self, subjects: Collection[Subject]) -> Mapping[Subject, frozenset[Subject]]:
        """For each of these subjects that uses others: those that any of its versions, softly deleted ones too, references."""
        ...
