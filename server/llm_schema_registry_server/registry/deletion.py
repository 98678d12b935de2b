"""DeleteSchema, UndeleteSchema, DeleteSubject. Soft hides and can be undone; permanent removes, and only what is hidden."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from ..errors import (
    HasDependents,
    NotSoftDeleted,
    SchemaNotFound,
    SubjectNotFound,
    SubjectReadOnly,
)
from ..model.change import Change, EventType, format_revision
from ..model.config import EffectiveConfig, Mode
from ..model.principal import Actor
from ..model.schema import SchemaVersion
from ..model.subject import Subject
from ..storage.appending import precondition_holds
from ..storage.store import Store, WriteTx
from ..storage.values import Hiding, Precondition
from .assessment import Assessor
from .coherence import Coherence
from .configuration import Scope, effective
from .fairness import Turns
from .library import Library
from .reading import FoundSchema, version_by_id
from .recording import change_of
from .subject_view import SubjectView, subject_view

MOST_TOGETHER = 250
"""Versions that are removed in one transaction: some milliseconds of the event loop, some more of the database."""
MOST_BYTES_TOGETHER = 2 << 20
"""Of their contents: a database reads what it removes."""
TRIES = 3
"""Attempts to prepare a deletion before its transaction, before it is prepared in the transaction."""


class Deletion:
    """Hides, brings back and removes versions."""

    def __init__(
        self,
        store: Store,
        library: Library,
        assessor: Assessor,
        coherence: Coherence,
        *,
        defaults: EffectiveConfig,
        clock: Callable[[], datetime],
    ) -> None:
        self._store, self._library, self._assessor, self._coherence = store, library, assessor, coherence
        self._defaults, self._clock = defaults, clock

    async def delete(self, schema_id: str, *, permanent: bool = False, by: Actor) -> str:
        """Delete one version; answers with the revision.

        Softly: hidden from lists and `latest`, still readable by id; a second time raises SchemaNotFound.
        Permanently: raises NotSoftDeleted for a live version and HasDependents while others reference it.
        """
        subject = (await self._version(schema_id)).subject
        async with self._store.write() as tx:
            await self._lock(tx, subject)
            version = await version_by_id(tx, schema_id)
            if permanent:
                if version.live:
                    raise NotSoftDeleted(schema_id)
                await self._refuse_dependents(tx, schema_id, by)
                sequence = await self._remove(tx, [version], by)
            elif version.live:
                sequence = await self._hide(tx, [version], by)
            else:
                raise SchemaNotFound(schema_id, deleted=True)
        self._coherence.changed(subject)
        if permanent:
            await self._library.contents.forget(version)
        return format_revision(self._store.registry_id, sequence)

    async def delete_subject(
        self, subject: Subject, *, permanent: bool, by: Actor
    ) -> tuple[Sequence[SchemaVersion], str]:
        """Delete all versions of a subject: softly the live ones, permanently the softly deleted ones.

        Answers with the deleted versions, oldest first, and the revision. Raises SubjectNotFound when there is
        nothing to delete, NotSoftDeleted or HasDependents when a permanent delete cannot take all.

        Softly: one transaction, of which all is prepared before it begins. Permanently: a short transaction for each part of the
        versions, the oldest first, and other writers have their turns between them. An interruption leaves the newest ones softly
        deleted, as they were; a repetition removes them.
        """
        delete = self._remove_subject if permanent else self._hide_subject
        versions, sequence = await delete(subject, by)
        return versions, format_revision(self._store.registry_id, sequence)

    async def _hide_subject(self, subject: Subject, by: Actor) -> tuple[Sequence[SchemaVersion], int]:
        turns = Turns()
        for _ in range(TRIES):
            view = await self._view(subject)
            live = [v for v in view.versions.versions if v.live]
            if not live:
                raise SubjectNotFound(str(subject), deleted=view.precondition.stamp[0])
            now, changes = self._clock(), list[Change]()
            for version in live:
                await turns.pause_if_due()
                changes.append(_deletion(version, by, now, permanent=False))
            hiding = Hiding(subject, [v.schema_id for v in live], changes, now)
            sequence = await self._store.hide(view.precondition, hiding)
            if sequence is not None:
                break
        else:
            live, sequence = await self._hide_locked(subject, by)
        self._coherence.changed(subject)
        return live, sequence

    async def _hide_locked(self, subject: Subject, by: Actor) -> tuple[list[SchemaVersion], int]:
        """As _hide_subject, for a subject that others change all the time: they wait until it is done."""
        async with self._store.write() as tx:
            await self._lock(tx, subject)
            live = list(await tx.versions(subject))
            if not live:
                raise SubjectNotFound(str(subject), deleted=(await tx.subject_stamp(subject))[0])
            for first in range(0, len(live), MOST_TOGETHER):
                sequence = await self._hide(tx, live[first : first + MOST_TOGETHER], by)
        return live, sequence

    async def _remove_subject(self, subject: Subject, by: Actor) -> tuple[Sequence[SchemaVersion], int]:
        view = await self._view(subject)
        stamp, left = view.precondition.stamp, view.versions.versions
        if not left:
            raise SubjectNotFound(str(subject))
        turns, removed, checked, sequence = Turns(), list[SchemaVersion](), False, 0
        try:
            while left:
                async with self._store.write() as tx:
                    await self._lock(tx, subject)
                    if await tx.subject_stamp(subject) != stamp:
                        wanted, checked = {v.schema_id for v in left}, False
                        now = await tx.versions(subject, include_deleted=True)
                        left = [v for v in now if v.schema_id in wanted]
                    if not checked:
                        await self._refuse_used(tx, subject, left, by)
                    part, left, checked = *_part_of(left), True
                    if part:
                        sequence = await self._remove(tx, part, by)
                    stamp = await tx.subject_stamp(subject)
                removed += part
                for version in part:
                    await turns.pause_if_due()
                    await self._library.contents.forget(version)
        finally:
            if removed:
                self._coherence.changed(subject)
        if not removed:
            raise SubjectNotFound(str(subject))
        return removed, sequence

    async def _view(self, subject: Subject) -> SubjectView:
        """All versions of a subject that may be written to."""
        view = await subject_view(self._store, self._library, subject, self._defaults, whole=True)
        if view.config.mode is Mode.READONLY:
            raise SubjectReadOnly(str(subject))
        return view

    async def undelete(self, schema_id: str, by: Actor) -> FoundSchema:
        """Bring a softly deleted version back as it was; a live one is answered as it is.

        Raises LintRefused for what the lint policy refuses by now, and IncompatibleSchema or SchemaTypeMismatch when the versions that were registered meanwhile do not go together with it
        at the subject's level: nothing was compared with it while it was deleted.
        """
        while True:  # until no other writer slips in; the call's deadline bounds it
            hidden = await self._version(schema_id)
            try:
                content = await self._library.content(hidden)
                precondition = None if hidden.live else await self._admitted(hidden)
            except SchemaNotFound:
                continue  # it, or a version that it is compared with, was removed for ever: look again
            async with self._store.write() as tx:
                await self._lock(tx, hidden.subject)
                version = await version_by_id(tx, schema_id)
                if not version.live:
                    if (
                        version != hidden
                        or precondition is None
                        or not await precondition_holds(tx, hidden.subject, precondition, {})
                    ):
                        continue
                    version = await self._bring_back(tx, version, by)
            self._coherence.changed(hidden.subject)
            return FoundSchema(version, content.content)

    async def _admitted(self, hidden: SchemaVersion) -> Precondition:
        """What has to stay unchanged until the version is brought back; raises as `undelete` does."""
        view = await self._view(hidden.subject)
        await self._assessor.admit_back(hidden, view.versions.versions, view.config)
        return view.precondition

    async def _bring_back(self, tx: WriteTx, version: SchemaVersion, by: Actor) -> SchemaVersion:
        now = self._clock()
        sequence = await tx.append_change(
            change_of(version, EventType.SCHEMA_UNDELETED, by, now, {"state": version.state.name})
        )
        back = replace(version, deleted_at=None, updated_at=now, revision=sequence)
        await tx.update_version(back)
        return back

    async def _version(self, schema_id: str) -> SchemaVersion:
        async with self._store.read() as tx:
            return await version_by_id(tx, schema_id)

    async def _lock(self, tx: WriteTx, subject: Subject) -> None:
        await tx.lock_subject(subject)
        if (await effective(tx, Scope(subject), self._defaults)).mode is Mode.READONLY:
            raise SubjectReadOnly(str(subject))

    async def _hide(self, tx: WriteTx, versions: Sequence[SchemaVersion], by: Actor) -> int:
        now = self._clock()
        changes = [_deletion(v, by, now, permanent=False) for v in versions]
        sequences = await tx.append_changes(changes)
        revisions = dict(zip((v.schema_id for v in versions), sequences, strict=True))
        await tx.hide_versions(versions[0].subject, revisions, now)
        return sequences[-1]

    async def _remove(self, tx: WriteTx, versions: Sequence[SchemaVersion], by: Actor) -> int:
        now = self._clock()
        sequences = await tx.append_changes([_deletion(v, by, now, permanent=True) for v in versions])
        await tx.remove_versions([v.schema_id for v in versions])
        return sequences[-1]

    async def _refuse_used(
        self, tx: WriteTx, subject: Subject, versions: Sequence[SchemaVersion], by: Actor
    ) -> None:
        """Raises NotSoftDeleted and HasDependents unless all versions of a subject may be removed together."""
        live = next((v for v in versions if v.live), None)
        if live is not None:
            raise NotSoftDeleted(live.schema_id)
        used = await tx.used_elsewhere(subject)
        if used is not None:
            await self._refuse_dependents(tx, used, by, leaving=subject)

    async def _refuse_dependents(
        self, tx: WriteTx, schema_id: str, by: Actor, *, leaving: Subject | None = None
    ) -> None:
        """Raises HasDependents for a version that others reference. leaving: a subject whose versions do not count, for they go, too."""
        # Softly deleted dependents count: they can still be read, and may come back.
        dependents = [v for v in await tx.dependents(schema_id) if v.subject != leaving]
        if dependents:
            shown = [_named(v) for v in dependents if by.readable.contains(str(v.subject))]
            raise HasDependents(schema_id, shown, hidden=len(dependents) - len(shown))


def _deletion(version: SchemaVersion, by: Actor, at: datetime, *, permanent: bool) -> Change:
    facts = {"permanent": "true" if permanent else "false"}
    return change_of(version, EventType.SCHEMA_DELETED, by, at, facts)


def _part_of(versions: Sequence[SchemaVersion]) -> tuple[Sequence[SchemaVersion], Sequence[SchemaVersion]]:
    """The first ones, as many as are removed together, and the rest. A subject that uses itself, which only old registries have, is
    removed as a whole: none of its versions may be referenced by one that is left."""
    if any(used.subject == version.subject for version in versions for used in version.references):
        return versions, ()
    count, size = 0, 0
    for version in versions[:MOST_TOGETHER]:
        size += version.size
        if count and size > MOST_BYTES_TOGETHER:
            break
        count += 1
    return versions[:count], versions[count:]


def _named(version: SchemaVersion) -> str:
    return f"{version.subject} {version.version}{'' if version.live else ' (softly deleted)'}"
