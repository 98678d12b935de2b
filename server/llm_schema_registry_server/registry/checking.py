"""CheckCompatibility: could this schema become the next version of a subject? Nothing is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llm_schema_engines.formats.engine import Engines
from llm_schema_engines.model.compatibility import CompatibilityLevel
from llm_schema_engines.model.schema import SchemaType

from ..errors import InvalidSchema, SubjectNotFound, UnsupportedSchemaType
from ..model.config import EffectiveConfig
from ..model.schema import Reference, SchemaVersion
from ..model.selector import Selector
from ..model.subject import Subject
from ..storage.store import Store
from .assessment import Assessment, Assessor
from .configuration import Scope, in_force
from .library import Library
from .limits import RequestLimits
from .references import PinnedReference
from .selection import choose_or_raise


@dataclass(frozen=True, slots=True)
class CompatibilityQuestion:
    """A schema and what to compare it with.

    level: None asks the subject's own. compare_version: None compares with what the level names.
    schema_type: None is the type of the subject's newest version.
    """

    subject: Subject
    content: bytes
    level: CompatibilityLevel | None = None
    compare_version: Selector | None = None
    references: Sequence[Reference] = ()
    schema_type: SchemaType | None = None


class Checking:
    """The use case behind CheckCompatibility and its batch twin."""

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

    async def __call__(self, question: CompatibilityQuestion) -> Assessment:
        """An incompatible schema is an answer, not an error.

        Raises InvalidSchema for one that cannot be parsed, SubjectNotFound where the subject has no version and no
        type was given, and what resolving references raises.
        """
        self._limits.check_content(question.content, "new_schema")
        resolved = await self._library.resolve(await self._pins(question))
        config, versions = await self._look(question.subject)
        live = [v for v in versions if v.live]
        only = (
            choose_or_raise(question.subject, versions, question.compare_version)
            if question.compare_version is not None
            else None
        )
        newest = only or (live[-1] if live else None)
        if question.schema_type is not None:
            schema_type = question.schema_type
        elif newest is not None:
            schema_type = newest.schema_type
        else:
            raise SubjectNotFound(str(question.subject))
        if schema_type not in self._engines:
            raise UnsupportedSchemaType(schema_type.name)
        schema = self._library.candidate(
            schema_type,
            question.content,
            resolved,
            config,
        )
        try:
            parsed = await self._library.parse(schema)
        except InvalidSchema as error:
            raise InvalidSchema(error.issues, "new_schema") from error
        return await self._assessor.assess(
            question.subject,
            schema.settled(parsed),
            parsed,
            versions,
            config,
            level=question.level or config.level,
            only=only,
        )

    async def _pins(self, question: CompatibilityQuestion) -> Sequence[PinnedReference]:
        if not question.references:
            return ()
        async with self._store.read() as tx:
            return await self._library.pin_references(tx, question.subject, question.references)

    async def _look(self, subject: Subject) -> tuple[EffectiveConfig, Sequence[SchemaVersion]]:
        """The settings in force for a subject and all of its versions, both of one moment."""
        scope = Scope(subject)
        while True:  # until no writer slips in between; the call's deadline bounds it
            precondition = (await self._store.subject_snapshot(subject, scope.chain, "")).precondition
            known = self._library.remembered(subject, precondition.stamp, whole=True)
            known = known or await self._library.versions(subject)
            if known.stamp == precondition.stamp:
                return in_force(precondition.configs, scope, self._defaults), known.versions
