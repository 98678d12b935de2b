"""UpdateSchemaMetadata and GetSchemaHistory: labels, and the eighteen transitions with what each of them requires."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from llm_schema_engines.model.compatibility import CompatibilityLevel

from ..errors import HasDependents, SchemaNotFound, SubjectReadOnly, TransitionRefused
from ..errors.missing import way_to_undelete
from ..model.config import EffectiveConfig, Mode
from ..model.lifecycle import EVER_REGISTERED, TRANSITIONS, UNCHECKED, SchemaState, allowed_from
from ..model.principal import Actor
from ..model.schema import SchemaVersion
from ..storage import appending
from ..storage.store import ReadTx, Store, WriteTx
from ..storage.values import Precondition
from .assessment import Assessment, Assessor, admitted
from .coherence import Coherence
from .configuration import Scope, effective
from .library import Library
from .limits import RequestLimits
from .reading import FoundSchema, version_by_id
from .recording import record_update
from .subject_view import subject_view

S = SchemaState
_PROMOTE = "register its content again (without as_draft): that checks and promotes it in one step"


@dataclass(frozen=True, slots=True)
class Update:
    """What to change; None leaves a thing as it is."""

    description: str | None = None
    tags: Sequence[str] | None = None
    metadata: Mapping[str, str] | None = None
    state: SchemaState | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Checked:
    """The outcome of the check that lets a version become REGISTERED, and what it rests on.

    targets: the revisions of the versions that it references, by schema id.
    """

    assessment: Assessment
    level: CompatibilityLevel
    precondition: Precondition
    targets: Mapping[str, int]


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

        Raises SchemaNotFound, also for a softly deleted version, TransitionRefused for a step that the table does not
        have, HasDependents where others reference what would be abandoned, InvalidSchema or IncompatibleSchema where the new state asks for a parse or a check that fails; nothing
        changes then.
        """
        self._limits.check_labels(update.description, update.tags or (), update.metadata or {})
        while True:  # until no other writer slips in; the call's deadline bounds it
            async with self._store.read() as tx:
                current = await self._writable(tx, schema_id)
            self._refuse_step(current, update.state)
            try:
                checked = await self._requirements(current, update.state)
                content = await self._library.content(current)
            except SchemaNotFound:
                continue  # it, or a version that it is compared with, was removed for ever: look again
            async with self._store.write() as tx:
                await tx.lock_subject(current.subject)
                now = await self._writable(tx, schema_id)
                if now != current or (
                    checked
                    and not await appending.precondition_holds(
                        tx, now.subject, checked.precondition, checked.targets
                    )
                ):
                    continue
                await self._refuse_leaving_users(tx, now, update.state, by)
                changed = await self._apply(tx, now, update, checked, by)
            self._coherence.changed(changed.subject)
            return FoundSchema(changed, content.content)

    async def _writable(self, tx: ReadTx, schema_id: str) -> SchemaVersion:
        version = await version_by_id(tx, schema_id)
        if not version.live:
            raise SchemaNotFound(schema_id, deleted=True)
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
            advice=_PROMOTE if version.state in UNCHECKED and state in (S.REGISTERED, S.ACTIVE) else "",
        )

    async def _refuse_leaving_users(
        self, tx: ReadTx, version: SchemaVersion, state: SchemaState | None, by: Actor
    ) -> None:
        """Raises HasDependents where the step makes the version what nobody may reference, and registered ones do. Softly deleted
        ones count, since they may come back; drafts do not, since they are refused later."""
        if state is None or state in EVER_REGISTERED or version.state not in EVER_REGISTERED:
            return
        users = [v for v in await tx.dependents(version.schema_id) if v.state in EVER_REGISTERED]
        if users:
            named = [
                f"{user.subject} {user.version}" for user in users if by.readable.contains(str(user.subject))
            ]
            raise HasDependents(
                version.schema_id,
                named,
                way_out=f"it cannot become {state.name} before they are abandoned or deleted for ever",
                hidden=len(users) - len(named),
            )

    async def _requirements(self, version: SchemaVersion, state: SchemaState | None) -> _Checked | None:
        """What must hold before a version enters `state`: a parse for COMPATIBILITY_CHECK, the check of a registration for
        REGISTERED."""
        if state is S.COMPATIBILITY_CHECK and state is not version.state:
            await self._library.parse(await self._library.known(version))
        if state is not S.REGISTERED or state is version.state:
            return None
        targets = await self._targets(version, state)
        view = await subject_view(self._store, self._library, version.subject, self._defaults)
        level = view.config.level
        assessment = await self._assessor.admit_stored(
            version, view.versions.versions, view.config, level=level
        )
        return _Checked(assessment, level, view.precondition, targets)

    async def _targets(self, version: SchemaVersion, state: SchemaState) -> Mapping[str, int]:
        """The revisions of the versions that it references, by schema id. A registration would pin them: so raises
        TransitionRefused for one that was softly deleted or abandoned since the draft was stored."""
        targets: dict[str, int] = {}
        if not version.references:
            return targets
        async with self._store.read() as tx:
            for used in version.references:
                target = await tx.version(used.schema_id)
                if target is None:
                    raise SchemaNotFound(used.schema_id)
                why = _why_no_target(target)
                if why:
                    raise TransitionRefused(
                        version.schema_id,
                        version.state.name,
                        state.name,
                        (),
                        advice=f"its reference {used.name!r} points to {target.version} (ordinal {target.ordinal}) of subject "
                        f"{str(target.subject)!r}, which is {why}",
                    )
                targets[target.schema_id] = target.revision
        return targets

    async def _apply(
        self, tx: WriteTx, version: SchemaVersion, update: Update, checked: _Checked | None, by: Actor
    ) -> SchemaVersion:
        now = self._clock()
        changed = replace(
            version,
            description=version.description if update.description is None else update.description,
            tags=version.tags if update.tags is None else tuple(dict.fromkeys(update.tags)),
            metadata=version.metadata if update.metadata is None else dict(update.metadata),
            state=update.state if update.state is not None else version.state,
            updated_at=now,
        )
        if checked is not None:
            changed = admitted(changed, checked.assessment, checked.level)
        if changed == replace(version, updated_at=now) and update.state is None:
            return version  # nothing is different: no change is appended
        return await record_update(tx, version, changed, by, reason=update.reason)


def _why_no_target(version: SchemaVersion) -> str:
    """Why a version is no target of a new reference, as what it is and the way out; "" when it is one."""
    if not version.live:
        return f"softly deleted: {way_to_undelete(version.schema_id)}"
    if version.state not in EVER_REGISTERED:
        return f"{version.state.name}: register a version of the draft's content that references another one"
    return ""
