"""May the reader's schema read everything that the writer's schema accepts? Pure."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from time import thread_time
from typing import Any

from ....errors import InvalidSchema
from ....model.compatibility import (
    CompareOptions,
    Comparison,
    Severity,
    Verdict,
    Violation,
    Witness,
    WriterModel,
)
from ...engine import SchemaSource
from ..compiled import OpenedSchema
from ..complexity import identifier_issues
from ..limits import JsonSchemaLimits
from ..metaschema import check_opened
from ..resources import Unresolvable
from ..rules import DEFAULT_WAIVED, REFUSED, UNDECIDED
from ..source_cache import SourceCache
from ..validation import JsonDataValidator
from .building import MAX_NODES, Builder, TooManyNodes
from .defaults import Waived, supply, waivable
from .explanation import explain
from .merging import Classes, loops, merge
from .nodes import Graph
from .results import IMPOSSIBLE, OutOfBudget
from .sampling import samples
from .search import Prover
from .witnesses import WitnessChecker, encode, shrink

_STEPS_AFTER_VIOLATION = 3000
"""Steps left for further violations once one is found."""
_SAMPLES_BEFORE_UNDECIDED, _SAMPLES_BEFORE_YES = 30, 10
"""Sample values that are validated before the verdict UNDECIDED, and before the verdict YES."""
_SAMPLE_SECONDS = 0.01
_FRAMES = 30_000
"""Recursion limit of a proof; frames of pure Python calls take no C stack."""


def compare_schemas(
    reader: SchemaSource,
    writer: SchemaSource,
    options: CompareOptions,
    limits: JsonSchemaLimits,
    opened_cache: SourceCache[OpenedSchema],
) -> Comparison:
    """YES: proved. NO: with witnesses that both validators confirmed. UNDECIDED: with reasons and pointers."""
    try:
        sides = _SchemaPair(reader, writer, options, limits, opened_cache)
        with _deep_recursion():
            return sides.compare()
    except InvalidSchema as error:
        return _undecided([("", f"a schema cannot be used: {error.issues[0]}")])
    except Unresolvable as error:
        return _undecided([("", f"a reference cannot be resolved: {error}")])
    except TooManyNodes:
        return _undecided([("", f"a schema has more than {MAX_NODES} nodes")])
    except RecursionError:
        return _undecided([("", "the schemas nest too deep for a proof")])


@dataclass(slots=True)
class _SchemaPair:
    """Both schemas of one comparison."""

    reader_source: SchemaSource
    writer_source: SchemaSource
    options: CompareOptions
    limits: JsonSchemaLimits
    opened_cache: SourceCache[OpenedSchema]
    reader: OpenedSchema = field(init=False)
    writer: OpenedSchema = field(init=False)

    def __post_init__(self) -> None:
        self.reader = self.opened_cache(self.reader_source)
        self.writer = self.opened_cache(self.writer_source)
        for side in (self.reader, self.writer):
            issues = check_opened(side.document_index, side.root, self.limits) or identifier_issues(
                side.document_index
            )
            if issues:
                raise InvalidSchema(issues)

    @property
    def declared_keys(self) -> bool:
        return self.options.writer_model is WriterModel.DECLARED_KEYS

    def compare(self) -> Comparison:
        waived: Waived = waivable(self.reader) if self.options.apply_defaults else {}
        graph = Graph()
        accepting = Builder(graph, self.reader, "reader", waived, keep_names=self.declared_keys).build()
        emitting = Builder(graph, self.writer, "writer", keep_names=self.declared_keys).build()
        classes = merge(graph)
        if loops(classes):
            return _undecided([("", "a schema refers to itself without looking into the data")])
        warnings = tuple(_waived_warnings(waived))
        if classes.class_of[accepting] == classes.class_of[emitting]:
            return Comparison(Verdict.YES, warnings)
        findings = _ViolationCollector(self, waived)
        prover = Prover(
            classes,
            steps=self.limits.compare_steps,
            seconds=self.limits.compare_seconds,
            regex_states=self.limits.regex_states,
            declared_keys=self.declared_keys,
        )
        findings.prover = prover
        try:
            answer = prover.refute(classes.class_of[emitting], classes.class_of[accepting], findings.consider)
        except OutOfBudget:
            answer = None
            prover.note("the proof used up its steps or its time")
        if answer is not None and not findings.violations:
            count = _SAMPLES_BEFORE_YES if answer is IMPOSSIBLE else _SAMPLES_BEFORE_UNDECIDED
            findings.sample(samples(classes, classes.class_of[emitting], prover.languages, count))
        if findings.violations:
            return Comparison(Verdict.NO, (*findings.violations, *warnings))
        if answer is IMPOSSIBLE:
            return Comparison(Verdict.YES, warnings)
        return _undecided(_reasons(prover, classes) or [("", "no candidate was confirmed")])


class _ViolationCollector:
    """Collects violations from candidates up to `limits.violations`."""

    prover: Prover

    def __init__(self, sides: _SchemaPair, waived: Waived) -> None:
        self._sides = sides
        self._waived = waived
        self._checker: WitnessChecker | None = None
        self._seen: set[tuple[str, str]] = set()
        self.violations: list[Violation] = []

    def consider(self, value: Any) -> bool:
        """Check a candidate; True ends the search."""
        checker = self._checker or self._make_checker()
        if not checker.is_witness(value):
            self.prover.note("a candidate was not confirmed by the validators")
            return False
        value = self._shrunk(value, checker)
        text = encode(value)
        witness = Witness(text, text.decode("utf-8"))
        sides = self._sides
        found = list(explain(checker.errors(value), witness, sides.reader, sides.writer, sides.limits))
        for violation in found or [Violation(REFUSED.id, "", REFUSED.sentence, witness=witness)]:
            if (violation.rule, violation.path) not in self._seen:
                self._seen.add((violation.rule, violation.path))
                self.violations.append(violation)
        self.violations = self.violations[: sides.limits.violations]
        self.prover.steps_left = min(self.prover.steps_left, _STEPS_AFTER_VIOLATION)
        return len(self.violations) >= sides.limits.violations

    def sample(self, values: Iterator[Any]) -> None:
        """Validate some values of the writer's schema on both sides, as a check of the proof."""
        checker = self._checker or self._make_checker()
        end = thread_time() + _SAMPLE_SECONDS
        for i, value in enumerate(values, start=1):
            if checker.is_witness(value):
                self.consider(value)
                return
            if i % 10 == 0 and thread_time() > end:
                return

    def _shrunk(self, value: Any, checker: WitnessChecker) -> Any:
        """A smaller value that breaks the same keyword."""
        first = checker.errors(value)
        if not first:
            return shrink(value, checker.is_witness)
        keyword = first[0].schema_path

        def same(smaller: Any) -> bool:
            return checker.is_witness(smaller) and any(
                e.schema_path == keyword for e in checker.errors(smaller)
            )

        return shrink(value, same)

    def _make_checker(self) -> WitnessChecker:
        sides = self._sides
        self._checker = WitnessChecker(
            JsonDataValidator(sides.reader_source, sides.limits, sides.reader),
            JsonDataValidator(sides.writer_source, sides.limits, sides.writer),
            declared_keys=sides.declared_keys,
            supply=partial(supply, sides.reader, self._waived),
        )
        return self._checker


def _reasons(prover: Prover, classes: Classes) -> list[tuple[str, str]]:
    out = []
    for reason, number in prover.reasons:
        side, pointer = classes.origins[number]
        out.append((pointer, f"{reason} ({side}'s schema at {pointer or 'the root'})" if side else reason))
    return out[:5]


def _undecided(reasons: list[tuple[str, str]]) -> Comparison:
    return Comparison(
        Verdict.UNDECIDED,
        tuple(
            Violation(UNDECIDED.id, pointer, f"{UNDECIDED.sentence}: {reason}", undecided=True)
            for pointer, reason in reasons
        ),
    )


def _waived_warnings(waived: Waived) -> Iterator[Violation]:
    for (_, pointer), names in sorted(waived.items()):
        for name in sorted(names):
            yield Violation(
                DEFAULT_WAIVED.id,
                f"{pointer}/required",
                f"{DEFAULT_WAIVED.sentence}: {name!r}",
                severity=Severity.WARNING,
            )


@contextmanager
def _deep_recursion() -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _FRAMES))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
