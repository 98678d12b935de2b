"""What a SQLite store reads, inside one transaction of one session."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from operator import itemgetter
from typing import Any

from ...errors import StorageDamaged
from ...model.change import Change
from ...model.config import Config
from ...model.lifecycle import Transition
from ...model.schema import SchemaVersion, StoredContent
from ...model.scope import EVERYTHING, SubjectScope
from ...model.selector import Single
from ...model.statistics import Statistics
from ...model.subject import DEFAULT_CONTEXT, Subject
from ...model.usage import Usage
from .. import ranking, rows, search, spelling
from ..counting import since, statistics_from_rows, statistics_of
from ..edges import edge_of, edges_within
from ..leases import Cursor
from ..unreadable import (
    Unreadable,
    changes_of_log,
    hits_of_page,
    log_page,
    readable,
    tolerant,
    versions_of_page,
    whole_page,
)
from ..values import (
    LogPage,
    Page,
    Precondition,
    Ranked,
    RankedPage,
    Recorded,
    SchemaFilter,
    SubjectTotals,
)
from . import counting, lists, queries
from .access import SqliteAccessRead
from .audit import SqliteAuditRead
from .credentials import SqliteCredentialsRead
from .outcomes import SqliteOutcomesRead
from .profiles import SqliteProfilesRead
from .session import FEW, Session

_BIGGEST_INT64 = 2**63 - 1

_RANKED_AT_ONCE = 3
"""Times the versions that are ranked: where so many have the words of a question that asks for more than words and labels, they are
not counted first. Most such questions are passed by few enough of them, and ranking stops when they are not."""

_INLINE_BYTES = 64 * 1024
"""Contents up to this size together are read without a thread: reading and checking them takes less than handing them over."""

_version_or_not = tolerant(rows.version_of)
_word = tolerant(rows.text_of("vocabulary"))
_names = tolerant(rows.text_of("words"))
_global_id = tolerant(rows.cells_of("global_ids"))
_last_ordinal = tolerant(rows.cells_of("subjects"))


def _precondition(scopes: Sequence[str], row: Sequence[Any]) -> Precondition:
    count, revision, last, *cells = row
    found = zip(scopes, cells, strict=True)
    return Precondition(
        stamp=(count, revision),
        next_ordinal=1 if last is None else int(last) + 1,
        configs={scope: None if cell is None else rows.config_of(scope, cell) for scope, cell in found},
    )


class SqliteReadTx(
    SqliteCredentialsRead, SqliteAccessRead, SqliteAuditRead, SqliteProfilesRead, SqliteOutcomesRead
):
    """See store.ReadTx for the meaning of each method."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._few: SchemaFilter | None = None  # found not to be general
        self._last_count: tuple[SchemaFilter, int] | None = None

    async def version(self, schema_id: str) -> SchemaVersion | None:
        row = self._session.row(queries.VERSION, (schema_id,))
        return None if row is None else rows.version_of(row)

    async def versions_by_id(self, schema_ids: Collection[str]) -> Mapping[str, SchemaVersion]:
        def look_up() -> Mapping[str, SchemaVersion]:
            found = (self._session.row(queries.VERSION, (schema_id,)) for schema_id in schema_ids)
            decoded = (_version_or_not(row) for row in found if row is not None)
            return {v.schema_id: v for v in decoded if not isinstance(v, Unreadable)}

        return look_up() if len(schema_ids) <= FEW else await self._session.in_thread(look_up)

    async def selected(self, subject: Subject, selector: Single) -> SchemaVersion | None:
        name, parameters = rows.selected_by(selector)
        row = self._session.row(queries.SELECTED[name], (str(subject), *parameters))
        return None if row is None else rows.version_of(row)

    async def versions(self, subject: Subject, *, include_deleted: bool = False) -> Sequence[SchemaVersion]:
        sql = queries.VERSIONS if include_deleted else queries.LIVE_VERSIONS
        return await self._session.ordered(sql, (str(subject),), rows.version_of)

    async def versions_since(self, subject: Subject, revision: int) -> Sequence[SchemaVersion]:
        return await self._session.search(queries.VERSIONS_SINCE, (str(subject), revision), rows.version_of)

    async def subject_stamp(self, subject: Subject) -> tuple[int, int]:
        count, revision = self._session.row(queries.SUBJECT_STAMP, (str(subject),))
        return count, revision

    def precondition(self, subject: Subject, scopes: Sequence[str]) -> Precondition:
        """`subject_stamp`, `next_ordinal` and each scope's `config` with one statement."""
        sql = queries.PRECONDITIONS[len(scopes)]
        return _precondition(scopes, self._session.row(sql, (str(subject), *scopes)))

    def precondition_unless(
        self, subject: Subject, scopes: Sequence[str], identity: str
    ) -> Precondition | None:
        """`precondition`, with one statement, when the subject has no version with this identity; None when it has."""
        sql = queries.PRECONDITIONS_AND_SAME[len(scopes)]
        *row, has = self._session.row(sql, (str(subject), *scopes, identity))
        return None if has else _precondition(scopes, row)

    async def versions_with(self, subject: Subject, identity: str) -> Sequence[SchemaVersion]:
        return await self._session.ordered(queries.VERSIONS_WITH, (str(subject), identity), rows.version_of)

    async def next_ordinal(self, subject: Subject) -> int:
        row = self._session.row(queries.LAST_ORDINAL, (str(subject),))
        return 1 if row is None else int(row[0]) + 1

    async def versions_by_global_id(self, context: str, global_id: int) -> Sequence[SchemaVersion]:
        if context == DEFAULT_CONTEXT:
            return await self._session.search(queries.VERSIONS_BY_GLOBAL_ID, (global_id,), rows.version_of)
        parameters = (global_id, *rows.subjects_of(context))
        return await self._session.search(queries.VERSIONS_BY_CONTEXT_ID, parameters, rows.version_of)

    async def contents(self, identities: Collection[str]) -> Mapping[str, StoredContent]:
        if self._size(identities) <= _INLINE_BYTES:
            return self._contents(identities)
        return await self._session.in_thread(lambda: self._contents(identities))

    async def content_identities(self, after: str, limit: int) -> Sequence[str]:
        return await self._session.ordered(queries.CONTENT_IDENTITIES, (after, limit), itemgetter(0))

    def _size(self, identities: Collection[str]) -> int:
        """Bytes of the contents, of as many as are needed to see that they are many."""
        size = 0
        for identity in identities:
            row = self._session.row(queries.CONTENT_SIZE, (identity,))
            size += row[0] if row is not None else 0
            if size > _INLINE_BYTES:
                break
        return size

    def _contents(self, identities: Collection[str]) -> Mapping[str, StoredContent]:
        found = {}
        for identity in identities:
            row = self._session.row(queries.CONTENT, (identity,))
            if row is not None:
                found[identity] = content = StoredContent(*row)
                if hashlib.sha256(content.content).hexdigest() != content.digest:
                    raise StorageDamaged(
                        f"the content of {identity} does not have its digest; restore it from a backup",
                        inside=str(self._session.file),
                        identity=identity,
                        table="contents",
                        key=identity,
                    )
        return found

    async def scan_versions(self, wanted: SchemaFilter, page: Page) -> Sequence[SchemaVersion]:
        hits = await self._general(wanted)
        walking = None if hits is None else lists.listed if hits <= lists.MOST_LISTED else lists.each

        async def fetch(page: Page) -> Sequence[SchemaVersion | Unreadable]:
            read = self._session.ordered if _along_the_index(wanted, page) else self._session.search
            return await read(*lists.LISTS.scan(wanted, page, walking=walking), _version_or_not)

        return await versions_of_page(fetch, page)

    async def count_versions(self, wanted: SchemaFilter) -> int:
        if self._last_count is not None and self._last_count[0] == wanted:
            return self._last_count[1]
        sql = lists.count_words(wanted)
        if sql is None and (self._session.remembered.of(repr(wanted)) or 0) > lists.MOST_LISTED:
            sql = lists.count_latest(wanted)
        sql = sql or lists.LISTS.count(wanted)
        total = (await self._session.search(*sql, _first))[0]
        self._last_count = wanted, total
        return total

    async def _general(self, wanted: SchemaFilter) -> int | None:
        """How many versions have the words of the filter, where more pass it than are ranked; None where that is not so, or will be
        found out by ranking them."""
        if not search.words_of(wanted.text) or self._few == wanted:
            return None
        hits = self._session.remembered.of(repr(wanted))
        if hits is None and await self._passed_by_many(wanted):
            hits = await self._note_general(wanted)
        if hits is None:
            self._few = wanted
        return hits

    async def _note_general(self, wanted: SchemaFilter) -> int:
        only_words = wanted == SchemaFilter(text=wanted.text)
        hits = await (
            self.count_versions(wanted) if only_words else self._hits(wanted, lists.MOST_LISTED + 1)
        )
        self._session.remembered.note(repr(wanted), hits)
        return hits

    async def _hits(self, wanted: SchemaFilter, most: int) -> int:
        """How many versions have the words, as far as `most`; softly deleted ones too."""
        found = await self._session.search(queries.HITS, (lists.matching(wanted.text), most), _first)
        return found[0]

    async def _passed_by_many(self, wanted: SchemaFilter) -> bool:
        """Whether more versions pass the filter than are ranked; False also where ranking finds it out as soon."""
        most = ranking.MOST_HITS
        if lists.count_words(wanted) is not None:
            return await self.count_versions(wanted) > most
        if await self._hits(wanted, _RANKED_AT_ONCE * most + 1) <= _RANKED_AT_ONCE * most:
            return False
        found = await self._session.search(*lists.LISTS.count_some(wanted, most + 1), _first)
        return found[0] > most

    async def ranked_versions(self, wanted: SchemaFilter, page: RankedPage) -> Ranked | None:
        if await self._general(wanted) is not None:
            return None

        async def fetch(page: RankedPage) -> Sequence[rows.Row]:
            return await self._session.search(*lists.LISTS.rank(wanted, page), tuple)

        ranked = await hits_of_page(fetch, page, rows.version_of)
        if ranked is None:
            self._few = None
            await self._note_general(wanted)
        return ranked

    async def corrections(self, words: Sequence[str]) -> Mapping[str, str | None]:
        unknown = [word for word in words if not await self._indexed(lists.begun(word))]
        return {word: await self._nearest(word) for word in unknown}

    async def _nearest(self, word: str) -> str | None:
        listed = readable(await self._session.search(*lists.near(word), _word))
        for near in spelling.nearest(word, listed):
            if await self._indexed(lists.known(near)):
                return near
        return None

    async def _indexed(self, parameters: tuple[str]) -> bool:
        return bool(await self._session.search(queries.BEGUN, parameters, _first))

    async def subjects(
        self,
        *,
        prefix: str = "",
        include_deleted: bool = False,
        page: Page,
        scope: SubjectScope = EVERYTHING,
    ) -> Sequence[Subject]:
        async def fetch(count: int) -> Sequence[Subject | Unreadable]:
            sql = lists.LISTS.subjects(prefix, include_deleted, replace(page, limit=count), scope)
            return await self._session.search(*sql, tolerant(rows.subject_in))

        return await whole_page(fetch, page.limit)

    async def count_subjects(
        self, *, prefix: str = "", include_deleted: bool = False, scope: SubjectScope = EVERYTHING
    ) -> int:
        return (
            await self._session.search(*lists.LISTS.count_subjects(prefix, include_deleted, scope), _first)
        )[0]

    async def subject_totals(self) -> SubjectTotals:
        return SubjectTotals(*self._session.row(queries.SUBJECT_TOTALS))

    async def dependents(self, schema_id: str, page: Page | None = None) -> Sequence[SchemaVersion]:
        if page is None:
            parameters = (schema_id, *rows.after_of(None), -1)
            return await self._session.search(queries.DEPENDENTS, parameters, rows.version_of)

        async def fetch(page: Page) -> Sequence[SchemaVersion | Unreadable]:
            parameters = (schema_id, *rows.after_of(page), page.limit)
            return await self._session.search(queries.DEPENDENTS, parameters, _version_or_not)

        return await versions_of_page(fetch, page)

    async def used_elsewhere(self, subject: Subject) -> str | None:
        found = await self._session.search(queries.USED_ELSEWHERE, (str(subject),), itemgetter(0))
        return next(iter(found), None)

    async def dependent_edges(
        self, schema_id: str, most_versions: int, most_edges: int
    ) -> Sequence[tuple[str, SchemaVersion]] | None:
        parameters = (schema_id, most_versions + 1, most_edges + 1)
        found = await self._session.search(queries.DEPENDENT_EDGES, parameters, edge_of)
        return edges_within(found, most_versions, most_edges)

    async def uses(self, subjects: Collection[Subject]) -> Mapping[Subject, frozenset[Subject]]:
        found: list[tuple[str, str]] = []
        for subject in subjects:
            found += await self._session.search(queries.USES, (str(subject),), tuple)
        return rows.uses_of(found)

    async def history(self, schema_id: str) -> Sequence[Transition]:
        found = await self._session.ordered(queries.HISTORY, (schema_id,), tolerant(rows.transitions_of))
        return [step for steps in readable(found) for step in steps]

    async def history_page(self, schema_id: str, after: int, limit: int) -> Sequence[Recorded]:
        return await self._session.ordered(queries.HISTORY_PAGE, (schema_id, after, limit), rows.recorded_of)

    async def config(self, scope: str) -> Config | None:
        row = self._session.row(queries.CONFIG, (scope,))
        return None if row is None else rows.config_of(scope, row[0])

    async def changes(self, after: int, limit: int) -> Sequence[Change]:
        return await changes_of_log(self._logged, after, limit)

    async def _logged(self, after: int, limit: int) -> Sequence[Change | Unreadable]:
        parameters = (min(after, _BIGGEST_INT64), limit)
        return await self._session.ordered(queries.CHANGES, parameters, tolerant(rows.change_of))

    async def change_bounds(self) -> tuple[int, int]:
        compacted = self._session.row(queries.COMPACTED)
        oldest: int = compacted[0] if compacted else 0
        newest: int = self._session.row(queries.NEWEST_CHANGE)[0] or oldest
        return oldest, newest

    async def log_page(self, after: int, limit: int) -> LogPage:
        return log_page((await self.change_bounds())[0], await self._logged(after, limit))

    async def change_times(self, after: int, limit: int) -> Sequence[tuple[int, datetime]]:
        return await self._session.ordered(
            queries.CHANGE_TIMES, (min(after, _BIGGEST_INT64), limit), rows.change_time_of
        )

    async def newest_but(self, count: int) -> int:
        found = await self._session.search(queries.NEWEST_BUT, (min(count, _BIGGEST_INT64),), _first)
        return found[0] if found else (await self.change_bounds())[0]

    async def cursors(self) -> Sequence[Cursor]:
        return await self._session.ordered(queries.CURSORS, (), rows.cursor_of)

    async def most_used(self, limit: int) -> Sequence[Usage]:
        return readable(await self._session.search(queries.MOST_USED, (limit,), tolerant(rows.usage_of)))

    async def count_everything(self, at: datetime, seconds: float) -> Statistics:
        versions = await self._session.search(counting.VERSIONS, (since(at),), tuple)
        others = [
            (await self._session.search(sql, (), tuple))[0]
            for sql in (counting.SUBJECTS, counting.CONTENTS, counting.LOG)
        ]
        return statistics_from_rows(at, versions, *others)

    async def statistics(self) -> Statistics | None:
        row = self._session.row(queries.STATISTICS)
        return None if row is None or row[0] is None else statistics_of(row[0])

    async def is_sound(self) -> bool:
        """Whether every page of the file can be read and makes sense; reads the whole file. For SqliteStore."""
        return await self._session.search(queries.CHECK_PAGES, (), _first_text) == ["ok"]

    # -- see portable.DumpTx

    async def names(self, schema_id: str) -> Sequence[str]:
        row = self._session.row(queries.NAMES, (schema_id,))
        words = "" if row is None else _names(row)
        return () if isinstance(words, Unreadable) else words.split()

    async def configs(self, after: str, limit: int) -> Sequence[tuple[str, Config]]:
        async def fetch(count: int) -> Sequence[tuple[str, Config] | Unreadable]:
            return await self._session.ordered(queries.ALL_CONFIGS, (after, count), tolerant(rows.scope_of))

        return await whole_page(fetch, limit)

    async def global_ids(self, after: tuple[str, int], limit: int) -> Sequence[tuple[str, int, str]]:
        context, number = after

        async def fetch(count: int) -> Sequence[tuple[Any, ...] | Unreadable]:
            found: list[tuple[Any, ...] | Unreadable] = []
            if context <= DEFAULT_CONTEXT:
                found = await self._session.ordered(queries.ALL_GLOBAL_IDS, (number, count), _global_id)
            left = (context, number, count - len(found))
            return found + await self._session.ordered(queries.ALL_CONTEXT_IDS, left, _global_id)

        return await whole_page(fetch, limit)

    async def ordinals(self, after: str, limit: int) -> Sequence[tuple[str, int]]:
        async def fetch(count: int) -> Sequence[tuple[Any, ...] | Unreadable]:
            return await self._session.ordered(queries.ALL_ORDINALS, (after, count), _last_ordinal)

        return await whole_page(fetch, limit)

    # -- for SqliteStore

    async def registry_id(self) -> str:
        return str(self._session.row(queries.REGISTRY_ID)[0])

    async def counts(self) -> tuple[int, int, int, int]:
        """Live subjects, live versions, softly deleted versions, and the bytes of the file."""
        ((subjects, versions, deleted, size),) = await self._session.search(queries.COUNTS, (), tuple)
        return subjects, versions, deleted, size


def _along_the_index(wanted: SchemaFilter, page: Page) -> bool:
    """Whether a page is read row by row in the order of an index: the versions of one subject, and nothing skipped."""
    whole = SchemaFilter(subject=wanted.subject, include_deleted=wanted.include_deleted)
    return bool(wanted.subject) and not page.offset and wanted == whole


def _first(row: tuple[int, ...]) -> int:
    return row[0]


def _first_text(row: tuple[str, ...]) -> str:
    return row[0]
