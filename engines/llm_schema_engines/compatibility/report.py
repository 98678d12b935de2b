"""Merges the comparisons of a check into one report. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..model.compatibility import (
    ChangeClass,
    CompareOptions,
    Comparison,
    CompatibilityLevel,
    CompatibilityReport,
    Direction,
    Remedy,
    Severity,
    Verdict,
    Violation,
)
from .advice import advice


@dataclass(frozen=True, slots=True)
class VersionComparison:
    """The comparison with one version in one direction."""

    version: str
    direction: Direction
    comparison: Comparison


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """NO if any is NO, else UNDECIDED if any is UNDECIDED, else YES (also for none)."""
    if Verdict.NO in verdicts:
        return Verdict.NO
    return Verdict.UNDECIDED if Verdict.UNDECIDED in verdicts else Verdict.YES


def merge(
    level: CompatibilityLevel,
    comparisons: Sequence[VersionComparison],
    compared: Sequence[str],
    *,
    allow_undecided: bool,
    options: CompareOptions,
    change_class: ChangeClass,
    suggested_version: str = "",
    left: int = 0,
) -> CompatibilityReport:
    """One report. Its violations keep the order of the comparisons and name the version and the direction.

    allow_undecided: UNDECIDED counts as compatible; the verdict stays UNDECIDED. left: versions that were not compared, because
    others refuse the schema.
    """
    verdict = worst([f.comparison.verdict for f in comparisons])
    compatible = verdict is Verdict.YES or (verdict is Verdict.UNDECIDED and allow_undecided)
    violations = tuple(
        replace(v, direction=f.direction, compared_version=f.version)
        for f in comparisons
        for v in f.comparison.violations
    )
    message = _message(level, verdict, compatible, violations, compared)
    if left:
        message += f"; {left:,} older versions were not compared any more"
    return CompatibilityReport(
        compatible=compatible,
        verdict=verdict,
        level=level,
        violations=violations,
        compared_versions=tuple(compared),
        message=message,
        change_class=change_class,
        options=options,
        suggested_version=suggested_version,
    )


def with_remedies(report: CompatibilityReport, remedies: Sequence[Remedy]) -> CompatibilityReport:
    """The report with remedies, or with advice by the broken rules when there are none; its message names the first one."""
    remedies = remedies or advice(report.violations)
    if not remedies:
        return report
    return replace(
        report, remedies=tuple(remedies), message=f"{report.message}. Way out: {remedies[0].message}"
    )


def _message(
    level: CompatibilityLevel,
    verdict: Verdict,
    compatible: bool,
    violations: Sequence[Violation],
    compared: Sequence[str],
) -> str:
    if level is CompatibilityLevel.NONE:
        return "level NONE: nothing is checked"
    if not compared:
        return "there is no earlier version to compare with"
    against = compared[0] if len(compared) == 1 else f"{len(compared)} versions"
    if verdict is Verdict.YES:
        return f"{level.name} compatible with {against}"
    if verdict is Verdict.UNDECIDED:
        first = next((v for v in violations if v.undecided), None)
        why = f": {first.path or 'root'}: {first.message}" if first else ""
        way = "allowed by the subject" if compatible else "counts as incompatible"
        return f"{level.name} compatibility with {against} could not be decided ({way}){why}"
    errors = [v for v in violations if v.severity is Severity.ERROR and not v.undecided]
    first = errors[0] if errors else violations[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"not {level.name} compatible with {first.compared_version}: {first.path or 'root'}: {first.message}{more}"
