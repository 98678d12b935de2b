"""Schemas as the engines want them: with the closure of their references, parsed, compared, compiled; each once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from llm_schema_engines.formats.engine import (
    BoundedValidator,
    Engines,
    ParsedSchema,
    ReferencedSchema,
    SchemaSource,
    walk_references,
)
from llm_schema_engines.model.compatibility import CompareOptions, Comparison
from llm_schema_engines.model.difference import Differences
from llm_schema_engines.model.identity import identity
from llm_schema_engines.model.lint import LintReport
from llm_schema_engines.model.schema import SchemaType
from llm_schema_engines.model.validation import DataReport, Encoding

from ..caches.cache import CacheStats, LowerTier
from ..caches.memory import MemoryCache
from ..caches.tiered import TieredCache
from ..errors import InvalidRequest, SchemaNotFound, StorageDamaged
from ..model.config import EffectiveConfig
from ..model.schema import (
    Reference,
    ResolvedReference,
    SchemaVersion,
    StoredContent,
)
from ..model.subject import Subject
from ..storage.store import ReadTx, Store
from ..workers.task import Workers
from ..workers.tasks import Compare, Convert, Converted, Diff, Lint, Parse, Validate
from .contents import Contents
from .references import PinnedReference, pin_references, references_of
from .shared_results import lower
from .subject_versions import NO_VERSIONS, SubjectVersions

SHARES = 8
"""Caches that divide the budget evenly: contents, subjects, their digests, closures, parsed schemas, lint reports,
comparisons, validators."""


@dataclass(frozen=True, slots=True)
class KnownSchema:
    """A schema with all that decides its meaning. Equal keys mean equal meaning, so that results are cached by key."""

    schema_type: SchemaType
    identity: str
    source: SchemaSource
    key: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        options = "&".join([f"{name}={value}" for name, value in sorted(self.source.options.items())])
        object.__setattr__(self, "key", f"{self.identity}?{options}")

    def settled(self, parsed: ParsedSchema) -> KnownSchema:
        """The same schema with what parsing found out: the options in force and the engine's artifact."""
        source = SchemaSource(self.source.content, self.source.references, parsed.options, parsed.artifact)
        return KnownSchema(self.schema_type, self.identity, source)


@dataclass(frozen=True, slots=True)
class Resolved:
    """References pinned to versions, and the schema of each. targets: the revisions of those versions when
    they were chosen, by schema id."""

    pinned: tuple[ResolvedReference, ...] = ()
    schemas: tuple[ReferencedSchema, ...] = ()
    targets: Mapping[str, int] = field(default_factory=dict)


