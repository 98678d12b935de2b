"""Schemas as the engines want them: with the closure of their references, parsed, compared, compiled; each once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..caches.cache import CacheStats, LowerTier
from ..caches.memory import MemoryCache
from ..caches.tiered import TieredCache
from ..errors import InvalidRequest, InvalidVersion, ReferenceCycle, ReferenceNotFound, StorageDamaged
from ..formats.engine import (
    DataValidator,
    Engines,
    ParsedSchema,
    ReferencedSchema,
    SchemaSource,
    walk_references,
)
from ..model.compatibility import CompareOptions, Comparison
from ..model.config import EffectiveConfig
from ..model.difference import Differences
from ..model.schema import Reference, ResolvedReference, SchemaType, SchemaVersion, StoredContent
from ..model.subject import Subject
from ..model.version import parse_selector
from ..storage.store import ReadTx
from ..workers.task import Convert, Converted, Workers
from .ids import identity
from .selecting import choose
from .sharing import lower
from .subjects import NO_VERSIONS, SubjectVersions

SHARES = 6
"""Caches that divide the budget evenly: subjects, their digests, closures, parsed schemas, comparisons, validators."""


@dataclass(frozen=True, slots=True)
class KnownSchema:
    """A schema with all that decides its meaning. Equal keys mean equal meaning, so that results are cached by key."""

    schema_type: SchemaType
    identity: str
    source: SchemaSource

    @property
    def key(self) -> str:
        return f"{self.identity}?{'&'.join(f'{k}={v}' for k, v in sorted(self.source.options.items()))}"

    def settled(self, parsed: ParsedSchema) -> KnownSchema:
        """The same schema with what parsing found out: the options in force and the engine's artifact."""
        return replace(self, source=replace(self.source, options=parsed.options, artifact=parsed.artifact))


@dataclass(frozen=True, slots=True)
class Resolved:
    """References pinned to versions, and what stands behind each of them. targets: the revisions of those versions when
    they were chosen, by schema id."""

    pinned: tuple[ResolvedReference, ...] = ()
    schemas: tuple[ReferencedSchema, ...] = ()
    targets: Mapping[str, int] = field(default_factory=dict)


