"""CheckCompatibility: could this schema become the next version of a subject? Nothing is stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from llm_schema_engines.formats.engine import Engines, ParsedSchema
from llm_schema_engines.model.compatibility import CompatibilityLevel
from llm_schema_engines.model.schema import SchemaType

from ..audit.verdicts import Examined
from ..errors import InvalidSchema, SchemaNotFound, SubjectNotFound, UnsupportedSchemaType
from ..model.config import EffectiveConfig
from ..model.schema import Reference, SchemaVersion
from ..model.scope import EVERYTHING, SubjectScope
from ..model.selector import Range, Selector
from ..model.subject import Subject
from ..storage.store import Store
from .assessment import Assessment, Assessor
from .library import KnownSchema, Library, Resolved
from .limits import RequestLimits
from .references import PinnedReference
from .selection import choose_or_raise
from .subject_versions import SubjectVersions
from .subject_view import SubjectView, subject_view


@dataclass(frozen=True, slots=True)
class CompatibilityQuestion:
    """A schema and what to compare it with.

    level: None asks the subject's own. compare_version: None compares with what the level names.
    schema_type: None is the type of the compared version, else of the newest one that counts in checks, else of the newest.
    readable: the subjects that references may point to.
    """

    subject: Subject
    content: bytes
    level: CompatibilityLevel | None = None
    compare_version: Selector | None = None
    references: Sequence[Reference] = ()
    schema_type: SchemaType | None = None
    readable: SubjectScope = EVERYTHING


@dataclass(frozen=True, slots=True)
class Candidate:
    """A schema that may become the next version: parsed, with its references, the settings in force, the versions before it, and the only
    one that it is compared with where the question names one."""

    schema: KnownSchema
    parsed: ParsedSchema
    resolved: Resolved
    config: EffectiveConfig
    versions: Sequence[SchemaVersion]
    only: SchemaVersion | None


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
        """As `examine`, of which it answers with the assessment."""
        return (await self._settled(question))[0]

    async def examine(self, question: CompatibilityQuestion) -> Examined:
        """What was examined and found out.

        An incompatible schema is an answer, not an error.

        Raises InvalidSchema for one that cannot be parsed, SubjectNotFound where the subject has no version and no
        type was given, and what resolving references raises.
        """
        return (await self._settled(question))[1]()

    async def _settled(self, question: CompatibilityQuestion) -> tuple[Assessment, Callable[[], Examined]]:
        while (
            True
        ):  # until no version that it compares with is removed meanwhile; the call's deadline bounds it
            try:
                return await self._answer(question)
            except SchemaNotFound:
                continue

    async def _answer(self, question: CompatibilityQuestion) -> tuple[Assessment, Callable[[], Examined]]:
        """As `_settled`; raises SchemaNotFound when a version that it has seen was removed for ever."""
        asked = await self.candidate(question)
        assessment = await self._assessor.assess(
            question.subject,
            asked.schema,
            asked.parsed,
            asked.versions,
            asked.config,
            level=question.level or asked.config.level,
            only=asked.only,
        )

        def examined() -> Examined:
            compared = set(assessment.report.compared_versions)
            candidates = asked.versions if asked.only is None else [asked.only]
            return Examined(
                str(question.subject),
                asked.schema.schema_type,
                asked.parsed.fingerprints,
                asked.resolved.pinned,
                [v for v in candidates if str(v.version) in compared],
                assessment.report,
            )

        return assessment, examined

    async def candidate(self, question: CompatibilityQuestion) -> Candidate:
        """The schema of a question, parsed, and what it is to be compared with. Raises as `examine`, and SchemaNotFound when a version that
        it has seen was removed for ever."""
        self._limits.check_content(question.content, "new_schema")
        resolved = await self._library.resolve(await self._pins(question))
        subject = question.subject
        view = await self._view(question)
        config, versions = view.config, view.versions.versions
        only = await self._compared(question, view.versions)
        newest = only or next((v for v in reversed(versions) if v.live), None)
        if question.schema_type is not None:
            schema_type = question.schema_type
        elif newest is not None:
            schema_type = newest.schema_type
        else:
            raise SubjectNotFound(str(subject), deleted=view.precondition.stamp[0])
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
        return Candidate(schema.settled(parsed), parsed, resolved, config, versions, only)

    async def _pins(self, question: CompatibilityQuestion) -> Sequence[PinnedReference]:
        if not question.references:
            return ()
        async with self._store.read() as tx:
            return await self._library.pin_references(
                tx, question.subject, question.references, readable=question.readable
            )

    async def _view(self, question: CompatibilityQuestion) -> SubjectView:
        """The settings and as many versions as the question needs: of a subject with thousands of them a level that is not
        transitive asks about the newest one."""
        view = partial(
            subject_view, self._store, self._library, question.subject, self._defaults, level=question.level
        )
        found = await view(whole=isinstance(question.compare_version, Range))
        if question.schema_type is None and not any(v.live for v in found.versions.versions):
            return await view(whole=True)  # a digest leaves out versions that were never registered
        return found

    async def _compared(
        self, question: CompatibilityQuestion, versions: SubjectVersions
    ) -> SchemaVersion | None:
        """The version that the question names, if any; raises SubjectNotFound or VersionNotFound."""
        selector = question.compare_version
        if selector is None:
            return None
        if not isinstance(selector, Range):
            found = await self._store.selected(question.subject, selector)
            if found is not None:
                return found.version
        if not versions.whole:
            versions = await self._library.versions(question.subject)
        return choose_or_raise(question.subject, versions.versions, selector)
