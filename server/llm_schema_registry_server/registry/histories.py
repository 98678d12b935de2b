"""A schema compared with the versions of a history, newest first and part by part: however long the history is, the contents of one part
are held at a time, and a schema that many versions refuse already is not compared with the thousands before them.

docs/decisions/0054-long-histories.md
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from llm_schema_engines.compatibility.report import VersionComparison
from llm_schema_engines.compatibility.search import MAX_VERSIONS
from llm_schema_engines.model.compatibility import CompareOptions, Comparison, Direction, Verdict

from ..model.schema import SchemaVersion
from .comparisons import COMPATIBLE, shares_proofs
from .fairness import SHORT_SLICE_SECONDS, Turns
from .library import KnownSchema, Library, parts

MOST_REFUSING = 100
"""After so many versions that refuse a schema, it is not compared with older ones."""
MOST_VIOLATIONS = 500
"""As MOST_REFUSING, of violations; of versions that do not refuse, no more violations are told."""
_LOOK = 32
"""Versions between two looks at the clock."""


@dataclass(slots=True)
class HistoryFindings:
    """What comparisons with a history have found.

    findings: by version, then by direction, those that are more than compatible. compared: the numbers of the versions that were
    compared, newest first. left: how many older ones were not. first: the versions of the first part, loaded; of at most
    MAX_VERSIONS that is all of them. answers: theirs, for each direction.
    """

    findings: list[VersionComparison] = field(default_factory=list)
    compared: list[str] = field(default_factory=list)
    left: int = 0
    first: Sequence[KnownSchema] = ()
    answers: Sequence[Sequence[Comparison]] = ()


async def compare_with_history(
    library: Library,
    schema: KnownSchema,
    versions: Sequence[SchemaVersion],
    directions: Sequence[Direction],
    options: CompareOptions,
    *,
    allow_undecided: bool,
) -> HistoryFindings:
    """versions: newest first, all of the schema's type. allow_undecided: whether UNDECIDED refuses nothing."""
    turns, bounds = Turns(SHORT_SLICE_SECONDS), _Bounds(allow_undecided)
    found, proved = HistoryFindings(), set[str]()
    share = shares_proofs(schema.schema_type, options)
    for part in _rounds(versions):
        new = [v for v in part if v.fingerprints.validation not in proved]
        known = await library.known_all(new, crowds_out=len(part) == len(versions))
        meanings = [v.fingerprints.validation for v in new]
        answers = [
            await library.comparisons.with_all(schema, known, direction, options, meanings)
            for direction in directions
        ]
        if not found.compared:
            found.first, found.answers = known, answers
        of_each = dict(zip([v.schema_id for v in new], zip(*answers, strict=True), strict=False))
        for number, version in enumerate(part):
            if number % _LOOK == 0:
                await turns.pause_if_due()
            answer = of_each.get(version.schema_id, ())
            if share and all(comparison == COMPATIBLE for comparison in answer):
                proved.add(version.fingerprints.validation)
            name = str(version.version)
            found.compared.append(name)
            for direction, comparison in zip(directions, answer, strict=False):
                if comparison != COMPATIBLE:
                    told = bounds.told(name, comparison)
                    found.findings.append(VersionComparison(name, direction, told))
            if bounds.reached:
                found.left = len(versions) - len(found.compared)
                return found
    return found


class _Bounds:
    """How much a report tells."""

    def __init__(self, allow_undecided: bool) -> None:
        self._allowed = (Verdict.YES, Verdict.UNDECIDED) if allow_undecided else (Verdict.YES,)
        self._refusing = set[str]()
        self._violations = 0

    @property
    def reached(self) -> bool:
        """Whether the schema is refused, and by enough."""
        return len(self._refusing) >= MOST_REFUSING or bool(self._refusing and self._full)

    @property
    def _full(self) -> bool:
        return self._violations >= MOST_VIOLATIONS

    def told(self, version: str, comparison: Comparison) -> Comparison:
        """Counts a finding; what of it a report has room for."""
        if comparison.verdict not in self._allowed:
            self._refusing.add(version)
        elif self._full:
            return replace(comparison, violations=())
        self._violations += len(comparison.violations)
        return comparison


def _rounds(versions: Sequence[SchemaVersion]) -> Iterator[Sequence[SchemaVersion]]:
    """Parts of which each is loaded and compared before the next. Of few versions remedies are tried, which asks for them all."""
    return parts(versions) if len(versions) > MAX_VERSIONS else iter([versions] if versions else [])
