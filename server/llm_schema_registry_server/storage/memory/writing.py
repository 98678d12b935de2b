"""What a memory store writes, to a draft that the store merges or drops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from ...errors import ConcurrentUpdate
from ...model.change import Change
from ...model.config import Config
from ...model.lifecycle import Transition
from ...model.quota import ContextUsage
from ...model.schema import SchemaVersion, StoredContent
from ...model.statistics import Statistics
from ...model.subject import Subject
from ...model.timestamps import Clock
from ...model.usage import Usage, Uses, greatest_score
from .. import ranking
from ..appending import removed_meanwhile
from ..leases import Cursor, Lease, LeaseLost, checked_duration, checked_name, is_held
from ..rows import subject_of
from .access import MemoryAccessWrite
from .audit import MemoryAuditWrite
from .credentials import MemoryCredentialsWrite
from .outcomes import MemoryOutcomesWrite
from .profiles import MemoryProfilesWrite
from .reading import (
    ALL_CHANGES,
    COMPACTED,
    GONE_CHANGES,
    NEWEST_CHANGE,
    REGISTRY_ID,
    SUBJECT_CHANGES,
    MemoryReadTx,
)
from .tables import HeldLease, Table, Tables

K = TypeVar("K")
NEWEST_GLOBAL_ID = "newest global id in "  # and the context
NEWEST_TOKEN = "newest token of a lease"
NOTHING = ContextUsage()


class MemoryWriteTx(
    MemoryReadTx,
    MemoryCredentialsWrite,
    MemoryAccessWrite,
    MemoryAuditWrite,
    MemoryProfilesWrite,
    MemoryOutcomesWrite,
):
    """See store.WriteTx for the meaning of each method. There is one at a time, so subjects need no lock."""

    def __init__(self, draft: Tables, clock: Clock) -> None:
        super().__init__(draft)
        self._clock = clock
        self.appended = 0

    async def lock_subject(self, subject: Subject) -> None:
        """Nothing to do: there is one write transaction at a time."""

    async def allot_global_id(self, context: str, identity: str) -> int:
        known = self._tables.global_ids.get((context, identity))
        if known is not None:
            return known
        number = (self._tables.numbers.get(NEWEST_GLOBAL_ID + context) or 0) + 1
        await self.restore_global_id(context, number, identity)
        return number

    async def put_content(self, identity: str, content: StoredContent) -> None:
        if identity not in self._tables.contents:
            self._tables.contents[identity] = content

    async def replace_content(self, identity: str, content: StoredContent) -> None:
        if identity in self._tables.contents:
            self._tables.contents[identity] = content

    async def append_change(self, change: Change) -> int:
        sequence = (await self.change_bounds())[1] + 1
        await self.restore_change(replace(change, sequence=sequence))
        return sequence

    async def append_changes(self, changes: Sequence[Change]) -> Sequence[int]:
        return [await self.append_change(change) for change in changes]

    async def compact_changes(self, upto: int) -> bool:
        oldest, newest = await self.change_bounds()
        floor = max(oldest, min(upto, newest))
        for place in self._places():
            if self._change(place).sequence > floor:
                break
            self._tables.changes.remove(place)
            self._tables.numbers[GONE_CHANGES] = place
        self._tables.numbers[COMPACTED] = floor
        return True

    async def set_cursor(self, name: str, sequence: int) -> None:
        self._tables.cursors[checked_name(name)] = Cursor(name, sequence, self._clock())

    async def remove_cursor(self, name: str) -> None:
        self._tables.cursors.remove(name)

    async def acquire_lease(self, name: str, holder: str, seconds: float) -> Lease | None:
        now, known = self._clock(), self._tables.leases.get(checked_name(name))
        expires_at = now + checked_duration(seconds)
        if known is not None and is_held(known.renewed_at, known.lease.expires_at, now):
            return None
        token = (self._tables.numbers.get(NEWEST_TOKEN) or 0) + 1
        lease = Lease(name, checked_name(holder), token, expires_at)
        self._tables.numbers[NEWEST_TOKEN] = token
        self._tables.leases[name] = HeldLease(lease, now)
        return lease

    async def renew_lease(self, lease: Lease, seconds: float) -> Lease:
        await self.confirm_lease(lease)
        now = self._clock()
        renewed = replace(lease, expires_at=now + checked_duration(seconds))
        self._tables.leases[lease.name] = HeldLease(renewed, now)
        return renewed

    async def confirm_lease(self, lease: Lease) -> None:
        known = self._tables.leases.get(lease.name)
        if known is None or known.lease.token != lease.token:
            raise LeaseLost(lease)

    async def release_lease(self, lease: Lease) -> None:
        known = self._tables.leases.get(lease.name)
        if known is not None and known.lease.token == lease.token:
            self._tables.leases.remove(lease.name)

    async def insert_version(self, version: SchemaVersion, names: Sequence[str]) -> None:
        tables = self._tables
        if version.schema_id in tables.versions:
            raise ConcurrentUpdate(f"schema id {version.schema_id!r} is taken", schema_id=version.schema_id)
        self._refuse_taken(version)
        self._count_change()
        tables.versions[version.schema_id] = version
        tables.words[version.schema_id] = ranking.found(version, names)
        tables.names[version.schema_id] = tuple(names)
        known = tables.by_subject.get(version.subject) or ()
        tables.by_subject[version.subject] = (*known, version.schema_id)
        self._hold(version.subject.context, ContextUsage(int(not known), 1, version.size))
        tables.ordinals[version.subject] = max(version.ordinal, tables.ordinals.get(version.subject) or 0)
        _link(tables.by_content, version.identity, version.schema_id)
        _link(tables.by_global_id, (version.subject.context, version.global_id), version.schema_id)
        for reference in version.references:
            _link(tables.dependents, reference.schema_id, version.schema_id)

    def _count_change(self) -> None:
        self._tables.numbers[SUBJECT_CHANGES] = (self._tables.numbers.get(SUBJECT_CHANGES) or 0) + 1

    def _hold(self, context: str, more: ContextUsage) -> None:
        held = self._tables.context_usage.get(context) or NOTHING
        self._tables.context_usage[context] = held + more

    async def context_usage(self, context: str) -> ContextUsage:
        return self._tables.context_usage.get(context) or NOTHING

    async def count_context(self, context: str) -> None:
        """Every context is counted."""

    async def update_version(self, version: SchemaVersion) -> None:
        tables = self._tables
        self._count_change()
        known = tables.versions.get(version.schema_id)
        if known is None:
            raise removed_meanwhile(version.schema_id)
        self._refuse_taken(version)
        changed = replace(
            known,
            version=version.version,
            global_id=version.global_id,
            level=version.level,
            state=version.state,
            change_class=version.change_class,
            description=version.description,
            tags=version.tags,
            metadata=version.metadata,
            updated_at=version.updated_at,
            revision=version.revision,
            deleted_at=version.deleted_at,
        )
        tables.versions[version.schema_id] = changed
        _unlink(tables.by_global_id, (known.subject.context, known.global_id), known.schema_id)
        _link(tables.by_global_id, (known.subject.context, changed.global_id), changed.schema_id)
        names = tables.names.get(version.schema_id) or ()
        tables.words[version.schema_id] = ranking.found(changed, names)

    async def hide_versions(self, subject: Subject, revisions: Mapping[str, int], at: datetime) -> None:
        self._count_change()
        for schema_id, revision in revisions.items():
            known = self._tables.versions.get(schema_id)
            if known is None:
                raise removed_meanwhile(schema_id)
            self._tables.versions[schema_id] = replace(known, updated_at=at, revision=revision, deleted_at=at)

    async def remove_version(self, schema_id: str) -> None:
        await self.remove_versions([schema_id])

    async def remove_versions(self, schema_ids: Collection[str]) -> None:
        self._count_change()
        going = set(schema_ids)
        found = [v for v in map(self._tables.versions.get, schema_ids) if v is not None]
        for subject, gone in Counter(v.subject for v in found).items():
            left = tuple(i for i in self._tables.by_subject.get(subject) or () if i not in going)
            self._tables.by_subject[subject] = left
            self._hold(subject.context, NOTHING - ContextUsage(int(not left), gone, 0))
        for version in found:
            self._remove(version)

    def _remove(self, version: SchemaVersion) -> None:
        tables, schema_id = self._tables, version.schema_id
        for table in (
            tables.versions,
            tables.words,
            tables.names,
            tables.history,
            tables.usage,
            tables.verdicts,
        ):
            table.remove(schema_id)
        self.forget_outcomes_of(schema_id)
        self._hold(version.subject.context, NOTHING - ContextUsage(0, 0, version.size))
        for reference in version.references:
            _unlink(tables.dependents, reference.schema_id, schema_id)
        _unlink(tables.by_global_id, (version.subject.context, version.global_id), schema_id)
        if not _unlink(tables.by_content, version.identity, schema_id):
            tables.contents.remove(version.identity)

    async def record_transitions(self, steps: Sequence[Transition]) -> None:
        for step in steps:
            known = self._tables.history.get(step.schema_id) or ()
            self._tables.history[step.schema_id] = (*known, step)

    async def set_config(self, scope: str, config: Config | None) -> None:
        if config is None:
            self._tables.configs.remove(scope)
        else:
            self._tables.configs[scope] = config

    async def record_usage(self, uses: Mapping[str, Uses], at: datetime) -> None:
        for schema_id, ahead in list(self._tables.usage.items()):
            if ahead.score > greatest_score(at) and ahead.used_at > at:
                self._tables.usage[schema_id] = ahead.moved_to(at)
        for schema_id, added in uses.items():
            if schema_id in self._tables.versions:
                made = Usage.of(schema_id, added, at)
                known = self._tables.usage.get(schema_id)
                self._tables.usage[schema_id] = made if known is None else known + made

    async def save_statistics(self, statistics: Statistics) -> None:
        self._tables.statistics[0] = statistics

    # -- see portable.RestoreTx

    async def restore_registry_id(self, registry_id: str) -> None:
        self._tables.texts[REGISTRY_ID] = registry_id

    async def restore_global_id(self, context: str, global_id: int, identity: str) -> None:
        self._tables.global_ids[context, identity] = global_id
        newest = self._tables.numbers.get(NEWEST_GLOBAL_ID + context) or 0
        self._tables.numbers[NEWEST_GLOBAL_ID + context] = max(newest, global_id)

    async def restore_ordinal(self, subject: str, last: int) -> None:
        self._tables.ordinals[subject_of(subject)] = last

    async def restore_change(self, change: Change) -> None:
        place = (self._tables.numbers.get(ALL_CHANGES) or 0) + 1
        self._tables.changes[place] = change
        self._tables.numbers[ALL_CHANGES] = place
        self._tables.numbers[NEWEST_CHANGE] = self.appended = change.sequence

    async def finish_restore(self, oldest: int) -> None:
        self._tables.numbers[COMPACTED] = oldest
        self._tables.numbers[NEWEST_CHANGE] = max(oldest, self.appended)

    def _refuse_taken(self, version: SchemaVersion) -> None:
        """Raise ConcurrentUpdate when another version of the subject has the ordinal or the semantic version."""
        for other in self._found(self._tables.by_subject.get(version.subject) or ()):
            if other.schema_id != version.schema_id and (
                other.ordinal == version.ordinal or other.version == version.version
            ):
                raise ConcurrentUpdate(
                    f"version {version.ordinal} ({version.version}) of subject {str(version.subject)!r} is taken; "
                    "read the subject again and retry",
                    subject=str(version.subject),
                )


def _link(table: Table[K, frozenset[str]], key: K, member: str) -> None:
    table[key] = (table.get(key) or frozenset()) | {member}


def _unlink(table: Table[K, frozenset[str]], key: K, member: str) -> frozenset[str]:
    left = (table.get(key) or frozenset()) - {member}
    table[key] = left
    return left