class Library:
    """Loads closures, and runs the engines through the workers; every result is kept by the schema's key.

    shared: a tier, common to all instances, for what parsing and comparing found out.
    """

    def __init__(
        self,
        engines: Engines,
        workers: Workers,
        *,
        cache_bytes: int,
        most_references: int,
        shared: LowerTier | None = None,
    ) -> None:
        self._engines, self._workers, self._most_references = engines, workers, most_references
        share = cache_bytes // SHARES
        self._subjects: MemoryCache[Subject, SubjectVersions] = MemoryCache(share, _subject_size)
        self._digests: MemoryCache[Subject, SubjectVersions] = MemoryCache(share, _subject_size)
        self._closures: MemoryCache[str, ReferencedSchema] = MemoryCache(share, _closure_size)
        self._parsed = TieredCache(
            MemoryCache[str, ParsedSchema](share, _parsed_size), lower(shared, "parsed", ParsedSchema)
        )
        self._comparisons = TieredCache(
            MemoryCache[str, Comparison](share, _comparison_size),
            lower(shared, "comparison", Comparison),
            lasting=lambda comparison: comparison.lasting,
        )
        self._validators = TieredCache(MemoryCache[str, DataValidator](share, lambda v: v.size))

    def stats(self) -> Mapping[str, CacheStats]:
        """What each cache holds and how often it was of use."""
        return {
            "subjects": self._subjects.stats(),
            "digests": self._digests.stats(),
            "closures": self._closures.stats(),
            "parsed": self._parsed.stats(),
            "comparisons": self._comparisons.stats(),
            "validators": self._validators.stats(),
        }

    # -- what is stored

    def added(self, subject: Subject, before: SubjectVersions, version: SchemaVersion) -> None:
        """A version was committed while `before` was known to hold: the next reader need not read them all again."""
        all_before = before if before.whole else self._subjects.peek(subject)
        if all_before is not None and all_before.stamp == before.stamp:
            self._subjects.put(subject, all_before.followed_by(version))
        self._digests.put(subject, before.followed_by(version).digest)

    async def versions(self, tx: ReadTx, subject: Subject) -> SubjectVersions:
        """All versions of a subject; read again only when its stamp has changed.

        Not for write transactions: what they see may yet be undone, and must not be kept.
        """
        stamp = await tx.subject_stamp(subject)
        known = self._subjects.get(subject)
        if known is None or known.stamp != stamp:
            known = SubjectVersions(stamp, tuple(await tx.versions(subject, include_deleted=True)))
            if known.versions:
                self._subjects.put(subject, known)
                self._digests.put(subject, known.digest)
        return known

    def remembered(self, subject: Subject, stamp: tuple[int, int], *, whole: bool) -> SubjectVersions | None:
        """All versions that a stamp stands for, or their digest, as far as memory has them."""
        if stamp == NO_VERSIONS:
            return SubjectVersions(stamp, ())
        known = (self._subjects if whole else self._digests).get(subject)
        return known if known is not None and known.stamp == stamp else None

    async def content(self, tx: ReadTx, version: SchemaVersion) -> StoredContent:
        """The bytes of a version; raises StorageDamaged when they are missing."""
        found = await tx.contents([version.identity])
        if version.identity not in found:
            raise StorageDamaged(
                f"the content of schema {version.schema_id!r} is missing; restore it from a backup",
                schema_id=version.schema_id,
            )
        return found[version.identity]

    async def known(self, tx: ReadTx, version: SchemaVersion) -> KnownSchema:
        """A stored version with its closure."""
        closure = await self._closure(tx, version, "")
        source = SchemaSource(closure.content, closure.references, version.options, closure.artifact)
        return KnownSchema(version.schema_type, version.identity, source)

    async def _closure(self, tx: ReadTx, version: SchemaVersion, name: str) -> ReferencedSchema:
        known = self._closures.get(version.identity)
        if known is None:
            content = await self.content(tx, version)
            references = []
            for reference in version.references:
                target = await tx.version(reference.schema_id)
                if target is None:
                    raise StorageDamaged(
                        f"schema {version.schema_id!r} references {reference.schema_id!r}, which is gone",
                        schema_id=version.schema_id,
                    )
                references.append(await self._closure(tx, target, reference.name))
            known = ReferencedSchema(
                "", version.identity, content.content, tuple(references), content.artifact
            )
            self._closures.put(version.identity, known)
        return (
            ReferencedSchema(name, known.identity, known.content, known.references, known.artifact)
            if name
            else known
        )

    # -- what arrives

    async def resolve(
        self, tx: ReadTx, subject: Subject | None, references: Sequence[Reference], field: str = "references"
    ) -> Resolved:
        """Pin references to versions.

        subject: whose schema it is going to be; None when it has none.
        Raises ReferenceNotFound, ReferenceCycle or InvalidRequest, each naming the place in `field`.
        """
        if len(references) > self._most_references:
            raise InvalidRequest(field, f"has {len(references)} items; the limit is {self._most_references}")
        pinned: list[ResolvedReference] = []
        schemas: list[ReferencedSchema] = []
        targets: dict[str, int] = {}
        for i, reference in enumerate(references):
            place = f"{field}[{i}]"
            if not reference.name:
                raise InvalidRequest(f"{place}.name", "must not be empty")
            if any(reference.name == p.name for p in pinned):
                raise InvalidRequest(f"{place}.name", f"{reference.name!r} is given twice")
            target = await self._target(tx, reference, place)
            if subject is not None:
                await self._refuse_circle(tx, subject, reference, target, place)
            pinned.append(
                ResolvedReference(
                    reference.name, target.subject, target.ordinal, target.version, target.schema_id
                )
            )
            schemas.append(await self._closure(tx, target, reference.name))
            targets[target.schema_id] = target.revision
        if len(walk_references(schemas)) > self._most_references:
            raise InvalidRequest(
                field,
                f"reach more than {self._most_references} schemas; the limit is {self._most_references}",
            )
        return Resolved(tuple(pinned), tuple(schemas), targets)

    async def _target(self, tx: ReadTx, reference: Reference, place: str) -> SchemaVersion:
        try:
            selector = parse_selector(reference.version)
        except InvalidVersion as error:
            raise InvalidVersion(f"{place}.version", error.violations[0].description) from error
        versions = await tx.versions(reference.subject)
        target = choose(versions, selector)
        if target is None:
            missing = (
                f"no subject {str(reference.subject)!r}"
                if not versions
                else f"no version {reference.version or 'latest'!r} of subject {str(reference.subject)!r}"
            )
            raise ReferenceNotFound(
                place, f"{reference.name!r} points to nothing: {missing}", subject=str(reference.subject)
            )
        return target

    async def _refuse_circle(
        self, tx: ReadTx, subject: Subject, reference: Reference, target: SchemaVersion, place: str
    ) -> None:
        """A subject must not use itself, directly or through others: its readers could never be ordered."""
        path = [target]
        seen: set[str] = set()

        async def visit(version: SchemaVersion) -> bool:
            if version.subject == subject:
                return True
            if version.schema_id in seen:
                return False
            seen.add(version.schema_id)
            for used in version.references:
                found = await tx.version(used.schema_id)
                if found is not None:
                    path.append(found)
                    if await visit(found):
                        return True
                    path.pop()
            return False

        if await visit(target):
            circle = " -> ".join([str(subject), *(str(v.subject) for v in path)])
            raise ReferenceCycle(place, f"{reference.name!r} closes a circle: {circle}")

    def identity(self, schema_type: SchemaType, content: bytes, resolved: Resolved) -> str:
        """What names this type + content + references."""
        return identity(schema_type, content, [(r.name, r.identity) for r in resolved.schemas])

    def candidate(
        self,
        schema_type: SchemaType,
        content: bytes,
        resolved: Resolved,
        config: EffectiveConfig,
        name: str = "",
    ) -> KnownSchema:
        """A schema that is not stored (yet); `config` decides how it is read where it does not say so itself. `name`: its
        identity, when that is known already."""
        options = {"dialect": config.default_dialect, "format_policy": str(config.format_policy)}
        return KnownSchema(
            schema_type,
            name or self.identity(schema_type, content, resolved),
            SchemaSource(content, resolved.schemas, options),
        )

    # -- the engines

    async def parse(self, schema: KnownSchema) -> ParsedSchema:
        """Strictly; raises InvalidSchema or LimitExceeded."""
        key = f"{self._rules(schema.schema_type)}|{schema.key}"
        return await self._parsed.get(key, lambda: self._workers.parse(schema.schema_type, schema.source))

    async def compare(self, reader: KnownSchema, writer: KnownSchema, options: CompareOptions) -> Comparison:
        """May `reader` read everything that `writer` writes?"""
        key = f"{self._rules(reader.schema_type)}|{options.key}|{reader.key}|{writer.key}"
        return await self._comparisons.get(
            key, lambda: self._workers.compare(reader.schema_type, reader.source, writer.source, options)
        )

    def _rules(self, schema_type: SchemaType) -> str:
        return f"{schema_type.name}|{self._engines[schema_type].version}"

    async def diff(self, old: KnownSchema, new: KnownSchema) -> Differences:
        """What differs, for people; not kept."""
        return await self._workers.diff(old.schema_type, old.source, new.source)

    async def convert(
        self, schema: KnownSchema, target_type: SchemaType, message_name: str, document: bytes
    ) -> Converted:
        """The schema, and a document when there is one, in another language; not kept."""
        return await self._workers.convert(
            Convert(schema.schema_type, schema.source, target_type, message_name, document)
        )

    async def validator(self, schema: KnownSchema) -> DataValidator:
        """The compiled validator of a schema that has been parsed."""

        async def compile_() -> DataValidator:
            compile_validator = self._engines[schema.schema_type].compile_validator
            return await asyncio.to_thread(compile_validator, schema.source)

        return await self._validators.get(schema.key, compile_)


def _closure_size(schema: ReferencedSchema) -> int:
    # What it references is kept, and counted, in entries of its own.
    return len(schema.content) + len(schema.artifact)


def _parsed_size(parsed: ParsedSchema) -> int:
    return len(parsed.canonical) + len(parsed.artifact) + 100 * (len(parsed.names) + len(parsed.warnings) + 4)


def _comparison_size(comparison: Comparison) -> int:
    return 200 + sum(
        500
        + len(v.message)
        + len(v.old_value)
        + len(v.new_value)
        + (2 * len(v.witness.data) if v.witness else 0)
        for v in comparison.violations
    )


def _subject_size(subject: SubjectVersions) -> int:
    return 1500 * len(subject.versions)
