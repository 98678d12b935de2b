"""The types of a parsed Avro schema: a graph of nodes that does not change after the parser has returned it.

Recursive schemas make cyclic graphs, so nodes compare by identity and walks keep track of visited nodes. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .text import Json

PRIMITIVE_NAMES = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
NO_SOURCE: Mapping[str, Json] = {}


@dataclass(frozen=True, slots=True)
class Logical:
    """A valid logical type; precision and scale are those of decimals, in decimal digits."""

    name: str
    precision: int = 0
    scale: int = 0

    def __str__(self) -> str:
        return f"decimal({self.precision},{self.scale})" if self.name == "decimal" else self.name


class Node:
    """`kind` is the type name of the specification ("record" also for an `error`); `source` the JSON object behind it."""

    __slots__ = ("kind", "logical", "source")

    def __init__(self, kind: str, source: Mapping[str, Json] = NO_SOURCE) -> None:
        self.kind = kind
        self.source = source
        self.logical: Logical | None = None


class Primitive(Node):
    __slots__ = ()


class Array(Node):
    __slots__ = ("items",)

    def __init__(self, source: Mapping[str, Json], items: Node) -> None:
        super().__init__("array", source)
        self.items = items


class Map(Node):
    __slots__ = ("values",)

    def __init__(self, source: Mapping[str, Json], values: Node) -> None:
        super().__init__("map", source)
        self.values = values


class Union(Node):
    __slots__ = ("branches",)

    def __init__(self, branches: tuple[Node, ...]) -> None:
        super().__init__("union")
        self.branches = branches


class Named(Node):
    """A record, an enum or a fixed. `name` and `aliases` are full names, `short` is the unqualified name."""

    __slots__ = ("aliases", "name", "short")

    def __init__(self, kind: str, source: Mapping[str, Json], name: str) -> None:
        super().__init__(kind, source)
        self.name = name
        self.short = name.rpartition(".")[2]
        self.aliases: tuple[str, ...] = ()


class Fixed(Named):
    """`size` in bytes."""

    __slots__ = ("size",)

    def __init__(self, source: Mapping[str, Json], name: str) -> None:
        super().__init__("fixed", source, name)
        self.size = 0


class Enum(Named):
    """`default` is the symbol that stands for symbols unknown to a reader; None when there is none."""

    __slots__ = ("default", "symbol_set", "symbols")

    def __init__(self, source: Mapping[str, Json], name: str) -> None:
        super().__init__("enum", source, name)
        self.symbols: tuple[str, ...] = ()
        self.symbol_set: frozenset[str] = frozenset()
        self.default: str | None = None


class Record(Named):
    """`is_error` when the schema says "error" instead of "record"; the encoding is the same."""

    __slots__ = ("by_name", "fields", "is_error")

    def __init__(self, source: Mapping[str, Json], name: str) -> None:
        super().__init__("record", source, name)
        self.fields: tuple[Field, ...] = ()
        self.by_name: Mapping[str, Field] = {}
        self.is_error = False


@dataclass(slots=True, eq=False)
class Field:
    """`default` means something only where `has_default`; `index` is the place in the record."""

    name: str
    index: int
    type: Node
    aliases: tuple[str, ...]
    has_default: bool
    default: Json
    source: Mapping[str, Json]


PRIMITIVES: Mapping[str, Primitive] = {name: Primitive(name) for name in PRIMITIVE_NAMES}


def children(node: Node) -> tuple[Node, ...]:
    """The types that a value of `node` directly holds."""
    if isinstance(node, Record):
        return tuple(f.type for f in node.fields)
    if isinstance(node, Union):
        return node.branches
    if isinstance(node, Array):
        return (node.items,)
    if isinstance(node, Map):
        return (node.values,)
    return ()


def reachable(root: Node) -> Iterator[Node]:
    """Every node under `root` once, `root` first."""
    seen = {id(root)}
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        for child in children(node):
            if id(child) not in seen:
                seen.add(id(child))
                stack.append(child)


def first_visit_depth(root: Node) -> int:
    """The depth of a recursive walk that enters each node once, in order: the stack that walks of this package need."""
    seen = {id(root)}
    stack = [iter(children(root))]
    deepest = 1
    while stack:
        child = next(stack[-1], None)
        if child is None:
            stack.pop()
        elif id(child) not in seen:
            seen.add(id(child))
            stack.append(iter(children(child)))
            deepest = max(deepest, len(stack))
    return deepest


def title(node: Node) -> str:
    """A type in messages: its full name, or its kind with its logical type."""
    if isinstance(node, Named):
        return node.name
    if isinstance(node, Array):
        return f"array of {_brief(node.items)}"
    if isinstance(node, Map):
        return f"map of {_brief(node.values)}"
    if isinstance(node, Union):
        shown = ", ".join(_brief(b) for b in node.branches[:8])
        return f"union [{shown}{', ...' if len(node.branches) > 8 else ''}]"
    return f"{node.kind} ({node.logical})" if node.logical else node.kind


def _brief(node: Node) -> str:
    return node.name if isinstance(node, Named) else node.kind


def tag(node: Node) -> str:
    """The name of a union branch in Avro's JSON encoding."""
    return node.name if isinstance(node, Named) else node.kind
