"""Schemas as the engines want them: with the closure of their references, parsed, compared, compiled; each once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from llm_schema_engines.answers.coercion import Coercion
from llm_schema_engines.formats.engine import (
    BoundedValidator,
    Engines,
    ParsedSchema,
    ReferencedSchema,
    SchemaSource,
    reference_depth,
    walk_references,
)
from llm_schema_engines.model.compatibility import CompareOptions, Comparison
from llm_schema_engines.model.difference import Differences
from llm_schema_engines.model.fast_init import fast_init
from llm_schema_engines.model.identity import identity
from llm_schema_engines.model.lint import LintReport
from llm_schema_engines.model.schema import SchemaType
from llm_schema_engines.model.validation import DataReport, Encoding

from ..caches.budget import Budget
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
from ..model.scope import EVERYTHING, SubjectScope
from ..model.subject import Subject
from ..storage.store import ReadTx, Store
from ..workers.task import R, Task, Workers
from ..workers.tasks import (
    AskedAgain,
    CoerceData,
    Convert,
    Converted,
    Corrected,
    Diff,
    Lint,
    Parse,
    ReaskData,
    ReaskOptions,
    Validate,
)
from .comparisons import Comparisons
from .contents import Contents
from .fairness import SHORT_SLICE_SECONDS, Turns
from .references import PinnedReference, pin_references, references_of
from .shared_results import lower
from .subject_versions import NO_VERSIONS, SubjectVersions

LOADED = 200
"""Contents that are read together for a check against a long history."""
LOADED_BYTES = 512 * 1024
"""Bytes of them."""
_VALIDATORS = 16
"""The part of the budget that compiled validators have for themselves: those in use are kept, and counted, with the versions that are
validated under."""


@dataclass(frozen=True, slots=True)
class KnownSchema:
    """A schema with all that decides its meaning. Equal keys mean equal meaning, so that results are cached by key."""

    schema_type: SchemaType
    identity: str
    source: SchemaSource
    key: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        given = self.source.options
        options = "&".join([f"{name}={given[name]}" for name in sorted(given)]) if given else ""
        object.__setattr__(self, "key", f"{self.identity}?{options}")

    def settled(self, parsed: ParsedSchema) -> KnownSchema:
        """The same schema with what parsing found out: the options in force and the engine's artifact."""
        source = SchemaSource(self.source.content, self.source.references, parsed.options, parsed.artifact)
        return KnownSchema(self.schema_type, self.identity, source)


@fast_init
@dataclass(frozen=True, slots=True)
class Resolved:
    """References pinned to versions, and the schema of each. targets: the revisions of those versions when
    they were chosen, by schema id."""

    pinned: tuple[ResolvedReference, ...] = ()
    schemas: tuple[ReferencedSchema, ...] = ()
    targets: Mapping[str, int] = field(default_factory=dict)


