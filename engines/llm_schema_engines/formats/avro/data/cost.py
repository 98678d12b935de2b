"""What validating data against an Avro schema takes at most (formats.validation_cost). Pure."""

from __future__ import annotations

from ....model.validation import Encoding
from ...validation_cost import MAX_RULES, DepthRates, Rates, Rule, count, growth
from ..limits import AvroLimits
from ..schema.nodes import Array, Map, Node, Record, Union, children, reachable
from .binary import zero_byte_types

_COMPILE_NODE, _COMPILE_EDGE = 8_000, 2_000
"""Nanoseconds of compiling the checks of a type, and for each of its fields or branches."""
_BINARY_CALL, _BINARY_BYTE = 300, 10
_READ_VALUE, _READ_BYTE = 2_500, 30
"""Reading JSON, with a search for repeated keys."""
_VALUE, _MEMBER, _FIELD, _BRANCH = 1_500, 3_000, 400, 500
"""Checking a JSON value of any type; a member of an object; each declared field; each branch of a union."""
_DECIMAL_BYTE = 20


class AvroCost:
    """See formats.validation_cost.CostBound."""

    def __init__(self, root: Node, limits: AvroLimits) -> None:
        self._depth = limits.data_depth
        nodes = list(reachable(root))
        edges = sum(len(children(node)) for node in nodes)
        self.compile_seconds = (_COMPILE_NODE * len(nodes) + _COMPILE_EDGE * edges) / 1e9
        self._calls = 2 * (1 + _longest_chain(nodes, zero_byte_types(root)))
        rules = _rules(nodes) if len(nodes) <= MAX_RULES else None
        self._table: list[DepthRates] = (rules and growth(rules, 0, limits.data_depth)) or []
        self._most = _all_together(rules or [])

    @property
    def known(self) -> bool:
        """Whether the schema has a bound at all."""
        return bool(self._table)

    def within(self, seconds: float, payload: bytes, *, encoding: Encoding, strict: bool) -> bool:
        """See CostBound.within."""
        allowed, counts = seconds * 1e9, count(payload)
        # Every byte belongs to one value, which a chain of records with one field each may hold.
        binary = counts.bytes * (_BINARY_CALL * self._calls + _BINARY_BYTE)
        if encoding is Encoding.BINARY:
            return binary <= allowed
        rates = self._table[min(counts.brackets, self._depth, len(self._table) - 1)].rates
        # Each type is checked once for each value and each type that holds it: results of unions are cached.
        value = min(rates.value, self._most.value)
        members = min(rates.object, self._most.object)
        check = value * counts.values + members * counts.objects + _DECIMAL_BYTE * counts.bytes
        read = _READ_BYTE * counts.bytes + _READ_VALUE * counts.values
        if encoding is Encoding.AUTO:  # as one kind of JSON and then the other, or as binary
            return read + max(2 * check, binary) <= allowed
        return read + check <= allowed


def _longest_chain(nodes: list[Node], zero_byte: set[int]) -> int:
    """The most records, one directly inside the other, of which each holds one value with content."""
    only = {}
    for node in nodes:
        if isinstance(node, Record):
            inside = [f.type for f in node.fields if id(f.type) not in zero_byte]
            if len(inside) == 1 and isinstance(inside[0], Record):
                only[id(node)] = id(inside[0])
    longest = 0
    for start in only:
        length, at, seen = 0, start, set()
        while at in only and at not in seen:
            seen.add(at)
            length, at = length + 1, only[at]
        longest = max(longest, length)
    return longest


def _rules(nodes: list[Node]) -> list[Rule]:
    """The types as rules for plain JSON, in the order of `nodes`: a value of a union is tried with every branch."""
    numbers = {id(node): i for i, node in enumerate(nodes)}
    rules = []
    for node in nodes:
        inside = [numbers[id(child)] for child in children(node)]
        rule = Rule(Rates(value=_VALUE))
        if isinstance(node, Union):
            rule.own, rule.in_place = Rates(value=_VALUE + _BRANCH * len(inside)), inside
        elif isinstance(node, Record):
            rule.own = Rates(value=_VALUE + _MEMBER, object=_FIELD * len(inside))
            rule.member_one = inside
        elif isinstance(node, Map):
            rule.own, rule.member_one = Rates(value=_VALUE + _MEMBER), inside
        elif isinstance(node, Array):
            rule.item_one = inside
        rules.append(rule)
    return rules


def _all_together(rules: list[Rule]) -> Rates:
    """What a value costs on which every type is checked once for each type that holds it."""
    holders = [1] * len(rules)
    for rule in rules:
        for child in [*rule.in_place, *rule.below]:
            holders[child] += 1
    value = sum(rule.own.value * n for rule, n in zip(rules, holders, strict=True))
    return Rates(value, sum(rule.own.object * n for rule, n in zip(rules, holders, strict=True)))
