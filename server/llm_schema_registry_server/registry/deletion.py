"""DeleteSchema, UndeleteSchema, DeleteSubject. Soft hides and can be undone; permanent removes, and only what is hidden."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime

from ..errors import (
    HasDependents,
    NotSoftDeleted,
    SchemaNotFound,
    SubjectNotFound,
    SubjectReadOnly,
)
from ..model.change import EventType, format_revision
from ..model.config import EffectiveConfig, Mode
from ..model.principal import Actor
from ..model.schema import SchemaVersion
from ..model.subject import Subject
from ..storage.appending import precondition_holds
from ..storage.store import Store, WriteTx
from ..storage.values import Precondition
from .assessment import Assessor
from .coherence import Coherence
from .configuration import Scope, effective
from .fairness import Turns
from .library import Library
from .reading import FoundSchema, version_by_id
from .recording import change_of
from .subject_view import subject_view


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
                sequence = await self._remove(tx, version, by, leaving=frozenset())
            elif version.live:
                sequence = await self._hide(tx, version, by)
            else:
                raise SchemaNotFound(schema_id, deleted=True)
        self._coherence.changed(subject)
        if permanent:
            await self._library.contents.forget(version)
        return format_revision(self._store.registry_id, sequence)

    async def delete_subject(
        self, subject: Subject, *, permanent: bool, by: Actor
    ) -> tuple[Sequence[SchemaVersion], str]:
        """Delete all versions of a subject or none: softly the live ones, permanently the softly deleted ones.

        Answers with the deleted versions, oldest first, and the revision. Raises SubjectNotFound when there is
        nothing to delete, NotSoftDeleted or HasDependents when a permanent delete cannot take all. It is one transaction, and
        yet others have their turns while thousands of versions are written.
        """
        turns = Turns()
        async with self._store.write() as tx:
            await self._lock(tx, subject)
            versions = await tx.versions(subject, include_deleted=permanent)
            if not versions:
                raise SubjectNotFound(str(subject), deleted=(await tx.subject_stamp(subject))[0])
            sequence = 0
            leaving = frozenset(v.schema_id for v in versions)
            for version in versions:
                await turns.pause_if_due()
                if permanent:
                    sequence = await self._remove(tx, version, by, leaving=leaving)
                else:
                    sequence = await self._hide(tx, version, by)
        self._coherence.changed(subject)
        if permanent:
            for version in versions:
                await turns.pause_if_due()
                await self._library.contents.forget(version)
        return versions, format_revision(self._store.registry_id, sequence)

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
        view = await subject_view(self._store, self._library, hidden.subject, self._defaults, whole=True)
        if view.config.mode is Mode.READONLY:
            raise SubjectReadOnly(str(hidden.subject))
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

    async def _hide(self, tx: WriteTx, version: SchemaVersion, by: Actor) -> int:
        now = self._clock()
        sequence = await tx.append_change(
            change_of(version, EventType.SCHEMA_DELETED, by, now, {"permanent": "false"})
        )
        await tx.update_version(replace(version, deleted_at=now, updated_at=now, revision=sequence))
        return sequence

    async def _remove(
        self, tx: WriteTx, version: SchemaVersion, by: Actor, *, leaving: Collection[str]
    ) -> int:
        """`leaving`: versions that go in the same transaction and do not count as dependents."""
        if version.live:
            raise NotSoftDeleted(version.schema_id)
        # Softly deleted dependents count: they can still be read, and may come back.
        dependents = [v for v in await tx.dependents(version.schema_id) if v.schema_id not in leaving]
        if dependents:
            shown = [_named(v) for v in dependents if by.readable.contains(str(v.subject))]
            raise HasDependents(version.schema_id, shown, hidden=len(dependents) - len(shown))
        sequence = await tx.append_change(
            change_of(version, EventType.SCHEMA_DELETED, by, self._clock(), {"permanent": "true"})
        )
        await tx.remove_version(version.schema_id)
        return sequence


def _named(version: SchemaVersion) -> str:
    return f"{version.subject} {version.version}{'' if version.live else ' (softly deleted)'}"
