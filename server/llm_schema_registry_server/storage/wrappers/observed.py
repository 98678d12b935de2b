"""A store whose operations are timed and have spans: each from when it is asked for, so that waiting for a turn or for a connection
is part of it. Operations are named as the methods of the protocol are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TypeVar

from ...errors import ConcurrentUpdate, LimitExceeded, StorageDamaged, StorageUnavailable
from ...model.schema import SchemaVersion, StoredContent
from ...model.selector import Single
from ...model.subject import Subject
from ...telemetry.work import Operation, Operations
from ..store import ReadTx, Store, WriteTx
from ..values import (
    Hiding,
    LogPage,
    NewVersion,
    Precondition,
    StampedVersions,
    SubjectSnapshot,
    VersionWithContent,
)
from .forwarding import forwarding

Tx = TypeVar("Tx")

FAILURES = (StorageUnavailable, StorageDamaged, ConcurrentUpdate, LimitExceeded)
"""Errors that are failures of the storage; what a transaction's block raises otherwise is none."""


class _Timed(AbstractAsyncContextManager[Tx]):
    """The block of a transaction as one operation. A class, for each read passes here."""

    __slots__ = ("_inner", "_operation")

    def __init__(self, inner: AbstractAsyncContextManager[Tx], operation: Operation) -> None:
        self._inner, self._operation = inner, operation

    async def __aenter__(self) -> Tx:
        self._operation.begin()
        try:
            return await self._inner.__aenter__()
        except BaseException as error:
            self._operation.end(error)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        try:
            swallowed = await self._inner.__aexit__(kind, error, trace)
        except BaseException as changed:
            self._operation.end(changed)
            raise
        self._operation.end(error)
        return swallowed


class ObservedStore(Store):
    """See store.Store for the meaning of each method. system: `db.system.name` of the store."""

    def __init__(self, inner: Store, operations: Operations, system: str) -> None:
        self._inner, self._operations, self._system = inner, operations, system

    def _operation(self, name: str) -> Operation:
        return self._operations.of(self._system, name, FAILURES)

    def read(self) -> AbstractAsyncContextManager[ReadTx]:
        return _Timed(self._inner.read(), self._operation("read"))

    def read_elsewhere(self) -> AbstractAsyncContextManager[ReadTx]:
        return _Timed(self._inner.read_elsewhere(), self._operation("read_elsewhere"))

    def write(self) -> AbstractAsyncContextManager[WriteTx]:
        return _Timed(self._inner.write(), self._operation("write"))

    async def version(self, schema_id: str) -> VersionWithContent | None:
        with self._operation("version"):
            return await self._inner.version(schema_id)

    async def selected(self, subject: Subject, selector: Single) -> VersionWithContent | None:
        with self._operation("selected"):
            return await self._inner.selected(subject, selector)

    async def versions_since(self, subject: Subject, revision: int) -> StampedVersions:
        with self._operation("versions_since"):
            return await self._inner.versions_since(subject, revision)

    async def contents(self, identities: Collection[str]) -> Mapping[str, StoredContent]:
        with self._operation("contents"):
            return await self._inner.contents(identities)

    async def log_page(self, after: int, limit: int) -> LogPage:
        with self._operation("log_page"):
            return await self._inner.log_page(after, limit)

    async def subject_snapshot(
        self, subject: Subject, scopes: Sequence[str], identity: str
    ) -> SubjectSnapshot:
        with self._operation("subject_snapshot"):
            return await self._inner.subject_snapshot(subject, scopes, identity)

    async def append(self, precondition: Precondition, entry: NewVersion) -> SchemaVersion | None:
        with self._operation("append"):
            return await self._inner.append(precondition, entry)

    async def hide(self, precondition: Precondition, hiding: Hiding) -> int | None:
        with self._operation("hide"):
            return await self._inner.hide(precondition, hiding)


observed_store = forwarding(ObservedStore)
