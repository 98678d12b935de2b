"""RegisterSchema: one schema becomes the next version of a subject, in one transaction, or nothing happens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeGuard

from llm_schema_engines.compatibility.levels import LEVEL_REQUIREMENTS
from llm_schema_engines.formats.engine import Engines, ParsedSchema
from llm_schema_engines.model.compatibility import ChangeClass, CompatibilityLevel
from llm_schema_engines.model.fast_init import fast_init
from llm_schema_engines.model.lint import NOTHING_FOUND

from ..errors import (
    IncompatibleSchema,
    InvalidRequest,
    InvalidSchema,
    InvalidVersion,
    LevelMismatch,
    LintRefused,
    PermissionDenied,
    ProviderRefused,
    RegistryError,
    SchemaNotFound,
    SubjectReadOnly,
    TransitionRefused,
    UnsupportedSchemaType,
)
from ..model.config import Config, EffectiveConfig, Mode
from ..model.lifecycle import UNCHECKED
from ..model.principal import REGISTER, Actor
from ..model.schema import SchemaVersion, StoredContent
from ..storage import appending
from ..storage.store import Store, WriteTx
from ..storage.values import NewVersion, SubjectSnapshot
from ..telemetry.work import Work
from . import quotas
from .assessment import Assessment, Assessor, admitted
from .coherence import Coherence
from .configuration import Scope, in_force, merge, record_change, set_by
from .creation import change_of_creation, change_of_failure, steps_to
from .existing import Action, ExistingVersion, existing_version, overtaken
from .ids import new_schema_id
from .library import KnownSchema, Library, Resolved
from .limits import RequestLimits
from .lines import Lines
from .linting import told
from .numbering import draft_version
from .recording import record_update
from .registration import Registration, RegistrationResult
from .subject_versions import NO_VERSIONS, SubjectVersions

CONFIGURE = "compatibility:config:write"
"""The permission that lets a registration change the level of an existing subject."""


@fast_init
@dataclass(frozen=True, slots=True)
class _Inputs:
    """What a registration starts from: the settings, its resolved references, and the subject as the store has it."""

    config: EffectiveConfig
    level: CompatibilityLevel
    keeps_level: bool
    resolved: Resolved
    schema: KnownSchema
    subject: SubjectSnapshot

    @property
    def deleted(self) -> SchemaVersion | None:
        """The newest softly deleted version with the content."""
        return self.subject.hidden[-1] if self.subject.hidden else None


@fast_init
@dataclass(frozen=True, slots=True)
class _Draft:
    """The new version as far as it is known before it has an id, an ordinal and a number of its own."""

    schema: KnownSchema
    parsed: ParsedSchema
    assessment: Assessment | None  # None for a draft: it is not checked

    def content(self, content: bytes) -> StoredContent:
        parsed = self.parsed
        return StoredContent(content, parsed.fingerprints.content, parsed.canonical, parsed.artifact)


async def _nothing_to_stage(content: StoredContent) -> None:
    """For stores without an object store."""


class Register:
    """The use case behind RegisterSchema."""

    def __init__(
        self,
        store: Store,
        library: Library,
        assessor: Assessor,
        engines: Engines,
        coherence: Coherence,
        *,
        defaults: EffectiveConfig,
        limits: RequestLimits,
        record_failures: bool,
        clock: Callable[[], datetime],
        stage: Callable[[StoredContent], Awaitable[None]] = _nothing_to_stage,
        work: Work | None = None,
    ) -> None:
        """stage: called with the content before the transaction that stores it, to upload a large one to the object store."""
        self._store, self._library, self._assessor = store, library, assessor
        self._engines, self._coherence, self._clock = engines, coherence, clock
        self._stage, self._work = stage, work or Work()
        self._defaults, self._limits, self._record_failures = defaults, limits, record_failures
        self._lines = Lines()

    async def __call__(self, wanted: Registration, by: Actor) -> RegistrationResult:
        """Register, or answer with the live version that has the same content and references already, promoted to the
        state that is asked for (existing.py has what is done in each state).

        Who may not create there gets the answer of content that is known, and nothing is changed: PermissionDenied otherwise.

        Raises InvalidRequest and its children for a bad request, InvalidSchema, LintRefused, IncompatibleSchema,
        VersionNotGreater, LevelMismatch, SchemaTypeMismatch, SubjectReadOnly, UnsupportedSchemaType, TransitionRefused
        for the content of a version that is being rolled back.
        """
        self._check(wanted)
        schema_type = wanted.schema_type.name
        try:
            done = await self._register(wanted, by)
        except (InvalidSchema, LintRefused, ProviderRefused, IncompatibleSchema) as error:
            self._work.registration(schema_type, error.reason)
            if self._record_failures and not wanted.dry_run:
                await self._record_failure(wanted, by, error)
            raise
        except RegistryError as error:
            self._work.registration(schema_type, error.reason)
            raise
        outcome = "dry_run" if wanted.dry_run else "created" if done.created else "existing"
        self._work.registration(schema_type, outcome)
        if done.created and not wanted.dry_run:
            self._work.stored(schema_type, done.version.state.name, done.version.size)
        return done

    def _check(self, wanted: Registration) -> None:
        if wanted.schema_type not in self._engines:
            raise UnsupportedSchemaType(wanted.schema_type.name)
        self._limits.check_content(wanted.content, "schema_content")
        self._limits.check_labels(wanted.description, wanted.tags, wanted.metadata)
        if wanted.as_draft and wanted.version is not None:
            raise InvalidRequest("version", "a draft gets its version when it is registered; leave it out")
        if wanted.version is not None and wanted.version.release == (0, 0, 0):
            raise InvalidVersion("version", f"{str(wanted.version)!r} is below 0.0.1, the lowest version")

    async def _register(self, wanted: Registration, by: Actor) -> RegistrationResult:
        done = await self._try(wanted, by)
        if done is None:
            async with self._lines.turn(wanted.subject):
                while done is None:  # until no other writer slips in; the call's deadline bounds it
                    done = await self._try(wanted, by)
        return done

    async def _try(self, wanted: Registration, by: Actor) -> RegistrationResult | None:
        """None when another writer was faster."""
        try:
            return await self._attempt(wanted, by)
        except SchemaNotFound:
            return None  # a version to compare with, or one that is referenced, was removed for ever

    async def _attempt(self, wanted: Registration, by: Actor) -> RegistrationResult | None:
        """As _try. Raises SchemaNotFound when a version that it has seen is gone."""
        inputs = await self._look(wanted, by)
        existing = self._existing(wanted, list(inputs.subject.same))
        if _answers(existing, inputs):
            return RegistrationResult(existing.version, created=False)
        creates = by.allowed.creates(str(wanted.subject))
        if not creates and not wanted.normalize:
            raise _only_looked_up(wanted, by)
        before = await self._versions(wanted, inputs)
        if before.stamp != inputs.subject.precondition.stamp:
            return None
        parsed = await self._library.parse(inputs.schema)
        if existing is None and wanted.normalize:
            existing = self._existing(wanted, list(_equivalent(wanted, inputs, before, parsed)))
        if existing is not None and overtaken(existing.version, before.versions):
            existing = existing if existing.action is Action.ANSWER else None
        if not creates:
            if _answers(existing, inputs):
                return RegistrationResult(existing.version, created=False)
            raise _only_looked_up(wanted, by)
        if existing is None:
            return await self._add(wanted, inputs, before, parsed, by)
        return await self._reuse(wanted, inputs, before, existing, by)

    def _existing(self, wanted: Registration, same: Sequence[SchemaVersion]) -> ExistingVersion | None:
        """The version that is there already, if any, the one with the wanted number before others. Raises TransitionRefused
        for one that is being rolled back, InvalidVersion for one that has another number than the wanted one."""
        asked = str(wanted.version) if wanted.version is not None else ""
        numbered = (
            existing_version((v for v in same if str(v.version) == asked), wanted.goal) if asked else None
        )
        existing = numbered or existing_version(same, wanted.goal)
        if existing is not None and existing.action is Action.REFUSE:
            raise TransitionRefused(
                existing.version.schema_id,
                existing.version.state.name,
                wanted.goal.name,
                (),
                advice="a registration of its content does not end a rollback: set its state to ACTIVE or DEPRECATED "
                "with UpdateSchemaMetadata, then register again",
                field="schema_content",
            )
        if existing is not None and asked and numbered is None and existing.version.state not in UNCHECKED:
            known = existing.version
            raise InvalidVersion(
                "version",
                f"the content is registered already as {known.version} (schema id {known.schema_id!r}), not as {asked}; "
                "leave the version out to be answered with that one",
                schema_id=known.schema_id,
                existing=str(known.version),
            )
        return existing

    async def _look(self, wanted: Registration, by: Actor) -> _Inputs:
        scope = Scope(wanted.subject)
        resolved = await self._resolve(wanted, by)
        identity = self._library.identity(wanted.schema_type, wanted.content, resolved)
        subject = await self._store.subject_snapshot(wanted.subject, scope.chain, identity)
        config = in_force(subject.precondition.configs, scope, self._defaults)
        if config.mode is Mode.READONLY:
            raise SubjectReadOnly(str(wanted.subject))
        if (
            wanted.level is not None
            and wanted.level is not config.level
            and subject.precondition.stamp != NO_VERSIONS
            and not by.may(CONFIGURE, str(wanted.subject))
        ):
            raise LevelMismatch(str(wanted.subject), wanted.level.name, config.level.name)
        moves_level = wanted.level not in (None, config.level) and subject.precondition.stamp != NO_VERSIONS
        if wanted.as_draft and moves_level:
            raise InvalidRequest(
                "compatibility_level",
                f"a draft does not change the level of its subject, which is {config.level.name}; leave the level out, "
                "or set it with SetConfig",
            )
        schema = self._library.candidate(wanted.schema_type, wanted.content, resolved, config, identity)
        keeps_level = wanted.level in (None, config.level)
        return _Inputs(config, wanted.level or config.level, keeps_level, resolved, schema, subject)

    async def _resolve(self, wanted: Registration, by: Actor) -> Resolved:
        if not wanted.references:
            return Resolved()
        async with self._store.read() as tx:
            pins = await self._library.pin_references(
                tx, wanted.subject, wanted.references, readable=by.readable
            )
        return await self._library.resolve(pins)

    async def _versions(self, wanted: Registration, inputs: _Inputs) -> SubjectVersions:
        """The versions to check against: all only where all are asked about, for there may be thousands."""
        whole = wanted.normalize or LEVEL_REQUIREMENTS[inputs.level].transitive
        known = self._library.cached_versions(wanted.subject, inputs.subject.precondition.stamp, whole=whole)
        return known or await self._library.versions(wanted.subject, whole=whole)

    # -- content that is there already

    async def _reuse(
        self,
        wanted: Registration,
        inputs: _Inputs,
        before: SubjectVersions,
        existing: ExistingVersion,
        by: Actor,
    ) -> RegistrationResult | None:
        """Answer with a version that has the content, promoted and checked as far as it is asked for; None when the subject
        has changed meanwhile."""
        version = after = existing.version
        report, lint = None, NOTHING_FOUND
        unchecked = version.state in UNCHECKED
        if not wanted.as_draft and (unchecked or not inputs.keeps_level):
            assessment = await self._assessor.admit_stored(
                version,
                before.versions,
                inputs.config,
                level=inputs.level,
                wanted=wanted.version if unchecked else None,
            )
            report, lint = assessment.evidence, assessment.lint
            if unchecked:
                after = admitted(after, assessment, inputs.level)
        if existing.action is Action.PROMOTE:
            after = wanted.label(replace(after, state=wanted.goal, updated_at=self._clock()))
        previous = version.state if after.state is not version.state else None
        if wanted.dry_run:
            return RegistrationResult(after, created=False, report=report, previous_state=previous, lint=lint)
        async with self._store.write() as tx:
            if not await self._unchanged(tx, wanted, inputs):
                return None
            if not inputs.keeps_level:
                await self._set_level(tx, wanted, by)
            stored = await record_update(tx, version, after, by) if after is not version else version
        self._coherence.changed(wanted.subject)
        return RegistrationResult(stored, created=False, report=report, previous_state=previous, lint=lint)

    # -- a new version

    async def _add(
        self,
        wanted: Registration,
        inputs: _Inputs,
        before: SubjectVersions,
        parsed: ParsedSchema,
        by: Actor,
    ) -> RegistrationResult | None:
        """Append a version; None when the subject has changed meanwhile."""
        schema = inputs.schema.settled(parsed)
        assessment = None
        if not wanted.as_draft:
            assessment = await self._assessor.admit(
                wanted.subject,
                schema,
                parsed,
                before.versions,
                inputs.config,
                level=inputs.level,
                wanted=wanted.version,
            )
        draft = _Draft(schema, parsed, assessment)
        report = assessment.evidence if assessment else None
        lint = assessment.lint if assessment else told(parsed, inputs.config.lint)
        if wanted.dry_run:
            version = self._version(wanted, inputs, draft, by, schema_id="", ordinal=0)
            return RegistrationResult(
                version, created=False, report=report, deleted=inputs.deleted, lint=lint
            )
        entry = await self._new_version(wanted, inputs, draft, by)
        stored = await self._append(wanted, inputs, entry, by)
        if stored is None:
            return None
        self._library.added(wanted.subject, before, stored)
        self._library.contents.put(stored, entry.content)
        self._coherence.changed(wanted.subject)
        return RegistrationResult(stored, created=True, report=report, deleted=inputs.deleted, lint=lint)

    def _version(
        self,
        wanted: Registration,
        inputs: _Inputs,
        draft: _Draft,
        by: Actor,
        *,
        schema_id: str,
        ordinal: int,
    ) -> SchemaVersion:
        """The version as far as it is known before the store gives it its global id and its revision."""
        now = self._clock()
        assessment = draft.assessment
        return SchemaVersion(
            schema_id=schema_id,
            global_id=0,
            identity=draft.schema.identity,
            subject=wanted.subject,
            ordinal=ordinal,
            version=assessment.version if assessment else draft_version(ordinal),
            schema_type=wanted.schema_type,
            fingerprints=draft.parsed.fingerprints,
            references=inputs.resolved.pinned,
            size=len(wanted.content),
            level=inputs.level,
            state=wanted.goal,
            change_class=assessment.change if assessment else ChangeClass.UNCLASSIFIED,
            description=wanted.description,
            tags=tuple(dict.fromkeys(wanted.tags)),
            metadata=dict(wanted.metadata),
            options=draft.parsed.options,
            created_at=now,
            updated_at=now,
            created_by=by.name,
            revision=0,
        )

    async def _new_version(
        self, wanted: Registration, inputs: _Inputs, draft: _Draft, by: Actor
    ) -> NewVersion:
        """What is to be stored, its large parts staged already."""
        content = draft.content(wanted.content)
        await self._stage(content)
        version = self._version(
            wanted,
            inputs,
            draft,
            by,
            schema_id=new_schema_id(),
            ordinal=inputs.subject.precondition.next_ordinal,
        )
        return NewVersion(
            version,
            content,
            draft.parsed.names,
            change_of_creation(version, by),
            steps_to(version, by),
            inputs.resolved.targets,
        )

    async def _append(
        self, wanted: Registration, inputs: _Inputs, entry: NewVersion, by: Actor
    ) -> SchemaVersion | None:
        """Store a version and, unless it stays, the subject's level; None when the subject has changed meanwhile."""
        quota = inputs.config.quota
        if inputs.keeps_level and not quota:
            return await self._store.append(inputs.subject.precondition, entry)
        async with self._store.write() as tx:
            if not await self._unchanged(tx, wanted, inputs):
                return None
            if not quota or await quotas.fits(tx, quota, entry.version, inputs.subject.precondition):
                if not inputs.keeps_level:
                    await self._set_level(tx, wanted, by)
                return await appending.append_version(tx, entry)
        await quotas.begin(self._store, wanted.subject.context)
        return None

    async def _unchanged(self, tx: WriteTx, wanted: Registration, inputs: _Inputs) -> bool:
        """Whether the decision still holds; from now on it does until the end of the transaction."""
        await tx.lock_subject(wanted.subject)
        precondition, targets = inputs.subject.precondition, inputs.resolved.targets
        return await appending.precondition_holds(tx, wanted.subject, precondition, targets)

    async def _set_level(self, tx: WriteTx, wanted: Registration, by: Actor) -> None:
        scope = Scope(wanted.subject)
        known, config = await tx.config(scope.key), Config(level=wanted.level)
        await tx.set_config(scope.key, merge(known, config))
        await record_change(tx, scope, by, self._clock(), set_by(known, config))

    async def _record_failure(
        self,
        wanted: Registration,
        by: Actor,
        error: InvalidSchema | LintRefused | ProviderRefused | IncompatibleSchema,
    ) -> None:
        change = change_of_failure(wanted.subject, error, by, self._clock())
        async with self._store.write() as tx:
            await tx.append_change(change)


def _answers(existing: ExistingVersion | None, inputs: _Inputs) -> TypeGuard[ExistingVersion]:
    """Whether a version that is there already is the whole answer: nothing about it or its subject is to be changed."""
    return existing is not None and existing.action is Action.ANSWER and inputs.keeps_level


def _only_looked_up(wanted: Registration, by: Actor) -> PermissionDenied:
    subject = str(wanted.subject)
    return PermissionDenied(
        f"{by.name!r} may only look up content of subject {subject!r}, and this content is not registered there",
        permission=REGISTER,
        principal=by.name,
        subject=subject,
    )


def _equivalent(
    wanted: Registration, inputs: _Inputs, before: SubjectVersions, parsed: ParsedSchema
) -> Iterator[SchemaVersion]:
    """The live versions that differ in nothing that can change what a model produces."""
    return (
        v
        for v in before.versions
        if v.live
        and v.schema_type is wanted.schema_type
        and v.fingerprints.generation == parsed.fingerprints.generation
        and v.references == inputs.resolved.pinned
    )
