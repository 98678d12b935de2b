"""RegisterSchema: one schema becomes the next version of a subject, in one transaction, or nothing happens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from llm_schema_engines.compatibility.levels import DEMANDS
from llm_schema_engines.formats.engine import Engines, ParsedSchema
from llm_schema_engines.model.compatibility import ChangeClass, CompatibilityLevel, CompatibilityReport
from llm_schema_engines.model.fast_init import fast_init
from llm_schema_engines.model.schema import SchemaType
from llm_schema_engines.model.version import SemanticVersion

from ..errors import (
    IncompatibleSchema,
    InvalidRequest,
    InvalidSchema,
    InvalidVersion,
    LevelMismatch,
    SubjectReadOnly,
    UnsupportedSchemaType,
)
from ..model.change import Change, EventType
from ..model.config import Config, EffectiveConfig, Mode
from ..model.lifecycle import SchemaState
from ..model.principal import Actor
from ..model.schema import Reference, SchemaVersion, StoredContent
from ..model.subject import Subject
from ..storage import appending
from ..storage.store import Store, WriteTx
from ..storage.values import NewVersion, SubjectSnapshot
from .assessment import Assessor
from .coherence import Coherence
from .configuration import Scope, in_force, merge, record_change
from .creation import change_of_creation, steps_to
from .ids import new_schema_id
from .library import KnownSchema, Library, Resolved
from .limits import RequestLimits
from .numbering import draft_version
from .subject_versions import NO_VERSIONS, SubjectVersions

CONFIGURE = "compatibility:config:write"
"""The permission that lets a registration change the level of an existing subject."""

GIVEN_UP = frozenset(
    {SchemaState.ABANDONED, SchemaState.VALIDATION_FAILED, SchemaState.INCOMPATIBLE_REJECTED}
)
"""States of versions that do not count as "registered already"."""


@fast_init
@dataclass(frozen=True, slots=True)
class Registration:
    """What a caller wants registered. `level`: None leaves the level as it is. `version`: None derives it.

    activate: become ACTIVE at once. normalize: also take equal generation fingerprints as "already registered".
    dry_run: do all but store. as_draft: store as DRAFT, parsed but not checked.
    """

    subject: Subject
    schema_type: SchemaType
    content: bytes
    references: Sequence[Reference] = ()
    level: CompatibilityLevel | None = None
    version: SemanticVersion | None = None
    description: str | None = None
    tags: Sequence[str] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    activate: bool = True
    normalize: bool = False
    dry_run: bool = False
    as_draft: bool = False


@dataclass(frozen=True, slots=True)
class RegistrationResult:
    """The version that holds the content now. `created`: whether this call stored it.

    `report` is None when nothing was compared. In a dry run `version.schema_id` is "" and its global id 0.
    """

    version: SchemaVersion
    created: bool
    report: CompatibilityReport | None = None


@dataclass(frozen=True, slots=True)
class _Inputs:
    """What a registration finds: the settings, what its references stand for, and the subject as the store knows it."""

    config: EffectiveConfig
    resolved: Resolved
    schema: KnownSchema
    subject: SubjectSnapshot


@dataclass(frozen=True, slots=True)
class _Decision:
    schema: KnownSchema
    parsed: ParsedSchema
    change: ChangeClass
    version: SemanticVersion | None  # None for a draft: its placeholder depends on the ordinal
    report: CompatibilityReport | None

    def stored(self, content: bytes) -> StoredContent:
        parsed = self.parsed
        return StoredContent(content, parsed.fingerprints.content, parsed.canonical, parsed.artifact)


async def _nothing_to_stage(content: StoredContent) -> None:
    """For stores that keep everything themselves."""


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
    ) -> None:
        """`stage` is told what is about to be stored, before the transaction that stores it: what takes long (an object
        store) is done by then."""
        self._store, self._library, self._assessor = store, library, assessor
        self._engines, self._coherence, self._clock = engines, coherence, clock
        self._stage = stage
        self._defaults, self._limits, self._record_failures = defaults, limits, record_failures

    async def __call__(self, wanted: Registration, by: Actor) -> RegistrationResult:
        """Register, or answer with the live version that has the same content and references already.

        Raises InvalidRequest and its children for a bad request, InvalidSchema, IncompatibleSchema,
        VersionNotGreater, LevelMismatch, SchemaTypeMismatch, SubjectReadOnly, UnsupportedSchemaType.
        """
        self._check(wanted)
        try:
            return await self._register(wanted, by)
        except (InvalidSchema, IncompatibleSchema) as error:
            if self._record_failures and not wanted.dry_run:
                await self._record_failure(wanted, by, error)
            raise

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
        while True:  # until no other writer slips in; the call's deadline bounds it
            found = await self._look(wanted, by)
            keeps_level = wanted.level in (None, found.config.level)
            known = next((v for v in reversed(found.subject.same) if v.state not in GIVEN_UP), None)
            if known is not None and keeps_level:
                return RegistrationResult(known, created=False)
            before = await self._versions(wanted, found)
            if before.stamp != found.subject.precondition.stamp:
                continue
            judgement = await self._judge(wanted, found, before)
            known = known or self._equivalent(wanted, found, before, judgement)
            if known is not None and keeps_level:
                return RegistrationResult(known, created=False)
            if wanted.dry_run:
                version = self._version(wanted, found, judgement, by, schema_id="", ordinal=0)
                return RegistrationResult(version, created=False, report=judgement.report)
            what = known or await self._entry(wanted, found, judgement, by)
            stored = await self._store_if_unchanged(wanted, found, what, by, keeps_level)
            if stored is None:
                continue
            if known is None:
                self._library.added(wanted.subject, before, stored)
                self._library.contents.put(stored, judgement.stored(wanted.content))
            self._coherence.changed(wanted.subject)
            return RegistrationResult(stored, created=known is None, report=judgement.report)

    async def _look(self, wanted: Registration, by: Actor) -> _Inputs:
        scope = Scope(wanted.subject)
        resolved = await self._resolve(wanted)
        identity = self._library.identity(wanted.schema_type, wanted.content, resolved)
        subject = await self._store.subject_snapshot(wanted.subject, scope.chain, identity)
        config = in_force(subject.precondition.configs, scope, self._defaults)
        if config.mode is Mode.READONLY:
            raise SubjectReadOnly(str(wanted.subject))
        if (
            wanted.level is not None
            and wanted.level is not config.level
            and subject.precondition.stamp != NO_VERSIONS
            and not by.may(CONFIGURE)
        ):
            raise LevelMismatch(str(wanted.subject), wanted.level.name, config.level.name)
        schema = self._library.candidate(wanted.schema_type, wanted.content, resolved, config, identity)
        return _Inputs(config, resolved, schema, subject)

    async def _resolve(self, wanted: Registration) -> Resolved:
        if not wanted.references:
            return Resolved()
        async with self._store.read() as tx:
            pins = await self._library.pin_references(tx, wanted.subject, wanted.references)
        return await self._library.resolve(pins)

    async def _versions(self, wanted: Registration, found: _Inputs) -> SubjectVersions:
        """The versions to judge against: all only where all are asked about, for there may be thousands."""
        level = wanted.level or found.config.level
        whole = wanted.normalize or DEMANDS[level].transitive
        known = self._library.remembered(wanted.subject, found.subject.precondition.stamp, whole=whole)
        return known or await self._library.versions(wanted.subject, whole=whole)

    def _equivalent(
        self, wanted: Registration, found: _Inputs, before: SubjectVersions, judgement: _Decision
    ) -> SchemaVersion | None:
        """When asked for: the newest live version that differs in nothing that can change what a model produces."""
        if not wanted.normalize:
            return None
        generation = judgement.parsed.fingerprints.generation
        return next(
            (
                v
                for v in reversed(before.versions)
                if v.live
                and v.state not in GIVEN_UP
                and v.schema_type is wanted.schema_type
                and v.fingerprints.generation == generation
                and v.references == found.resolved.pinned
            ),
            None,
        )

    async def _judge(self, wanted: Registration, found: _Inputs, before: SubjectVersions) -> _Decision:
        parsed = await self._library.parse(found.schema)
        schema = found.schema.settled(parsed)
        if wanted.as_draft:
            return _Decision(schema, parsed, ChangeClass.UNCLASSIFIED, None, None)
        level = wanted.level or found.config.level
        assessment = await self._assessor.assess(
            wanted.subject,
            schema,
            parsed,
            before.versions,
            found.config,
            level=level,
            wanted=wanted.version,
        )
        report = assessment.report
        if not report.compatible:
            raise IncompatibleSchema(str(wanted.subject), level.name, report.message, report)
        return _Decision(
            schema,
            parsed,
            assessment.change,
            assessment.version,
            report if report.compared_versions else None,
        )

    def _version(
        self,
        wanted: Registration,
        found: _Inputs,
        judgement: _Decision,
        by: Actor,
        *,
        schema_id: str,
        ordinal: int,
    ) -> SchemaVersion:
        """The version as far as it is known before the store gives it its global id and its revision."""
        now = self._clock()
        state = SchemaState.ACTIVE if wanted.activate else SchemaState.REGISTERED
        return SchemaVersion(
            schema_id=schema_id,
            global_id=0,
            identity=judgement.schema.identity,
            subject=wanted.subject,
            ordinal=ordinal,
            version=judgement.version or draft_version(ordinal),
            schema_type=wanted.schema_type,
            fingerprints=judgement.parsed.fingerprints,
            references=found.resolved.pinned,
            size=len(wanted.content),
            level=wanted.level or found.config.level,
            state=SchemaState.DRAFT if wanted.as_draft else state,
            change_class=judgement.change,
            description=wanted.description,
            tags=tuple(dict.fromkeys(wanted.tags)),
            metadata=dict(wanted.metadata),
            options=judgement.parsed.options,
            created_at=now,
            updated_at=now,
            created_by=by.name,
            revision=0,
        )

    async def _entry(
        self, wanted: Registration, found: _Inputs, judgement: _Decision, by: Actor
    ) -> NewVersion:
        """What is to be stored, its large parts staged already."""
        content = judgement.stored(wanted.content)
        await self._stage(content)
        version = self._version(
            wanted,
            found,
            judgement,
            by,
            schema_id=new_schema_id(),
            ordinal=found.subject.precondition.next_ordinal,
        )
        return NewVersion(
            version,
            content,
            judgement.parsed.names,
            change_of_creation(version, by),
            steps_to(version, by),
            found.resolved.targets,
        )

    async def _store_if_unchanged(
        self,
        wanted: Registration,
        found: _Inputs,
        what: NewVersion | SchemaVersion,
        by: Actor,
        keeps_level: bool,
    ) -> SchemaVersion | None:
        """Store an entry and, unless it stays, the subject's level; None when what was found is no longer so.

        what: a version when the content is registered already and only the level is to be set.
        """
        precondition, targets = found.subject.precondition, found.resolved.targets
        if keeps_level and isinstance(what, NewVersion):
            return await self._store.append(precondition, what)
        async with self._store.write() as tx:
            await tx.lock_subject(wanted.subject)
            if not await appending.precondition_holds(tx, wanted.subject, precondition, targets):
                return None
            await self._set_level(tx, wanted, by)
            return await appending.append_version(tx, what) if isinstance(what, NewVersion) else what

    async def _set_level(self, tx: WriteTx, wanted: Registration, by: Actor) -> None:
        scope = Scope(wanted.subject)
        await tx.set_config(scope.key, merge(await tx.config(scope.key), Config(level=wanted.level)))
        await record_change(tx, scope, by, self._clock())

    async def _record_failure(
        self, wanted: Registration, by: Actor, error: InvalidSchema | IncompatibleSchema
    ) -> None:
        kind = (
            EventType.VALIDATION_FAILED
            if isinstance(error, InvalidSchema)
            else EventType.COMPATIBILITY_CHECK_FAILED
        )
        async with self._store.write() as tx:
            await tx.append_change(
                Change(
                    event_type=kind,
                    subject=wanted.subject,
                    schema_id="",
                    version="",
                    ordinal=0,
                    at=self._clock(),
                    actor=by.name,
                    correlation_id=by.correlation_id,
                    metadata={"reason": error.reason, "message": error.message[:500]},
                )
            )
