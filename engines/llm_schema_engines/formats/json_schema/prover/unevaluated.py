"""Rewrites `unevaluatedProperties` and `unevaluatedItems` as disjunctions over the branches that may succeed. Pure.

The more subschemas succeed, the more properties (or items) are evaluated. So a value satisfies the keyword exactly when
some choice of succeeding branches evaluates every property (or item) that the keyword's own schema rejects. Each choice
is one alternative: its branches succeed, and the rest is constrained as by `additionalProperties` (or `items`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..dialects import Dialect
from ..resources import Place
from .nodes import TRUE, Node, Properties, simplified

if TYPE_CHECKING:
    from .building import Builder

MAX_ALTERNATIVES = 64
"""Most alternatives of one keyword; beyond it the keyword is opaque."""


class TooManyAlternatives(Exception):
    """The branches allow more combinations than MAX_ALTERNATIVES, or refer to themselves, or are not fixed by the schema."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One way in which branches may succeed, and what they evaluate then.

    positive, negative: nodes that accept and reject the value. present: properties that it has.
    names, patterns, everything: evaluated properties. prefix, rest: evaluated items; `matching`: also the items that
    one of these nodes accepts.
    """

    positive: frozenset[int] = frozenset()
    negative: frozenset[int] = frozenset()
    present: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    patterns: frozenset[str] = frozenset()
    everything: bool = False
    prefix: int = 0
    rest: bool = False
    matching: frozenset[int] = frozenset()

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(
            self.positive | other.positive,
            self.negative | other.negative,
            self.present | other.present,
            self.names | other.names,
            self.patterns | other.patterns,
            self.everything or other.everything,
            max(self.prefix, other.prefix),
            self.rest or other.rest,
            self.matching | other.matching,
        )


class UnevaluatedKeywords:
    """Adds the `unevaluated*` keywords to the nodes of one builder."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder

    def constrain(self, node: Node, place: Place) -> Node:
        """The node with its `unevaluated*` keywords as disjunctions, or marked opaque."""
        schema = place.schema
        for keyword, alternative in (
            ("unevaluatedProperties", self._properties),
            ("unevaluatedItems", self._items),
        ):
            if keyword not in schema or schema[keyword] is True or schema[keyword] == {}:
                continue
            if node.opaque:
                node = replace(node, opaque=(*node.opaque, keyword))
                continue
            try:
                outcomes = self._outcomes(place, frozenset({place.key}), own=keyword)
            except TooManyAlternatives:
                node = replace(node, opaque=(*node.opaque, keyword))
                continue
            own = self._builder.number(self._builder.child(place, keyword))
            origin = self._builder.origin(place)
            group = []
            for outcome in outcomes:
                rest = alternative(outcome, own)
                group.append(
                    self._builder.graph.add(
                        simplified(
                            replace(
                                rest,
                                all_of=tuple(sorted(outcome.positive)),
                                none_of=tuple(sorted(outcome.negative)),
                                required=outcome.present,
                            )
                        ),
                        origin,
                    )
                )
            if TRUE not in group:
                node = replace(node, any_of=(*node.any_of, tuple(dict.fromkeys(group))))
        return node

    def _properties(self, outcome: Outcome, own: int) -> Node:
        if outcome.everything:
            return Node()
        return Node(
            properties=Properties(
                dict.fromkeys(sorted(outcome.names), TRUE), dict.fromkeys(sorted(outcome.patterns), TRUE), own
            )
        )

    def _items(self, outcome: Outcome, own: int) -> Node:
        if outcome.rest:
            return Node()
        rest = own
        if outcome.matching:
            rest = self._builder.graph.add(
                Node(any_of=((own, *sorted(outcome.matching)),)), (self._builder.side, "")
            )
        return Node(items=((TRUE,) * outcome.prefix, rest))

    def _outcomes(self, place: Place, active: frozenset[tuple[int, str]], own: str = "") -> list[Outcome]:
        """The outcomes of a schema that succeeds; `own`: the `unevaluated*` keyword that is being rewritten, left out."""
        schema = place.schema
        if not isinstance(schema, dict):
            return [Outcome()]
        builder = self._builder
        references = builder.references(place)
        if any(isinstance(value, dict) for value in schema.get("dependencies", {}).values()):
            raise TooManyAlternatives
        total = [self._local(place, own)]
        for target in references:
            total = _product(total, self._inside(target, active))
        for i in range(len(schema.get("allOf", ()))):
            total = _product(total, self._inside(builder.child(place, "allOf", i), active))
        total = _product(total, list(self._any_of(place, active)))
        total = _product(total, self._one_of(place, active))
        total = _product(total, self._condition(place, active))
        for name in schema.get("dependentSchemas", ()):
            target = builder.child(place, "dependentSchemas", name)
            taken = [
                outcome + Outcome(present=frozenset({name})) for outcome in self._succeeding(target, active)
            ]
            total = _product(total, [Outcome(), *taken])
        return total

    def _inside(self, target: Place, active: frozenset[tuple[int, str]]) -> list[Outcome]:
        if target.key in active:
            raise TooManyAlternatives
        return self._outcomes(target, active | {target.key})

    def _succeeding(self, target: Place, active: frozenset[tuple[int, str]]) -> list[Outcome]:
        """The outcomes of a branch that is chosen to succeed."""
        chosen = Outcome(positive=frozenset({self._builder.number(target)}) - {TRUE})
        return [outcome + chosen for outcome in self._inside(target, active)]

    def _any_of(self, place: Place, active: frozenset[tuple[int, str]]) -> Iterator[Outcome]:
        count = len(place.schema.get("anyOf", ()))
        if not count:
            yield Outcome()
            return
        if count > 6:
            raise TooManyAlternatives
        branches = [
            [None, *self._succeeding(self._builder.child(place, "anyOf", i), active)] for i in range(count)
        ]
        size = 1
        for branch in branches:
            size *= len(branch)
        if size > 4 * MAX_ALTERNATIVES:
            raise TooManyAlternatives
        for choice in itertools.product(*branches):
            chosen = [outcome for outcome in choice if outcome is not None]
            if chosen:
                total = Outcome()
                for outcome in chosen:
                    total += outcome
                yield total

    def _one_of(self, place: Place, active: frozenset[tuple[int, str]]) -> list[Outcome]:
        count = len(place.schema.get("oneOf", ()))
        if not count:
            return [Outcome()]
        return [
            outcome
            for i in range(count)
            for outcome in self._succeeding(self._builder.child(place, "oneOf", i), active)
        ]

    def _condition(self, place: Place, active: frozenset[tuple[int, str]]) -> list[Outcome]:
        schema: dict[str, Any] = place.schema
        if "if" not in schema:
            return [Outcome()]
        builder = self._builder
        test = builder.child(place, "if")
        met = self._succeeding(test, active)
        if "then" in schema:
            met = _product(met, self._succeeding(builder.child(place, "then"), active))
        failed = [Outcome(negative=frozenset({builder.number(test)}))]
        if "else" in schema:
            failed = _product(failed, self._succeeding(builder.child(place, "else"), active))
        return met + failed

    def _local(self, place: Place, own: str) -> Outcome:
        """What the schema's own keywords evaluate."""
        schema, dialect = place.schema, place.dialect
        tuple_keyword = "prefixItems" if dialect is Dialect.DRAFT_2020_12 else "items"
        prefix = schema.get(tuple_keyword)
        if dialect is Dialect.DRAFT_2020_12:
            rest = "items" in schema
        else:
            rest = isinstance(schema.get("items"), dict | bool) or (
                isinstance(schema.get("items"), list) and "additionalItems" in schema
            )
        counts_matching = dialect is Dialect.DRAFT_2020_12 and "contains" in schema
        return Outcome(
            names=frozenset(schema.get("properties", ())),
            patterns=frozenset(schema.get("patternProperties", ())),
            everything="additionalProperties" in schema
            or ("unevaluatedProperties" in schema and own != "unevaluatedProperties"),
            prefix=len(prefix) if isinstance(prefix, list) else 0,
            rest=rest or ("unevaluatedItems" in schema and own != "unevaluatedItems"),
            matching=frozenset({self._builder.number(self._builder.child(place, "contains"))})
            if counts_matching
            else frozenset(),
        )


def _product(left: list[Outcome], right: list[Outcome]) -> list[Outcome]:
    if len(left) * len(right) > 16 * MAX_ALTERNATIVES:
        raise TooManyAlternatives
    out = list(dict.fromkeys(a + b for a in left for b in right))
    if len(out) > MAX_ALTERNATIVES:
        raise TooManyAlternatives
    return out
