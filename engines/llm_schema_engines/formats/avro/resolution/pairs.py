"""Decides a comparison as a graph: a node is a pair of types that meet, an edge what the pair needs inside.

Recursive schemas make cycles. Every pair starts as readable; those with a broken rule fall, and take down whoever
needs them, until nothing changes: the greatest fixed point, so that a cycle stands unless something in it breaks. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ....model.compatibility import Severity
from ..schema.nodes import PRIMITIVES, Array, Enum, Field, Map, Named, Node, Record, Union
from .rules import Finding, Rule, reads_kind, rules_for, same_name, writer_fields


class TooManyPairs(Exception):
    """The comparison would cost more than its limit."""


@dataclass(slots=True, eq=False)
class Need:
    """What a pair of `reader` and `writer` needs: one of `alternatives` must be readable.

    `step` leads the writer's datum there (a field name, a branch number, or None into items and values);
    `below` is the place in the reader's type.
    """

    reader: Node
    writer: Node
    step: str | int | None
    below: str
    wanted: Node
    alternatives: list[Pair]
    subject_snapshot: int


@dataclass(slots=True, eq=False)
class Pair:
    reader: Node
    writer: Node
    findings: list[tuple[Rule, Finding]] = field(default_factory=list)
    needs: list[Need] = field(default_factory=list)
    needed_by: list[tuple[Pair, Need]] = field(default_factory=list)
    """Only until all pairs are decided."""
    readable: bool = True


def decide(reader: Node, writer: Node, limit: int) -> Pair:
    """The root pair, with the graph under it decided. Raises TooManyPairs."""
    pairs: dict[tuple[int, int], Pair] = {}
    todo: list[Pair] = []
    fallen: list[Pair] = []
    work = 0

    def meet(one: Node, other: Node) -> Pair:
        key = (id(one), id(other))
        pair = pairs.get(key)
        if pair is None:
            pair = pairs[key] = Pair(one, other)
            todo.append(pair)
            if len(pairs) > limit:
                raise TooManyPairs
        return pair

    root = meet(reader, writer)
    while todo:
        pair = todo.pop()
        if not _break_rules(pair):
            for step, below, wanted, candidates in _inside(pair):
                alternatives = [meet(c, wanted) for c in candidates]
                need = Need(pair.reader, pair.writer, step, below, wanted, alternatives, len(alternatives))
                work += 1 + (len(pair.reader.branches) if isinstance(pair.reader, Union) else 0)
                pair.needs.append(need)
                for alternative in alternatives:
                    alternative.needed_by.append((pair, need))
                if not candidates:
                    pair.readable = False
        work += 1 + _weight(pair.reader) + _weight(pair.writer)
        if work > 8 * limit:
            raise TooManyPairs
        if not pair.readable:
            fallen.append(pair)
    _let_fall(fallen)
    for pair in pairs.values():
        pair.needed_by.clear()  # circles would wait for the collector of garbage
    return root


def _weight(node: Node) -> int:
    """What the rules look at in one type, in units of a pair."""
    if isinstance(node, Record):
        return len(node.fields)
    return len(node.symbols) // 4 if isinstance(node, Enum) else 0


def _break_rules(pair: Pair) -> bool:
    """Note the rules that the pair itself breaks; answers whether to stop there."""
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


def _let_fall(fallen: list[Pair]) -> None:
    while fallen:
        for pair, need in fallen.pop().needed_by:
            need.subject_snapshot -= 1
            if need.subject_snapshot == 0 and pair.readable:
                pair.readable = False
                fallen.append(pair)


Inside = tuple[str | int | None, str, Node, list[Node]]


def _inside(pair: Pair) -> Iterator[Inside]:
    """(step, place below the reader, writer's type, the reader's types that may read it) for all that is inside."""
    reader, writer = pair.reader, pair.writer
    if isinstance(writer, Union):
        for i, branch in enumerate(writer.branches):
            candidates = likely(reader, branch) if isinstance(reader, Union) else [reader]
            yield i, "", branch, candidates
    elif isinstance(reader, Union):
        yield None, "", writer, likely(reader, writer)
    elif isinstance(reader, Array) and isinstance(writer, Array):
        yield None, "/items", writer.items, [reader.items]
    elif isinstance(reader, Map) and isinstance(writer, Map):
        yield None, "/values", writer.values, [reader.values]
    elif isinstance(reader, Record) and isinstance(writer, Record):
        for member in reader.fields:
            found = writer_fields(member, writer) if member.aliases else _same_name(member.name, writer)
            if len(found) == 1 and not _plainly_equal(member.type, found[0].type):
                yield found[0].name, f"/fields/{member.index}/type", found[0].type, [member.type]


def _plainly_equal(reader: Node, writer: Node) -> bool:
    """Whether both are the same primitive without a logical type, or the same union, array or map of such: most fields
    are, and nothing about them can break."""
    if reader.kind != writer.kind or reader.logical is not writer.logical:
        return False
    if isinstance(reader, Union) and isinstance(writer, Union):
        mine, theirs = reader.branches, writer.branches
        return len(mine) == len(theirs) and all(map(_plainly_equal, mine, theirs))
    if isinstance(reader, Array) and isinstance(writer, Array):
        return _plainly_equal(reader.items, writer.items)
    if isinstance(reader, Map) and isinstance(writer, Map):
        return _plainly_equal(reader.values, writer.values)
    return reader.kind in PRIMITIVES and reader.logical is None


def _same_name(name: str, writer: Record) -> list[Field]:
    found = writer.by_name.get(name)
    return [] if found is None else [found]


def likely(reader: Union, writer: Node) -> list[Node]:
    """The branches of the reader that meet the writer's type, the closest first: the same full name or type, then the
    same unqualified name or an alias, then promotions."""
    return [branch for _, branch in sorted(_ranked(reader, writer), key=lambda ranked: ranked[0])]


def _ranked(reader: Union, writer: Node) -> Iterator[tuple[int, Node]]:
    for branch in reader.branches:
        if isinstance(writer, Union) or isinstance(branch, Union):
            yield 0, branch
        elif isinstance(branch, Named) and isinstance(writer, Named):
            if branch.kind == writer.kind and same_name(branch, writer):
                yield (0 if branch.name == writer.name else 1), branch
        elif reads_kind(branch, writer):
            yield (0 if branch.kind == writer.kind else 2), branch
