"""What a SQLite store writes, inside one savepoint of the writing session."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from ...errors import ConcurrentUpdate, LimitExceeded
from ...model.change import Change
from ...model.config import Config
from ...model.lifecycle import Transition
from ...model.quota import ContextUsage
from ...model.schema import SchemaVersion, StoredContent
from ...model.statistics import Statistics
from ...model.subject import DEFAULT_CONTEXT, Subject
from ...model.timestamps import MICROSECOND, Clock, micros, moment
from ...model.usage import HALF_LIFE, Usage, Uses, greatest_score
from .. import ranking, rows, search
from ..appending import removed_meanwhile
from ..counting import cell
from ..leases import Lease, LeaseLost, checked_duration, checked_name, is_held
from ..vocabulary import Vocabulary
from . import queries
from .access import SqliteAccessWrite
from .audit import SqliteAuditWrite
from .credentials import SqliteCredentialsWrite
from .outcomes import SqliteOutcomesWrite
from .pending_words import PendingWords
from .profiles import SqliteProfilesWrite
from .reading import SqliteReadTx
from .session import FEW, Session

T = TypeVar("T")

_SMALL = 64 * 1024
"""Bytes that are written in the loop; more go through a thread."""
_NAME_COST = 8
"""A character of a name costs as much as so many bytes of content: names are cut into words, and new words are rows."""


class SqliteWriteTx(
    SqliteReadTx,
    SqliteCredentialsWrite,
    SqliteAccessWrite,
    SqliteAuditWrite,
    SqliteProfilesWrite,
    SqliteOutcomesWrite,
):
    """See store.WriteTx for the meaning of each method. There is one at a time, so subjects need no lock."""

    def __init__(self, session: Session, vocabulary: Vocabulary, words: PendingWords, clock: Clock) -> None:
        super().__init__(session)
        self._words = words
        session.before_lists = words.run
        self._clock = clock
        self.appended = 0
        self.change_rows: list[tuple[Any, ...]] = []
        """What was appended one by one: sequence and cells of each."""
        self.appends_only = True
        """Whether `change_rows` are all that was done to the log."""
        self.new_words: set[str] = set()
        self._vocabulary = vocabulary

    async def lock_subject(self, subject: Subject) -> None:
        """Nothing to do: there is one write transaction at a time."""

    async def allot_global_id(self, context: str, identity: str) -> int:
        if context != DEFAULT_CONTEXT:
            return self._allot_in(context, identity)
        row = self._session.row(queries.GLOBAL_ID, (identity,))
        if row is not None:
            return int(row[0])
        try:
            return self._session.run(queries.ALLOT_GLOBAL_ID, (identity,)).lastrowid or 0
        except sqlite3.IntegrityError as error:
            raise LimitExceeded("all 2147483647 global ids are used") from error

    def _allot_in(self, context: str, identity: str) -> int:
        row = self._session.row(queries.CONTEXT_ID, (context, identity))
        if row is not None:
            return int(row[0])
        number = (self._session.row(queries.LAST_CONTEXT_ID, (context,))[0] or 0) + 1
        try:
            self._session.run(queries.RESTORE_CONTEXT_ID, (context, number, identity))
        except sqlite3.IntegrityError as error:
            raise LimitExceeded(f"all 2147483647 global ids of context {context!r} are used") from error
        return int(number)

    async def put_content(self, identity: str, content: StoredContent) -> None:
        cells = (identity, content.content, content.digest, content.canonical, content.artifact)
        size = len(content.content) + len(content.canonical) + len(content.artifact)
        await self._sized(size, lambda: self._session.run(queries.PUT_CONTENT, cells))

    async def replace_content(self, identity: str, content: StoredContent) -> None:
        cells = (content.content, content.digest, content.canonical, content.artifact, identity)
        size = len(content.content) + len(content.canonical) + len(content.artifact)
        await self._sized(size, lambda: self._session.run(queries.REPLACE_CONTENT, cells))

    async def append_change(self, change: Change) -> int:
        cells = rows.change_row(change)
        self.appended = self._session.run(queries.APPEND_CHANGE, cells).lastrowid or 0
        self.change_rows.append((self.appended, *cells))
        return self.appended

    async def append_changes(self, changes: Sequence[Change]) -> Sequence[int]:
        def append() -> int:
            given = rows.dump([rows.change_row(change) for change in changes])
            return self._session.run(queries.APPEND_CHANGES, (given,)).lastrowid or 0

        if changes:
            self.appends_only = False  # not by one statement for each
            self.appended = await self._many(len(changes), append)
        return range(self.appended - len(changes) + 1, self.appended + 1)

    async def compact_changes(self, upto: int) -> bool:
        oldest, newest = await self.change_bounds()
        floor = max(oldest, min(upto, newest))
        self.appends_only = False
        await self._session.in_thread(lambda: self._session.run(queries.FORGET_CHANGES, (floor,)))
        self._session.run(queries.SET_COMPACTED, (str(floor),))
        return True

    async def set_cursor(self, name: str, sequence: int) -> None:
        self._session.run(queries.SET_CURSOR, (checked_name(name), sequence, micros(self._clock())))

    async def remove_cursor(self, name: str) -> None:
        self._session.run(queries.REMOVE_CURSOR, (name,))

    async def acquire_lease(self, name: str, holder: str, seconds: float) -> Lease | None:
        now, row = self._clock(), self._session.row(queries.LEASE, (checked_name(name),))
        expires_at = now + checked_duration(seconds)
        if row is not None and is_held(moment(row[0]), moment(row[1]), now):
            return None
        self._session.run(queries.FREE_LEASE, (name,))
        cells = (name, checked_name(holder), micros(now), micros(expires_at))
        token = self._session.run(queries.ADD_LEASE, cells).lastrowid or 0
        return Lease(name, holder, token, expires_at)

    async def renew_lease(self, lease: Lease, seconds: float) -> Lease:
        now = self._clock()
        renewed = replace(lease, expires_at=now + checked_duration(seconds))
        cells = (micros(now), micros(renewed.expires_at), lease.name, lease.token)
        if not self._session.run(queries.RENEW_LEASE, cells).rowcount:
            raise LeaseLost(lease)
        return renewed

    async def confirm_lease(self, lease: Lease) -> None:
        if self._session.row(queries.CONFIRM_LEASE, (lease.name, lease.token)) is None:
            raise LeaseLost(lease)

    async def release_lease(self, lease: Lease) -> None:
        self._session.run(queries.RELEASE_LEASE, (lease.name, lease.token))

    async def insert_version(self, version: SchemaVersion, names: Sequence[str]) -> None:
        await self._sized(_NAME_COST * sum(map(len, names)), lambda: self._insert(version, names))

    def _insert(self, version: SchemaVersion, names: Sequence[str]) -> None:
        run = self._session.run
        try:
            row_id = run(queries.INSERT_VERSION, rows.version_row(version)).lastrowid
        except sqlite3.IntegrityError as error:
            raise _taken(version, error) from error
        run(queries.RAISE_ORDINAL, (str(version.subject), version.ordinal))
        for target in {reference.schema_id for reference in version.references}:
            run(queries.INSERT_REFERENCE, (target, row_id))
        for label in search.labels(version.tags, version.metadata.items()):
            run(queries.INSERT_LABEL, (label, row_id))
        about, named = search.about_words(version), search.name_words(names)
        self._words.add(queries.INSERT_WORDS, (row_id, _text(about), _text(named)))
        run(queries.PUT_TITLE, (row_id, ranking.title(version)))
        self._add_words(about | named)

    async def names(self, schema_id: str) -> Sequence[str]:
        self._words.run()
        return await super().names(schema_id)

    async def context_usage(self, context: str) -> ContextUsage:
        row = self._session.row(queries.CONTEXT_USAGE, (context,))
        return ContextUsage() if row is None else ContextUsage(*row)

    async def count_context(self, context: str) -> None:
        """Every context is counted."""

    async def update_version(self, version: SchemaVersion) -> None:
        row = self._session.row(queries.VERSION_FOR_UPDATE, (version.schema_id,))
        if row is None:
            raise removed_meanwhile(version.schema_id)
        known, row_id = rows.version_of(row), row[-1]
        run = self._session.run
        try:
            run(
                queries.UPDATE_VERSION,
                (
                    str(version.version), rows.release_of(version.version), version.global_id, int(version.level),
                    int(version.state), int(version.change_class), rows.about_cell(version),
                    *rows.stamp_row(version), row_id,
                ),
            )  # fmt: skip
        except sqlite3.IntegrityError as error:
            raise _taken(version, error) from error
        labels = search.labels(version.tags, version.metadata.items())
        if labels != search.labels(known.tags, known.metadata.items()):
            run(queries.DELETE_LABELS, (row_id,))
            for label in labels:
                run(queries.INSERT_LABEL, (label, row_id))
            run(queries.PUT_TITLE, (row_id, ranking.title(replace(version, subject=known.subject))))
        words = search.about_words(replace(version, subject=known.subject))
        if words != search.about_words(known):
            self._words.add(queries.UPDATE_WORDS, (_text(words), row_id))
            self._add_words(words)

    def _add_words(self, words: Iterable[str]) -> None:
        for word in self._vocabulary.new_of(words):
            self._session.run(queries.ADD_WORD, (word,))
            self.new_words.add(word)

    async def hide_versions(self, subject: Subject, revisions: Mapping[str, int], at: datetime) -> None:
        def hide() -> int:
            cells = (micros(at), rows.dump(list(revisions.items())))
            return self._session.run(queries.HIDE_VERSIONS, cells).rowcount

        hidden = await self._many(len(revisions), hide)
        if hidden != len(revisions):
            raise removed_meanwhile(next(iter(revisions)))

    async def remove_version(self, schema_id: str) -> None:
        await self.remove_versions([schema_id])

    async def remove_versions(self, schema_ids: Collection[str]) -> None:
        asked = rows.dump(list(schema_ids))

        def remove() -> None:
            run = self._session.run
            found = run(queries.VERSIONS_TO_REMOVE, (asked,)).fetchall()
            row_ids = rows.dump([row_id for row_id, _ in found])
            self._words.add(queries.DELETE_WORDS, (row_ids,))
            run(queries.DELETE_VERSIONS, (row_ids,))
            run(queries.DELETE_HISTORIES, (asked,))
            run(queries.DELETE_UNUSED_CONTENTS, (rows.dump([identity for _, identity in found]),))

        await self._many(len(schema_ids), remove)

    async def record_transitions(self, steps: Sequence[Transition]) -> None:
        for row in rows.transition_rows(steps):
            self._session.run(queries.RECORD_TRANSITION, row)

    async def set_config(self, scope: str, config: Config | None) -> None:
        if config is None:
            self._session.run(queries.DELETE_CONFIG, (scope,))
        else:
            self._session.run(queries.SET_CONFIG, (scope, rows.config_cell(config)))

    async def record_usage(self, uses: Mapping[str, Uses], at: datetime) -> None:
        def add_all() -> None:
            then = micros(at)
            self._session.run(
                queries.MOVE_USAGE, (then, HALF_LIFE / MICROSECOND, then, greatest_score(at), then)
            )
            asked = (rows.dump(list(uses)),)
            known = {u.schema_id: u for u in map(rows.usage_of, self._session.run(queries.USAGES, asked))}
            made = (Usage.of(schema_id, added, at) for schema_id, added in uses.items())
            now = (known[m.schema_id] + m if m.schema_id in known else m for m in made)
            self._session.run(queries.SET_USAGES, (rows.dump([rows.usage_row(each) for each in now]),))

        await self._session.in_thread(add_all)

    async def save_statistics(self, statistics: Statistics) -> None:
        self._session.run(queries.SAVE_STATISTICS, (cell(statistics),))

    async def probe(self) -> None:
        """Write something small. For SqliteStore."""
        self._session.run(queries.PROBE, (str(micros(self._clock())),))

    # -- see repair.RepairTx

    async def select(self, sql: str, *parameters: Any) -> Sequence[rows.Row]:
        return await self._session.search(_numbered(sql, parameters), parameters, tuple)

    async def execute(self, sql: str, *parameters: Any) -> None:
        statement = _numbered(sql, parameters)
        await self._session.in_thread(lambda: self._session.run(statement, parameters))

    # -- see portable.RestoreTx

    async def restore_registry_id(self, registry_id: str) -> None:
        self._session.run(queries.RESTORE_REGISTRY_ID, (registry_id,))

    async def restore_global_id(self, context: str, global_id: int, identity: str) -> None:
        if context == DEFAULT_CONTEXT:
            self._session.run(queries.RESTORE_GLOBAL_ID, (global_id, identity))
        else:
            self._session.run(queries.RESTORE_CONTEXT_ID, (context, global_id, identity))

    async def restore_ordinal(self, subject: str, last: int) -> None:
        self._session.run(queries.RESTORE_ORDINAL, (subject, last))

    async def restore_change(self, change: Change) -> None:
        self.appends_only = False
        self._session.run(queries.RESTORE_CHANGE, (change.sequence, *rows.change_row(change)))
        self.appended = change.sequence

    async def finish_restore(self, oldest: int) -> None:
        self.appends_only = False
        self._session.run(queries.SET_COMPACTED, (str(oldest),))
        if oldest > self.appended:
            self._session.run(queries.TOUCH_SEQUENCE, (oldest,))
            self._session.run(queries.UNTOUCH_SEQUENCE, (oldest,))

    async def _many(self, count: int, work: Callable[[], T]) -> T:
        """Write few rows in the loop and many in a thread: with few statements, between which a thread waits for the interpreter."""
        return work() if count <= FEW else await self._session.in_thread(work)

    async def _sized(self, size: int, work: Callable[[], object]) -> None:
        """Do small work in the loop and large work in a thread."""
        if size <= _SMALL:
            work()
        else:
            await self._session.in_thread(work)


def _numbered(sql: str, parameters: Sequence[Any]) -> str:
    """SQL with SQLite's places for `$1`, `$2` ...; bytes stand for a text that is no UTF-8, as the session read it."""
    for number in (n for n, value in enumerate(parameters, 1) if isinstance(value, bytes)):
        sql = re.sub(rf"\${number}\b", f"CAST(?{number} AS TEXT)", sql)
    return sql.replace("$", "?")


def _text(words: set[str]) -> str:
    return " ".join(sorted(words))


def _taken(version: SchemaVersion, error: sqlite3.IntegrityError) -> ConcurrentUpdate:
    if "versions.schema_id" in str(error):
        return ConcurrentUpdate(f"schema id {version.schema_id!r} is taken", schema_id=version.schema_id)
    return ConcurrentUpdate(
        f"version {version.ordinal} ({version.version}) of subject {str(version.subject)!r} is taken; "
        "read the subject again and retry",
        subject=str(version.subject),
        cause=str(error),
    )
