"""The answer of one comparison: the verdict, each broken rule with its path and both sides, and data that shows it.

Walks the decided pairs from the root, shortest way first, each pair once. Pure.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from ....model.compatibility import Comparison, Severity, Verdict, Violation, Witness
from ..data.binary import Bad, Check, Compiler
from ..limits import AvroLimits
from ..schema.nodes import Array, Map, Node, Record, Union, title
from ..schema.text import clip
from ..schema.values import Branch, Smallest, TooLarge, Value, encode, to_json
from .pairs import Need, Pair, TooManyPairs, decide
from .read import OutOfSteps, Unreadable, resolve
from .rules import BRANCH_MISSING, Finding, Rule, matches


@dataclass(frozen=True, slots=True)
class _Trail:
    """How the walk came to a pair: the place in the reader, and the step in the writer's data; None is the root."""

    before: _Trail | None
    below: str
    need: Need | None
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
            f"the comparison needs more than {limits.pairs} pairs of types; "
            "give types distinct names or make unions smaller"
        )
        return Comparison(
            Verdict.UNDECIDED, (Violation("AVRO_COMPARISON_TOO_LARGE", "", message, undecided=True),)
        )
    witnesses = _Witnesses(root, limits)
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


def _explain(root: Pair) -> Iterator[tuple[_Trail, Rule, Finding]]:
    """Every finding with the way to it, breadth first."""
    start = _Trail(None, "", None, 0)
    todo = deque([(root, start)])
    seen = {id(root)}
    while todo:
        pair, trail = todo.popleft()
        for rule, finding in pair.findings:
            yield trail, rule, finding
        for need in pair.needs:
            inner = _Trail(trail, need.below, need, trail.length + 1)
            chosen = _choose(need)
            if chosen is None:
                yield inner, BRANCH_MISSING, _branch_missing(need)
            elif id(chosen) not in seen:
                seen.add(id(chosen))
                todo.append((chosen, _at_branch(inner, need, chosen)))


def _choose(need: Need) -> Pair | None:
    """The alternative that a reader would take; None when none stands and no single one comes close."""
    for alternative in need.alternatives:
        if alternative.readable:
            return alternative
    if not isinstance(need.reader, Union):
        return need.alternatives[0]
    close = [a for a in need.alternatives if a.reader.kind == a.writer.kind and matches(a.reader, a.writer)]
    return close[0] if len(close) == 1 else None


def _at_branch(trail: _Trail, need: Need, chosen: Pair) -> _Trail:
    """The trail with the number of the reader's union branch, when the reader is a union."""
    union = need.reader
    if not isinstance(union, Union):
        return trail
    index = next(i for i, branch in enumerate(union.branches) if branch is chosen.reader)
    return _Trail(trail.before, f"{trail.below}/{index}", need, trail.length)


def _branch_missing(need: Need) -> Finding:
    reader = need.reader
    return Finding(
        "", title(reader), title(need.wanted), f"no branch of {title(reader)} reads {title(need.wanted)}"
    )


class _Witnesses:
    """Builds data that the writer's schema accepts and the reader's rejects, and checks both before it hands it out."""

    def __init__(self, root: Pair, limits: AvroLimits) -> None:
        self._root = root
        self._limits = limits
        self._budget = [5 * limits.witness_values]

    @cached_property
    def _smallest(self) -> Smallest:
        return Smallest(self._root.writer)

    @cached_property
    def _check(self) -> Check:
        return Compiler(self._root.writer, self._limits).compile(self._root.writer)

    def build(self, trail: _Trail, rule: Rule, finding: Finding) -> Witness | None:
        """The witness of a finding; None when there is none (warnings about meaning) or none small enough."""
        if rule.severity is Severity.INFO or trail.length > 3 * self._limits.data_depth:
            return None
        if rule.severity is Severity.WARNING and finding.probe is None:
            return None
        try:
            datum = self._datum(trail, finding.probe)
        except TooLarge:
            return None
        writer = self._root.writer
        data = encode(writer, datum)
        return Witness(data, _text(writer, datum)) if self._holds(data) else None

    def _datum(self, trail: _Trail, probe: object) -> Value:
        """A smallest value of the writer's root that has the probe (or a smallest value) where the trail ends."""
        budget = [min(self._limits.witness_values, self._budget[0])]
        before = budget[0]
        try:
            end = trail.need.wanted if trail.need is not None else self._root.writer
            value = self._smallest.build(end, budget) if probe is None else probe
            at: _Trail | None = trail
            while at is not None and at.need is not None:
                value = self._wrap(at.need, value, budget)
                at = at.before
            return value
        finally:
            self._budget[0] -= before - budget[0]

    def _wrap(self, need: Need, value: Value, budget: list[int]) -> Value:
        writer = need.writer
        if need.wanted is writer:
            return value
        if isinstance(writer, Union):
            assert isinstance(need.step, int)
            return Branch(need.step, value)
        if isinstance(writer, Array):
            return [value]
        if isinstance(writer, Map):
            return {"key": value}
        assert isinstance(writer, Record)
        return {
            f.name: value if f.name == need.step else self._smallest.build(f.type, budget)
            for f in writer.fields
        }

    def _holds(self, data: bytes) -> bool:
        try:
            if self._check(data, 0, 0) != len(data):
                return False
        except (Bad, IndexError):
            return False
        try:
            resolve(self._root.reader, self._root.writer, data, self._limits)
        except Unreadable:
            return True
        except OutOfSteps:
            return False
        return False


def _text(writer: Node, datum: Value) -> str:
    return json.dumps(to_json(writer, datum), ensure_ascii=False)
