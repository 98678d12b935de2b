"""What a PostgreSQL store writes. Writes that no later statement of the block depends on are buffered and sent in one round trip."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from operator import itemgetter
from typing import Any

import orjson

from ...errors import ConcurrentUpdate
from ...model.change import Change
from ...model.config import REGISTRY_SCOPE, Config
from ...model.lifecycle import Transition
from ...model.quota import ContextUsage
from ...model.schema import SchemaVersion, StoredContent
from ...model.statistics import Statistics
from ...model.subject import Subject
from ...model.timestamps import MICROSECOND, micros
from ...model.usage import HALF_LIFE, Usage, Uses, greatest_score
from .. import ranking, rows, search
from ..appending import removed_meanwhile
from ..audit_rows import Noted
from ..counting import cell
from ..leases import Lease, LeaseLost, checked_duration, checked_name
from ..values import Recorded
from ..vocabulary import Vocabulary
from . import queries
from .access import PostgresAccessWrite
from .appending import columns_of, taken
from .audit import PostgresAuditWrite
from .credentials import PostgresCredentialsWrite
from .outcomes import PostgresOutcomesWrite
from .profiles import PostgresProfilesWrite
from .reading import PostgresReadTx
from .session import Session

_UNREAD = object()
_MOST_BYTES = 4 * 1024 * 1024
_MOST_ROWS = 1000
"""More than this is not buffered."""


class PostgresWriteTx(
    PostgresCredentialsWrite,
    PostgresAccessWrite,
    PostgresAuditWrite,
    PostgresProfilesWrite,
    PostgresOutcomesWrite,
    PostgresReadTx,
):
    """See store.WriteTx for the meaning of each method."""

    def __init__(self, session: Session, vocabulary: Vocabulary) -> None:
        super().__init__(session)
        self._vocabulary = vocabulary
        self._new_words: set[str] = set()
        self._first_sequence: int | None = None
        self.appended = 0
        self._contents: dict[str, StoredContent] = {}
        self._bytes = 0
        self._changes: list[tuple[Any, ...]] = []
        self._global_ids: list[tuple[Any, ...]] = []
        self._transitions: list[tuple[Any, ...]] = []
        self._noted: list[Noted] = []
        self._configs: dict[str, str | None] = {}  # as read in this transaction
        self._ordinals: dict[Subject, int] = {}  # the last ones of locked subjects

    async def lock_subject(self, subject: Subject) -> None:
        scopes = [f"subject:{subject}", f"context:{subject.context}", REGISTRY_SCOPE]
        first, ordinal, cells = await self._session.row(queries.LOCK_SUBJECT, str(subject), scopes)
        self._first_sequence = self._first_sequence or first
        self._ordinals.setdefault(subject, ordinal or 0)
        known = orjson.loads(cells or "{}")
        for scope in scopes:
            self._configs.setdefault(scope, known.get(scope))

    async def allot_global_id(self, context: str, identity: str) -> int:
        return int(await self._session.value(queries.ALLOT_GLOBAL_ID, context, identity))

    async def put_content(self, identity: str, content: StoredContent) -> None:
        if identity not in self._contents:
            self._contents[identity] = content
            self._bytes += len(content.content) + len(content.canonical) + len(content.artifact)
        await self._flush_when_large()

    async def replace_content(self, identity: str, content: StoredContent) -> None:
        await self.flush()
        cells = (content.content, content.digest, content.canonical, content.artifact)
        await self._session.run(queries.REPLACE_CONTENT, identity, *cells)

    async def append_change(self, change: Change) -> int:
        if self._first_sequence is None:
            self._first_sequence = int(await self._session.value(queries.FIRST_SEQUENCE))
        self.appended = max(self.appended + 1, self._first_sequence)
        self._changes.append((self.appended, *rows.change_row(change)))
        return self.appended

    async def append_changes(self, changes: Sequence[Change]) -> Sequence[int]:
        return [await self.append_change(change) for change in changes]

    async def compact_changes(self, upto: int) -> bool:
        if not await self._session.value(queries.ONLY_COMPACTOR):
            return False
        oldest, newest = await self.change_bounds()
        floor = max(oldest, min(upto, newest))
        await self._session.run(queries.FORGET_CHANGES, oldest, floor)
        await self._session.run(queries.SET_COMPACTED, str(floor))
        return True

    async def set_cursor(self, name: str, sequence: int) -> None:
        await self._session.run(queries.SET_CURSOR, checked_name(name), sequence)

    async def remove_cursor(self, name: str) -> None:
        await self._session.run(queries.REMOVE_CURSOR, name)

    async def acquire_lease(self, name: str, holder: str, seconds: float) -> Lease | None:
        cells = (checked_name(name), checked_name(holder), checked_duration(seconds))
        await self._session.run(queries.LOCK_LEASE, name)
        row = await self._session.row(queries.ACQUIRE_LEASE, *cells)
        return None if row is None else Lease(name, holder, *row)

    async def renew_lease(self, lease: Lease, seconds: float) -> Lease:
        cells = (lease.name, lease.token, checked_duration(seconds))
        expires_at = await self._session.value(queries.RENEW_LEASE, *cells)
        if expires_at is None:
            raise LeaseLost(lease)
        return replace(lease, expires_at=expires_at)

    async def confirm_lease(self, lease: Lease) -> None:
        if await self._session.value(queries.CONFIRM_LEASE, lease.name, lease.token) is None:
            raise LeaseLost(lease)

    async def release_lease(self, lease: Lease) -> None:
        await self._session.run(queries.RELEASE_LEASE, lease.name, lease.token)

    async def insert_version(self, version: SchemaVersion, names: Sequence[str]) -> None:
        about, named = search.about_words(version), search.name_words(names)
        made = await self._session.value(
            queries.INSERT_VERSION,
            *rows.version_row(version),
            sorted(about),
            sorted(named),
            sorted(search.labels(version.tags, version.metadata.items())),
            ranking.title(version),
            sorted({reference.schema_id for reference in version.references}),
        )
        if made is None:
            if await self._session.value(queries.SCHEMA_ID_TAKEN, version.schema_id):
                raise ConcurrentUpdate(
                    f"schema id {version.schema_id!r} is taken", schema_id=version.schema_id
                )
            raise taken(version)
        self._new_words.update(self._vocabulary.new_of(about | named))
        if version.subject in self._ordinals:
            self._ordinals[version.subject] = max(version.ordinal, self._ordinals[version.subject])

    async def context_usage(self, context: str) -> ContextUsage | None:
        row = await self._session.row(queries.CONTEXT_USAGE, context)
        return None if row is None else ContextUsage(*row)

    async def count_context(self, context: str) -> None:
        await self._session.run(queries.LOCK_SCOPE, f"context:{context}")
        await self._session.run(queries.COUNT_CONTEXT, context)

    async def update_version(self, version: SchemaVersion) -> None:
        row = await self._session.row(queries.VERSION_FOR_UPDATE, version.schema_id)
        if row is None:
            raise removed_meanwhile(version.schema_id)
        known, row_id = rows.version_of(row), row[-1]
        release = rows.release_of(version.version)
        if release != rows.release_of(known.version) and await self._session.value(
            queries.RELEASE_TAKEN, str(known.subject), release, row_id
        ):
            raise taken(version)
        await self._session.run(
            queries.UPDATE_VERSION,
            str(version.version), release, version.global_id, int(version.level), int(version.state),
            int(version.change_class), rows.about_cell(version), *rows.stamp_row(version), row_id,
        )  # fmt: skip
        if rows.about_cell(version) != rows.about_cell(known):
            labels = sorted(search.labels(version.tags, version.metadata.items()))
            words = sorted(search.about_words(version))
            self._new_words.update(self._vocabulary.new_of(words))
            title = ranking.title(replace(version, subject=known.subject))
            await self._session.run(queries.UPDATE_SEARCH, words, labels, title, row_id)

    async def hide_versions(self, subject: Subject, revisions: Mapping[str, int], at: datetime) -> None:
        cells = (micros(at), list(revisions), list(revisions.values()), str(subject))
        done = await self._session.run(queries.HIDE_VERSIONS, *cells)
        if int(done.removeprefix("UPDATE ")) != len(revisions):
            raise removed_meanwhile(next(iter(revisions)))

    async def remove_version(self, schema_id: str) -> None:
        await self.remove_versions([schema_id])

    async def remove_versions(self, schema_ids: Collection[str]) -> None:
        await self.flush()
        removed = await self._session.rows(queries.DELETE_VERSIONS, [list(schema_ids)], itemgetter(0))
        if removed:
            await self._session.run(queries.DELETE_HISTORIES, list(schema_ids))
            await self._session.run(queries.LOCK_CONTENTS, removed)
            await self._session.run(queries.DELETE_UNUSED_CONTENTS, removed)

    async def next_ordinal(self, subject: Subject) -> int:
        known = self._ordinals.get(subject)
        if known is None:
            return await super().next_ordinal(subject)
        return known + 1

    async def note_audit(self, entries: Sequence[Noted]) -> None:
        self._noted += entries
        await self._flush_when_large()

    async def record_transitions(self, steps: Sequence[Transition]) -> None:
        self._transitions += rows.transition_rows(steps)

    async def config(self, scope: str) -> Config | None:
        if scope not in self._configs:
            self._configs[scope] = await self._session.value(queries.CONFIG, scope)
        cell = self._configs[scope]
        return None if cell is None else rows.config_of(scope, cell)

    async def set_config(self, scope: str, config: Config | None) -> None:
        """Raises ConcurrentUpdate when the scope is no longer as this transaction has read it."""
        await self._session.run(queries.LOCK_SCOPE, scope)
        known = self._configs.get(scope, _UNREAD)
        cell = None if config is None else rows.config_cell(config)
        if cell is None:
            await self._session.run(queries.DELETE_CONFIG, scope)
        elif known is _UNREAD:
            await self._session.run(queries.SET_CONFIG, scope, cell)
        else:
            sql, read = (queries.ADD_CONFIG, []) if known is None else (queries.REPLACE_CONFIG, [known])
            if (await self._session.run(sql, scope, cell, *read)).endswith(" 0"):
                raise ConcurrentUpdate(f"the settings of {scope} were changed meanwhile; retry", scope=scope)
        self._configs[scope] = cell

    async def record_usage(self, uses: Mapping[str, Uses], at: datetime) -> None:
        made = (Usage.of(schema_id, added, at) for schema_id, added in uses.items())
        columns = columns_of([rows.usage_row(each) for each in made], len(rows.USAGE_COLUMNS))
        await self._session.run(
            queries.MOVE_USAGE, micros(at), HALF_LIFE / MICROSECOND, int(greatest_score(at))
        )
        await self._session.run(queries.RECORD_USAGE, *columns)

    async def save_statistics(self, statistics: Statistics) -> None:
        await self._session.run(queries.SAVE_STATISTICS, cell(statistics))

    # -- see repair.RepairTx

    async def select(self, sql: str, *parameters: Any) -> Sequence[rows.Row]:
        await self.flush()
        return await self._session.rows(sql, list(parameters), tuple)

    async def execute(self, sql: str, *parameters: Any) -> None:
        await self.flush()
        await self._session.run(sql, *parameters)

    # -- see portable.RestoreTx

    async def begin_restore(self) -> None:
        """Tell the triggers that this transaction restores: they do not check what was valid where it comes from."""
        await self._session.run(queries.RESTORES)

    async def restore_registry_id(self, registry_id: str) -> None:
        await self._session.run(queries.RESTORE_REGISTRY_ID, registry_id)

    async def restore_global_id(self, context: str, global_id: int, identity: str) -> None:
        self._global_ids.append((context, global_id, identity))
        await self._flush_when_large()

    async def restore_ordinal(self, subject: str, last: int) -> None:
        await self._session.run(queries.RESTORE_ORDINAL, subject, last)

    async def restore_change(self, change: Change) -> None:
        self._changes.append((change.sequence, *rows.change_row(change)))
        self.appended = change.sequence
        await self._flush_when_large()

    async def finish_restore(self, oldest: int) -> None:
        await self.flush()
        await self._session.run(queries.SET_COMPACTED, str(oldest))
        await self._session.run(queries.FOLLOW_GLOBAL_IDS)
        await self._session.run(queries.ALIGN_SEQUENCES)

    # -- reads of what may be buffered

    async def contents(self, identities: Collection[str]) -> Mapping[str, StoredContent]:
        await self.flush()
        return await super().contents(identities)

    async def history(self, schema_id: str) -> Sequence[Transition]:
        await self.flush()
        return await super().history(schema_id)

    async def history_page(self, schema_id: str, after: int, limit: int) -> Sequence[Recorded]:
        await self.flush()
        return await super().history_page(schema_id, after, limit)

    async def finish(self) -> Collection[str]:
        """Send all that is buffered. Returns the words that are in the vocabulary once the transaction is committed."""
        await self.flush()
        if (
            self._new_words
        ):  # last, and sorted, so that two transactions with the same words never wait for each other
            await self._session.run(queries.ADD_WORDS, sorted(self._new_words))
        return self._new_words

    async def _flush_when_large(self) -> None:
        if (
            self._bytes > _MOST_BYTES
            or len(self._changes) + len(self._global_ids) + len(self._noted) > _MOST_ROWS
        ):
            await self.flush()

    async def flush(self) -> None:
        """Send what is buffered."""
        if self._global_ids:
            numbers = columns_of(self._global_ids, 3)
            self._global_ids = []
            await self._session.run(queries.RESTORE_GLOBAL_IDS, *numbers)
        if not (self._contents or self._changes or self._transitions or self._noted):
            return
        contents = [(i, c.digest, c.content, c.canonical, c.artifact) for i, c in self._contents.items()]
        columns = (
            *columns_of(contents, 5),
            *columns_of(self._changes, 1 + len(rows.CHANGE_COLUMNS)),
            *columns_of(self._transitions, len(rows.TRANSITION_COLUMNS)),
            *columns_of(self._noted, 2),
        )
        self._contents, self._changes, self._transitions, self._bytes = {}, [], [], 0
        self._noted = []
        await self._session.run(queries.FLUSH, *columns)
