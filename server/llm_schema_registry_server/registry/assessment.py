"""Checks a schema as the next version of a subject: compatibility at a level, change class, semantic version."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from llm_schema_engines.compatibility.levels import BACKWARD, LEVEL_REQUIREMENTS
from llm_schema_engines.compatibility.report import merge, with_remedies, worst
from llm_schema_engines.compatibility.search import MAX_VERSIONS, FailedCheck
from llm_schema_engines.compatibility.semver import change_class, check_explicit, next_version
from llm_schema_engines.formats.engine import ParsedSchema
from llm_schema_engines.model.compatibility import (
    ChangeClass,
    CompareOptions,
    Comparison,
    CompatibilityLevel,
    CompatibilityReport,
    Direction,
    Remedy,
    Verdict,
)
from llm_schema_engines.model.fast_init import fast_init
from llm_schema_engines.model.lint import NOTHING_FOUND, LintReport
from llm_schema_engines.model.version import SemanticVersion

from ..errors import IncompatibleSchema, SchemaTypeMismatch, VersionNotGreater
from ..errors.missing import way_to_undelete
from ..model.config import REFUSING, EffectiveConfig, LintPolicy, UndecidedPolicy
from ..model.lifecycle import EVER_REGISTERED
from ..model.schema import SchemaVersion
from ..model.subject import Subject
from ..telemetry.work import Work
from .comparable import comparable_versions, versions_to_compare
from .fairness import SHORT_SLICE_SECONDS, Turns
from .gating import ProviderGate
from .histories import HistoryFindings, compare_with_history
from .library import KnownSchema, Library
from .linting import admit_lint
from .numbering import greatest
from .remedies import Remedies

_STAYS_DELETED = "; it stays softly deleted: relax `lint` with SetConfig to bring it back"
_STAYS_OUT = "it stays softly deleted: relax `profiles` or `worst_fit` with SetConfig to bring it back"
_VERDICTS = {Verdict.YES: "compatible", Verdict.NO: "incompatible", Verdict.UNDECIDED: "undecided"}
_OPPOSITE = {Direction.BACKWARD: Direction.FORWARD, Direction.FORWARD: Direction.BACKWARD}


@fast_init
@dataclass(frozen=True, slots=True)
class Assessment:
    """The report, what kind of change it is, and the semantic version that would follow."""

    report: CompatibilityReport
    change: ChangeClass
    version: SemanticVersion
    lint: LintReport = NOTHING_FOUND
    """What the registration tells of the schema itself."""

    @property
    def evidence(self) -> CompatibilityReport | None:
        """The report, or None when nothing was compared."""
        return self.report if self.report.compared_versions else None


def admitted(version: SchemaVersion, assessment: Assessment, level: CompatibilityLevel) -> SchemaVersion:
    """The version with what the check at `level` has found out: its number and the class of its change."""
    return replace(version, version=assessment.version, change_class=assessment.change, level=level)


def compare_options(config: EffectiveConfig) -> CompareOptions:
    return CompareOptions(config.strictness, config.writer_model, config.apply_defaults)


def _number(last: SchemaVersion | None, step: ChangeClass, wanted: SemanticVersion | None) -> SemanticVersion:
    """The semantic version after `last`: the wanted one when it is great enough. Raises VersionNotGreater."""
    number = last.version if last is not None else None
    if wanted is None:
        return next_version(number, step)
    try:
        return check_explicit(wanted, number, step)
    except VersionNotGreater as error:
        if last is None or last.live:
            raise
        why = f"the last version, {number}, is softly deleted: {way_to_undelete(last.schema_id)}"
        raise VersionNotGreater(str(wanted), error.metadata["minimum"], why) from error


class Assessor:
    """Runs the comparisons that a level asks for. No transaction is held while a schema is compared.

    remedy_seconds: longest search for ways out of a refusal.
    """

    def __init__(
        self,
        library: Library,
        remedy_seconds: float = 3.0,
        work: Work | None = None,
        gate: ProviderGate | None = None,
    ) -> None:
        """gate: None for no demands of providers."""
        self._work, self._gate = work or Work(), gate
        self._library, self._remedies = library, Remedies(library, remedy_seconds)

    async def assess(
        self,
        subject: Subject,
        schema: KnownSchema,
        parsed: ParsedSchema,
        versions: Sequence[SchemaVersion],
        config: EffectiveConfig,
        *,
        level: CompatibilityLevel,
        wanted: SemanticVersion | None = None,
        only: SchemaVersion | None = None,
    ) -> Assessment:
        """Check `schema` against the versions of `subject` that count.

        versions: all of the subject's, live and softly deleted, or for a level that is not transitive their digest.
        wanted: an explicit semantic version.
        only: compare with this version and no other.
        Raises SchemaTypeMismatch, and VersionNotGreater for a wanted version that is too low.
        """
        began, turns = time.perf_counter(), Turns(SHORT_SLICE_SECONDS)
        candidates = [only] if only is not None else versions_to_compare(level, versions)
        newest = only or next(comparable_versions(versions), None)
        first = candidates[0] if candidates else None
        other = next((v for v in candidates if v.schema_type is not schema.schema_type), None)
        if other is not None:
            raise SchemaTypeMismatch(str(subject), schema.schema_type.name, other.schema_type.name)

        options = compare_options(config)
        demanded = LEVEL_REQUIREMENTS[level].directions
        await turns.pause_if_due()
        found = await self._with_history(schema, candidates, demanded, config)
        change = ChangeClass.UNCLASSIFIED
        if newest is not None:
            # The newest candidate comes first, with its findings; without any, the change has a direction of its own.
            old = found.first[0] if newest is first else await self._library.known(newest)
            verdicts = [answers[0].verdict for answers in found.answers]
            change = await self._change(schema, parsed, newest, old, verdicts, options)
        await turns.pause_if_due()
        last = greatest(versions)
        # Nothing live to compare with, but numbers were given out: nothing is promised about those.
        step = ChangeClass.BREAKING if change is ChangeClass.UNCLASSIFIED else change
        version = _number(last, step, wanted)
        await turns.pause_if_due()
        report = merge(
            level,
            found.findings,
            found.compared,
            allow_undecided=config.undecided is UndecidedPolicy.ALLOW,
            options=options,
            change_class=change,
            suggested_version=str(version),
            left=found.left,
        )
        if not report.compatible and all(f.comparison.lasting for f in found.findings):
            remedies: Sequence[Remedy] = ()
            if len(candidates) <= MAX_VERSIONS:
                verdicts_found = {
                    (place, direction): answer.verdict
                    for direction, answers in zip(demanded, found.answers, strict=True)
                    for place, answer in enumerate(answers)
                }
                refused = FailedCheck(schema, found.first, level, options, verdicts_found)
                remedies = await self._remedies.find(refused)
            report = with_remedies(report, remedies)
        verdict = "compatible" if report.compatible else _VERDICTS[report.verdict]
        self._work.checked(level.name, verdict, (v.rule for v in report.violations), began)
        return Assessment(report, change, version)

    async def admit(
        self,
        subject: Subject,
        schema: KnownSchema,
        parsed: ParsedSchema,
        versions: Sequence[SchemaVersion],
        config: EffectiveConfig,
        *,
        level: CompatibilityLevel,
        wanted: SemanticVersion | None = None,
    ) -> Assessment:
        """What a schema has to pass to become REGISTERED, whether it arrives or is stored already: as `assess`, and raises
        LintRefused for what the subject's lint policy refuses, ProviderRefused for what does not fit the providers that it names,
        IncompatibleSchema for a report that is not compatible."""
        lint = await admit_lint(self._library, subject, schema, parsed, config.lint)
        if config.profiles and self._gate is not None:
            await self._gate.admit(subject, schema, config)
        assessment = await self.assess(subject, schema, parsed, versions, config, level=level, wanted=wanted)
        report = assessment.report
        if not report.compatible:
            raise IncompatibleSchema(str(subject), level.name, report.message, report)
        return replace(assessment, lint=lint) if lint.findings else assessment

    async def admit_stored(
        self,
        version: SchemaVersion,
        versions: Sequence[SchemaVersion],
        config: EffectiveConfig,
        *,
        level: CompatibilityLevel,
        wanted: SemanticVersion | None = None,
    ) -> Assessment:
        """As `admit`, for a version that is stored; also raises InvalidSchema when it no longer parses. One that was let in
        before has passed the lint rules and the providers of that time, and is not asked again."""
        schema = await self._library.known(version)
        parsed = await self._library.parse(schema)
        if version.state in EVER_REGISTERED:
            config = replace(config, lint=LintPolicy.OFF, profiles=())
        return await self.admit(
            version.subject, schema.settled(parsed), parsed, versions, config, level=level, wanted=wanted
        )

    async def admit_back(
        self, version: SchemaVersion, versions: Sequence[SchemaVersion], config: EffectiveConfig
    ) -> None:
        """What a softly deleted version has to pass to come back: the lint policy of today; and at its place among the versions
        that count, it and those that the level compares it with, or would have compared with it, are compatible.

        versions: all of the subject's. Raises LintRefused, ProviderRefused, IncompatibleSchema, SchemaTypeMismatch.
        """
        if version.state in EVER_REGISTERED and config.profiles and self._gate is not None:
            stored = await self._library.known(version)
            await self._gate.admit(version.subject, stored, config, advice=_STAYS_OUT)
        if version.state in EVER_REGISTERED and config.lint in REFUSING:
            stored = await self._library.known(version)
            parsed = await self._library.parse(stored)
            await admit_lint(
                self._library, version.subject, stored, parsed, config.lint, advice=_STAYS_DELETED
            )
        demand = LEVEL_REQUIREMENTS[config.level]
        if not demand.directions or version.state not in EVER_REGISTERED:
            return
        counted = [v for v in comparable_versions(versions) if v.schema_id != version.schema_id]
        earlier = [v for v in counted if v.ordinal < version.ordinal]
        later = [v for v in counted if v.ordinal > version.ordinal]
        if not demand.transitive:
            earlier, later = earlier[:1], later[-1:]
        schema = await self._library.known(version)
        others = [*later, *earlier]
        other = next((v for v in others if v.schema_type is not version.schema_type), None)
        if other is not None:
            raise SchemaTypeMismatch(str(version.subject), version.schema_type.name, other.schema_type.name)
        # Of a later version: what that would be asked about this one, seen from here.
        parts = [(later, [_OPPOSITE[asked] for asked in demand.directions]), (earlier, demand.directions)]
        found = [await self._with_history(schema, some, directions, config) for some, directions in parts]
        report = merge(
            config.level,
            [finding for one in found for finding in one.findings],
            [number for one in found for number in one.compared],
            allow_undecided=config.undecided is UndecidedPolicy.ALLOW,
            options=compare_options(config),
            change_class=version.change_class,
            left=sum(one.left for one in found),
        )
        if not report.compatible:
            why = f"{report.message}; it stays softly deleted: delete what it conflicts with, or relax the level with SetConfig"
            raise IncompatibleSchema(str(version.subject), config.level.name, why, report)

    async def compare(
        self, new: KnownSchema, old: KnownSchema, direction: Direction, options: CompareOptions
    ) -> Comparison:
        if new.key == old.key:
            return Comparison(Verdict.YES)
        reader, writer = (new, old) if direction is Direction.BACKWARD else (old, new)
        return await self._library.compare(reader, writer, options)

    async def _with_history(
        self,
        schema: KnownSchema,
        versions: Sequence[SchemaVersion],
        directions: Sequence[Direction],
        config: EffectiveConfig,
    ) -> HistoryFindings:
        allow = config.undecided is UndecidedPolicy.ALLOW
        return await compare_with_history(
            self._library, schema, versions, directions, compare_options(config), allow_undecided=allow
        )

    async def _change(
        self,
        schema: KnownSchema,
        parsed: ParsedSchema,
        newest: SchemaVersion,
        old: KnownSchema,
        verdicts: Sequence[Verdict],
        options: CompareOptions,
    ) -> ChangeClass:
        """What changes after `newest`, which is `old`. verdicts: those that the level asked for."""
        if newest.schema_type is not schema.schema_type:
            return ChangeClass.BREAKING
        if not verdicts:
            verdicts = [(await self.compare(schema, old, d, options)).verdict for d in BACKWARD]
        canonical = (await self._library.content(newest)).canonical
        return change_class(
            newest.fingerprints,
            parsed.fingerprints,
            worst(verdicts),
            same_canonical=canonical == parsed.canonical,
        )
