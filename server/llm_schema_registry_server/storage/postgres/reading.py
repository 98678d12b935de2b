"""What a PostgreSQL store reads, inside one transaction of one session."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from operator import attrgetter, itemgetter
from typing import Any, TypeVar

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
from .. import ranking, rows, spelling
from ..counting import since, statistics_from_rows, statistics_of
from ..edges import edge_of, edges_within
from ..leases import Cursor
from ..remembered import Remembered
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
    Ranked,
    RankedPage,
    Recorded,
    SchemaFilter,
    StampedVersions,
    SubjectTotals,
    VersionWithContent,
)
from . import counting, lists, queries
from .access import PostgresAccessRead
from .audit import PostgresAuditRead
from .credentials import PostgresCredentialsRead
from .outcomes import PostgresOutcomesRead
from .profiles import PostgresProfilesRead
from .session import FEW, Session

T = TypeVar("T")

_BIGGEST_INT32 = 2**31 - 1
BIGGEST_INT64 = 2**63 - 1
_GRACE_SECONDS = 2.0
"""How much longer than its limit we wait for a statement, so that the error is the database's."""

_version_or_not, _change_or_not = tolerant(rows.version_of), tolerant(rows.change_of)


class PostgresReadTx(
    PostgresCredentialsRead, PostgresAccessRead, PostgresAuditRead, PostgresProfilesRead, PostgresOutcomesRead
):
    """See store.ReadTx for the meaning of each method."""

    def __init__(self, session: Session, remembered: Remembered | None = None) -> None:
        self._session = session
        self._remembered = Remembered() if remembered is None else remembered
        self._last_count: tuple[SchemaFilter, int] | None = None

    async def version(self, schema_id: str) -> SchemaVersion | None:
        row = await self._session.row(queries.VERSION, schema_id)
        return None if row is None else rows.version_of(row)

    async def versions_by_id(self, schema_ids: Collection[str]) -> Mapping[str, SchemaVersion]:
        found = await self._session.rows(queries.VERSIONS_BY_ID, [list(schema_ids)], _version_or_not)
        return {version.schema_id: version for version in readable(found)}

    async def selected(self, subject: Subject, selector: Single) -> SchemaVersion | None:
        name, parameters = rows.selected_by(selector)
        row = await self._session.row(queries.SELECTED[name], str(subject), *parameters)
        return None if row is None else rows.version_of(row)

    async def versions(self, subject: Subject, *, include_deleted: bool = False) -> Sequence[SchemaVersion]:
        sql = queries.VERSIONS if include_deleted else queries.LIVE_VERSIONS

        async def fetch(last: SchemaVersion | None) -> Sequence[SchemaVersion]:
            after = last.ordinal if last else 0
            return await self._session.rows(sql, [str(subject), after, FEW], rows.version_of)

        return await in_parts(fetch)

    async def versions_since(self, subject: Subject, revision: int) -> Sequence[SchemaVersion]:
        async def fetch(last: tuple[SchemaVersion, int] | None) -> Sequence[tuple[SchemaVersion, int]]:
            after = (last[0].revision, last[1]) if last else (revision, BIGGEST_INT64)
            return await self._session.rows(
                queries.VERSIONS_SINCE, [str(subject), *after, FEW], _version_and_id
            )

        return sorted((version for version, _ in await in_parts(fetch)), key=attrgetter("ordinal"))

    async def subject_stamp(self, subject: Subject) -> tuple[int, int]:
        count, revision = await self._session.row(queries.SUBJECT_STAMP, str(subject))
        return int(count), int(revision)

    async def versions_with(self, subject: Subject, identity: str) -> Sequence[SchemaVersion]:
        return await self._session.rows(queries.VERSIONS_WITH, [str(subject), identity], rows.version_of)

    async def next_ordinal(self, subject: Subject) -> int:
        return int(await self._session.value(queries.LAST_ORDINAL, str(subject)) or 0) + 1

    async def versions_by_global_id(self, context: str, global_id: int) -> Sequence[SchemaVersion]:
        if not 0 < global_id <= _BIGGEST_INT32:
            return []
        sql = queries.VERSIONS_BY_GLOBAL_ID
        parameters: list[Any] = [global_id]
        if context != DEFAULT_CONTEXT:
            sql, parameters = queries.VERSIONS_BY_CONTEXT_ID, [global_id, *rows.subjects_of(context)]

        async def fetch(last: SchemaVersion | None) -> Sequence[SchemaVersion]:
            return await self._session.rows(sql, [*parameters, *_key_of(last), FEW], rows.version_of)

        return await in_parts(fetch)

    async def contents(self, identities: Collection[str]) -> Mapping[str, StoredContent]:
        found = await self._session.rows(queries.CONTENTS, [list(identities)], tuple)
        return contents_of(found, self._session.database)

    async def content_identities(self, after: str, limit: int) -> Sequence[str]:
        return await self._session.rows(queries.CONTENT_IDENTITIES, [after, limit], itemgetter(0))

    async def scan_versions(self, wanted: SchemaFilter, page: Page) -> Sequence[SchemaVersion]:
        hits = self._remembered.of(repr(wanted)) if wanted.text else None
        walking = lists.listed if hits is not None and hits <= lists.MOST_LISTED else None

        async def fetch(page: Page) -> Sequence[SchemaVersion | Unreadable]:
            return await self._session.rows(*lists.LISTS.scan(wanted, page, walking=walking), _version_or_not)

        return await versions_of_page(fetch, page)

    async def count_versions(self, wanted: SchemaFilter) -> int:
        if self._last_count is None or self._last_count[0] != wanted:
            sql, parameters = lists.count_words(wanted) or lists.LISTS.count(wanted)
            self._last_count = wanted, int(await self._session.value(sql, *parameters))
        return self._last_count[1]

    async def ranked_versions(self, wanted: SchemaFilter, page: RankedPage) -> Ranked | None:
        # To rank as many as are ranked takes some times as long as to count by an index.
        counted = page.after is None and lists.count_words(wanted) is not None
        if counted and await self.count_versions(wanted) > ranking.MOST_HITS:
            await self._note_general(wanted)
            return None

        async def fetch(page: RankedPage) -> Sequence[rows.Row]:
            return await self._session.rows(*lists.LISTS.rank(wanted, page), tuple)

        ranked = await hits_of_page(fetch, page, rows.version_of)
        if ranked is None:
            await self._note_general(wanted)
        return ranked

    async def _note_general(self, wanted: SchemaFilter) -> None:
        """So many versions have the words of a filter that more pass it than are ranked."""
        question = repr(wanted)
        if self._remembered.of(question) is None:
            # How many pass it is asked for next in any case.
            hits = await self.count_versions(wanted)
            if wanted != SchemaFilter(text=wanted.text) and hits <= lists.MOST_LISTED:
                asked = lists.matching(wanted.text), lists.MOST_LISTED + 1
                hits = int(await self._session.value(queries.HITS, *asked))
            self._remembered.note(question, hits)

    async def corrections(self, words: Sequence[str]) -> Mapping[str, str | None]:
        return {
            word: await self._nearest(word) for word in words if not await self._begun(lists.lexeme(word))
        }

    async def _nearest(self, word: str) -> str | None:
        if not spelling.is_spelled(word):
            return None
        asked = [word, spelling.NEAR, spelling.TRIED]
        for near in await self._session.rows(queries.NEAR, asked, lambda row: str(row[0])):
            if await self._begun(lists.lexeme(near, whole=True)):
                return near
        return None

    async def _begun(self, query: str) -> bool:
        return bool(await self._session.value(queries.BEGUN, query))

    async def subjects(
        self,
        *,
        prefix: str = "",
        include_deleted: bool = False,
        page: Page,
        scope: SubjectScope = EVERYTHING,
    ) -> Sequence[Subject]:
        return await self._session.rows(
            *lists.LISTS.subjects(prefix, include_deleted, page, scope), _subject_of
        )

    async def count_subjects(
        self, *, prefix: str = "", include_deleted: bool = False, scope: SubjectScope = EVERYTHING
    ) -> int:
        sql, parameters = lists.LISTS.count_subjects(prefix, include_deleted, scope)
        return int(await self._session.value(sql, *parameters))

    async def subject_totals(self) -> SubjectTotals:
        return SubjectTotals(*await self._session.row(queries.SUBJECT_TOTALS))

    async def dependents(self, schema_id: str, page: Page | None = None) -> Sequence[SchemaVersion]:
        if page is None:

            async def part(last: SchemaVersion | None) -> Sequence[SchemaVersion]:
                wanted = [schema_id, *_key_of(last), FEW]
                return await self._session.rows(queries.DEPENDENTS, wanted, rows.version_of)

            return await in_parts(part)

        async def fetch(page: Page) -> Sequence[SchemaVersion | Unreadable]:
            parameters = [schema_id, *rows.after_of(page), page.limit]
            return await self._session.rows(queries.DEPENDENTS, parameters, _version_or_not)

        return await versions_of_page(fetch, page)

    async def used_elsewhere(self, subject: Subject) -> str | None:
        found: str | None = await self._session.value(queries.USED_ELSEWHERE, str(subject))
        return found

    async def dependent_edges(
        self, schema_id: str, most_versions: int, most_edges: int
    ) -> Sequence[tuple[str, SchemaVersion]] | None:
        parameters = [schema_id, most_versions + 1, most_edges + 1]
        found = await self._session.rows(queries.DEPENDENT_EDGES, parameters, edge_of)
        return edges_within(found, most_versions, most_edges)

    async def uses(self, subjects: Collection[Subject]) -> Mapping[Subject, frozenset[Subject]]:
        return rows.uses_of(await self._session.rows(queries.USES, [[str(s) for s in subjects]], tuple))

    async def history(self, schema_id: str) -> Sequence[Transition]:
        found = await self._session.rows(queries.HISTORY, [schema_id], tolerant(rows.transitions_of))
        return [step for steps in readable(found) for step in steps]

    async def history_page(self, schema_id: str, after: int, limit: int) -> Sequence[Recorded]:
        return await self._session.rows(queries.HISTORY_PAGE, [schema_id, after, limit], rows.recorded_of)

    async def config(self, scope: str) -> Config | None:
        cell = await self._session.value(queries.CONFIG, scope)
        return None if cell is None else rows.config_of(scope, cell)

    async def changes(self, after: int, limit: int) -> Sequence[Change]:
        if after > BIGGEST_INT64:
            return []
        return await changes_of_log(self._logged, after, limit)

    async def _logged(self, after: int, limit: int) -> Sequence[Change | Unreadable]:
        return await self._session.rows(queries.CHANGES, [after, limit], _change_or_not)

    async def change_bounds(self) -> tuple[int, int]:
        oldest, newest = await self._session.row(queries.CHANGE_BOUNDS)
        return oldest, newest or oldest

    async def log_page(self, after: int, limit: int) -> LogPage:
        return log_page_of(
            await self._session.rows(queries.LOG_PAGE, [min(after, BIGGEST_INT64), limit], tuple)
        )

    async def change_times(self, after: int, limit: int) -> Sequence[tuple[int, datetime]]:
        return await self._session.rows(
            queries.CHANGE_TIMES, [min(after, BIGGEST_INT64), limit], rows.change_time_of
        )

    async def newest_but(self, count: int) -> int:
        found = await self._session.value(queries.NEWEST_BUT, min(count, BIGGEST_INT64))
        return (await self.change_bounds())[0] if found is None else int(found)

    async def cursors(self) -> Sequence[Cursor]:
        return await self._session.rows(queries.CURSORS, [], lambda row: Cursor(*row))

    async def most_used(self, limit: int) -> Sequence[Usage]:
        return readable(await self._session.rows(queries.MOST_USED, [limit], tolerant(rows.usage_of)))

    async def count_everything(self, at: datetime, seconds: float) -> Statistics:
        await self._session.run(counting.LIMIT.format(int(seconds * 1000)))
        versions = await self._counted(counting.VERSIONS, seconds, since(at))
        others = [
            (await self._counted(sql, seconds))[0]
            for sql in (counting.SUBJECTS, counting.CONTENTS, counting.LOG)
        ]
        return statistics_from_rows(at, versions, *others)

    async def _counted(self, sql: str, seconds: float, *parameters: Any) -> list[rows.Row]:
        timeout = seconds + _GRACE_SECONDS
        return await self._session.rows(sql, list(parameters), tuple, timeout=timeout)

    async def statistics(self) -> Statistics | None:
        stored = await self._session.value(queries.STATISTICS)
        return None if stored is None else statistics_of(stored)

    # -- see portable.DumpTx

    async def names(self, schema_id: str) -> Sequence[str]:
        return await self._session.value(queries.NAMES, schema_id) or ()

    async def configs(self, after: str, limit: int) -> Sequence[tuple[str, Config]]:
        async def fetch(count: int) -> Sequence[tuple[str, Config] | Unreadable]:
            return await self._session.rows(queries.ALL_CONFIGS, [after, count], tolerant(rows.scope_of))

        return await whole_page(fetch, limit)

    async def global_ids(self, after: tuple[str, int], limit: int) -> Sequence[tuple[str, int, str]]:
        context, number = after
        found: list[tuple[str, int, str]] = []
        if context <= DEFAULT_CONTEXT:
            found = await self._session.rows(queries.ALL_GLOBAL_IDS, [number, limit], tuple)
        left = [context, number, limit - len(found)]
        return found + await self._session.rows(queries.ALL_CONTEXT_IDS, left, tuple)

    async def ordinals(self, after: str, limit: int) -> Sequence[tuple[str, int]]:
        return await self._session.rows(queries.ALL_ORDINALS, [after, limit], tuple)

    # -- for PostgresStore

    async def registry_id(self) -> str:
        return str(await self._session.value(queries.REGISTRY_ID))

    async def facts(self) -> tuple[str, int, int]:
        """The server's version, how many sessions this user may not look into, and the age in seconds of the oldest writing
        transaction of the others."""
        server, hidden, oldest = await self._session.row(queries.FACTS)
        return server, hidden, oldest


