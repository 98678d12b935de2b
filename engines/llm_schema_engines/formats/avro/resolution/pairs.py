"""Decides a comparison as a graph: a node is a pair (reader type, writer type), an edge what it requires of inner pairs.

Recursive schemas make cycles. Every pair starts as readable. Pairs that break a rule become unreadable, and so do the
pairs that require them, until nothing changes (the greatest fixed point): a cycle is readable unless something in it
breaks a rule. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ....model.compatibility import Severity
from ..schema.nodes import PRIMITIVES, Array, Enum, Field, Map, Named, Node, Record, Union
from .finding import Finding
from .rules import ResolutionRule, reads_kind, rules_for, same_name, writer_fields


class TooManyPairs(Exception):
    """The comparison would cost more than its limit."""


@dataclass(slots=True, eq=False)
class Requirement:
    """What the pair of `reader` and `writer` requires: one of `alternatives` must be readable.

    `step` leads there in the writer's datum (a field name, a branch index, or None into items and values), `below` in
    the reader's type. `wanted` is the writer's type there. `readable_alternatives` counts those that still are.
    """

    reader: Node
    writer: Node
    step: str | int | None
    below: str
    wanted: Node
    alternatives: list[TypePair]
    readable_alternatives: int


@dataclass(slots=True, eq=False)
class TypePair:
    reader: Node
    writer: Node
    findings: list[tuple[ResolutionRule, Finding]] = field(default_factory=list)
    requirements: list[Requirement] = field(default_factory=list)
    required_by: list[tuple[TypePair, Requirement]] = field(default_factory=list)
    """Who requires this pair. Emptied when all pairs are decided."""
    readable: bool = True


def decide(reader: Node, writer: Node, limit: int) -> TypePair:
    """The root pair, with the graph under it decided. Raises TooManyPairs."""
    pairs: dict[tuple[int, int], TypePair] = {}
    todo: list[TypePair] = []
    unreadable: list[TypePair] = []
    work = 0

    def pair_of(one: Node, other: Node) -> TypePair:
        key = (id(one), id(other))
        pair = pairs.get(key)
        if pair is None:
            pair = pairs[key] = TypePair(one, other)
            todo.append(pair)
            if len(pairs) > limit:
                raise TooManyPairs
        return pair

    root = pair_of(reader, writer)
    while todo:
        pair = todo.pop()
        if not _apply_rules(pair):
            for step, below, wanted, candidates in _inner_parts(pair):
                alternatives = [pair_of(c, wanted) for c in candidates]
                requirement = Requirement(
                    pair.reader, pair.writer, step, below, wanted, alternatives, len(alternatives)
                )
                work += 1 + (len(pair.reader.branches) if isinstance(pair.reader, Union) else 0)
                pair.requirements.append(requirement)
                for alternative in alternatives:
                    alternative.required_by.append((pair, requirement))
                if not candidates:
                    pair.readable = False
        work += 1 + _rule_cost(pair.reader) + _rule_cost(pair.writer)
        if work > 8 * limit:
            raise TooManyPairs
        if not pair.readable:
            unreadable.append(pair)
    _propagate_unreadable(unreadable)
    for pair in pairs.values():
        pair.required_by.clear()  # frees the reference cycles at once, without the garbage collector
    return root


def _rule_cost(node: Node) -> int:
    """What the rules look at in one type, relative to the cost of a pair."""
    if isinstance(node, Record):
        return len(node.fields)
    return len(node.symbols) // 4 if isinstance(node, Enum) else 0


def _apply_rules(pair: TypePair) -> bool:
    """Record the rules that the pair itself breaks; returns whether to skip what is inside."""
    reader, writer = pair.reader, pair.writer
    if reader.kind == "union" or writer.kind == "union":
        return False
    for rule in rules_for(reader, writer):
        for finding in rule.find(reader, writer):
            pair.findings.append((rule, finding))
            if rule.severity is Severity.ERROR:
                pair.readable = False
            if rule.stops:
                return True
    return False


def _propagate_unreadable(unreadable: list[TypePair]) -> None:
    while unreadable:
        for pair, requirement in unreadable.pop().required_by:
            requirement.readable_alternatives -= 1
            if requirement.readable_alternatives == 0 and pair.readable:
                pair.readable = False
                unreadable.append(pair)


InnerPart = tuple[str | int | None, str, Node, list[Node]]


def _inner_parts(pair: TypePair) -> Iterator[InnerPart]:
    """For each inner part: (step, place below the reader, writer's type, the reader's types that may read it)."""
    reader, writer = pair.reader, pair.writer
    if isinstance(writer, Union):
        for i, branch in enumerate(writer.branches):
            candidates = candidate_branches(reader, branch) if isinstance(reader, Union) else [reader]
            yield i, "", branch, candidates
    elif isinstance(reader, Union):
        yield None, "", writer, candidate_branches(reader, writer)
    elif isinstance(reader, Array) and isinstance(writer, Array):
        yield None, "/items", writer.items, [reader.items]
    elif isinstance(reader, Map) and isinstance(writer, Map):
        yield None, "/values", writer.values, [reader.values]
    elif isinstance(reader, Record) and isinstance(writer, Record):
        for member in reader.fields:
            found = writer_fields(member, writer) if member.aliases else _same_name(member.name, writer)
            if len(found) == 1 and not _identical_without_logical_types(member.type, found[0].type):
                yield found[0].name, f"/fields/{member.index}/type", found[0].type, [member.type]


def _identical_without_logical_types(reader: Node, writer: Node) -> bool:
    """Whether both are the same primitive without a logical type, or the same union, array or map of such.

    Most fields are, and they break no rule: they need no pair.
    """
    if reader.kind != writer.kind or reader.logical is not writer.logical:
        return False
    if isinstance(reader, Union) and isinstance(writer, Union):
        mine, theirs = reader.branches, writer.branches
        return len(mine) == len(theirs) and all(map(_identical_without_logical_types, mine, theirs))
    if isinstance(reader, Array) and isinstance(writer, Array):
        return _identical_without_logical_types(reader.items, writer.items)
    if isinstance(reader, Map) and isinstance(writer, Map):
        return _identical_without_logical_types(reader.values, writer.values)
    return reader.kind in PRIMITIVES and reader.logical is None


def _same_name(name: str, writer: Record) -> list[Field]:
    found = writer.by_name.get(name)
    return [] if found is None else [found]


def candidate_branches(reader: Union, writer: Node) -> list[Node]:
    """The branches of the reader that may read the writer's type, best match first.

    The same full name or type comes first, then the same unqualified name or an alias, then promotions. A primitive type
    is never promoted where the reader has it: readers choose by the type, whatever logical type it carries.
    """
    ranked = sorted(_ranked(reader, writer), key=lambda candidate: candidate[0])
    if ranked and ranked[0][0] == 0 and ranked[0][1].kind in PRIMITIVES:
        return [ranked[0][1]]
    return [branch for _, branch in ranked]


def _ranked(reader: Union, writer: Node) -> Iterator[tuple[int, Node]]:
    for branch in reader.branches:
        if isinstance(writer, Union) or isinstance(branch, Union):
            yield 0, branch
        elif isinstance(branch, Named) and isinstance(writer, Named):
            if branch.kind == writer.kind and same_name(branch, writer):
                yield (0 if branch.name == writer.name else 1), branch
        elif reads_kind(branch, writer):
            yield (0 if branch.kind == writer.kind else 2), branch
