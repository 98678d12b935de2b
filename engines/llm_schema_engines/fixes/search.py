"""Looks for edits that make a refused change compatible. Whatever it returns was parsed strictly and proved by the engine. Pure.

A search makes some passes over the change. A pass mends one violation after the other, by the first candidate that is left for it,
until nothing is refused or nothing is left; the next pass begins with other candidates. All comparisons together are bounded by the
budget: their number, processor time, and a deadline.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..compatibility.levels import LEVEL_REQUIREMENTS
from ..errors import InvalidSchema
from ..formats.engine import FormatEngine, ParsedSchema, SchemaSource
from ..model.compatibility import (
    CompareOptions,
    Comparison,
    CompatibilityLevel,
    Direction,
    Severity,
    Verdict,
    Violation,
)
from ..model.schema import SchemaType
from .documents import Operation, patch_text
from .language import Language, Proposal, Question
from .model import Fix, Fixes, Proof

MOST_FIXES = 5
MOST_VERSIONS = 20
"""Earlier versions that a change is fixed for."""
MOST_BYTES = 256 * 1024
"""Largest schema, in bytes with references."""
_PASSES = 4
_ROUNDS = 12
"""Schemas that one pass tries."""
_MOST_DROPPED = 8
"""Tries to do without one of several edits."""
_AT_ONCE = 16
"""Violations that are mended before the schema is compared again."""


@dataclass(slots=True)
class FixBudget:
    """What a search may cost. candidates: schemas that are parsed and compared. seconds: processor time of this thread.
    deadline: on the clock of time.monotonic; None for none. A comparison that has begun is not interrupted: none is begun when
    one that took as long as the longest would not fit any more."""

    candidates: int = 40
    seconds: float = 10.0
    deadline: float | None = None
    tried: int = 0
    _began: float = field(default_factory=time.thread_time)
    _longest: float = 0.0

    def spent(self) -> str:
        """What is used up, as a sentence; "" when there is room for one more candidate."""
        if self.tried >= self.candidates:
            return f"{self.candidates} candidates were tried, which is the most"
        return self.late()

    def late(self) -> str:
        """Why no further comparison may begin, as a sentence; "" when one may."""
        if time.thread_time() - self._began + self._longest > self.seconds:
            return f"the search used up its processor time of {self.seconds:g} s"
        if self.deadline is not None and time.monotonic() + self._longest > self.deadline:
            return "the deadline was too near"
        return ""

    def took(self, seconds: float) -> None:
        """A comparison took so long."""
        self._longest = max(self._longest, seconds)


TAKES_ALL_BACK = "the only edits that help take the whole change back"
NOTHING_HELPS = "no edit that was tried helps"


class _Spent(Exception):
    """The budget is used up."""


@dataclass(frozen=True, slots=True)
class RefusedChange:
    """The new schema, and the earlier ones by their versions, the newest first, that `level` compares it with."""

    new: SchemaSource
    earlier: Sequence[tuple[str, SchemaSource]]
    level: CompatibilityLevel
    options: CompareOptions = field(default_factory=CompareOptions)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the engine says of a candidate: violations in one comparison, none when all are proved."""

    place: int = 0
    violations: tuple[Violation, ...] = ()
    parsed: ParsedSchema | None = None
    valid: bool = True


def find_fixes(
    engine: FormatEngine,
    language: Language[Any],
    change: RefusedChange,
    *,
    most: int = 3,
    budget: FixBudget | None = None,
) -> Fixes:
    """The edits that are proved to help, at most `most`. Both sides have been parsed before.

    Changes that are compatible already have none, and so have those that are too large to be tried.
    """
    sizes = [change.new.size, *(source.size for _, source in change.earlier)]
    if len(change.earlier) > MOST_VERSIONS:
        return Fixes(
            complete=False,
            reason=f"the level compares with {len(change.earlier)} versions; fixes are looked for up to {MOST_VERSIONS}",
        )
    if max(sizes) > MOST_BYTES:
        return Fixes(
            complete=False,
            reason=f"a schema has {max(sizes)} bytes; fixes are looked for up to {MOST_BYTES}",
        )
    return _Search(engine, language, change, budget or FixBudget()).run(min(most, MOST_FIXES))


