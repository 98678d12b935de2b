"""Compares two Avro schemas: the verdict, each broken rule with its path and both sides, and data that shows it.

Walks the decided type pairs breadth first from the root, each pair once. Pure.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from ....model.compatibility import Comparison, Severity, Verdict, Violation, Witness
from ..data.binary import BinaryCheckCompiler, BinaryDataError, Check
from ..limits import AvroLimits
from ..schema.nodes import Array, Map, Node, Record, Union, title
from ..schema.text import clip
from ..schema.values import SmallestValues, UnionValue, Value, ValueTooLarge, encode, to_json
from .finding import Finding
from .pairs import Requirement, TooManyPairs, TypePair, decide
from .read import StepLimitReached, Unreadable, resolve
from .rules import BRANCH_MISSING, ResolutionRule, matches


@dataclass(frozen=True, slots=True)
class _Trail:
    """How the walk reached a type pair, as a linked list back to the root.

    `below` is the step in the reader's schema; `requirement` leads the writer's data there, None at the root.
    """

    before: _Trail | None
    below: str
    requirement: Requirement | None
    length: int

    @property
    def path(self) -> str:
        parts = []
        trail: _Trail | None = self
        while trail is not None:
            parts.append(trail.below)
            trail = trail.before
        return "".join(reversed(parts))


def compare(reader: Node, writer: Node, limits: AvroLimits) -> Comparison:
    """May `reader` read everything that `writer` writes?"""
    try:
        root = decide(reader, writer, limits.pairs)
    except TooManyPairs:
        message = (
            f"the comparison needs more than {limits.pairs} pairs of types (setting avro.pairs); "
            "give types distinct names or make unions smaller"
        )
        return Comparison(
            Verdict.UNDECIDED, (Violation("AVRO_COMPARISON_TOO_LARGE", "", message, undecided=True),)
        )
    witnesses = _WitnessBuilder(root, limits)
    violations: list[Violation] = []
    for trail, rule, finding in _explain(root):
        if len(violations) == limits.violations and rule.severity is not Severity.ERROR:
            continue
        violations.append(
            Violation(
                rule.id,
                trail.path + finding.below,
                clip(finding.message),
                rule.severity,
                old_value=clip(finding.writer),
                new_value=clip(finding.reader),
                witness=witnesses.build(trail, rule, finding),
            )
        )
        if len(violations) >= limits.violations and rule.severity is Severity.ERROR:
            break
    violations.sort(key=lambda violation: violation.severity)
    return Comparison(Verdict.YES if root.readable else Verdict.NO, tuple(violations))


def _explain(root: TypePair) -> Iterator[tuple[_Trail, ResolutionRule, Finding]]:
    """Every finding with the trail to it, breadth first."""
    start = _Trail(None, "", None, 0)
    todo = deque([(root, start)])
    seen = {id(root)}
    while todo:
        pair, trail = todo.popleft()
        for rule, finding in pair.findings:
            yield trail, rule, finding
        for requirement in pair.requirements:
            inner = _Trail(trail, requirement.below, requirement, trail.length + 1)
            chosen = _choose(requirement)
            if chosen is None:
                yield inner, BRANCH_MISSING, _branch_missing(requirement)
            elif id(chosen) not in seen:
                seen.add(id(chosen))
                todo.append((chosen, _at_branch(inner, requirement, chosen)))


def _choose(requirement: Requirement) -> TypePair | None:
    """The alternative to explain: the first readable one, else the only one of the same kind and name.

    None when no single alternative is close: then the union itself is reported.
    """
    for alternative in requirement.alternatives:
        if alternative.readable:
            return alternative
    if not isinstance(requirement.reader, Union):
        return requirement.alternatives[0]
    close = [
        a for a in requirement.alternatives if a.reader.kind == a.writer.kind and matches(a.reader, a.writer)
    ]
    return close[0] if len(close) == 1 else None


def _at_branch(trail: _Trail, requirement: Requirement, chosen: TypePair) -> _Trail:
    """The trail with the index of the reader's union branch, when the reader is a union."""
    union = requirement.reader
    if not isinstance(union, Union):
        return trail
    index = next(i for i, branch in enumerate(union.branches) if branch is chosen.reader)
    return _Trail(trail.before, f"{trail.below}/{index}", requirement, trail.length)


def _branch_missing(requirement: Requirement) -> Finding:
    reader = requirement.reader
    return Finding(
        "",
        title(reader),
        title(requirement.wanted),
        f"no branch of {title(reader)} reads {title(requirement.wanted)}",
    )


class _WitnessBuilder:
    """Builds data that the writer's schema accepts and the reader's rejects; both are checked before it is returned."""

    def __init__(self, root: TypePair, limits: AvroLimits) -> None:
        self._root = root
        self._limits = limits
        self._budget = [5 * limits.witness_values]

    @cached_property
    def _smallest(self) -> SmallestValues:
        return SmallestValues(self._root.writer)

    @cached_property
    def _check(self) -> Check:
        return BinaryCheckCompiler(self._root.writer, self._limits).compile(self._root.writer)

    def build(self, trail: _Trail, rule: ResolutionRule, finding: Finding) -> Witness | None:
        """The witness of a finding; None when there is none (warnings about meaning) or none small enough."""
        if rule.severity is Severity.INFO or trail.length > 3 * self._limits.data_depth:
            return None
        if rule.severity is Severity.WARNING and finding.probe is None:
            return None
        try:
            datum = self._datum(trail, finding.probe)
        except ValueTooLarge:
            return None
        writer = self._root.writer
        data = encode(writer, datum)
        return Witness(data, _text(writer, datum)) if self._verified(data) else None

    def _datum(self, trail: _Trail, probe: object) -> Value:
        """The smallest value of the writer's root that holds the probe (or a smallest value) where the trail ends."""
        budget = [min(self._limits.witness_values, self._budget[0])]
        before = budget[0]
        try:
            end = trail.requirement.wanted if trail.requirement is not None else self._root.writer
            value = self._smallest.build(end, budget) if probe is None else probe
            at: _Trail | None = trail
            while at is not None and at.requirement is not None:
                value = self._wrap(at.requirement, value, budget)
                at = at.before
            return value
        finally:
            self._budget[0] -= before - budget[0]

    def _wrap(self, requirement: Requirement, value: Value, budget: list[int]) -> Value:
        writer = requirement.writer
        if requirement.wanted is writer:
            return value
        if isinstance(writer, Union):
            assert isinstance(requirement.step, int)
            return UnionValue(requirement.step, value)
        if isinstance(writer, Array):
            return [value]
        if isinstance(writer, Map):
            return {"key": value}
        assert isinstance(writer, Record)
        return {
            f.name: value if f.name == requirement.step else self._smallest.build(f.type, budget)
            for f in writer.fields
        }

    def _verified(self, data: bytes) -> bool:
        try:
            if self._check(data, 0, 0) != len(data):
                return False
        except (BinaryDataError, IndexError):
            return False
        try:
            resolve(self._root.reader, self._root.writer, data, self._limits)
        except Unreadable:
            return True
        except StepLimitReached:
            return False
        return False


def _text(writer: Node, datum: Value) -> str:
    return json.dumps(to_json(writer, datum), ensure_ascii=False)
