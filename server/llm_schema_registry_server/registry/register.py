"""RegisterSchema: one schema becomes the next version of a subject, in one transaction, or nothing happens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from ..errors import (
    IncompatibleSchema,
    InvalidRequest,
    InvalidSchema,
    InvalidVersion,
    LevelMismatch,
    SubjectReadOnly,
    UnsupportedSchemaType,
)
from ..formats.engine import Engines, ParsedSchema
from ..model.change import Change, EventType
from ..model.compatibility import ChangeClass, CompatibilityLevel, CompatibilityReport
from ..model.config import Config, EffectiveConfig, Mode
from ..model.lifecycle import TRANSITIONS, SchemaState, Transition
from ..model.principal import Actor
from ..model.schema import Reference, SchemaType, SchemaVersion, StoredContent
from ..model.subject import Subject
from ..model.version import SemanticVersion
from ..storage.store import Store, WriteTx
from .assess import Assessor, draft_version
from .coherence import Coherence
from .configuration import Scope, effective, merge, record_change
from .ids import new_schema_id
from .library import KnownSchema, Library, Resolved, SubjectVersions
from .lifecycle import change_of
from .limits import RequestLimits
from .pinning import references_of

CONFIGURE = "compatibility:config:write"
"""The permission that lets a registration change the level of an existing subject."""

PATH_TO_ACTIVE = (
    SchemaState.DRAFT,
    SchemaState.VALIDATING,
    SchemaState.COMPATIBILITY_CHECK,
    SchemaState.REGISTERED,
    SchemaState.ACTIVE,
)


GIVEN_UP = frozenset(
    {SchemaState.ABANDONED, SchemaState.VALIDATION_FAILED, SchemaState.INCOMPATIBLE_REJECTED}
)
"""States of versions that do not count as "registered already"."""


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
class Registered:
    """The version that holds the content now. `created`: whether this call stored it.

    `report` is None when nothing was compared. In a dry run `version.schema_id` is "" and its global id 0.
    """

    version: SchemaVersion
    created: bool
    report: CompatibilityReport | None = None


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What a judgement rests on. Confirmed inside the transaction: equal snapshots mean that it still holds."""

    known: SubjectVersions
    config: EffectiveConfig
    resolved: Resolved

    @property
    def grounds(self) -> tuple[object, ...]:
        return self.known.stamp, self.config, self.resolved.pinned


