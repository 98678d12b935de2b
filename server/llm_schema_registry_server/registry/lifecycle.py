"""UpdateSchemaMetadata and GetSchemaHistory: labels, and the eighteen transitions with what each of them requires."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from llm_schema_engines.model.compatibility import ChangeClass
from llm_schema_engines.model.version import SemanticVersion

from ..errors import (
    IncompatibleSchema,
    SchemaNotFound,
    SubjectReadOnly,
    TransitionRefused,
)
from ..model.change import Change, EventType
from ..model.config import EffectiveConfig, Mode
from ..model.lifecycle import TRANSITIONS, SchemaState, Transition, allowed_from
from ..model.principal import Actor
from ..model.schema import SchemaVersion
from ..model.subject import Subject
from ..storage.store import ReadTx, Store, WriteTx
from .assessment import Assessor
from .coherence import Coherence
from .configuration import Scope, effective
from .library import Library
from .limits import RequestLimits
from .reading import FoundSchema, version_by_id

S = SchemaState

EVENTS: Mapping[SchemaState, EventType] = {
    S.VALIDATION_FAILED: EventType.VALIDATION_FAILED,
    S.COMPATIBILITY_CHECK: EventType.SCHEMA_VALIDATED,
    S.INCOMPATIBLE_REJECTED: EventType.COMPATIBILITY_CHECK_FAILED,
    S.REGISTERED: EventType.SCHEMA_REGISTERED,
    S.ACTIVE: EventType.SCHEMA_ACTIVATED,
    S.DEPRECATED: EventType.SCHEMA_DEPRECATED,
    S.ARCHIVED: EventType.SCHEMA_ARCHIVED,
    S.ROLLING_BACK: EventType.SCHEMA_ROLLED_BACK,
}
"""The event of entering a state; states that are not named here make a SCHEMA_UPDATED."""


@dataclass(frozen=True, slots=True)
class Update:
    """What to change; None leaves a thing as it is."""

    description: str | None = None
    tags: Sequence[str] | None = None
    metadata: Mapping[str, str] | None = None
    state: SchemaState | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Numbered:
    """The outcome of the check that lets a draft become REGISTERED, and what it rests on."""

    version: SemanticVersion
    change: ChangeClass
    precondition: tuple[object, ...]


class Lifecycle:
    """Changes what may change about a version."""

    def __init__(
        self,
        store: Store,
        library: Library,
        assessor: Assessor,
        coherence: Coherence,
        *,
        defaults: EffectiveConfig,
        limits: RequestLimits,
        clock: Callable[[], datetime],
    ) -> None:
        self._store, self._library, self._assessor, self._coherence = store, library, assessor, coherence
        self._defaults, self._limits, self._clock = defaults, limits, clock

    async def update(self, schema_id: str, update: Update, by: Actor) -> FoundSchema:
        """Apply an update and record the transition, if any.

        Raises TransitionRefused for a step that the table does not have, InvalidSchema or IncompatibleSchema where
        the new state asks for a parse or a check that fails; nothing changes then.
        """
        self._limits.check_labels(update.description, update.tags or (), update.metadata or {})
        while True:  # until no other writer slips in; the call's deadline bounds it
            async with self._store.read() as tx:
                current = await self._writable(tx, schema_id)
            self._refuse_step(current, update.state)
            numbered = await self._requirements(current, update.state)
            content = await self._library.content(current)
            async with self._store.write() as tx:
                await tx.lock_subject(current.subject)
                now = await self._writable(tx, schema_id)
                if now != current or (
                    numbered and numbered.precondition != await self._precondition(tx, now.subject)
                ):
                    continue
                changed = await self._apply(tx, now, update, numbered, by)
            self._coherence.changed(changed.subject)
            return FoundSchema(changed, content.content)

    async def history(self, schema_id: str) -> Sequence[Transition]:
        """The recorded transitions of a version, oldest first; raises SchemaNotFound."""
        async with self._store.read() as tx:
            return await tx.history((await version_by_id(tx, schema_id)).schema_id)

    async def _writable(self, tx: ReadTx, schema_id: str) -> SchemaVersion:
        version = await version_by_id(tx, schema_id)
        if not version.live:
            raise SchemaNotFound(schema_id)
        if (await effective(tx, Scope(version.subject), self._defaults)).mode is Mode.READONLY:
            raise SubjectReadOnly(str(version.subject))
        return version

    def _refuse_step(self, version: SchemaVersion, state: SchemaState | None) -> None:
        if state is None or state is version.state or (version.state, state) in TRANSITIONS:
            return
        raise TransitionRefused(
            version.schema_id,
            version.state.name,
            state.name,
            [s.name for s in allowed_from(version.state) if s is not version.state],
        )

    async def _requirements(self, version: SchemaVersion, state: SchemaState | None) -> _Numbered | None:
        """What must hold before a version enters `state`: a parse for COMPATIBILITY_CHECK, a check for REGISTERED."""
        if state is version.state or state not in (S.COMPATIBILITY_CHECK, S.REGISTERED):
            return None
        schema = await self._library.known(version)
        known = await self._library.versions(version.subject)
        async with self._store.read() as tx:
            config = await effective(tx, Scope(version.subject), self._defaults)
        precondition = (known.stamp, config)
        parsed = await self._library.parse(schema)
        if state is S.COMPATIBILITY_CHECK:
            return None
        assessment = await self._assessor.assess(
            version.subject, schema.settled(parsed), parsed, known.versions, config, level=config.level
        )
        if not assessment.report.compatible:
            raise IncompatibleSchema(
                str(version.subject), config.level.name, assessment.report.message, assessment.report
            )
        return _Numbered(assessment.version, assessment.change, precondition)

    async def _precondition(self, tx: ReadTx, subject: Subject) -> tuple[object, ...]:
        """What a check rests on: equal grounds mean that it still holds."""
        return await tx.subject_stamp(subject), await effective(tx, Scope(subject), self._defaults)

    async def _apply(
        self,
        tx: WriteTx,
        version: SchemaVersion,
        update: Update,
        numbered: _Numbered | None,
        by: Actor,
    ) -> SchemaVersion:
        now = self._clock()
        moved = update.state is not None and update.state is not version.state
        # ACTIVE -> ACTIVE is the table's "metadata update": it is recorded, for any change to an active version.
        recorded = moved or version.state is S.ACTIVE
        changed = replace(
            version,
            description=version.description if update.description is None else update.description,
            tags=version.tags if update.tags is None else tuple(dict.fromkeys(update.tags)),
            metadata=version.metadata if update.metadata is None else dict(update.metadata),
            state=update.state if update.state is not None else version.state,
            version=numbered.version if numbered else version.version,
            change_class=numbered.change if numbered else version.change_class,
            updated_at=now,
        )
        if changed == replace(version, updated_at=now) and update.state is None:
            return version  # nothing is different: no change is appended
        kind = EVENTS.get(changed.state, EventType.SCHEMA_UPDATED) if moved else EventType.SCHEMA_UPDATED
        metadata = {"from_state": version.state.name, "to_state": changed.state.name} if moved else {}
        if update.reason:
            metadata["reason"] = update.reason[:500]
        sequence = await tx.append_change(change_of(changed, kind, by, now, metadata))
        changed = replace(changed, revision=sequence)
        await tx.update_version(changed)
        if recorded:
            trigger = TRANSITIONS.get((version.state, changed.state), "")
            step = Transition(
                version.schema_id, version.state, changed.state, trigger, by.name, now, update.reason[:500]
            )
            await tx.record_transitions([step])
        return changed


def change_of(
    version: SchemaVersion, kind: EventType, by: Actor, at: datetime, metadata: Mapping[str, str]
) -> Change:
    """The change that tells of something that happened to a version."""
    return Change(
        event_type=kind,
        subject=version.subject,
        schema_id=version.schema_id,
        version=str(version.version),
        ordinal=version.ordinal,
        at=at,
        actor=by.name,
        correlation_id=by.correlation_id,
        metadata=metadata,
    )
