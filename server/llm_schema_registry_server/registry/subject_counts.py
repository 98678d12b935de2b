"""How many subjects a list has, counted once, and where its pages began."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace

from ..model.scope import SubjectScope
from ..storage.store import ReadTx
from ..storage.values import Page, SubjectTotals

MOST_LISTS = 500
"""Lists of which something is remembered."""
MOST_PLACES = 20
"""Places that are remembered of a list."""


@dataclass(frozen=True, slots=True)
class SubjectList:
    """A list of subjects, as its pages ask for it."""

    prefix: str
    include_deleted: bool
    scope: SubjectScope


@dataclass(slots=True)
class _Remembered:
    """changes: SubjectTotals.changes when it was found out. places: offset -> the name before it."""

    changes: int
    total: int | None = None
    places: OrderedDict[int, str] = field(default_factory=OrderedDict)


class SubjectCounts:
    """Remembers lists as long as no subject joins or leaves the registry, which the store tells with every read."""

    def __init__(self) -> None:
        self._lists: OrderedDict[SubjectList, _Remembered] = OrderedDict()

    async def total(self, tx: ReadTx, wanted: SubjectList, totals: SubjectTotals) -> int:
        """How many subjects the list has in this transaction, whose totals these are."""
        if not wanted.prefix and wanted.scope.everything:
            return totals.subjects if wanted.include_deleted else totals.live
        known = self._of(wanted, totals)
        if known.total is None:
            known.total = await tx.count_subjects(
                prefix=wanted.prefix, include_deleted=wanted.include_deleted, scope=wanted.scope
            )
        return known.total

    def shortened(self, wanted: SubjectList, totals: SubjectTotals, page: Page) -> Page:
        """The same page without its offset, if the page before it ended there."""
        if not page.offset or page.after is not None:
            return page
        name = self._of(wanted, totals).places.get(page.offset)
        return page if name is None else replace(page, offset=0, after=(name, 0))

    def note(self, wanted: SubjectList, totals: SubjectTotals, offset: int, last: str) -> None:
        """The list goes on at this offset behind this name."""
        places = self._of(wanted, totals).places
        places[offset] = last
        if len(places) > MOST_PLACES:
            places.popitem(last=False)

    def _of(self, wanted: SubjectList, totals: SubjectTotals) -> _Remembered:
        known = self._lists.get(wanted)
        if known is None or known.changes != totals.changes:
            known = self._lists[wanted] = _Remembered(totals.changes)
            if len(self._lists) > MOST_LISTS:
                self._lists.popitem(last=False)
        self._lists.move_to_end(wanted)
        return known