class Library:
    """Loads schemas with their references, and runs the engines through the workers; every result is cached by the schema's key.

    inline_seconds: processor time that validating a payload here may take at most. lanes: see Comparisons.
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
        most_reference_depth: int = 100,
        inline_seconds: float = 0.01,
        lanes: int = 2,
        shared: LowerTier | None = None,
    ) -> None:
        self._store, self._most_references, self._most_depth = store, most_references, most_reference_depth
        self._engines, self._workers, self._inline_seconds = engines, workers, inline_seconds
        validators = cache_bytes // _VALIDATORS
        self.budget = share = Budget(cache_bytes - validators)
        """Shared by all that is derived from schemas."""
        self.contents = Contents(store, cache_bytes=share, shared=shared)
        self._subjects: MemoryCache[Subject, SubjectVersions] = MemoryCache(share, _subject_size)
        self._digests: MemoryCache[Subject, SubjectVersions] = MemoryCache(share, _subject_size)
        self._closures: MemoryCache[str, ReferencedSchema] = MemoryCache(share, _closure_size)
        self._parsed: TieredCache[str, ParsedSchema] = TieredCache(
            MemoryCache[str, ParsedSchema](share, _parsed_size),
            lower(shared, "parsed", ParsedSchema),
            name="parsed",
        )
        self._lints: TieredCache[str, LintReport] = TieredCache(
            MemoryCache[str, LintReport](share, _lint_size),
            lower(shared, "lint", LintReport),
            lasting=lambda report: not report.incomplete,
            name="lints",
        )
        self.comparisons = Comparisons(engines, workers, cache_bytes=share, lanes=lanes, shared=shared)
        self._validators = TieredCache(
            MemoryCache[str, BoundedValidator](validators, lambda v: v.size), name="validators"
        )

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
            "comparisons": self.comparisons.stats(),
            "validators": self._validators.stats(),
        }

    # -- what is stored

    def added(self, subject: Subject, before: SubjectVersions, version: SchemaVersion) -> None:
        """A version was committed after `before` was read: the next reader need not read them all again."""
        all_before = before if before.whole else self._subjects.peek(subject)
        if all_before is not None and all_before.stamp == before.stamp:
            self._subjects.put(subject, all_before.followed_by(version))
        digest = self._digests.peek(subject)
        known = digest if digest is not None and digest.stamp == before.stamp else before
        self._digests.put(subject, known.followed_by(version).digest)

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
        now = SubjectVersions.of(every.stamp, tuple(every.versions))
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

    async def known_all(
        self, versions: Sequence[SchemaVersion], *, crowds_out: bool = True
    ) -> Sequence[KnownSchema]:
        """As `known`, of many: their contents are read together. crowds_out: whether what is read is cached where there is no room
        left; not for a history so long that its end would crowd out its beginning."""
        if len(versions) == 1:
            return [await self.known(versions[0])]
        turns, loaded, known = Turns(SHORT_SLICE_SECONDS), dict[str, ReferencedSchema](), list[KnownSchema]()
        cold = [v for v in versions if not v.references and self._closures.peek(v.identity) is None]
        for part in parts(cold):
            contents = await self.contents.of_all(part)
            for version in part:
                content = contents.get(version.identity)
                if content is not None:
                    loaded[version.identity] = self._added_closure(version, content, (), crowds_out)
            await turns.pause_if_due()
        for number, version in enumerate(versions):
            if number % 32 == 0:
                await turns.pause_if_due()
            closure = loaded.get(version.identity) or await self._closure(version)
            source = SchemaSource(closure.content, closure.references, version.options, closure.artifact)
            known.append(KnownSchema(version.schema_type, version.identity, source))
        return known

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
            known = self._added_closure(version, content, tuple(references))
        return known

    def _added_closure(
        self,
        version: SchemaVersion,
        content: StoredContent,
        references: tuple[ReferencedSchema, ...],
        crowds_out: bool = True,
    ) -> ReferencedSchema:
        made = ReferencedSchema("", version.identity, content.content, references, content.artifact)
        if crowds_out:
            self._closures.put(version.identity, made)
        else:
            self._closures.put_if_room(version.identity, made)
        return made

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
        self,
        tx: ReadTx,
        subject: Subject | None,
        references: Sequence[Reference],
        field: str = "references",
        *,
        readable: SubjectScope = EVERYTHING,
    ) -> tuple[PinnedReference, ...]:
        """As references.pin_references, with the limit of the settings."""
        return await pin_references(
            tx, subject, references, field=field, most=self._most_references, readable=readable
        )

    async def resolve(self, pins: Sequence[PinnedReference], field: str = "references") -> Resolved:
        """The schemas that pinned references point to; not for inside a transaction.

        Raises InvalidRequest naming `field` when they reach too many schemas, or too deep.
        """
        schemas = tuple([replace(await self._closure(p.target), name=p.reference.name) for p in pins])
        walked = walk_references(schemas)
        if len(walked) > self._most_references:
            raise InvalidRequest(
                field,
                f"reach more than {self._most_references} schemas; the limit is {self._most_references} (setting limits.references)",
            )
        if (depth := reference_depth(walked)) > self._most_depth:
            raise InvalidRequest(
                field,
                f"{depth} schemas stand below one another, each referenced by the next; the limit is {self._most_depth} (setting "
                "limits.reference_depth)",
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
        return await self.comparisons.of(reader, writer, options)

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

    async def run(self, task: Task[R]) -> R:
        """The result of a task about schemas that is not cached. Raises as Workers.run."""
        return await self._workers.run(task)

    async def validator(self, schema: KnownSchema) -> BoundedValidator:
        """The validator of a schema that has been parsed, for what is proved cheap."""

        async def compile_() -> BoundedValidator:
            compile_bounded = self._engines[schema.schema_type].compile_bounded
            return await asyncio.to_thread(compile_bounded, schema.source, self._inline_seconds)

        return await self._validators.get(schema.key, compile_)

    async def reask(
        self, schema: KnownSchema, payload: bytes, *, strict: bool, wanted: ReaskOptions
    ) -> AskedAgain:
        """The errors of a payload for a model, found and written in a worker. Raises as `validate_elsewhere`; not cached."""
        return await self._workers.run(
            ReaskData(schema.schema_type, schema.key, schema.source, payload, strict, wanted)
        )

    async def coerce(self, schema: KnownSchema, payload: bytes, kinds: tuple[Coercion, ...]) -> Corrected:
        """A payload with the corrections of these kinds, made in a worker. Raises as `validate_elsewhere`; not cached."""
        return await self._workers.run(CoerceData(schema.key, schema.source, payload, kinds))

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


def parts(versions: Sequence[SchemaVersion]) -> Iterator[Sequence[SchemaVersion]]:
    """Of at most LOADED versions and about LOADED_BYTES."""
    part, size = list[SchemaVersion](), 0
    for version in versions:
        if part and (len(part) == LOADED or size + version.size > LOADED_BYTES):
            yield part
            part, size = [], 0
        part.append(version)
        size += version.size
    if part:
        yield part


def _closure_size(schema: ReferencedSchema) -> int:
    # What it references is cached, and counted, in entries of its own.
    return 150 + len(schema.content) + len(schema.artifact) + 160 * len(schema.references)


def _parsed_size(parsed: ParsedSchema) -> int:
    few = 100 * (len(parsed.names) + len(parsed.warnings) + 4)
    return len(parsed.canonical) + len(parsed.artifact) + few + _lint_size(parsed.lint)


def _lint_size(report: LintReport) -> int:
    return 200 + sum(300 + len(f.message) + len(f.pointer) for f in report.findings)


def _subject_size(subject: SubjectVersions) -> int:
    return subject.held
