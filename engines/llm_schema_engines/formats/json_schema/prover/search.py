"""Searches a value that some classes accept and others reject. Pure.

A tableau method: literals are expanded into facts and clauses, clauses are propagated and split, and the theory of the
kind (strings, numbers, ...) solves the remaining facts. What the prover does not model can only add candidates. So a
search without a candidate is a proof, and a candidate is a witness once the validator has confirmed it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import thread_time
from typing import Any

from . import arrays, numbers, objects, strings
from .clauses import Pruning
from .declared import DeclaredProperties, declared_by
from .evaluation import Evaluator
from .expansion import Expander
from .facts import Absent, Alternative, ClassLiteral, Fact, Facts, Goal, Matches, NotValue, Unmodelled
from .inclusion import Inclusion
from .merging import Classes
from .regex.languages import Languages
from .results import IMPOSSIBLE, UNKNOWN, FoundValue, OutOfBudget, SearchResult
from .statics import StaticFacts
from .values import KINDS, is_large, key_of

ORDER = ("string", "number", "object", "array", "boolean", "null")
assert set(ORDER) == set(KINDS)

MAX_DEPTH = 100
"""Deepest nesting of goals; beyond it the result is UNKNOWN."""
_NO_CUT = 1 << 30
_STEPS_BETWEEN_CLOCK_READS = 512
"""The clock is read once in so many steps: on some machines it costs more than a step."""


class Prover:
    """Decides one question about one graph. `steps` and `seconds` (processor time of the thread, so that verdicts do not
    depend on the machine's load) bound the work; OutOfBudget is raised beyond them."""

    def __init__(
        self,
        classes: Classes,
        *,
        steps: int,
        seconds: float,
        regex_states: int,
        declared_keys: bool = False,
        clock: Callable[[], float] = thread_time,
    ) -> None:
        self.classes = classes
        self.languages = Languages(regex_states)
        self.statics = StaticFacts(classes)
        self.evaluator = Evaluator(classes, self.languages)
        self.reasons: dict[tuple[str, int], None] = {}
        self.steps_left = steps
        self._clock = clock
        self._end = clock() + seconds
        self._next_clock_read = steps - _STEPS_BETWEEN_CLOCK_READS
        self._expander = Expander(classes, self.statics)
        self._inclusion = Inclusion(classes, self.statics, self.evaluator, self.tick)
        self._pruning = Pruning(classes, self.statics, self.evaluator, self._inclusion)
        self._declared_keys = declared_keys
        self._declarations: dict[tuple[int, ...], DeclaredProperties] = {}
        self._known: dict[tuple[Goal, tuple[str, ...]], SearchResult] = {}
        self._active: dict[tuple[Goal, tuple[str, ...]], int] = {}
        self._cut = _NO_CUT
        self._confirm: Callable[[Any], bool] | None = None

    def tick(self, steps: int = 1) -> None:
        """Spend steps; raises OutOfBudget when there are none, or no time."""
        self.steps_left -= steps
        if self.steps_left < 0:
            raise OutOfBudget
        if self.steps_left < self._next_clock_read:
            self._next_clock_read = self.steps_left - _STEPS_BETWEEN_CLOCK_READS
            if self._clock() > self._end:
                raise OutOfBudget

    def includes(self, narrow: int, wide: int) -> bool:
        """Whether it is plain that all values of one class are in the other."""
        return narrow == wide or self._inclusion.proves(narrow, wide)

    def note(self, reason: str, facts: Facts | None = None) -> None:
        """Record why a result is UNKNOWN, and a class that the reason is about."""
        about = self.classes.anything
        if facts is not None:
            rejected = [number for number, holds in facts.literals.items() if not holds]
            about = (rejected or list(facts.literals) or [about])[-1]
        self.reasons.setdefault((reason, about))

    def refute(self, accepted: int, rejected: int, confirm: Callable[[Any], bool]) -> SearchResult:
        """Look for a value that one class accepts and the other rejects.

        `confirm` is called with each candidate; the search ends when it returns True.
        """
        self._confirm = confirm
        return self.solve(frozenset((ClassLiteral(accepted, True), ClassLiteral(rejected, False))))

    def solve(self, goal: Goal, kinds: tuple[str, ...] = ORDER) -> SearchResult:
        """A value of one of the kinds for a goal."""
        nothing, anything = self.classes.nothing, self.classes.anything
        literals = {item.number: item.holds for item in goal if isinstance(item, ClassLiteral)}
        if any(ClassLiteral(number, not holds) in goal for number, holds in literals.items()):
            return IMPOSSIBLE
        if literals.get(nothing) is True or literals.get(anything) is False:
            return IMPOSSIBLE
        goal -= {ClassLiteral(anything, True), ClassLiteral(nothing, False)}
        accepted = sorted(number for number, holds in literals.items() if holds)
        rejected = sorted(number for number, holds in literals.items() if not holds)
        if any(self._inclusion.proves(narrow, wide) for wide in rejected for narrow in accepted):
            return IMPOSSIBLE
        key = (goal, kinds)
        known = self._known.get(key)
        if known is not None:
            return known
        if key in self._active:
            # A smallest value never contains a value that meets the same goal, so this branch has none.
            self._cut = min(self._cut, self._active[key])
            return IMPOSSIBLE
        depth = len(self._active)
        if depth >= MAX_DEPTH:
            self.note("the schemas nest too deep")
            return UNKNOWN
        self._active[key] = depth
        outer, self._cut = self._cut, _NO_CUT
        try:
            answer = self._solve(goal, kinds, root=depth == 0)
        finally:
            del self._active[key]
        if isinstance(answer, FoundValue) or self._cut >= depth:
            self._known[key] = answer
            self._cut = outer
        else:
            self._cut = min(outer, self._cut)
        return answer

    def declared(self, facts: Facts) -> DeclaredProperties | None:
        """The properties that writers may send at this place; None when they may send any."""
        if not self._declared_keys or not facts.owners:
            return None
        known = self._declarations.get(facts.owners)
        if known is None:
            known = self._declarations[facts.owners] = declared_by(self.classes, facts.owners)
        return None if known.free else known

    def _solve(self, goal: Goal, kinds: Sequence[str], *, root: bool) -> SearchResult:
        literals = [item for item in goal if isinstance(item, ClassLiteral)]
        owners = tuple(sorted(item.number for item in literals if item.holds))
        result: SearchResult = IMPOSSIBLE
        for kind in kinds:
            if any(
                kind not in self.statics.possible[item.number]
                if item.holds
                else kind in self.statics.total[item.number]
                for item in literals
            ):
                continue
            facts = Facts(kind, owners, root)
            for item in goal:
                if isinstance(item, NotValue):
                    facts.excluded.add(item.key)
                elif isinstance(item, Matches):
                    facts.add(item)
            if not self._push(facts, sorted(literals)):
                continue
            answer = self._decide(facts)
            if isinstance(answer, FoundValue):
                return answer
            if answer is UNKNOWN:
                result = UNKNOWN
        return result

    def _push(self, facts: Facts, added: Sequence[Fact]) -> bool:
        """Add facts and what follows from them; False when they contradict the known facts."""
        todo = list(added)
        while todo:
            fact = todo.pop()
            self.tick()
            if not isinstance(fact, ClassLiteral):
                facts.add(fact)
                if isinstance(fact, Unmodelled):
                    self.note(fact.reason, facts)
                continue
            if fact.number in facts.literals:
                if facts.literals[fact.number] != fact.holds:
                    return False
                continue
            if self._pruning.refuses(facts, fact):
                return False
            if not fact.holds and self._pruning.rejects_all(facts, fact.number):
                continue
            facts.literals[fact.number] = fact.holds
            expansion = self._expander.expand(fact, facts.kind)
            if not expansion.possible:
                return False
            todo += expansion.facts
            facts.pending += expansion.clauses
        return facts.consistent

    def _decide(self, facts: Facts) -> SearchResult:
        """Propagate clauses, split on one, or let the theory solve the facts."""
        if not self._propagate(facts):
            return IMPOSSIBLE
        if not facts.pending:
            return self._leaf(facts)
        clause = facts.pending.pop(self._choose(facts))
        result: SearchResult = IMPOSSIBLE
        for alternative in clause:
            branch = facts.copy()
            if not self._push(branch, alternative):
                continue
            answer = self._decide(branch)
            if isinstance(answer, FoundValue):
                return answer
            if answer is UNKNOWN:
                result = UNKNOWN
        return result

    def _propagate(self, facts: Facts) -> bool:
        """Unit propagation: remove settled clauses and excluded alternatives, and add the facts of clauses with a single
        alternative, until every clause has several. False when a clause has none."""
        while True:
            waiting, facts.pending = facts.pending, []
            forced: Alternative | None = None
            for position, clause in enumerate(waiting):
                self.tick(1 + sum(map(len, clause)) // 16)
                if any(self._pruning.settled(facts, alternative) for alternative in clause):
                    continue
                live = tuple(a for a in clause if not self._pruning.excluded(facts, a))
                if not live:
                    return False
                if len(live) == 1:
                    facts.pending += waiting[position + 1 :]
                    forced = live[0]
                    break
                facts.pending.append(live)
            if forced is None:
                return True
            if not self._push(facts, forced):
                return False

    def _choose(self, facts: Facts) -> int:
        """The clause to split on: branches of accepted unions first, then the shortest clause; dependencies on the
        presence of a property last, because most properties stay absent."""

        def rank(position: int) -> tuple[int, int]:
            clause = facts.pending[position]
            first = clause[0][0]
            if isinstance(first, Absent) and len(clause) == 2:
                return (2, 2)
            return (0 if isinstance(first, ClassLiteral) and first.holds else 1, len(clause))

        return min(range(len(facts.pending)), key=rank)

    def _leaf(self, facts: Facts) -> SearchResult:
        """Let the theory of the kind solve the facts; check and confirm its candidate."""
        self.tick()
        answer = self._finite(facts) if self._is_finite(facts) else _THEORIES[facts.kind](self, facts)
        if isinstance(answer, FoundValue):
            if is_large(answer.value):
                self.note(f"the {facts.kind} is too large for a witness", facts)
                return UNKNOWN
            if any(
                self.evaluator.holds(answer.value, number) is (not holds)
                for number, holds in facts.literals.items()
            ):
                self.note(f"no suitable {facts.kind} was constructed", facts)
                return UNKNOWN
            if facts.root and self._confirm is not None and not self._confirm(answer.value):
                return UNKNOWN
        return answer

    def _is_finite(self, facts: Facts) -> bool:
        return bool(facts.within) or facts.kind in ("null", "boolean")

    def _finite(self, facts: Facts) -> SearchResult:
        """Try every value of the finite set that the facts allow."""
        if facts.within:
            candidates: Sequence[Any] = min((w.items for w in facts.within), key=len)
        else:
            candidates = (None,) if facts.kind == "null" else (True, False)
        allowed = frozenset.intersection(*(w.keys for w in facts.within)) if facts.within else None
        result: SearchResult = IMPOSSIBLE
        self.tick(len(candidates) // 64)
        for value in candidates:
            key = key_of(value)
            if key in facts.excluded or (allowed is not None and key not in allowed):
                continue
            self.tick()
            if any(
                self.evaluator.holds(value, number) is (not holds) for number, holds in facts.literals.items()
            ):
                continue
            if facts.kind == "string" and not strings.admits(self, facts, value):
                continue
            if facts.root and is_large(value):
                self.note(f"the {facts.kind} is too large for a witness", facts)
            elif not facts.root or self._confirm is None or self._confirm(value):
                return FoundValue(value)
            result = UNKNOWN
        return result


_THEORIES: dict[str, Callable[[Prover, Facts], SearchResult]] = {
    "number": numbers.solve,
    "string": strings.solve,
    "array": arrays.solve,
    "object": objects.solve,
}
