"""Prunes clauses: which alternatives contradict the facts, and which already follow from them. Pure.

The checks are cheap and incomplete: both may return False for the same alternative. They only save search.
"""

from __future__ import annotations

from .evaluation import Evaluator
from .facts import (
    Absent,
    Alternative,
    AtLeast,
    AtMost,
    BadAdditional,
    BadItem,
    BadMatch,
    BadProperty,
    ClassLiteral,
    Distinct,
    Fact,
    Facts,
    HasFormat,
    LowerBound,
    Matches,
    Required,
    UpperBound,
)
from .inclusion import Inclusion
from .merging import Classes
from .statics import StaticFacts


class Pruning:
    """Checks alternatives against the known facts."""

    def __init__(
        self, classes: Classes, statics: StaticFacts, evaluator: Evaluator, inclusion: Inclusion
    ) -> None:
        self._anything = classes.anything
        self._nothing = classes.nothing
        self._statics = statics
        self._evaluator = evaluator
        self._inclusion = inclusion

    def excluded(self, facts: Facts, alternative: Alternative) -> bool:
        """Whether the alternative contradicts the facts."""
        return any(self._contradicts(facts, fact) for fact in alternative)

    def settled(self, facts: Facts, alternative: Alternative) -> bool:
        """Whether the alternative already follows from the facts."""
        return all(self._follows(facts, fact) for fact in alternative)

    def rejects_all(self, facts: Facts, number: int) -> bool:
        """Whether an accepted class is known to be disjoint with the class `number`."""
        return any(
            holds and self._statics.exclusive(number, other, facts.kind)
            for other, holds in facts.literals.items()
        )

    def refuses(self, facts: Facts, literal: ClassLiteral) -> bool:
        """Whether a literal contradicts the ones that are known, or cannot hold for the kind."""
        number, holds = literal
        if facts.literals.get(number, holds) != holds:
            return True
        proves = self._inclusion.proves
        if holds:
            return (
                facts.kind not in self._statics.possible[number]
                or self.rejects_all(facts, number)
                or any(not held and proves(number, other) for other, held in facts.literals.items())
            )
        return facts.kind in self._statics.total[number] or any(
            held and proves(other, number) for other, held in facts.literals.items()
        )

    def _contradicts(self, facts: Facts, fact: Fact) -> bool:
        match fact:
            case ClassLiteral():
                return self.refuses(facts, fact)
            case Absent(name):
                return name in facts.required
            case Required(names):
                return not names.isdisjoint(facts.absent)
            case AtMost(count):
                return count < max(facts.least, len(facts.required))
            case AtLeast(count):
                return facts.most is not None and count > facts.most
            case LowerBound((value, strict)):
                return facts.high is not None and (
                    value > facts.high[0] or (value == facts.high[0] and (strict or facts.high[1]))
                )
            case UpperBound((value, strict)):
                return facts.low is not None and (
                    value < facts.low[0] or (value == facts.low[0] and (strict or facts.low[1]))
                )
            case Matches(pattern, holds):
                return pattern in (facts.avoiding if holds else facts.matching)
            case HasFormat(symbol, holds):
                return symbol in (facts.non_formats if holds else facts.formats)
            case Distinct(holds):
                return facts.repeated if holds else facts.distinct
            case BadItem():
                return self._bad_item(facts, fact)
            case BadProperty() | BadMatch() | BadAdditional():
                return fact.number == self._anything or self._bad_property(facts, fact)
        return False

    def _bad_item(self, facts: Facts, fact: BadItem) -> bool:
        if fact.number == self._anything or (facts.most is not None and fact.place >= facts.most):
            return True
        for prefix, rest in facts.items:
            if fact.onward:
                if len(prefix) <= fact.place and rest in (fact.number, self._nothing):
                    return True
            else:
                accepted = prefix[fact.place] if fact.place < len(prefix) else rest
                if accepted in (fact.number, self._nothing):
                    return True
        return False

    def _bad_property(self, facts: Facts, fact: BadProperty | BadMatch | BadAdditional) -> bool:
        for props in facts.props:
            match fact:
                case BadProperty(name, number):
                    if name in facts.absent:
                        return True
                    accepted = [props.named[name]] if name in props.named else []
                    accepted += [t for p, t in props.patterns.items() if self._evaluator.matches(p, name)]
                    accepted = accepted or [props.additional]
                    if number in accepted or self._nothing in accepted:
                        return True
                case BadMatch(pattern, number):
                    if props.patterns.get(pattern) == number:
                        return True
                case BadAdditional(names, patterns, number):
                    if (
                        props.additional in (number, self._nothing)
                        and props.named.keys() <= names
                        and props.patterns.keys() <= patterns
                    ):
                        return True
        return False

    def _follows(self, facts: Facts, fact: Fact) -> bool:
        match fact:
            case ClassLiteral(number, holds):
                if facts.literals.get(number) == holds:
                    return True
                return not holds and self.rejects_all(facts, number)
            case Absent(name):
                return name in facts.absent
            case Required(names):
                return names <= facts.required
            case BadProperty(name, number):
                return name in facts.required and any(
                    name in props.named and self._statics.exclusive_everywhere(props.named[name], number)
                    for props in facts.props
                )
        return False
