"""The methods of Store outside transactions, made of the steps of a transaction: for back ends in which a step costs little."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from llm_schema_engines.model.fast_init import fast_replace

from ..errors import ConcurrentUpdate, StorageDamaged
from ..model.schema import SchemaVersion, StoredContent
from ..model.selector import Single
from ..model.subject import Subject
from .audit_rows import Noted
from .cycles import find_cycle
from .store import ReadTx, WriteTx
from .values import (
    INLINE_CONTENT_BYTES,
    Hiding,
    LogPage,
    NewVersion,
    Precondition,
    StampedVersions,
    SubjectSnapshot,
    VersionWithContent,
)


class Writable(Protocol):
    """What has write transactions."""

    def write(self) -> AbstractAsyncContextManager[WriteTx]: ...


class TransactionBackedStore(ABC):
    """Base of such back ends; see store.Store for the meaning of each method."""

    @abstractmethod
    def read(self) -> AbstractAsyncContextManager[ReadTx]: ...

    @abstractmethod
    def write(self) -> AbstractAsyncContextManager[WriteTx]: ...

    async def version(self, schema_id: str) -> VersionWithContent | None:
        async with self.read() as tx:
            return await _with_content(tx, await tx.version(schema_id))

    async def selected(self, subject: Subject, selector: Single) -> VersionWithContent | None:
        async with self.read() as tx:
            return await _with_content(tx, await tx.selected(subject, selector))

    async def versions_since(self, subject: Subject, revision: int) -> StampedVersions:
        async with self.read() as tx:
            return StampedVersions(
                await tx.subject_stamp(subject), await tx.versions_since(subject, revision)
            )

    async def contents(self, identities: Collection[str]) -> Mapping[str, StoredContent]:
        async with self.read() as tx:
            return await tx.contents(identities)

    async def log_page(self, after: int, limit: int) -> LogPage:
        async with self.read() as tx:
            return await tx.log_page(after, limit)

    async def subject_snapshot(
        self, subject: Subject, scopes: Sequence[str], identity: str
    ) -> SubjectSnapshot:
        async with self.read() as tx:
            found = await self._precondition(tx, subject, scopes)
            versions = found.stamp[0]
            return SubjectSnapshot.of(found, await tx.versions_with(subject, identity) if versions else ())

    async def append(self, precondition: Precondition, entry: NewVersion) -> SchemaVersion | None:
        subject = entry.version.subject
        async with self.write() as tx:
            await tx.lock_subject(subject)
            found = await self._precondition(tx, subject, list(precondition.configs))
            holds = found == unmarked(precondition) and await _targets_hold(tx, subject, entry.targets)
            return await append_version(tx, entry) if holds else None

    async def hide(self, precondition: Precondition, hiding: Hiding) -> int | None:
        return await hide_versions(self, precondition, hiding)

    async def _precondition(self, tx: ReadTx, subject: Subject, scopes: Sequence[str]) -> Precondition:
        """What a transaction of this store finds; a back end may find it with fewer steps."""
        return await _precondition(tx, subject, scopes)


async def _with_content(tx: ReadTx, version: SchemaVersion | None) -> VersionWithContent | None:
    if version is None:
        return None
    if version.size > INLINE_CONTENT_BYTES:
        return VersionWithContent(version)
    try:
        return VersionWithContent(version, (await tx.contents([version.identity])).get(version.identity))
    except StorageDamaged:
        return VersionWithContent(version)  # another tier may have it; Store.contents raises the error


def unmarked(precondition: Precondition) -> Precondition:
    """As a transaction finds it."""
    return fast_replace(precondition, mark="") if precondition.mark else precondition


async def precondition_holds(
    tx: WriteTx, subject: Subject, precondition: Precondition, targets: Mapping[str, int]
) -> bool:
    """Whether a precondition still holds for a subject, whose lock the transaction has: also its targets are unchanged, and they
    close no cycle of subjects."""
    found = await _precondition(tx, subject, list(precondition.configs))
    return found == unmarked(precondition) and await _targets_hold(tx, subject, targets)


async def _targets_hold(tx: WriteTx, subject: Subject, targets: Mapping[str, int]) -> bool:
    used = []
    for schema_id, revision in targets.items():
        target = await tx.version(schema_id)
        if target is None or target.revision != revision:
            return False
        used.append(target.subject)
    return await find_cycle(tx, subject, used) is None


async def hide_versions(store: Writable, precondition: Precondition, hiding: Hiding) -> int | None:
    """Store.hide, made of the steps of a transaction."""
    async with store.write() as tx:
        await tx.lock_subject(hiding.subject)
        if not await precondition_holds(tx, hiding.subject, precondition, {}):
            return None
        revisions = await tx.append_changes(hiding.changes)
        await tx.note_audit([Noted(*pair) for pair in zip(hiding.audit, revisions, strict=False)])
        found = dict(zip(hiding.schema_ids, revisions, strict=True))
        await tx.hide_versions(hiding.subject, found, hiding.at)
        return revisions[-1]


def removed_meanwhile(schema_id: str) -> ConcurrentUpdate:
    """What is raised for a version that is to be changed and is not there."""
    return ConcurrentUpdate(f"schema {schema_id!r} was removed meanwhile; read it again")


async def append_version(tx: WriteTx, entry: NewVersion) -> SchemaVersion:
    """Write a version whose precondition holds. Returns it as stored."""
    version = entry.version
    revision = await tx.append_change(entry.change)
    if entry.audit:
        await tx.note_audit([Noted(entry.audit, revision)])
    version = fast_replace(
        version,
        global_id=await tx.allot_global_id(version.subject.context, version.identity),
        revision=revision,
    )
    await tx.put_content(version.identity, entry.content)
    await tx.insert_version(version, entry.names)
    await tx.record_transitions(entry.steps)
    return version


async def _precondition(tx: ReadTx, subject: Subject, scopes: Sequence[str]) -> Precondition:
    return Precondition(
        stamp=await tx.subject_stamp(subject),
        next_ordinal=await tx.next_ordinal(subject),
        configs={scope: await tx.config(scope) for scope in scopes},
    )
