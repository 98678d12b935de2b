"""The reads: one version by id or selector, lists of versions and subjects, search."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from ..errors import InvalidRequest, PageTokenInvalid, SchemaNotFound, SubjectNotFound
from ..model.lifecycle import Transition
from ..model.schema import SchemaVersion
from ..model.scope import EVERYTHING, SubjectScope
from ..model.search import SearchOrder
from ..model.selector import Latest, Range, Selector
from ..model.subject import Subject
from ..storage import unreadable
from ..storage.search import words_of
from ..storage.store import ReadTx, Store
from ..storage.values import Page, RankedPage, Recorded, SchemaFilter, VersionWithContent
from .general_searches import GeneralSearches
from .ids import is_schema_id
from .library import Library
from .limits import RequestLimits
from .paging import (
    STEP,
    PageRoom,
    bytes_of_name,
    demand_pages,
    fitting,
    page,
    page_of_all,
    search_page,
    token,
    total_in,
    version_key,
    without_labels,
)
from .searching import Search, bytes_with_content, suggestion
from .selection import choose_or_raise
from .subject_counts import SubjectCounts, SubjectList

SCAN = 200
"""Versions read at a time for a stream of any length."""
SCAN_BYTES = 512 * 1024
"""Contents read at a time for such a stream, unless one alone is longer: a slow reader holds so much."""


@dataclass(frozen=True, slots=True)
class FoundSchema:
    """A version with its bytes."""

    version: SchemaVersion
    content: bytes


@dataclass(frozen=True, slots=True)
class SchemaPage:
    """A page of versions; `next_token` is "" on the last one. `did_you_mean`: words that find something instead of those
    that found nothing, or "". `dated`: another page may come without any change of the registry (see Search), or when what
    could not be read is repaired."""

    items: Sequence[FoundSchema]
    total: int
    next_token: str
    did_you_mean: str = ""
    dated: bool = False


@dataclass(frozen=True, slots=True)
class VersionPage:
    """As SchemaPage, without contents. `total` was counted with the first page."""

    versions: Sequence[SchemaVersion]
    total: int
    next_token: str


@dataclass(frozen=True, slots=True)
class HistoryPage:
    steps: Sequence[Transition]
    next_token: str


@dataclass(frozen=True, slots=True)
class SubjectPage:
    """`total` was counted with the first page."""

    subjects: Sequence[Subject]
    total: int
    next_token: str


async def version_by_id(tx: ReadTx, schema_id: str) -> SchemaVersion:
    """The version, live or softly deleted; raises SchemaNotFound."""
    version = await tx.version(schema_id) if _possible(schema_id) else None
    if version is None:
        raise SchemaNotFound(schema_id[:80], no_id=not _possible(schema_id))
    return version


async def version_with_content(store: Store, library: Library, schema_id: str) -> VersionWithContent:
    """As `version_by_id`, outside a transaction, with the content if it is cached or small."""
    found = await library.contents.loading(lambda: store.version(schema_id)) if _possible(schema_id) else None
    if found is None:
        raise SchemaNotFound(schema_id[:80], no_id=not _possible(schema_id))
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


class Reading:
    """The use cases that only read."""

    def __init__(self, store: Store, library: Library, limits: RequestLimits) -> None:
        self._store, self._library, self._limits = store, library, limits
        self._counts, self._general = SubjectCounts(), GeneralSearches()

    def changed(self, subject: Subject | None) -> None:
        """A subject has changed, or for None anything: listens to Coherence."""
        self._general.changed()

    @property
    def limits(self) -> RequestLimits:
        """What a caller may ask for at a time."""
        return self._limits

    async def by_id(
        self, schema_id: str, found: Callable[[SchemaVersion], None] = lambda version: None
    ) -> FoundSchema:
        """`found` is called with the version before its content is looked for."""
        version = await version_with_content(self._store, self._library, schema_id)
        found(version.version)
        return await self._with_content(version)

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
            for part in _parts(batch, SCAN_BYTES):
                for item in await self._with_contents(part):
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
        nothing to rank by, because the query has no words, or too much to be ranked. A page may be shorter than `limit`
        for its bytes; its token tells."""
        self._limits.check_terms(len(wanted.tags), len(wanted.metadata))
        for field, text in (("query", wanted.text), ("subject_pattern", wanted.subject_pattern)):
            if len(text) > (most := self._limits.search_text):
                raise InvalidRequest(
                    field, f"is {len(text)} characters long; the limit is {most} (setting limits.search_text)"
                )
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
        generation, unread = self._general.generation, unreadable.noted()
        async with self._store.read_elsewhere() as tx:
            found = Search(tx, wanted, slice_, total_in(page_token), self._general, generation)
            shown, more = await fitting(found.read, bytes_with_content, slice_.limit, self._limits.page_bytes)
            total = await found.total()
            better = "" if total else await suggestion(tx, wanted)
        items = await self._with_contents([version for version, _ in shown])
        dated = found.dated or len(items) < len(shown) or unreadable.noted() != unread
        return SchemaPage(items, total, token(shown[-1][1], total) if more else "", better, dated)

    async def versions(
        self,
        subject: Subject,
        *,
        limit: int | None = None,
        offset: int | None = None,
        page_token: str = "",
        include_deleted: bool = False,
    ) -> VersionPage:
        """A page of the subject's versions by ordinal, without labels and references; raises SubjectNotFound."""
        slice_ = page(limit, offset, page_token, most=self._limits.page)
        return await self._versions(subject, slice_, page_token, include_deleted)

    async def _versions(
        self, subject: Subject, slice_: Page, page_token: str, include_deleted: bool
    ) -> VersionPage:
        name = str(subject)
        first = Page(0, slice_.offset, (name, slice_.after[1] if slice_.after else 0))
        wanted = SchemaFilter(subject=name, include_deleted=include_deleted)
        async with self._store.read() as tx:

            async def read(count: int, after: SchemaVersion | None) -> Sequence[SchemaVersion]:
                slice_ = (
                    replace(first, limit=count) if after is None else Page(count, after=version_key(after))
                )
                return [without_labels(v) for v in await tx.scan_versions(wanted, slice_)]

            shown, more = await fitting(read, bytes_of_name, slice_.limit, self._limits.page_bytes, step=STEP)
            counted_before = total_in(page_token) if shown else None
            whole = bool(shown) and not (more or slice_.offset or slice_.after)
            total = counted_before or (len(shown) if whole else await tx.count_versions(wanted))
            if not total:
                raise await _no_versions(tx, subject)
        return VersionPage(shown, total, token(version_key(shown[-1]), total) if more else "")

    async def all_versions(
        self,
        subject: Subject,
        *,
        limit: int | None = None,
        page_token: str = "",
        include_deleted: bool = False,
    ) -> VersionPage:
        """As `versions`, but all of them when no limit is given; raises LimitExceeded too, when they have too many bytes."""
        slice_ = page_of_all(limit, page_token, most=self._limits.page)
        found = await self._versions(subject, slice_, page_token, include_deleted)
        if found.next_token:
            demand_pages(limit, page_token, self._limits.page_bytes)
        return found

    async def history(self, schema_id: str, *, limit: int | None = None, page_token: str = "") -> HistoryPage:
        """The recorded transitions of a version, oldest first: all of them when no limit is given. A page ends with the
        steps that were made together, which may be a few more than `limit`. Raises SchemaNotFound, LimitExceeded."""
        slice_ = page_of_all(limit, page_token, most=self._limits.page)
        async with self._store.read() as tx:
            version = await version_by_id(tx, schema_id)

            async def read(count: int, after: Recorded | None) -> Sequence[Recorded]:
                place = _place(slice_, version.schema_id) if after is None else after.place
                return await tx.history_page(version.schema_id, place, count)

            shown, more = await fitting(
                read, _bytes_of_steps, slice_.limit, self._limits.page_bytes, step=STEP
            )
        if more:
            demand_pages(limit, page_token, self._limits.page_bytes)
        steps = [step for recorded in shown for step in recorded.steps]
        return HistoryPage(steps, token((version.schema_id, shown[-1].place)) if more else "")

    async def subjects(
        self,
        prefix: str,
        *,
        limit: int | None,
        offset: int | None,
        page_token: str,
        include_deleted: bool = False,
        scope: SubjectScope = EVERYTHING,
    ) -> SubjectPage:
        """A page of the subjects in `scope` whose qualified name begins with `prefix`, by name."""
        slice_ = page(limit, offset, page_token, most=self._limits.page)
        wanted = SubjectList(prefix, include_deleted, scope)
        async with self._store.read_elsewhere() as tx:
            totals = await tx.subject_totals()
            asked = self._counts.shortened(wanted, totals, slice_)
            subjects = await tx.subjects(
                prefix=prefix,
                include_deleted=include_deleted,
                page=replace(asked, limit=slice_.limit + 1),
                scope=scope,
            )
            counted_before = total_in(page_token)
            total = await self._counts.total(tx, wanted, totals) if counted_before is None else counted_before
        room = PageRoom(self._limits.page_bytes)
        shown = [*takewhile(lambda subject: room.take(len(str(subject).encode())), subjects[: slice_.limit])]
        more = len(subjects) > len(shown)
        if more and slice_.after is None:
            self._counts.note(wanted, totals, slice_.offset + len(shown), str(shown[-1]))
        return SubjectPage(shown, total, token((str(shown[-1]), 0), total) if more else "")

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


def _place(slice_: Page, schema_id: str) -> int:
    """Where the page of a history begins. Raises PageTokenInvalid for the token of another one."""
    if slice_.after is None:
        return 0
    name, place = slice_.after
    if name != schema_id:
        raise PageTokenInvalid("page_token", f"is of another schema than {schema_id!r}")
    return place


def _bytes_of_steps(recorded: Recorded) -> int:
    return sum(100 + 4 * (len(step.actor) + len(step.reason) + len(step.trigger)) for step in recorded.steps)


def _parts(versions: Sequence[SchemaVersion], most_bytes: int) -> Iterator[Sequence[SchemaVersion]]:
    """The versions in parts whose contents have at most so many bytes together, or that are one version."""
    part, room = list[SchemaVersion](), PageRoom(most_bytes)
    for version in versions:
        if not room.take(version.size):
            yield part
            part, room = [], PageRoom(most_bytes)
            room.take(version.size)
        part.append(version)
    if part:
        yield part
