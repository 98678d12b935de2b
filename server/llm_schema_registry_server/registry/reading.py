"""The reads: one version by id or selector, lists of versions and subjects, search."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace

from ..errors import InvalidRequest, PageTokenInvalid, SchemaNotFound, SubjectNotFound
from ..model.schema import SchemaVersion
from ..model.search import SearchOrder
from ..model.selector import Latest, Range, Selector
from ..model.subject import Subject
from ..storage.ranking import counted
from ..storage.search import words_of
from ..storage.store import ReadTx, Store
from ..storage.values import Page, RankedPage, SchemaFilter, VersionWithContent
from .ids import is_schema_id
from .library import Library
from .limits import RequestLimits
from .paging import Key, RankedKey, page, search_page, token
from .selection import choose_or_raise

SCAN = 200
"""Versions read at a time for a stream of any length."""
MAX_QUERY = 500


@dataclass(frozen=True, slots=True)
class FoundSchema:
    """A version with its bytes."""

    version: SchemaVersion
    content: bytes


@dataclass(frozen=True, slots=True)
class SchemaPage:
    """A page of versions; `next_token` is "" on the last one. `did_you_mean`: words that find something instead of those
    that found nothing, or ""."""

    items: Sequence[FoundSchema]
    total: int
    next_token: str
    did_you_mean: str = ""


@dataclass(frozen=True, slots=True)
class VersionPage:
    versions: Sequence[SchemaVersion]
    total: int
    next_token: str


@dataclass(frozen=True, slots=True)
class SubjectPage:
    subjects: Sequence[Subject]
    total: int
    next_token: str


async def version_by_id(tx: ReadTx, schema_id: str) -> SchemaVersion:
    """The version, live or softly deleted; raises SchemaNotFound."""
    version = await tx.version(schema_id) if _possible(schema_id) else None
    if version is None:
        raise SchemaNotFound(schema_id[:80])
    return version


async def version_with_content(store: Store, library: Library, schema_id: str) -> VersionWithContent:
    """As `version_by_id`, outside a transaction, with the content if it is cached or small."""
    found = await library.contents.loading(lambda: store.version(schema_id)) if _possible(schema_id) else None
    if found is None:
        raise SchemaNotFound(schema_id[:80])
    return found


async def selected(
    store: Store, library: Library, subject: Subject, selector: Selector
) -> VersionWithContent:
    """The version that a selector chooses, and its content as far as it came along; raises SubjectNotFound,
    VersionNotFound."""
    if not isinstance(selector, Range):
        found = await library.contents.loading(lambda: store.selected(subject, selector))
        if found is not None:
            return found
    versions = (await library.versions(subject)).versions
    return VersionWithContent(choose_or_raise(subject, versions, selector))


def _possible(schema_id: str) -> bool:
    """Whether a version may have this id; raises InvalidRequest when there is none."""
    if not schema_id:
        raise InvalidRequest("schema_id", "must not be empty")
    return is_schema_id(schema_id)


def version_key(version: SchemaVersion) -> tuple[str, int]:
    """The position of a version in lists."""
    return str(version.subject), version.ordinal


class Reading:
    """The use cases that only read."""

    def __init__(self, store: Store, library: Library, limits: RequestLimits) -> None:
        self._store, self._library, self._limits = store, library, limits

    async def by_id(self, schema_id: str) -> FoundSchema:
        return await self._with_content(await version_with_content(self._store, self._library, schema_id))

    async def subject_of(self, schema_id: str) -> Subject:
        """The subject of a version, live or softly deleted; raises SchemaNotFound."""
        async with self._store.read() as tx:
            return (await version_by_id(tx, schema_id)).subject

    async def by_version(self, subject: Subject, selector: Selector) -> FoundSchema:
        return await self._with_content(await selected(self._store, self._library, subject, selector))

    async def latest(self, subject: Subject) -> FoundSchema:
        return await self.by_version(subject, Latest())

    async def scan(
        self, wanted: SchemaFilter, *, limit: int | None, offset: int | None, page_token: str
    ) -> AsyncGenerator[FoundSchema, None]:
        """The versions that pass the filter, by subject and ordinal; all of them when `limit` is None or 0.

        Each batch is read in a transaction of its own, so that a slow reader holds none.
        """
        wanted_page = page(limit, offset, page_token, most=2**62, default=2**62)
        left, skip, after = wanted_page.limit, wanted_page.offset, wanted_page.after
        while left:
            count = min(SCAN, left)
            async with self._store.read_elsewhere() as tx:
                batch = await tx.scan_versions(wanted, Page(count, skip, after))
            for item in await self._with_contents(batch):
                yield item
            if len(batch) < count:
                return
            left, skip, after = left - count, 0, version_key(batch[-1])

    async def search(
        self,
        wanted: SchemaFilter,
        *,
        limit: int | None,
        offset: int | None,
        page_token: str,
        order: SearchOrder = SearchOrder.RELEVANCE,
    ) -> SchemaPage:
        """One page of the versions that pass the filter, and how many pass it in all. They come by name when there is
        nothing to rank by, because the query has no words, or too much to be ranked."""
        for field, text in (("query", wanted.text), ("subject_pattern", wanted.subject_pattern)):
            if len(text) > MAX_QUERY:
                raise InvalidRequest(field, f"is {len(text)} characters long; the limit is {MAX_QUERY}")
        ranks = bool(words_of(wanted.text))
        slice_ = search_page(
            limit,
            offset,
            page_token,
            ranked=ranks and order is SearchOrder.RELEVANCE,
            most=self._limits.page,
        )
        if isinstance(slice_, RankedPage) and not ranks:
            raise PageTokenInvalid("page_token", "is of a search with words, and this one has none")
        async with self._store.read_elsewhere() as tx:
            rows, total = await _search_rows(tx, wanted, slice_)
            suggestion = "" if total else await _suggestion(tx, wanted)
        shown = rows[: slice_.limit]
        items = await self._with_contents([version for version, _ in shown])
        more = len(rows) > slice_.limit
        return SchemaPage(items, total, token(shown[-1][1]) if more else "", suggestion)

    async def versions(
        self,
        subject: Subject,
        *,
        limit: int | None = None,
        offset: int | None = None,
        page_token: str = "",
        include_deleted: bool = False,
    ) -> VersionPage:
        """A page of the subject's versions by ordinal; raises SubjectNotFound."""
        slice_ = page(limit, offset, page_token, most=self._limits.page)
        name = str(subject)
        after = (name, slice_.after[1] if slice_.after else 0)
        wanted = SchemaFilter(subject=name, include_deleted=include_deleted)
        async with self._store.read() as tx:
            rows = await tx.scan_versions(wanted, Page(slice_.limit + 1, slice_.offset, after))
            total = await tx.count_versions(wanted)
            if not total:
                raise await _no_versions(tx, subject)
        shown = rows[: slice_.limit]
        more = len(rows) > len(shown)
        return VersionPage(shown, total, token(version_key(shown[-1])) if more else "")

    async def all_versions(
        self, subject: Subject, *, include_deleted: bool = False
    ) -> Sequence[SchemaVersion]:
        """All versions of a subject by ordinal; raises SubjectNotFound."""
        wanted = SchemaFilter(subject=str(subject), include_deleted=include_deleted)
        found: list[SchemaVersion] = []
        async with self._store.read() as tx:
            after = (str(subject), 0)
            while batch := await tx.scan_versions(wanted, Page(SCAN, after=after)):
                found += batch
                after = version_key(batch[-1])
            if not found and not await tx.count_versions(wanted):
                raise await _no_versions(tx, subject)
        return found

    async def subjects(
        self,
        prefix: str,
        *,
        limit: int | None,
        offset: int | None,
        page_token: str,
        include_deleted: bool = False,
    ) -> SubjectPage:
        """A page of the subjects whose qualified name begins with `prefix`, by name."""
        slice_ = page(limit, offset, page_token, most=self._limits.page)
        async with self._store.read_elsewhere() as tx:
            subjects, total = await tx.subjects(
                prefix=prefix,
                include_deleted=include_deleted,
                page=replace(slice_, limit=slice_.limit + 1),
            )
        shown = subjects[: slice_.limit]
        more = len(subjects) > slice_.limit
        return SubjectPage(shown, total, token((str(shown[-1]), 0)) if more else "")

    async def _with_content(self, found: VersionWithContent) -> FoundSchema:
        content = found.content or await self._library.content(found.version)
        return FoundSchema(found.version, content.content)

    async def _with_contents(self, versions: Sequence[SchemaVersion]) -> Sequence[FoundSchema]:
        """A version that was removed since it was listed is left out."""
        contents = await self._library.contents.of_all(versions)
        return [FoundSchema(v, contents[v.identity].content) for v in versions if v.identity in contents]


