"""What a memory store reads, from one snapshot of its tables."""

from __future__ import annotations

import hashlib
import heapq
from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from ...errors import StorageDamaged
from ...model.change import Change
from ...model.config import Config
from ...model.lifecycle import Transition
from ...model.schema import SchemaVersion, StoredContent
from ...model.scope import EVERYTHING, SubjectScope
from ...model.selection import choose, selectable
from ...model.selector import Single
from ...model.statistics import Statistics
from ...model.subject import Subject
from ...model.usage import Usage
from .. import ranking, search, spelling
from ..leases import Cursor
from ..values import Hit, LogPage, Page, Ranked, RankedPage, Recorded, SchemaFilter, SubjectTotals
from .access import MemoryAccessRead
from .audit import MemoryAuditRead
from .counting import counted
from .credentials import MemoryCredentialsRead
from .outcomes import MemoryOutcomesRead
from .profiles import MemoryProfilesRead
from .tables import Tables

REGISTRY_ID = "registry id"
NEWEST_CHANGE = "newest change"
COMPACTED = "changes up to this one are gone"
ALL_CHANGES = "how many changes there ever were"
SUBJECT_CHANGES = "how often a version was added, changed or removed"
GONE_CHANGES = "how many of them are gone"


class MemoryReadTx(
    MemoryCredentialsRead, MemoryAccessRead, MemoryAuditRead, MemoryProfilesRead, MemoryOutcomesRead
):
    """A view of the tables as they are when it is made; see store.ReadTx for the meaning of each method."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def version(self, schema_id: str) -> SchemaVersion | None:
        return self._tables.versions.get(schema_id)

    async def versions_by_id(self, schema_ids: Collection[str]) -> Mapping[str, SchemaVersion]:
        return {v.schema_id: v for v in self._found(set(schema_ids))}

    async def selected(self, subject: Subject, selector: Single) -> SchemaVersion | None:
        return choose(await self.versions(subject), selector)

    async def versions(self, subject: Subject, *, include_deleted: bool = False) -> Sequence[SchemaVersion]:
        found = self._found(self._tables.by_subject.get(subject) or ())
        return [v for v in found if include_deleted or v.live]

    async def versions_since(self, subject: Subject, revision: int) -> Sequence[SchemaVersion]:
        found = self._all(subject)
        return [v for v in found if v.revision > revision]

    async def subject_stamp(self, subject: Subject) -> tuple[int, int]:
        found = self._found(self._tables.by_subject.get(subject) or ())
        return len(found), max((v.revision for v in found), default=0)

    async def versions_with(self, subject: Subject, identity: str) -> Sequence[SchemaVersion]:
        found = self._found(self._tables.by_content.get(identity) or ())
        return [v for v in found if v.subject == subject]

    async def next_ordinal(self, subject: Subject) -> int:
        return (self._tables.ordinals.get(subject) or 0) + 1

    async def versions_by_global_id(self, context: str, global_id: int) -> Sequence[SchemaVersion]:
        return self._found(self._tables.by_global_id.get((context, global_id)) or ())

    async def contents(self, identities: Collection[str]) -> Mapping[str, StoredContent]:
        found = {i: c for i in identities if (c := self._tables.contents.get(i)) is not None}
        for identity, content in found.items():
            if hashlib.sha256(content.content).hexdigest() != content.digest:
                raise StorageDamaged(f"the content of {identity} does not have its digest", identity=identity)
        return found

    async def content_identities(self, after: str, limit: int) -> Sequence[str]:
        return heapq.nsmallest(limit, (i for i in self._tables.contents if i > after))

    async def scan_versions(self, wanted: SchemaFilter, page: Page) -> Sequence[SchemaVersion]:
        found = [v for v in self._matching(wanted) if page.after is None or _place(v) > page.after]
        return found[page.offset : page.offset + page.limit]

    async def count_versions(self, wanted: SchemaFilter) -> int:
        return len(self._matching(wanted))

    async def ranked_versions(self, wanted: SchemaFilter, page: RankedPage) -> Ranked | None:
        found = self._matching(wanted)
        if len(found) > ranking.MOST_HITS:
            return None
        hits = [Hit(v, ranking.score(wanted.text, self._words(v))) for v in found]
        hits.sort(key=_rank)
        left = [hit for hit in hits if page.after is None or _rank(hit) > _rank_of(*page.after)]
        return Ranked(left[page.offset : page.offset + page.limit], len(hits))

    async def corrections(self, words: Sequence[str]) -> Mapping[str, str | None]:
        known = {word for found in self._tables.words.values() for word in found.words}
        unknown = [word for word in words if not any(other.startswith(word) for other in known)]
        return {word: next(iter(spelling.nearest(word, known)), None) for word in unknown}

    async def subjects(
        self,
        *,
        prefix: str = "",
        include_deleted: bool = False,
        page: Page,
        scope: SubjectScope = EVERYTHING,
    ) -> Sequence[Subject]:
        named = self._named(prefix, include_deleted, scope)
        left = [name for name in sorted(named) if page.after is None or (name, 0) > page.after]
        return [named[name] for name in left[page.offset : page.offset + page.limit]]

    async def count_subjects(
        self, *, prefix: str = "", include_deleted: bool = False, scope: SubjectScope = EVERYTHING
    ) -> int:
        return len(self._named(prefix, include_deleted, scope))

    def _named(self, prefix: str, include_deleted: bool, scope: SubjectScope) -> Mapping[str, Subject]:
        named = {
            str(v.subject): v.subject for v in self._tables.versions.values() if include_deleted or v.live
        }
        return {
            name: subject
            for name, subject in named.items()
            if name.startswith(prefix) and scope.contains(name)
        }

    async def subject_totals(self) -> SubjectTotals:
        live, every = (len(self._named("", deleted, EVERYTHING)) for deleted in (False, True))
        return SubjectTotals(live, every, self._tables.numbers.get(SUBJECT_CHANGES) or 0)

    async def dependents(self, schema_id: str, page: Page | None = None) -> Sequence[SchemaVersion]:
        found = self._found(self._tables.dependents.get(schema_id) or ())
        if page is None:
            return found
        return [v for v in found if page.after is None or _place(v) > page.after][: page.limit]

    async def used_elsewhere(self, subject: Subject) -> str | None:
        for version in self._all(subject):
            users = self._found(self._tables.dependents.get(version.schema_id) or ())
            if any(user.subject != subject for user in users):
                return version.schema_id
        return None

    async def dependent_edges(
        self, schema_id: str, most_versions: int, most_edges: int
    ) -> Sequence[tuple[str, SchemaVersion]] | None:
        reached, left, edges = {schema_id}, [schema_id], list[tuple[str, SchemaVersion]]()
        while left:
            used = left.pop()
            users = [v for v in self._found(self._tables.dependents.get(used) or ()) if v.live]
            edges += [(used, user) for user in users]
            left += {user.schema_id for user in users} - reached
            reached |= {user.schema_id for user in users}
            if len(reached) > most_versions or len(edges) > most_edges:
                return None
        return sorted(edges, key=lambda edge: _place(edge[1]))

    async def uses(self, subjects: Collection[Subject]) -> Mapping[Subject, frozenset[Subject]]:
        found = {s: frozenset(r.subject for v in self._all(s) for r in v.references) for s in subjects}
        return {subject: used for subject, used in found.items() if used}

    async def history(self, schema_id: str) -> Sequence[Transition]:
        return list(self._tables.history.get(schema_id) or ())

    async def history_page(self, schema_id: str, after: int, limit: int) -> Sequence[Recorded]:
        steps = (self._tables.history.get(schema_id) or ())[after : after + limit]
        return [Recorded(place, (step,)) for place, step in enumerate(steps, start=after + 1)]

    async def config(self, scope: str) -> Config | None:
        return self._tables.configs.get(scope)

    async def changes(self, after: int, limit: int) -> Sequence[Change]:
        places = self._places()
        first = bisect_right(places, after, key=lambda place: self._change(place).sequence)
        return [self._change(place) for place in places[first : first + limit]]

    async def change_bounds(self) -> tuple[int, int]:
        numbers = self._tables.numbers
        return numbers.get(COMPACTED) or 0, numbers.get(NEWEST_CHANGE) or 0

    async def log_page(self, after: int, limit: int) -> LogPage:
        return LogPage((await self.change_bounds())[0], await self.changes(after, limit))

    async def change_times(self, after: int, limit: int) -> Sequence[tuple[int, datetime]]:
        return [(change.sequence, change.at) for change in await self.changes(after, limit)]

    async def newest_but(self, count: int) -> int:
        places = self._places()
        if count >= len(places):
            return (await self.change_bounds())[0]
        return self._change(places[len(places) - count - 1]).sequence

    async def cursors(self) -> Sequence[Cursor]:
        return sorted(self._tables.cursors.values(), key=lambda cursor: cursor.name)

    async def most_used(self, limit: int) -> Sequence[Usage]:
        return sorted(self._tables.usage.values(), key=lambda u: (-u.score, u.schema_id))[:limit]

    async def count_everything(self, at: datetime, seconds: float) -> Statistics:
        return counted(self._tables, [self._change(place) for place in self._places()], at)

    async def statistics(self) -> Statistics | None:
        return self._tables.statistics.get(0)

    # -- see portable.DumpTx

    async def names(self, schema_id: str) -> Sequence[str]:
        return sorted(search.name_words(self._tables.names.get(schema_id) or ()))

    async def configs(self, after: str, limit: int) -> Sequence[tuple[str, Config]]:
        found = (item for item in self._tables.configs.items() if item[0] > after)
        return sorted(found, key=lambda item: item[0])[:limit]

    async def global_ids(self, after: tuple[str, int], limit: int) -> Sequence[tuple[str, int, str]]:
        numbered = ((context, number, key) for (context, key), number in self._tables.global_ids.items())
        return sorted(item for item in numbered if item[:2] > after)[:limit]

    async def ordinals(self, after: str, limit: int) -> Sequence[tuple[str, int]]:
        named = ((str(subject), last) for subject, last in self._tables.ordinals.items())
        return sorted(item for item in named if item[0] > after)[:limit]

    def _places(self) -> range:
        """The places of the stored changes in the log; they are dense, which sequences need not be."""
        numbers = self._tables.numbers
        return range((numbers.get(GONE_CHANGES) or 0) + 1, (numbers.get(ALL_CHANGES) or 0) + 1)

    def _change(self, place: int) -> Change:
        found = self._tables.changes.get(place)
        assert found is not None, f"the log has no place {place}"
        return found

    def _all(self, subject: Subject) -> list[SchemaVersion]:
        return self._found(self._tables.by_subject.get(subject) or ())

    def _found(self, ids: Iterable[str]) -> list[SchemaVersion]:
        found = (self._tables.versions.get(schema_id) for schema_id in ids)
        return sorted((v for v in found if v is not None), key=_place)

    def _matching(self, wanted: SchemaFilter) -> list[SchemaVersion]:
        tables = self._tables
        candidates: Iterable[SchemaVersion] = tables.versions.values()
        if wanted.latest_only:
            newest: dict[Subject, SchemaVersion] = {}
            for version in filter(selectable, candidates):
                known = newest.get(version.subject)
                if known is None or known.ordinal < version.ordinal:
                    newest[version.subject] = version
            candidates = newest.values()
        passed = (v for v in candidates if search.matches(v, self._words(v).words, wanted))
        return sorted(passed, key=_place)

    def _words(self, version: SchemaVersion) -> ranking.RankedMatch:
        found = self._tables.words.get(version.schema_id)
        assert found is not None, f"the words of {version.schema_id} are missing"
        return found


def _place(version: SchemaVersion) -> tuple[str, int]:
    return str(version.subject), version.ordinal


def _rank(hit: Hit) -> tuple[int, str, int]:
    return _rank_of(hit.score, *_place(hit.version))


def _rank_of(score: int, subject: str, ordinal: int) -> tuple[int, str, int]:
    """The sort key of hits."""
    return -score, subject, -ordinal
