"""DiffSchemas: what differs between two schemas, and what that means for readers. Nothing is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llm_schema_engines.compatibility.report import VersionComparison, merge, worst
from llm_schema_engines.compatibility.semver import change_class
from llm_schema_engines.formats.engine import Engines, ParsedSchema
from llm_schema_engines.model.compatibility import (
    ChangeClass,
    CompareOptions,
    CompatibilityLevel,
    CompatibilityReport,
    Direction,
)
from llm_schema_engines.model.difference import Differences
from llm_schema_engines.model.schema import SchemaType

from ..errors import InvalidRequest, SchemaTypeMismatch, UnsupportedSchemaType
from ..model.config import EffectiveConfig
from ..model.schema import Reference, SchemaVersion
from ..model.scope import EVERYTHING, SubjectScope
from ..model.selector import Selector
from ..model.subject import Subject
from ..storage.store import ReadTx, Store
from .assessment import Assessor, compare_options
from .configuration import Scope, effective
from .library import KnownSchema, Library
from .limits import RequestLimits
from .reading import version_by_id
from .selection import choose_or_raise


@dataclass(frozen=True, slots=True)
class RegisteredSchema:
    """A registered schema: by id, or by subject and selector."""

    schema_id: str = ""
    subject: Subject | None = None
    selector: Selector | None = None


@dataclass(frozen=True, slots=True)
class GivenSchema:
    """A schema that comes with the request. readable: the subjects that its references may point to."""

    schema_type: SchemaType
    content: bytes
    references: Sequence[Reference] = ()
    field: str = "schema_content"
    readable: SubjectScope = EVERYTHING


Operand = RegisteredSchema | GivenSchema


@dataclass(frozen=True, slots=True)
class SchemaDiff:
    """What differs, the class of the change, both directions, and what the two schemas are called."""

    differences: Differences
    change: ChangeClass
    backward: CompatibilityReport
    forward: CompatibilityReport
    old_name: str
    new_name: str


@dataclass(frozen=True, slots=True)
class _Side:
    schema: KnownSchema
    parsed: ParsedSchema
    name: str


class Diffing:
    """The use case behind DiffSchemas."""

    def __init__(
        self,
        store: Store,
        library: Library,
        assessor: Assessor,
        engines: Engines,
        *,
        defaults: EffectiveConfig,
        limits: RequestLimits,
    ) -> None:
        self._store, self._library, self._assessor, self._engines = store, library, assessor, engines
        self._defaults, self._limits = defaults, limits

    async def __call__(self, old: Operand, new: Operand) -> SchemaDiff:
        """Raises what reading or parsing either schema raises, and SchemaTypeMismatch for two types."""
        subject = old.subject if isinstance(old, RegisteredSchema) else None
        before = await self._side(old, "old")
        after = await self._side(new, "new")
        if before.schema.schema_type is not after.schema.schema_type:
            raise SchemaTypeMismatch(
                before.name, after.schema.schema_type.name, before.schema.schema_type.name
            )
        async with self._store.read() as tx:
            config = await effective(tx, Scope(subject), self._defaults)
        options = compare_options(config)
        backward = await self._report(before, after, Direction.BACKWARD, options)
        forward = await self._report(before, after, Direction.FORWARD, options)
        return SchemaDiff(
            differences=await self._library.diff(before.schema, after.schema),
            change=change_class(
                before.parsed.fingerprints,
                after.parsed.fingerprints,
                worst([backward.verdict]),
                same_canonical=before.parsed.canonical == after.parsed.canonical,
            ),
            backward=backward,
            forward=forward,
            old_name=before.name,
            new_name=after.name,
        )

    async def known(self, operand: Operand, field: str) -> KnownSchema:
        """The schema that an operand names, parsed."""
        return (await self._side(operand, field)).schema

    async def _side(self, operand: Operand, field: str) -> _Side:
        schema, name = await self._find(operand, field)
        parsed = await self._library.parse(schema)
        return _Side(schema.settled(parsed), parsed, name)

    async def _find(self, operand: Operand, field: str) -> tuple[KnownSchema, str]:
        if isinstance(operand, RegisteredSchema):
            async with self._store.read() as tx:
                version = await _version_of(tx, operand, field)
            return await self._library.known(version), f"{version.subject} {version.version}"
        if operand.schema_type not in self._engines:
            raise UnsupportedSchemaType(operand.schema_type.name)
        self._limits.check_content(operand.content, f"{field}.{operand.field}")
        place = f"{field}.references"
        async with self._store.read() as tx:
            config = await effective(tx, Scope(), self._defaults)
            pins = await self._library.pin_references(
                tx, None, operand.references, place, readable=operand.readable
            )
        resolved = await self._library.resolve(pins, place)
        schema = self._library.candidate(operand.schema_type, operand.content, resolved, config)
        return schema, f"the given {field} schema"

    async def _report(
        self, before: _Side, after: _Side, direction: Direction, options: CompareOptions
    ) -> CompatibilityReport:
        level = CompatibilityLevel.BACKWARD if direction is Direction.BACKWARD else CompatibilityLevel.FORWARD
        comparison = await self._assessor.compare(after.schema, before.schema, direction, options)
        return merge(
            level,
            [VersionComparison(before.name, direction, comparison)],
            [before.name],
            allow_undecided=False,
            options=options,
            change_class=ChangeClass.UNCLASSIFIED,
        )


async def _version_of(tx: ReadTx, operand: RegisteredSchema, field: str) -> SchemaVersion:
    if operand.schema_id:
        return await version_by_id(tx, operand.schema_id)
    if operand.subject is not None and operand.selector is not None:
        return choose_or_raise(
            operand.subject, await tx.versions(operand.subject, include_deleted=True), operand.selector
        )
    raise InvalidRequest(field, "names no schema; give schema_id, subject or schema_content")
