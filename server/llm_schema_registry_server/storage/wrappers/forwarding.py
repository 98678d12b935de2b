"""A store that hands everything on to another one: the base of wrappers, which override what they change."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from types import TracebackType
from typing import Generic, TypeVar

from ...model.change import Change
from ...model.config import Config
from ...model.lifecycle import Transition
from ...model.schema import SchemaVersion, StoredContent
from ...model.selector import Single
from ...model.statistics import Statistics
from ...model.subject import Subject
from ...model.usage import Usage, Uses
from ..leases import Cursor, Lease
from ..store import ReadTx, WriteTx
from ..values import LogPage, Page, Ranked, RankedPage, SchemaFilter

Inner = TypeVar("Inner")
Outer = TypeVar("Outer")


class Mapped(AbstractAsyncContextManager[Outer], Generic[Inner, Outer]):
    """The block of another context manager with `wrap` of its value as value. Leaner than a generator: every transaction
    passes here."""

    __slots__ = ("_inner", "_wrap")

    def __init__(self, inner: AbstractAsyncContextManager[Inner], wrap: Callable[[Inner], Outer]) -> None:
        self._inner, self._wrap = inner, wrap

    async def __aenter__(self) -> Outer:
        return self._wrap(await self._inner.__aenter__())

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        return await self._inner.__aexit__(kind, error, trace)


class ForwardingReadTx:
    """See store.ReadTx for the meaning of each method."""

    def __init__(self, inner: ReadTx) -> None:
        self._inner = inner

    async def version(self, schema_id: str) -> SchemaVersion | None:
        return await self._inner.version(schema_id)

    async def versions_by_id(self, schema_ids: Collection[str]) -> Mapping[str, SchemaVersion]:
        return await self._inner.versions_by_id(schema_ids)

    async def selected(self, subject: Subject, selector: Single) -> SchemaVersion | None:
        return await self._inner.selected(subject, selector)

    async def versions(self, subject: Subject, *, include_deleted: bool = False) -> Sequence[SchemaVersion]:
        return await self._inner.versions(subject, include_deleted=include_deleted)

    async def versions_since(self, subject: Subject, revision: int) -> Sequence[SchemaVersion]:
        return await self._inner.versions_since(subject, revision)

    async def subject_stamp(self, subject: Subject) -> tuple[int, int]:
        return await self._inner.subject_stamp(subject)

    async def versions_with(self, subject: Subject, identity: str) -> Sequence[SchemaVersion]:
        return await self._inner.versions_with(subject, identity)

    async def next_ordinal(self, subject: Subject) -> int:
        return await self._inner.next_ordinal(subject)

    async def versions_by_global_id(self, context: str, global_id: int) -> Sequence[SchemaVersion]:
        return await self._inner.versions_by_global_id(context, global_id)

    async def contents(self, identities: Collection[str]) -> Mapping[str, StoredContent]:
        return await self._inner.contents(identities)

    async def scan_versions(self, wanted: SchemaFilter, page: Page) -> Sequence[SchemaVersion]:
        return await self._inner.scan_versions(wanted, page)

    async def count_versions(self, wanted: SchemaFilter) -> int:
        return await self._inner.count_versions(wanted)

    async def ranked_versions(self, wanted: SchemaFilter, page: RankedPage) -> Ranked | None:
        return await self._inner.ranked_versions(wanted, page)

    async def corrections(self, words: Sequence[str]) -> Mapping[str, str | None]:
        return await self._inner.corrections(words)

    async def subjects(
        self, *, prefix: str = "", include_deleted: bool = False, page: Page
    ) -> tuple[Sequence[Subject], int]:
        return await self._inner.subjects(prefix=prefix, include_deleted=include_deleted, page=page)

    async def dependents(self, schema_id: str) -> Sequence[SchemaVersion]:
        return await self._inner.dependents(schema_id)

    async def uses(self, subjects: Collection[Subject]) -> Mapping[Subject, frozenset[Subject]]:
        return await self._inner.uses(subjects)

    async def history(self, schema_id: str) -> Sequence[Transition]:
        return await self._inner.history(schema_id)

    async def config(self, scope: str) -> Config | None:
        return await self._inner.config(scope)

    async def changes(self, after: int, limit: int) -> Sequence[Change]:
        return await self._inner.changes(after, limit)

    async def change_bounds(self) -> tuple[int, int]:
        return await self._inner.change_bounds()

    async def log_page(self, after: int, limit: int) -> LogPage:
        return await self._inner.log_page(after, limit)

    async def change_times(self, after: int, limit: int) -> Sequence[tuple[int, datetime]]:
        return await self._inner.change_times(after, limit)

    async def newest_but(self, count: int) -> int:
        return await self._inner.newest_but(count)

    async def cursors(self) -> Sequence[Cursor]:
        return await self._inner.cursors()

    async def most_used(self, limit: int) -> Sequence[Usage]:
        return await self._inner.most_used(limit)

    async def count_everything(self, at: datetime, seconds: float) -> Statistics:
        return await self._inner.count_everything(at, seconds)

    async def statistics(self) -> Statistics | None:
        return await self._inner.statistics()


class ForwardingWriteTx(ForwardingReadTx):
    """See store.WriteTx for the meaning of each method."""

    def __init__(self, inner: WriteTx) -> None:
        super().__init__(inner)
        self._writing = inner

    async def lock_subject(self, subject: Subject) -> None:
        await self._writing.lock_subject(subject)

    async def allot_global_id(self, context: str, identity: str) -> int:
        return await self._writing.allot_global_id(context, identity)

    async def put_content(self, identity: str, content: StoredContent) -> None:
        await self._writing.put_content(identity, content)

    async def append_change(self, change: Change) -> int:
        return await self._writing.append_change(change)

    async def compact_changes(self, upto: int) -> bool:
        return await self._writing.compact_changes(upto)

    async def insert_version(self, version: SchemaVersion, names: Sequence[str]) -> None:
        await self._writing.insert_version(version, names)

    async def update_version(self, version: SchemaVersion) -> None:
        await self._writing.update_version(version)

    async def remove_version(self, schema_id: str) -> None:
        await self._writing.remove_version(schema_id)

    async def record_transitions(self, steps: Sequence[Transition]) -> None:
        await self._writing.record_transitions(steps)

    async def set_config(self, scope: str, config: Config | None) -> None:
        await self._writing.set_config(scope, config)

    async def record_usage(self, uses: Mapping[str, Uses], at: datetime) -> None:
        await self._writing.record_usage(uses, at)

    async def set_cursor(self, name: str, sequence: int) -> None:
        await self._writing.set_cursor(name, sequence)

    async def remove_cursor(self, name: str) -> None:
        await self._writing.remove_cursor(name)

    async def acquire_lease(self, name: str, holder: str, seconds: float) -> Lease | None:
        return await self._writing.acquire_lease(name, holder, seconds)

    async def renew_lease(self, lease: Lease, seconds: float) -> Lease:
        return await self._writing.renew_lease(lease, seconds)

    async def confirm_lease(self, lease: Lease) -> None:
        await self._writing.confirm_lease(lease)

    async def release_lease(self, lease: Lease) -> None:
        await self._writing.release_lease(lease)

    async def keep_statistics(self, statistics: Statistics) -> None:
        await self._writing.keep_statistics(statistics)