class Library:
    """Loads schemas with their references, and runs the engines through the workers; every result is cached by the schema's key.

    inline_seconds: processor time that validating a payload here may take at most.
    shared: a tier, common to all instances, for contents and for what parsing and comparing found out.
    """

    def __init__(
        self,
        store: Store,
        engines: Engines,
        workers: Workers,
        *,
        cache_bytes: int,
        most_references: int,
        inline_seconds: float = 0.01,
        shared: LowerTier | None = None,
    ) -> None:
        self._store, self._most_references = store, most_references
        self._engines, self._workers, self._inline_seconds = engines, workers, inline_seconds
        share = cache_bytes // SHARES
        self.contents = Contents(store, cache_bytes=share, shared=shared)
        self._subjects: MemoryCache[Subject, SubjectVersions] = MemoryCache(share, _subject_size)
        self._digests: MemoryCache[Subject, SubjectVersions] = MemoryCache(share, _subject_size)
        self._closures: MemoryCache[str, ReferencedSchema] = MemoryCache(share, _closure_size)
        self._parsed: TieredCache[str, ParsedSchema] = TieredCache(
            MemoryCache[str, ParsedSchema](share, _parsed_size), lower(shared, "parsed", ParsedSchema)
        )
        self._lints: TieredCache[str, LintReport] = TieredCache(
            MemoryCache[str, LintReport](share, _lint_size),
            lower(shared, "lint", LintReport),
            lasting=lambda report: not report.incomplete,
        )
        self._comparisons: TieredCache[str, Comparison] = TieredCache(
            MemoryCache[str, Comparison](share, _comparison_size),
            lower(shared, "comparison", Comparison),
            lasting=lambda comparison: comparison.lasting,
        )
        self._validators = TieredCache(MemoryCache[str, BoundedValidator](share, lambda v: v.size))

    @property
    def inline_seconds(self) -> float:
        return self._inline_seconds

    def stats(self) -> Mapping[str, CacheStats]:
        """Size, hits and misses of each cache."""
        return {
            "contents": self.contents.stats(),
            "subjects": self._subjects.stats(),
            "digests": self._digests.stats(),
            "closures": self._closures.stats(),
            "parsed": self._parsed.stats(),
            "lints": self._lints.stats(),
            "comparisons": self._comparisons.stats(),
            "validators": self._validators.stats(),
        }

    # -- what is stored

    def added(self, subject: Subject, before: SubjectVersions, version: SchemaVersion) -> None:
        """A version was committed after `before` was read: the next reader need not read them all again."""
        all_before = before if before.whole else self._subjects.peek(subject)
        after = before.followed_by(version)
        if all_before is not None and all_before.stamp == before.stamp:
            self._subjects.put(subject, after if all_before is before else all_before.followed_by(version))
        self._digests.put(subject, after.digest)

    async def versions(self, subject: Subject, *, whole: bool = True) -> SubjectVersions:
        """All versions of a subject (not `whole`: perhaps their digest) as they are now; not for inside a transaction. Only
        those are read that have changed since the subject was read last, unless one was removed."""
        known = self._subjects.get(subject) if whole else self._digest(subject)
        if known is not None:
            news = await self._store.versions_since(subject, known.stamp[1])
            now = known.updated_to(news.stamp, news.versions)
            if now is not None:
                self._cache_versions(subject, now)
                return now
        every = await self._store.versions_since(subject, 0)
        now = SubjectVersions(every.stamp, tuple(every.versions))
        self._cache_versions(subject, now)
        return now

    def _digest(self, subject: Subject) -> SubjectVersions | None:
        return self._digests.get(subject) or self._subjects.peek(subject)

    def _cache_versions(self, subject: Subject, now: SubjectVersions) -> None:
        if now.stamp == NO_VERSIONS:
            return
        if now.whole:
            self._subjects.put(subject, now)
        self._digests.put(subject, now.digest)

    async def content(self, version: SchemaVersion) -> StoredContent:
        """The stored content of a version; not for inside a transaction. Raises SchemaNotFound when it was removed since it was
        read, StorageDamaged when its content is missing."""
        return await self.contents.of(version)

    def cached_versions(
        self, subject: Subject, stamp: tuple[int, int], *, whole: bool
    ) -> SubjectVersions | None:
        """All versions of a subject at a stamp, or their digest; None when they are not cached."""
        if stamp == NO_VERSIONS:
            return SubjectVersions(stamp, ())
        known = (self._subjects if whole else self._digests).get(subject)
        return known if known is not None and known.stamp == stamp else None

    async def known(self, version: SchemaVersion) -> KnownSchema:
        """A stored version with its closure; not for inside a transaction. Raises as `content` does."""
        closure = await self._closure(version)
        source = SchemaSource(closure.content, closure.references, version.options, closure.artifact)
        return KnownSchema(version.schema_type, version.identity, source)

    async def _closure(self, version: SchemaVersion) -> ReferencedSchema:
        known = self._closures.get(version.identity)
        return known or await self._assembled(version, await self._targets(version))

    async def _assembled(
        self, version: SchemaVersion, targets: Mapping[str, SchemaVersion]
    ) -> ReferencedSchema:
        known = self._closures.get(version.identity)
        if known is None:
            content = await self.contents.of(version)
            references = [
                replace(await self._assembled(targets[used.schema_id], targets), name=used.name)
                for used in version.references
            ]
            known = ReferencedSchema(
                "", version.identity, content.content, tuple(references), content.artifact
            )
            self._closures.put(version.identity, known)
        return known

    async def _targets(self, version: SchemaVersion) -> Mapping[str, SchemaVersion]:
        """Every version that this one references, directly or through others, by id."""
        targets: dict[str, SchemaVersion] = {}
        if not version.references:
            return targets
        left = [version]
        async with self._store.read() as tx:
            while left:
                using = left.pop()
                for used in using.references:
                    if used.schema_id in targets:
                        continue
                    target = await tx.version(used.schema_id)
                    if target is None:
                        raise await _broken(tx, version, using, used.schema_id)
                    targets[used.schema_id] = target
                    left.append(target)
        return targets

    # -- what arrives

    async def pin_references(
        self, tx: ReadTx, subject: Subject | None, references: Sequence[Reference], field: str = "references"
    ) -> tuple[PinnedReference, ...]:
        """As references.pin_references, with the limit of the settings."""
        return await pin_references(tx, subject, references, field=field, most=self._most_references)

    async def resolve(self, pins: Sequence[PinnedReference], field: str = "references") -> Resolved:
        """The schemas that pinned references point to; not for inside a transaction.

        Raises InvalidRequest naming `field` when they reach too many schemas.
        """
        schemas = tuple([replace(await self._closure(p.target), name=p.reference.name) for p in pins])
        if len(walk_references(schemas)) > self._most_references:
            raise InvalidRequest(
                field,
                f"reach more than {self._most_references} schemas; the limit is {self._most_references} (setting limits.references)",
            )
        return Resolved(references_of(pins), schemas, {p.target.schema_id: p.target.revision for p in pins})

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
        task, workers = Parse(schema.schema_type, schema.source), self._workers
        return await self._parsed.get(key, lambda: workers.run(task), lambda: workers.run_now(task))

    async def lint(self, schema: KnownSchema, parsed: ParsedSchema, rules: frozenset[str]) -> LintReport:
        """What the rules with these ids find in a schema that was parsed as `parsed`, and what its parser warned of."""
        key = f"{self._rules(schema.schema_type)}|{','.join(sorted(rules))}|{schema.key}"
        settled = schema.settled(parsed)
        task, workers = Lint(schema.schema_type, settled.source, parsed.warnings, rules), self._workers
        return await self._lints.get(key, lambda: workers.run(task))

    async def compare(self, reader: KnownSchema, writer: KnownSchema, options: CompareOptions) -> Comparison:
        """May `reader` read everything that `writer` writes?"""
        key = f"{self._rules(reader.schema_type)}|{options.key}|{reader.key}|{writer.key}"
        task, workers = Compare(reader.schema_type, reader.source, writer.source, options), self._workers
        return await self._comparisons.get(key, lambda: workers.run(task), lambda: workers.run_now(task))

    def _rules(self, schema_type: SchemaType) -> str:
        return f"{schema_type.name}|{self._engines[schema_type].version}"

    async def diff(self, old: KnownSchema, new: KnownSchema) -> Differences:
        """What differs, for people; not cached."""
        return await self._workers.run(Diff(old.schema_type, old.source, new.source))

    async def convert(
        self, schema: KnownSchema, target_type: SchemaType, message_name: str, document: bytes
    ) -> Converted:
        """The schema, and a document when there is one, in another language; not cached."""
        return await self._workers.run(
            Convert(schema.schema_type, schema.source, target_type, message_name, document)
        )

    async def validator(self, schema: KnownSchema) -> BoundedValidator:
        """The validator of a schema that has been parsed, for what is proved cheap."""

        async def compile_() -> BoundedValidator:
            compile_bounded = self._engines[schema.schema_type].compile_bounded
            return await asyncio.to_thread(compile_bounded, schema.source, self._inline_seconds)

        return await self._validators.get(schema.key, compile_)

    async def validate_elsewhere(
        self,
        schema: KnownSchema,
        payload: bytes,
        *,
        encoding: Encoding,
        strict: bool,
        max_errors: int,
        message_name: str,
    ) -> DataReport:
        """What a schema makes of a payload, found in a worker. Raises InvalidRequest when `encoding` or `message_name` does not
        fit the schema, LimitExceeded when it takes too long; not cached."""
        return await self._workers.run(
            Validate(
                schema.schema_type,
                schema.key,
                schema.source,
                payload,
                encoding,
                strict,
                max_errors,
                message_name,
            )
        )


async def _broken(
    tx: ReadTx, start: SchemaVersion, using: SchemaVersion, gone: str
) -> SchemaNotFound | StorageDamaged:
    """Why a reference points to nothing. A version may go once nothing uses it: then the whole chain has gone."""
    if await tx.version(start.schema_id) is None:
        return SchemaNotFound(start.schema_id)
    return StorageDamaged(
        f"schema {using.schema_id!r} references {gone!r}, which is gone", schema_id=using.schema_id
    )


def _closure_size(schema: ReferencedSchema) -> int:
    # What it references is cached, and counted, in entries of its own.
    return len(schema.content) + len(schema.artifact)


def _parsed_size(parsed: ParsedSchema) -> int:
    few = 100 * (len(parsed.names) + len(parsed.warnings) + 4)
    return len(parsed.canonical) + len(parsed.artifact) + few + _lint_size(parsed.lint)


def _lint_size(report: LintReport) -> int:
    return 200 + sum(300 + len(f.message) + len(f.pointer) for f in report.findings)


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
