"""Rewrites `unevaluatedProperties` and `unevaluatedItems` as disjunctions over the branches that may succeed. Pure.

The more subschemas succeed, the more properties (or items) are evaluated. So a value satisfies the keyword exactly when
some choice of succeeding branches evaluates every property (or item) that the keyword's own schema rejects. Each choice
is one alternative: its branches succeed, and the rest is constrained as by `additionalProperties` (or `items`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..dialects import Dialect
from ..resources import Place
from .nodes import TRUE, Node, Properties, simplified
from .values import Key, key_of

if TYPE_CHECKING:
    from .building import Builder

MAX_ALTERNATIVES = 256
"""Most alternatives of one keyword; beyond it the keyword is opaque."""


_MAX_VALUES = 1_000
"""Most values of a property that tell branches apart."""
_OBJECT = frozenset({"object"})
_NO_OBJECT = frozenset({"null", "boolean", "number", "string", "array"})


class TooManyAlternatives(Exception):
    """The branches allow more combinations than MAX_ALTERNATIVES, or refer to themselves, or are not fixed by the schema."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One way in which branches may succeed, and what they evaluate then.

    positive, negative: nodes that accept and reject the value. present: properties that it has.
    names, patterns, everything: evaluated properties. prefix, rest: evaluated items; `matching`: also the items that
    one of these nodes accepts. tags: required properties with the values that they may have.
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
    tags: frozenset[tuple[str, frozenset[Key]]] = frozenset()

    @property
    def contradicts_itself(self) -> bool:
        """Whether some required property may have no value at all, so that no object has this outcome."""
        return len({name for name, _ in self.tags}) < len(self.tags) and any(
            not frozenset.intersection(*(keys for other, keys in self.tags if other == name))
            for name, _ in self.tags
        )

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
            self.tags | other.tags,
        )


@dataclass(slots=True)
class _Tags:
    """Finds the tags of the branches of one keyword. required: what the schema of the keyword requires; None when outcomes
    of other values than objects count, which may meet two branches with different tags. used: whether any was found."""

    required: frozenset[str] | None = None
    used: bool = False

    def of(self, schema: dict[str, Any]) -> frozenset[tuple[str, frozenset[Key]]]:
        """The properties that `schema` gives a finite set of values, and that an object must have that meets it."""
        if self.required is None or not isinstance(properties := schema.get("properties"), dict):
            return frozenset()
        tags = set()
        for name in (self.required | _names(schema.get("required"))) & properties.keys():
            inner = properties[name]
            if isinstance(inner, dict) and "const" in inner:
                tags.add((name, frozenset({key_of(inner["const"])})))
            elif isinstance(inner, dict) and 0 < len(inner.get("enum", ())) <= _MAX_VALUES:
                tags.add((name, frozenset(map(key_of, inner["enum"]))))
        self.used |= bool(tags)
        return frozenset(tags)


class UnevaluatedKeywords:
    """Adds the `unevaluated*` keywords to the nodes of one builder."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder
        self._tags = _Tags()

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
            outer, self._tags = self._tags, _Tags()
            if keyword == "unevaluatedProperties":
                self._tags = _Tags(_names(schema.get("required")))
            try:
                outcomes = self._outcomes(place, frozenset({place.key}), own=keyword)
            except TooManyAlternatives:
                node = replace(node, opaque=(*node.opaque, keyword))
                continue
            finally:
                apart, self._tags = self._tags.used, outer
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
                                required=outcome.present | {name for name, _ in outcome.tags},
                                types=_OBJECT
                                if apart or outcome.present
                                else None,  # others lack every property
                            )
                        ),
                        origin,
                    )
                )
            if apart:  # outcomes that no object has were left out; other values may have them
                group.append(self._builder.graph.add(Node(types=_NO_OBJECT), origin))
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
        chosen: list[Outcome] = []
        for i in range(count):
            branch = self._succeeding(self._builder.child(place, "anyOf", i), active)
            chosen = list(dict.fromkeys([*chosen, *_product(chosen, branch), *branch]))
            if len(chosen) > MAX_ALTERNATIVES:
                raise TooManyAlternatives
        yield from chosen

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
            tags=self._tags.of(schema),
        )


def _names(required: Any) -> frozenset[str]:
    return frozenset(required) if isinstance(required, list) else frozenset()


def _product(left: list[Outcome], right: list[Outcome]) -> list[Outcome]:
    if len(left) * len(right) > 16 * MAX_ALTERNATIVES:
        raise TooManyAlternatives
    sums = (a + b for a in left for b in right)
    out = list(dict.fromkeys(outcome for outcome in sums if not outcome.contradicts_itself))
    if len(out) > MAX_ALTERNATIVES:
        raise TooManyAlternatives
    return out