async def _no_versions(tx: ReadTx, subject: Subject) -> SubjectNotFound:
    """Of a subject that has no (live) version."""
    return SubjectNotFound(str(subject), deleted=(await tx.subject_stamp(subject))[0])


async def _search_rows(
    tx: ReadTx, wanted: SchemaFilter, slice_: Page | RankedPage
) -> tuple[Sequence[tuple[SchemaVersion, Key | RankedKey]], int]:
    """The versions of a page, and one more when there is one, each with its key; and how many there are in all."""
    one_more = slice_.limit + 1
    if isinstance(slice_, RankedPage):
        ranked = await tx.ranked_versions(wanted, replace(slice_, limit=one_more))
        if ranked is not None:
            return [
                (hit.version, (hit.score, *version_key(hit.version))) for hit in ranked.hits
            ], ranked.total
        if slice_.after is not None:
            raise PageTokenInvalid(
                "page_token", "is of a list that has grown too long to be ranked; begin anew"
            )
        slice_ = Page(slice_.limit, slice_.offset)
    rows = await tx.scan_versions(wanted, replace(slice_, limit=one_more))
    return [(version, version_key(version)) for version in rows], await tx.count_versions(wanted)


async def _suggestion(tx: ReadTx, wanted: SchemaFilter) -> str:
    """The words of a query that found nothing, with the nearest known ones for those that nothing begins with; "" when that
    finds nothing either."""
    words = counted(wanted.text)
    corrections = await tx.corrections(words) if words else {}
    text = " ".join(corrections.get(word, word) or "" for word in words)
    if not corrections or None in corrections.values():
        return ""
    return text if await tx.count_versions(replace(wanted, text=text)) else ""
