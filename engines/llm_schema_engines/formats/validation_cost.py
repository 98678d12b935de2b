"""What one validation takes at most, told before it runs: a bound made of the schema and of counts of the payload. Pure.

A schema is a graph of rules. A rule applies others to the same value (`in_place`), to the members of an object and to
the items of an array. From the costs of each rule alone, `growth` finds what each value, object and byte of a payload
costs at most, for each depth of nesting. All costs are nanoseconds, measured on one slow core and rounded up
(loadtest/engines/validation_bounds.py compares them with what validations really take).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from ..model.validation import DataReport, Encoding
from .engine import DataValidator

MAX_RULES = 1_000
"""Schemas with more rules have no bound: finding it would take too long itself."""
HOPELESS = 1e12
"""Nanoseconds for one value; `growth` looks at no greater depth beyond this."""


class Rates(NamedTuple):
    """At most so many nanoseconds for each value, object and byte of a payload.

    `errors`: the most errors that a value can have; `object_errors`: those that an object can have besides. `strict`: nanoseconds that strict validation adds for each value.
    """

    value: float = 0
    object: float = 0
    byte: float = 0
    errors: float = 0
    object_errors: float = 0
    strict: float = 0


NOTHING = Rates()


class DepthRates(NamedTuple):
    """The rates of payloads that nest so deep. `repeats`: how many rules, one inside the other, validate their value anew
    for each of its members or items."""

    rates: Rates
    repeats: int


@dataclass(slots=True)
class Rule:
    """One rule of a schema; lists hold places of other rules in the list of all.

    `own`: what it costs on a value, without what it applies. `deep`: nanoseconds for each value anywhere inside its value.
    `repeats`: whether it validates its value anew for each member or item.
    `member_one`, `item_one`: one of them at most is applied to a member or item. `member_all`, `item_all`: each is.
    """

    own: Rates = NOTHING
    deep: float = 0
    repeats: bool = False
    in_place: list[int] = field(default_factory=list)
    member_one: list[int] = field(default_factory=list)
    member_all: list[int] = field(default_factory=list)
    item_one: list[int] = field(default_factory=list)
    item_all: list[int] = field(default_factory=list)

    @property
    def below(self) -> list[int]:
        """The rules for parts of the value."""
        return [*self.member_one, *self.member_all, *self.item_one, *self.item_all]


class PayloadCounts(NamedTuple):
    """Bytes, and upper bounds of the JSON values and objects, and of the brackets, of a payload."""

    bytes: int
    values: int
    objects: int
    brackets: int


def count(payload: bytes) -> PayloadCounts:
    """Counts that hold for whatever the payload is; takes about a nanosecond a byte."""
    objects = payload.count(b"{")
    brackets = objects + payload.count(b"[")
    return PayloadCounts(len(payload), 1 + payload.count(b",") + brackets, objects, brackets)


class CostBound(Protocol):
    """The bound of one schema."""

    def within(self, seconds: float, payload: bytes, *, encoding: Encoding, strict: bool) -> bool:
        """Whether validating `payload`, errors included, surely takes at most `seconds` of processor time."""
        ...


@dataclass(frozen=True, slots=True)
class ValidatorWithBound:
    """A validator that runs when the bound allows it; see formats.engine.BoundedValidator."""

    validator: DataValidator
    bound: CostBound

    @property
    def size(self) -> int:
        return 512 + self.validator.size

    def validate_within(
        self,
        seconds: float,
        payload: bytes,
        *,
        encoding: Encoding,
        strict: bool,
        max_errors: int,
        message_name: str,
    ) -> DataReport | None:
        if not self.bound.within(seconds, payload, encoding=encoding, strict=strict):
            return None
        return self.validator.validate(
            payload, encoding=encoding, strict=strict, max_errors=max_errors, message_name=message_name
        )


def growth(rules: Sequence[Rule], root: int, deepest: int) -> list[DepthRates] | None:
    """What payloads cost by their depth of nesting, from 0. Deeper ones than the last cost as the last, or more than can be
    said when its `value` is beyond HOPELESS. None when rules apply themselves to the same value without end."""
    order = _in_place_first(rules)
    if order is None:
        return None
    count_ = len(rules)
    own, deep, repeats = [NOTHING] * count_, [0.0] * count_, [0] * count_
    for i in order:
        inside = rules[i].in_place
        own[i] = _sum(rules[i].own, [own[c] for c in inside])
        deep[i] = rules[i].deep + sum(deep[c] for c in inside)
        repeats[i] = rules[i].repeats + max((repeats[c] for c in inside), default=0)
    now = [_deeper(own[i], deep[i]) for i in range(count_)]
    table = [DepthRates(now[root], repeats[root])]
    while len(table) <= deepest and table[-1].rates.value < HOPELESS:
        then, again = _one_deeper(rules, order, own, deep, now, repeats)
        if then == now and again == repeats:
            break
        now, repeats = then, again
        table.append(DepthRates(now[root], repeats[root]))
    return table


def _one_deeper(
    rules: Sequence[Rule],
    order: Sequence[int],
    own: Sequence[Rates],
    deep: Sequence[float],
    now: Sequence[Rates],
    repeats: Sequence[int],
) -> tuple[list[Rates], list[int]]:
    """Rates and repeats of each rule on values that nest one deeper than those of `now` and `repeats`.

    A value costs its own, and its parts cost what the rules for them do: never more than the dearer of the two for each
    value, object and byte.
    """
    members, items = [NOTHING] * len(rules), [NOTHING] * len(rules)
    then, again = [NOTHING] * len(rules), [0] * len(rules)
    for i in order:
        rule = rules[i]
        members[i] = _below(rule.member_one, rule.member_all, now, [members[c] for c in rule.in_place])
        items[i] = _below(rule.item_one, rule.item_all, now, [items[c] for c in rule.in_place])
        then[i] = _deeper(_most([own[i], members[i], items[i]]), deep[i])
        inside = [again[c] for c in rule.in_place] + [repeats[c] for c in rule.below]
        again[i] = rule.repeats + max(inside, default=0)
    return then, again


def _below(one: list[int], every: list[int], now: Sequence[Rates], in_place: list[Rates]) -> Rates:
    """What a member (or item) costs: the dearest of `one`, all of `every`, and what rules for the same value add."""
    if not one and not every and not in_place:
        return NOTHING
    return _sum(_most([now[c] for c in one]), [*[now[c] for c in every], *in_place])


def _most(rates: Sequence[Rates]) -> Rates:
    if len(rates) < 2:
        return rates[0] if rates else NOTHING
    return Rates(*map(max, zip(*rates, strict=True)))


def _sum(first: Rates, rest: Sequence[Rates]) -> Rates:
    return Rates(*map(sum, zip(first, *rest, strict=True))) if rest else first


def _deeper(rates: Rates, deep: float) -> Rates:
    return rates._replace(value=rates.value + deep) if deep else rates


def _in_place_first(rules: Sequence[Rule]) -> list[int] | None:
    """All rules, each after those that it applies to the same value; None when there is no such order."""
    waiting = [len(rule.in_place) for rule in rules]
    users: list[list[int]] = [[] for _ in rules]
    for i, rule in enumerate(rules):
        for child in rule.in_place:
            users[child].append(i)
    order = [i for i, left in enumerate(waiting) if not left]
    for i in order:  # grows meanwhile
        for user in users[i]:
            waiting[user] -= 1
            if not waiting[user]:
                order.append(user)
    return order if len(order) == len(rules) else None
