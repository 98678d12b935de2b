"""One search: what it finds page by page, how much that is in all, and what may have been meant when it finds nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..errors import PageTokenInvalid
from ..model.schema import SchemaVersion
from ..storage import ranking
from ..storage.ranking import counted
from ..storage.search import words_of
from ..storage.store import ReadTx
from ..storage.values import Page, RankedPage, SchemaFilter
from .general_searches import GeneralSearches
from .paging import Key, RankedKey, bytes_of, version_key

SearchRow = tuple[SchemaVersion, Key | RankedKey]
"""A version that a search finds, and its position."""


def bytes_with_content(row: SearchRow) -> int:
    """About how many bytes it has in an answer."""
    return bytes_of(row[0]) + row[0].size


class Search:
    """The versions that a search finds, each with its key, in the order of the slice; and how many there are in all.

    total: known from an earlier page, None when it is to be counted. general: what is remembered of questions like it.
    generation: that of `general` before the transaction began.
    """

    def __init__(
        self,
        tx: ReadTx,
        wanted: SchemaFilter,
        first: Page | RankedPage,
        total: int | None,
        general: GeneralSearches,
        generation: int,
    ) -> None:
        self._tx, self._wanted, self._total, self._general = tx, wanted, total, general
        self._generation = generation
        self._ranks = isinstance(first, RankedPage) and first.after is None
        self._dated = False
        if self._ranks and general.knows(wanted):
            first = Page(first.limit, first.offset)
        self._first = first

    async def read(self, count: int, after: SearchRow | None) -> Sequence[SearchRow]:
        """Up to `count` versions after this one; see paging.fitting."""
        first = self._first
        if not isinstance(first, RankedPage):
            slice_ = replace(first, limit=count) if after is None else Page(count, after=_named(after[1]))
            rows = await self._tx.scan_versions(self._wanted, slice_)
            return [(version, version_key(version)) for version in rows]
        ranked_slice = (
            replace(first, limit=count) if after is None else RankedPage(count, after=_scored(after[1]))
        )
        ranked = await self._tx.ranked_versions(self._wanted, ranked_slice)
        if ranked is not None:
            self._total = ranked.total
            return [(hit.version, (hit.score, *version_key(hit.version))) for hit in ranked.hits]
        if ranked_slice.after is not None:
            raise PageTokenInvalid(
                "page_token", "is of a list that has grown too long to be ranked; begin anew"
            )
        self._general.note(self._wanted)
        self._first = Page(first.limit, first.offset)
        return await self.read(count, None)

    async def total(self) -> int:
        """How many versions there are in all."""
        if self._total is not None:
            return self._total
        known = self._general.total(self._wanted)
        if known is not None:
            self._total, counted_in = known
            self._dated = counted_in != self._generation
            return self._total
        self._total = await self._tx.count_versions(self._wanted)
        if words_of(self._wanted.text):
            self._general.note(self._wanted, self._total, self._generation)
            self._dated = self._ranks and self._total <= ranking.MOST_HITS  # it is ranked from now on
        return self._total

    @property
    def dated(self) -> bool:
        """Whether the order or the total, once asked for, was found out before the last change, and another answer may come soon
        without any further change."""
        return self._dated


def _named(key: Key | RankedKey) -> Key:
    return key if len(key) == 2 else key[1:]


def _scored(key: Key | RankedKey) -> RankedKey:
    assert len(key) == 3, "a hit of a ranked list has its score in its key"
    return key


async def suggestion(tx: ReadTx, wanted: SchemaFilter) -> str:
    """The words of a query that found nothing, with the nearest known ones for those that nothing begins with; "" when that
    finds nothing either. "" where not all may be read: which words are known, and which are nearest, would tell of the rest."""
    if not wanted.scope.everything:
        return ""
    words = counted(wanted.text)
    corrections = await tx.corrections(words) if words else {}
    text = " ".join(corrections.get(word, word) or "" for word in words)
    if not corrections or None in corrections.values():
        return ""
    return text if await tx.count_versions(replace(wanted, text=text)) else ""