class _Search:
    def __init__(
        self, engine: FormatEngine, language: Language[Any], change: RefusedChange, budget: FixBudget
    ) -> None:
        self._engine, self._language, self._change, self._budget = engine, language, change, budget
        self._demands = LEVEL_REQUIREMENTS[change.level].directions
        self._questions = [
            (version, source, direction) for version, source in change.earlier for direction in self._demands
        ]
        self._first = language.open(change.new.content)
        self._old = [language.open(source.content) for _, source in change.earlier]
        self._asked: dict[bytes, _Asked] = {}
        self._whole = False

    def run(self, most: int) -> Fixes:
        found: dict[bytes, Fix] = {}
        reason = ""
        try:
            asked = self._ask(self._change.new.content)
            if not asked.valid:
                return Fixes(complete=False, reason="the schema itself may not be registered", tried=1)
            if not asked.violations:
                return Fixes(compatible=True, tried=self._budget.tried)
            for number in range(_PASSES):
                if len(found) >= most:
                    break
                fix = self._pass(number)
                if fix is not None:
                    found.setdefault(fix.content, fix)
        except _Spent as spent:
            reason = str(spent)
        if not found and not reason:
            reason = TAKES_ALL_BACK if self._whole else NOTHING_HELPS
            return Fixes((), False, self._budget.tried, True, reason)
        kept = sorted(found.values(), key=lambda fix: fix.takes_back)[:most]
        return Fixes(tuple(kept), False, self._budget.tried, not reason, reason)

    def _pass(self, number: int) -> Fix | None:
        """One pass; `number` is the first candidate that is tried for each violation."""
        edits: list[tuple[tuple[object, ...], Proposal[Any]]] = []
        attempts: dict[tuple[object, ...], int] = {}
        draft, content = self._first, self._change.new.content
        for _ in range(_ROUNDS):
            asked = self._ask(content)
            if not asked.violations:
                return self._fix(*self._needed(content, asked, [proposal for _, proposal in edits]))
            before = draft, list(edits)
            draft, moved = self._mended(asked, draft, edits, attempts, number)
            if not moved:
                return None
            content = self._language.write(draft, self._change.new.content)
            if not self._ask(content).valid:
                draft, edits = before
                content = (
                    self._language.write(draft, self._change.new.content)
                    if edits
                    else self._change.new.content
                )
        return None

    def _mended(
        self,
        asked: _Asked,
        draft: Any,
        edits: list[tuple[tuple[object, ...], Proposal[Any]]],
        attempts: dict[tuple[object, ...], int],
        number: int,
    ) -> tuple[Any, bool]:
        """The draft with one more edit for each violation that has a candidate left."""
        moved = False
        _, _, direction = self._questions[asked.place]
        old = self._old[asked.place // len(self._demands)]
        done: set[str] = set()
        for violation in asked.violations[:_AT_ONCE]:
            if any(place.startswith(violation.path) for place in done):
                continue  # what mends the first one, or a part of it, may mend the others
            place = (asked.place, violation.rule, violation.path)
            question = Question(
                violation, direction, frozenset(self._demands), self._change.options.apply_defaults
            )
            if place in attempts:  # the last one did not help: the next one stands in its place
                rest = [edit for edit in edits if edit[0] != place]
                without = _applied(self._first, [proposal for _, proposal in rest])
                if without is not None:
                    draft, edits[:] = without, rest
            found = self._candidate(draft, old, question, attempts.get(place), number)
            if found is not None:
                attempts[place], proposal, draft = found
                moved = True
                done.add(violation.path)
                edits.append((place, proposal))
        return draft, moved

    def _candidate(
        self, draft: Any, old: Any, question: Question, after: int | None, number: int
    ) -> tuple[int, Proposal[Any], Any] | None:
        """The next candidate for a violation that changes the draft, with the place behind it and the draft with it. after: the place
        behind the one that was tried last; None begins with candidate `number`, or with the last one where there are fewer.
        Raises _Spent."""
        start, last = number if after is None else after, None
        for place, proposal in enumerate(self._language.proposals(draft, old, question)):
            if late := self._budget.late():
                raise _Spent(late)
            if place < start and after is not None:
                continue
            changed = proposal.apply(draft)
            if changed is None or changed == draft:
                continue
            last = place + 1, proposal, changed
            if place >= start:
                return last
        return last

    def _ask(self, content: bytes) -> _Asked:
        """Parses and compares a candidate, once. Raises _Spent."""
        known = self._asked.get(content)
        if known is None:
            if spent := self._budget.spent():
                raise _Spent(spent)
            self._budget.tried += 1
            known = self._asked[content] = self._compared(content)
        return known

    def _compare(self, reader: SchemaSource, writer: SchemaSource, options: CompareOptions) -> Comparison:
        """One comparison, if there is time for it. Raises _Spent."""
        if late := self._budget.late():
            raise _Spent(late)
        began = time.thread_time()
        comparison = self._engine.compare(reader, writer, options)
        self._budget.took(time.thread_time() - began)
        return comparison

    def _compared(self, content: bytes) -> _Asked:
        source = replace(self._change.new, content=content, artifact=b"")
        try:
            parsed = self._engine.parse(source)
        except InvalidSchema:
            return _Asked(valid=False)
        candidate = SchemaSource(content, source.references, parsed.options, parsed.artifact)
        for place, (_, old, direction) in enumerate(self._questions):
            reader, writer = (candidate, old) if direction is Direction.BACKWARD else (old, candidate)
            comparison = self._compare(reader, writer, self._change.options)
            if comparison.verdict is not Verdict.YES:
                broken = [v for v in comparison.violations if v.undecided or v.severity is Severity.ERROR]
                return _Asked(place, tuple(broken) or (Violation("", "", "not proved"),))
        return _Asked(parsed=parsed)

    def _needed(
        self, content: bytes, asked: _Asked, proposals: list[Proposal[Any]]
    ) -> tuple[bytes, _Asked, list[Proposal[Any]]]:
        """The fix without the edits that it does not need, as far as there is budget to find them."""
        place = 0
        for _ in range(_MOST_DROPPED):
            if len(proposals) < 2 or place >= len(proposals) or self._budget.spent():
                break
            fewer = [*proposals[:place], *proposals[place + 1 :]]
            draft = _applied(self._first, fewer)
            if draft is not None:
                smaller = self._language.write(draft, self._change.new.content)
                try:
                    answer = self._ask(smaller)
                except _Spent:
                    break  # what was found stays
                if answer.valid and not answer.violations:
                    content, asked, proposals = smaller, answer, fewer
                    continue
            place += 1
        return content, asked, proposals

    def _fix(self, content: bytes, asked: _Asked, proposals: list[Proposal[Any]]) -> Fix | None:
        """The fix; None when nothing of the change is left, not even in texts, names and order."""
        if asked.parsed is None:
            return None
        marks = asked.parsed.fingerprints
        earlier = [
            self._engine.parse(source, strict=False).fingerprints for _, source in self._change.earlier
        ]
        if any(marks.generation == old.generation for old in earlier):
            self._whole = True
            return None
        operations: list[Operation] = [o for proposal in proposals for o in proposal.operations]
        return Fix(
            edits=tuple(dict.fromkeys(proposal.edit for proposal in proposals)),
            content=content,
            patch=patch_text(operations) if operations else "",
            level=self._change.level,
            proofs=tuple(Proof(version, direction) for version, _, direction in self._questions),
            takes_back=any(marks.validation == old.validation for old in earlier)
            or self._means_the_same(content, asked.parsed),
        )

    def _means_the_same(self, content: bytes, parsed: ParsedSchema) -> bool:
        """Whether exactly the documents of the newest earlier JSON Schema are valid under a candidate, as far as there is time to prove
        it. Other types say it by their fingerprints."""
        if self._engine.schema_type is not SchemaType.JSON or not self._change.earlier:
            return False
        old = self._change.earlier[0][1]
        source = SchemaSource(content, self._change.new.references, parsed.options, parsed.artifact)
        try:
            return all(
                self._compare(reader, writer, CompareOptions()).verdict is Verdict.YES
                for reader, writer in ((old, source), (source, old))
            )
        except _Spent:
            return False


def _applied(first: Any, proposals: Sequence[Proposal[Any]]) -> Any:
    """The first draft with these edits; None when one of them does not fit without another one."""
    draft = first
    for proposal in proposals:
        draft = proposal.apply(draft)
        if draft is None:
            return None
    return draft