async def in_parts(fetch: Callable[[T | None], Awaitable[Sequence[T]]]) -> Sequence[T]:
    """All that there is, by FEW at a time: the driver decodes all rows of an answer in one piece. fetch: what comes after the last one
    of a part, in the order of all."""
    found: list[T] = []
    while True:
        part = await fetch(found[-1] if found else None)
        found += part
        if len(part) < FEW:
            return found


def _version_and_id(row: rows.Row) -> tuple[SchemaVersion, int]:
    return rows.version_of(row), row[-1]


def _key_of(version: SchemaVersion | None) -> tuple[str, int]:
    """What sorts versions by subject; before all without one."""
    return (str(version.subject), version.ordinal) if version else ("", 0)


def log_page_of(found: Sequence[rows.Row]) -> LogPage:
    """Decodes the rows of queries.LOG_PAGE."""
    return log_page(found[0][-1], [_change_or_not(row) for row in found if row[0] is not None])


def stamped_of(found: Sequence[rows.Row]) -> StampedVersions:
    """Decodes the rows of queries.STAMPED_SINCE."""
    count, revision = found[0][:2]
    return StampedVersions(
        (count, revision), [rows.version_of(row[2:]) for row in found if row[2] is not None]
    )


def contents_of(found: Sequence[rows.Row], database: str) -> Mapping[str, StoredContent]:
    """Decodes the rows of queries.CONTENTS. Raises StorageDamaged when a content does not have its digest."""
    contents = {identity: _content_of(cells) for identity, *cells in found}
    for identity, content in contents.items():
        if not _intact(content):
            raise StorageDamaged(
                f"the content of {identity} does not have its digest; restore it from a backup",
                inside=database,
                identity=identity,
                table="contents",
                key=identity,
            )
    return contents


def version_with_content_of(found: Sequence[rows.Row]) -> VersionWithContent | None:
    """Decodes the row of one of queries.SELECTED_WITH_CONTENT; None without a row."""
    if not found:
        return None
    (row,) = found
    cells = row[len(rows.VERSION_COLUMNS) :]
    content = None if cells[0] is None else _content_of(cells)
    return VersionWithContent(rows.version_of(row), content if content and _intact(content) else None)


def _content_of(cells: rows.Row) -> StoredContent:
    digest, content, canonical, artifact = cells
    return StoredContent(content, digest, canonical, artifact)


def _intact(content: StoredContent) -> bool:
    return hashlib.sha256(content.content).hexdigest() == content.digest


def _subject_of(row: tuple[str]) -> Subject:
    return rows.subject_of(row[0])
