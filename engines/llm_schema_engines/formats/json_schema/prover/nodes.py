"""The prover's form of a schema: one node for each subschema, all dialects in one normal form. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from .values import Key

Bound = tuple[Fraction, bool]
"""A bound of numbers: its value, and whether the value itself is excluded."""


@dataclass(frozen=True, slots=True)
class Properties:
    """`properties`, `patternProperties` and `additionalProperties` of one schema object."""

    named: Mapping[str, int]
    patterns: Mapping[str, int]
    additional: int


@dataclass(frozen=True, slots=True)
class Contains:
    """`contains` with its counts; `most` is None without `maxContains`."""

    node: int
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Values:
    """A finite set of values (`enum`, `const`)."""

    items: tuple[Any, ...]
    keys: frozenset[Key]


@dataclass(frozen=True, slots=True)
class Node:
    """A subschema: the conjunction of its fields; empty fields and None do not constrain. Numbers refer to other nodes.

    `all_of` includes references. `any_of` is a list of disjunctions. `opaque`: keywords that the prover does not model;
    the node accepts an unknown subset of what its other fields accept.
    """

    never: bool = False
    types: frozenset[str] | None = None
    values: Values | None = None
    all_of: tuple[int, ...] = ()
    any_of: tuple[tuple[int, ...], ...] = ()
    one_of: tuple[int, ...] = ()
    none_of: tuple[int, ...] = ()
    conditions: tuple[tuple[int, int, int], ...] = ()
    low: Bound | None = None
    high: Bound | None = None
    multiples: tuple[Fraction, ...] = ()
    min_length: int = 0
    max_length: int | None = None
    pattern: str | None = None
    formats: tuple[str, ...] = ()
    min_items: int = 0
    max_items: int | None = None
    unique: bool = False
    items: tuple[tuple[int, ...], int] | None = None
    contains: Contains | None = None
    min_properties: int = 0
    max_properties: int | None = None
    properties: Properties | None = None
    property_names: int | None = None
    required: frozenset[str] = frozenset()
    needs: tuple[tuple[str, frozenset[str]], ...] = ()
    """`dependentRequired`: when the first is present, so are the others."""
    implies: tuple[tuple[str, int], ...] = ()
    """`dependentSchemas`: when the property is present, the node applies."""
    opaque: tuple[str, ...] = ()


ANYTHING = Node()
NOTHING = Node(never=True)


def in_place(node: Node) -> list[int]:
    """The nodes that apply to the same value."""
    out = [*node.all_of]
    for group in node.any_of:
        out += group
    out += node.one_of
    out += node.none_of
    for condition in node.conditions:
        out += condition
    out += [target for _, target in node.implies]
    return out


def children(node: Node) -> list[int]:
    """The nodes that a node refers to, in a fixed order."""
    out = in_place(node)
    if node.items is not None:
        out += node.items[0]
        out.append(node.items[1])
    if node.contains is not None:
        out.append(node.contains.node)
    if node.properties is not None:
        props = node.properties
        out += [props.named[name] for name in sorted(props.named)]
        out += [props.patterns[pattern] for pattern in sorted(props.patterns)]
        out.append(props.additional)
    if node.property_names is not None:
        out.append(node.property_names)
    return out


def shape(node: Node, number: int) -> tuple[object, ...]:
    """Everything about a node but its children, in no order where order means nothing. Each opaque node has a shape of its
    own."""
    items, contains, props = node.items, node.contains, node.properties
    return (
        node.never,
        node.types,
        None if node.values is None else node.values.keys,
        len(node.all_of),
        tuple(sorted(map(len, node.any_of))),
        len(node.one_of),
        len(node.none_of),
        len(node.conditions),
        node.low,
        node.high,
        node.multiples,
        (node.min_length, node.max_length, node.pattern, node.formats),
        (node.min_items, node.max_items, node.unique),
        None if items is None else len(items[0]),
        None if contains is None else (contains.least, contains.most),
        (node.min_properties, node.max_properties),
        None if props is None else (tuple(sorted(props.named)), tuple(sorted(props.patterns))),
        node.property_names is None,
        node.required,
        node.needs,
        tuple(name for name, _ in node.implies),
        (node.opaque, number) if node.opaque else None,
    )


def renumber(node: Node, to: Callable[[int], int]) -> Node:
    """The node with every child replaced by `to(child)`."""
    if not children(node):
        return node
    items, contains, props = node.items, node.contains, node.properties
    return replace(
        node,
        all_of=tuple(map(to, node.all_of)),
        any_of=tuple(tuple(map(to, group)) for group in node.any_of),
        one_of=tuple(map(to, node.one_of)),
        none_of=tuple(map(to, node.none_of)),
        conditions=tuple((to(a), to(b), to(c)) for a, b, c in node.conditions),
        items=None if items is None else (tuple(map(to, items[0])), to(items[1])),
        contains=None if contains is None else replace(contains, node=to(contains.node)),
        properties=None
        if props is None
        else Properties(
            {name: to(target) for name, target in props.named.items()},
            {pattern: to(target) for pattern, target in props.patterns.items()},
            to(props.additional),
        ),
        property_names=None if node.property_names is None else to(node.property_names),
        implies=tuple((name, to(target)) for name, target in node.implies),
    )


@dataclass(slots=True)
class Graph:
    """The nodes of one or two documents, and where each came from (side and pointer)."""

    nodes: list[Node] = field(default_factory=lambda: [ANYTHING, NOTHING])
    origins: list[tuple[str, str]] = field(default_factory=lambda: [("", ""), ("", "")])

    def add(self, node: Node, origin: tuple[str, str]) -> int:
        if node == ANYTHING:
            return TRUE
        if node.never:
            return FALSE
        self.nodes.append(node)
        self.origins.append(origin)
        return len(self.nodes) - 1

    def reserve(self, origin: tuple[str, str]) -> int:
        """A number for a node that is still being built, so that cycles can point at it."""
        self.nodes.append(ANYTHING)
        self.origins.append(origin)
        return len(self.nodes) - 1


TRUE = 0
FALSE = 1


def simplified(node: Node) -> Node:
    """The node without constraints that every value satisfies; NOTHING when no value can satisfy it."""
    if FALSE in node.all_of or TRUE in node.none_of or any(set(group) == {FALSE} for group in node.any_of):
        return Node(never=True)
    if TRUE in node.all_of or FALSE in node.none_of or any(TRUE in group for group in node.any_of):
        return replace(
            node,
            all_of=tuple(n for n in node.all_of if n != TRUE),
            any_of=tuple(group for group in node.any_of if TRUE not in group),
            none_of=tuple(n for n in node.none_of if n != FALSE),
        )
    return node