@dataclass(frozen=True, slots=True)
class _Judgement:
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

    async def __call__(self, wanted: Registration, by: Actor) -> Registered:
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

    async def _register(self, wanted: Registration, by: Actor) -> Registered:
        while True:  # until no other writer slips in; the call's deadline bounds it
            snapshot = await self._snapshot(wanted, by)
            schema = self._library.candidate(
                wanted.schema_type,
                wanted.content,
                snapshot.resolved,
                snapshot.config,
            )
            known = self._registered_already(wanted, snapshot, schema, None)
            if known is not None and wanted.level in (None, snapshot.config.level):
                return Registered(known, created=False)
            judgement = await self._judge(wanted, snapshot, schema)
            known = self._registered_already(wanted, snapshot, schema, judgement.parsed)
            if known is not None and wanted.level in (None, snapshot.config.level):
                return Registered(known, created=False)
            if wanted.dry_run:
                return Registered(
                    self._version(wanted, snapshot, judgement, by, schema_id="", global_id=0, ordinal=0),
                    created=False,
                    report=judgement.report,
                )
            if known is None:
                await self._stage(judgement.stored(wanted.content))
            stored = await self._store_if_unchanged(wanted, snapshot, judgement, by, known)
            if stored is not None:
                self._coherence.changed(wanted.subject)
                return Registered(stored, created=known is None, report=judgement.report)

    async def _snapshot(self, wanted: Registration, by: Actor) -> _Snapshot:
        async with self._store.read() as tx:
            known = await self._library.versions(tx, wanted.subject)
            config = await effective(tx, Scope(wanted.subject), self._defaults)
            pins = await self._library.pin(tx, wanted.subject, wanted.references)
        resolved = await self._library.resolve(pins)
        if config.mode is Mode.READONLY:
            raise SubjectReadOnly(str(wanted.subject))
        if (
            wanted.level is not None
            and wanted.level is not config.level
            and known.versions
            and not by.may(CONFIGURE)
        ):
            raise LevelMismatch(str(wanted.subject), wanted.level.name, config.level.name)
        return _Snapshot(known, config, resolved)

    def _registered_already(
        self, wanted: Registration, snapshot: _Snapshot, schema: KnownSchema, parsed: ParsedSchema | None
    ) -> SchemaVersion | None:
        """The newest live version with the same identity (or, when asked for, the same generation fingerprint)."""
        for version in reversed(snapshot.known.versions):
            same = version.identity == schema.identity or (
                wanted.normalize
                and parsed is not None
                and version.schema_type is schema.schema_type
                and version.fingerprints.generation == parsed.fingerprints.generation
                and version.references == snapshot.resolved.pinned
            )
            if same and version.live and version.state not in GIVEN_UP:
                return version
        return None

    async def _judge(self, wanted: Registration, snapshot: _Snapshot, schema: KnownSchema) -> _Judgement:
        parsed = await self._library.parse(schema)
        schema = schema.settled(parsed)
        if wanted.as_draft:
            return _Judgement(schema, parsed, ChangeClass.UNCLASSIFIED, None, None)
        level = wanted.level or snapshot.config.level
        assessment = await self._assessor.assess(
            wanted.subject,
            schema,
            parsed,
            snapshot.known.versions,
            snapshot.config,
            level=level,
            wanted=wanted.version,
        )
        report = assessment.report
        if not report.compatible:
            raise IncompatibleSchema(str(wanted.subject), level.name, report.message, report)
        return _Judgement(
            schema,
            parsed,
            assessment.change,
            assessment.version,
            report if report.compared_versions else None,
        )

    def _version(
        self,
        wanted: Registration,
        snapshot: _Snapshot,
        judgement: _Judgement,
        by: Actor,
        *,
        schema_id: str,
        global_id: int,
        ordinal: int,
    ) -> SchemaVersion:
        now = self._clock()
        state = SchemaState.ACTIVE if wanted.activate else SchemaState.REGISTERED
        return SchemaVersion(
            schema_id=schema_id,
            global_id=global_id,
            identity=judgement.schema.identity,
            subject=wanted.subject,
            ordinal=ordinal,
            version=judgement.version or draft_version(ordinal),
            schema_type=wanted.schema_type,
            fingerprints=judgement.parsed.fingerprints,
            references=snapshot.resolved.pinned,
            size=len(wanted.content),
            level=wanted.level or snapshot.config.level,
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

    async def _store_if_unchanged(
        self,
        wanted: Registration,
        snapshot: _Snapshot,
        judgement: _Judgement,
        by: Actor,
        known: SchemaVersion | None,
    ) -> SchemaVersion | None:
        """Store the version and its change, unless what the judgement rests on has changed: then None.

        known: the content is registered already and only the subject's level is to be set.
        """
        async with self._store.write() as tx:
            await tx.lock_subject(wanted.subject)
            now = _Snapshot(
                SubjectVersions(await tx.subject_stamp(wanted.subject), ()),
                await effective(tx, Scope(wanted.subject), self._defaults),
                Resolved(references_of(await self._library.pin(tx, wanted.subject, wanted.references))),
            )
            if now.grounds != snapshot.grounds:
                return None
            if wanted.level is not None and wanted.level is not snapshot.config.level:
                await self._set_level(tx, wanted, by)
            if known is not None:
                return known
            version = self._version(
                wanted,
                snapshot,
                judgement,
                by,
                schema_id=new_schema_id(),
                global_id=await tx.allot_global_id(wanted.subject.context, judgement.schema.identity),
                ordinal=await tx.next_ordinal(wanted.subject),
            )
            content = judgement.stored(wanted.content)
            await tx.put_content(version.identity, content)
            version = await append_version(tx, version, judgement.parsed.names, by)
        self._library.added(wanted.subject, snapshot.known, version)
        self._library.contents.put(version, content)
        return version

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


async def append_version(
    tx: WriteTx, version: SchemaVersion, names: Sequence[str], by: Actor
) -> SchemaVersion:
    """Append a new version, the steps that led to its state, and its change; answers with its revision set."""
    created = version.state is SchemaState.DRAFT
    facts = {
        "state": version.state.name,
        "schema_type": version.schema_type.name,
        "change_class": version.change_class.name,
    }
    kind = EventType.SCHEMA_CREATED if created else EventType.SCHEMA_REGISTERED
    sequence = await tx.append_change(change_of(version, kind, by, version.created_at, facts))
    version = replace(version, revision=sequence)
    await tx.insert_version(version, names)
    before: SchemaState | None = None
    for state in PATH_TO_ACTIVE[: PATH_TO_ACTIVE.index(version.state) + 1]:
        trigger = "create" if before is None else TRANSITIONS[before, state]
        await tx.record_transition(
            Transition(version.schema_id, before, state, trigger, by.name, version.created_at)
        )
        before = state
    return version
