"""A compatibility level over the versions of a schema, with the report that the server gives. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..compatibility.levels import BACKWARD, LEVEL_REQUIREMENTS
from ..compatibility.report import VersionComparison, merge, with_remedies, worst
from ..compatibility.search import FailedCheck, find_remedies
from ..compatibility.semver import change_class, next_version
from ..model.compatibility import (
    ChangeClass,
    CompareOptions,
    Comparison,
    CompatibilityLevel,
    CompatibilityReport,
    Direction,
    Remedy,
)
from ..model.version import SemanticVersion
from .arguments import plain_text
from .schema import Schema

SchemaLike = bytes | str | Schema
"""A schema as callers may give it."""
Compare = Callable[[Schema, Schema, CompareOptions], Comparison]
"""reader, writer, options -> may the reader read everything that the writer writes?"""


def named_versions(
    old: SchemaLike | Sequence[SchemaLike] | Mapping[str, SchemaLike],
) -> list[tuple[str, SchemaLike]]:
    """The versions with their names, in the order given; without names they are numbered from 1.

    Raises TypeError for what is no schema.
    """
    if isinstance(old, Mapping):
        named = [(plain_text(name, "old: the name of a version"), version) for name, version in old.items()]
    elif isinstance(old, list | tuple):
        named = [(str(number), version) for number, version in enumerate(old, 1)]
    else:
        named = [("1", old)]  # type: ignore[list-item]  # mypy knows Sequence, which list and tuple stand for here
    for name, version in named:
        if not isinstance(version, bytes | bytearray | memoryview | str | Schema):
            raise TypeError(
                f"old[{name}]: bytes, str or a Schema is expected, not {type(version).__name__}; several versions are "
                "a list, or a mapping of version to schema"
            )
    return named


def assess(
    new: Schema,
    versions: Sequence[tuple[str, Schema]],
    level: CompatibilityLevel,
    compare: Compare,
    *,
    options: CompareOptions,
    allow_undecided: bool,
    numbered: bool,
) -> CompatibilityReport:
    """The report on `new` after `versions`, which are the oldest first. numbered: their names are semantic versions, so that
    the next one can be suggested; raises InvalidVersion when one is none."""
    demand = LEVEL_REQUIREMENTS[level]
    newest_first = versions[::-1]
    candidates = (newest_first if demand.transitive else newest_first[:1]) if demand.directions else []
    comparisons = [
        VersionComparison(version, direction, _ask(new, old, direction, options, compare))
        for version, old in candidates
        for direction in demand.directions
    ]
    change = ChangeClass.UNCLASSIFIED
    if versions:
        newest = versions[-1][1]
        verdicts = [f.comparison.verdict for f in comparisons[: len(demand.directions)]] or [
            _ask(new, newest, direction, options, compare).verdict for direction in BACKWARD
        ]
        change = change_class(
            newest.fingerprints,
            new.fingerprints,
            worst(verdicts),
            same_canonical=newest.canonical == new.canonical,
        )
    report = merge(
        level,
        comparisons,
        [version for version, _ in candidates],
        allow_undecided=allow_undecided,
        options=options,
        change_class=change,
        suggested_version=_suggested([version for version, _ in versions], change) if numbered else "",
    )
    if report.compatible or not all(f.comparison.lasting for f in comparisons):
        return report
    verdicts_by_place = {
        (number // len(demand.directions), f.direction): f.comparison.verdict
        for number, f in enumerate(comparisons)
    }
    refused = FailedCheck(new, [old for _, old in candidates], level, options, verdicts_by_place)
    return with_remedies(report, _remedies(refused, compare))


def _remedies(refused: FailedCheck[Schema], compare: Compare) -> tuple[Remedy, ...]:
    search = find_remedies(refused, Schema.with_content)
    try:
        question = next(search)
        while True:
            question = search.send(compare(question.reader, question.writer, question.options).verdict)
    except StopIteration as end:
        found: tuple[Remedy, ...] = end.value
        return found


def _ask(
    new: Schema, old: Schema, direction: Direction, options: CompareOptions, compare: Compare
) -> Comparison:
    reader, writer = (new, old) if direction is Direction.BACKWARD else (old, new)
    return compare(reader, writer, options)


def _suggested(versions: Sequence[str], change: ChangeClass) -> str:
    numbers = [SemanticVersion.parse(version, f"old[{version}]") for version in versions]
    return str(next_version(max(numbers, default=None), change))
