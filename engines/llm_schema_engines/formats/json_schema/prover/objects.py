"""The theory of objects: constructs an object that meets a set of facts, or proves that there is none. Pure.

Properties are independent of each other except for their number, so that each is solved by itself. A demand that some
property is rejected tries the known names, and a new name from every region into which the patterns divide all names.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .declared import DeclaredProperties
from .facts import BadMatch, ClassLiteral, Facts, Matches, NotValue
from .results import IMPOSSIBLE, UNKNOWN, FoundValue, SearchResult
from .values import key_of

if TYPE_CHECKING:
    from .search import Prover

MAX_PROPERTIES = 1_100
"""Most properties of an object that is constructed."""
_MAX_REGIONS = 64
_DEFAULT_NEW_NAME = "extra"
"""The name of a new property where any name will do."""

Literals = frozenset[ClassLiteral]
NameFacts = frozenset[ClassLiteral | NotValue | Matches]


def solve(prover: Prover, facts: Facts) -> SearchResult:
    """An object that meets the facts."""
    if facts.required & facts.absent:
        return IMPOSSIBLE
    return _Construction(prover, facts).run()


class _Construction:
    """The construction of one object. `needs`: the literals of each property that must be present."""

    def __init__(self, prover: Prover, facts: Facts) -> None:
        self.prover = prover
        self.facts = facts
        self.declared: DeclaredProperties | None = prover.declared(facts)
        self.needs: dict[str, Literals] = {name: frozenset() for name in sorted(facts.required)}
        for bad in facts.bad_properties:
            self.needs[bad.name] = self.needs.get(bad.name, frozenset()) | {ClassLiteral(bad.number, False)}

    @cached_property
    def known(self) -> frozenset[str]:
        """The names that some fact mentions; other names differ only by the patterns that they match."""
        facts = self.facts
        known = {*facts.required, *facts.absent, *self.needs}
        for props in facts.props:
            known.update(props.named)
        for number in facts.names:
            known.update(_enumerated(self.prover, number))
        if self.declared is not None:
            known |= self.declared.names
        return frozenset(known)

    def run(self) -> SearchResult:
        for name in self.needs:
            if not self._allowed(name):
                return IMPOSSIBLE
            answer = self._value(name, self.needs[name])
            if not isinstance(answer, FoundValue):
                return answer
        demands = [self._options(demand) for demand in self._demands()]
        if any(not names and complete for names, complete, _ in demands):
            return IMPOSSIBLE
        if any(not names for names, _, _ in demands):
            self.prover.note("the names of properties are not decided", self.facts)
            return UNKNOWN
        if self.facts.most is not None and len(self.needs) > self.facts.most:
            return IMPOSSIBLE
        result: SearchResult = IMPOSSIBLE if all(complete for _, complete, _ in demands) else UNKNOWN
        for chosen in self._choices(demands, 0, self.needs):
            answer = self._finish(chosen)
            if isinstance(answer, FoundValue):
                return answer
            result = UNKNOWN if demands or answer is UNKNOWN else result
        if demands:
            self.prover.note("demands on properties could not be met together", self.facts)
            return UNKNOWN
        return result

    # Names

    def _allowed(self, name: str) -> bool:
        """Whether a property may have this name, on its own."""
        if name in self.facts.absent:
            return False
        evaluator = self.prover.evaluator
        if any(evaluator.holds(name, number) is False for number in self.facts.names):
            return False
        declared = self.declared
        if declared is None or name in declared.names:
            return True
        return any(evaluator.matches(pattern, name) for pattern in declared.patterns)

    def _demands(self) -> list[tuple[NameFacts, frozenset[str], ClassLiteral | None]]:
        """Demands that some property is rejected: facts of its name, names left out, a literal of its value."""
        out: list[tuple[NameFacts, frozenset[str], ClassLiteral | None]] = []
        for bad in self.facts.bad_classes:
            value = ClassLiteral(bad.number, False)
            if isinstance(bad, BadMatch):
                out.append((frozenset((Matches(bad.pattern, True),)), frozenset(), value))
            else:
                avoided = frozenset(Matches(pattern, False) for pattern in bad.patterns)
                out.append((avoided, bad.names, value))
        out += [
            (frozenset((ClassLiteral(number, False),)), frozenset(), None) for number in self.facts.bad_names
        ]
        return out

    def _options(
        self, demand: tuple[NameFacts, frozenset[str], ClassLiteral | None]
    ) -> tuple[list[str], bool, Literals]:
        """Names that meet a demand, whether these are all that could, and the literals of the value."""
        name_facts, left_out, value = demand
        literals: Literals = frozenset() if value is None else frozenset((value,))
        complete = True
        names: list[str] = []
        known = [n for n in sorted(self.known) if n not in left_out and self._meets(n, name_facts)]
        fresh, exhaustive = self._fresh(name_facts, self.known | left_out)
        complete &= exhaustive
        for name in [*known, *fresh]:
            if not self._allowed(name):
                continue
            answer = self._value(name, self.needs.get(name, frozenset()) | literals)
            if isinstance(answer, FoundValue):
                names.append(name)
            elif answer is UNKNOWN:
                complete = False
        return names, complete, literals

    def _meets(self, name: str, name_facts: NameFacts) -> bool:
        evaluator = self.prover.evaluator
        for fact in name_facts:
            if isinstance(fact, Matches) and evaluator.matches(fact.pattern, name) != fact.holds:
                return False
            if isinstance(fact, NotValue) and fact.key == ("string", name):
                return False
            if isinstance(fact, ClassLiteral) and evaluator.holds(name, fact.number) is (not fact.holds):
                return False
        return True

    def _fresh(self, name_facts: NameFacts, excluded: frozenset[str]) -> tuple[list[str], bool]:
        """A new name from each region, and whether every region was examined."""
        base: set[ClassLiteral | NotValue | Matches] = {*name_facts}
        base |= {ClassLiteral(number, True) for number in self.facts.names}
        base |= {NotValue(("string", name)) for name in excluded}
        patterns = sorted({pattern for props in self.facts.props for pattern in props.patterns})
        starts: list[NameFacts] = [frozenset(base)]
        if self.declared is not None:
            starts = [frozenset({*base, Matches(p, True)}) for p in sorted(self.declared.patterns)]
        found: list[str] = []
        complete = True
        for start in starts:
            for answer in self._regions(start, patterns):
                if isinstance(answer, FoundValue):
                    found.append(str(answer.value))
                elif answer is UNKNOWN:
                    complete = False
                if len(found) > _MAX_REGIONS:
                    self.prover.note(
                        "the patterns of properties divide names into too many regions", self.facts
                    )
                    return found, False
        return list(dict.fromkeys(found)), complete

    def _regions(self, region: NameFacts, patterns: list[str]) -> Iterator[SearchResult]:
        """One name of every non-empty region; empty regions are not divided further."""
        self.prover.tick()
        answer = self.prover.solve(region, ("string",))
        if answer is IMPOSSIBLE or not patterns:
            readable = isinstance(answer, FoundValue) and self._meets(_DEFAULT_NEW_NAME, region)
            yield FoundValue(_DEFAULT_NEW_NAME) if readable else answer
            return
        for holds in (False, True):
            yield from self._regions(region | {Matches(patterns[0], holds)}, patterns[1:])

    # Values

    def _value(self, name: str, literals: Literals) -> SearchResult:
        """A value for a property that all facts about properties of this name accept."""
        accepted: set[ClassLiteral] = set(literals)
        evaluator = self.prover.evaluator
        for props in self.facts.props:
            classes = [props.named[name]] if name in props.named else []
            classes += [t for p, t in props.patterns.items() if evaluator.matches(p, name)]
            accepted.update(ClassLiteral(number, True) for number in classes or [props.additional])
        return self.prover.solve(frozenset(accepted))

    def _choices(
        self,
        demands: list[tuple[list[str], bool, Literals]],
        position: int,
        needs: dict[str, Literals],
    ) -> Iterator[dict[str, Literals]]:
        """Assignments of names to demands; a name may serve several."""
        self.prover.tick()
        if position == len(demands):
            yield needs
            return
        names, _, literals = demands[position]
        for name in names:
            combined = needs.get(name, frozenset()) | literals
            if isinstance(self._value(name, combined), FoundValue):
                yield from self._choices(demands, position + 1, {**needs, name: combined})
        used = {name for name in needs if name not in self.needs}
        if used:  # a second new name of the same region, when the first serves another demand
            name_facts, left_out, _ = self._demands()[position]
            fresh, _ = self._fresh(name_facts, self.known | left_out | used)
            for name in fresh:
                if self._allowed(name) and isinstance(self._value(name, literals), FoundValue):
                    yield from self._choices(demands, position + 1, {**needs, name: literals})

    def _finish(self, needs: dict[str, Literals]) -> SearchResult:
        """Solve the chosen properties and add others until there are enough."""
        facts = self.facts
        if facts.most is not None and len(needs) > facts.most:
            return IMPOSSIBLE
        if facts.least > MAX_PROPERTIES:
            self.prover.note("the object has too many properties to construct", facts)
            return UNKNOWN
        out: dict[str, Any] = {}
        for name, literals in needs.items():
            answer = self._value(name, literals)
            if not isinstance(answer, FoundValue):
                return answer
            out[name] = answer.value
        if len(out) >= facts.least and key_of(out) not in facts.excluded:
            return FoundValue(out)
        return self._enlarge(out)

    def _enlarge(self, out: dict[str, Any]) -> SearchResult:
        """Add optional properties: for the count, or to differ from excluded objects."""
        facts = self.facts
        exact = True
        for answer in self._optional(frozenset(out)):
            if isinstance(answer, FoundValue):
                if facts.most is not None and len(out) >= facts.most:
                    break
                name, value = answer.value
                out[name] = value
                if len(out) >= facts.least and key_of(out) not in facts.excluded:
                    return FoundValue(out)
            else:
                exact &= answer is IMPOSSIBLE
            if len(out) > MAX_PROPERTIES:
                exact = False
                break
        if exact and len(out) < facts.least:
            return IMPOSSIBLE
        self.prover.note(
            "no object other than the excluded ones, or with enough properties, was found", facts
        )
        return UNKNOWN

    def _optional(self, present: frozenset[str]) -> Iterator[SearchResult]:
        """Further properties as (name, value): known names first, then new ones as long as there are any."""
        for name in sorted(self.known - present - self.facts.absent):
            if self._allowed(name):
                answer = self._value(name, frozenset())
                yield FoundValue((name, answer.value)) if isinstance(answer, FoundValue) else answer
        taken = self.known | present
        while True:
            fresh, complete = self._fresh(frozenset(), taken)
            if not complete:
                yield UNKNOWN
            useful = False
            for name in fresh:
                answer = self._value(name, frozenset()) if self._allowed(name) else IMPOSSIBLE
                useful |= isinstance(answer, FoundValue)
                yield FoundValue((name, answer.value)) if isinstance(answer, FoundValue) else answer
            taken |= frozenset(fresh)
            if not fresh or not useful:
                return


def _enumerated(prover: Prover, number: int) -> list[str]:
    """The names that a class of names lists, if it lists them."""
    keys = prover.statics.values(number)
    return [str(key[1]) for key in keys or () if key[0] == "string"]
