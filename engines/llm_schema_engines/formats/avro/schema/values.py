"""The smallest values of types, and which types have no finite value. Pure.

Values are Python's JSON values, except: bytes for bytes and fixed, and UnionValue for a union.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .nodes import PRIMITIVES, Array, Enum, Fixed, Map, Node, Record, Union, children, reachable, tag
from .text import Json

Value = Any  # see the module's docstring
SCALARS: Mapping[str, Value] = {
    "null": None, "boolean": False, "int": 0, "long": 0, "float": 0.0, "double": 0.0, "bytes": b"", "string": "",
}  # fmt: skip
KEY = PRIMITIVES["string"]
MAX_RANK = 128
"""No value is built for types of this rank or above."""
SMALLEST_LOGICAL: Mapping[str, Value] = {"uuid": "00000000-0000-4000-8000-000000000000", "decimal": b"\0"}
"""For logical types to which the smallest value of the underlying type does not conform."""


class ValueTooLarge(Exception):
    """The smallest value has more parts than allowed, or the type has no finite value."""


@dataclass(frozen=True, slots=True)
class UnionValue:
    """A value of a union: which branch, and the value of it."""

    index: int
    value: Value


class SmallestValues:
    """The smallest values of `root` and the types under it."""

    def __init__(self, root: Node) -> None:
        self._ranks = ranks(root)

    def exists(self, node: Node) -> bool:
        return id(node) in self._ranks

    def build(self, node: Node, budget: list[int]) -> Value:
        """A smallest value; `budget[0]` is how many more parts may be made. Raises ValueTooLarge."""
        budget[0] -= 1
        if budget[0] < 0 or self._ranks.get(id(node), MAX_RANK) >= MAX_RANK:
            raise ValueTooLarge
        if isinstance(node, Record):
            return {f.name: self.build(f.type, budget) for f in node.fields}
        if isinstance(node, Union):
            index = self.branch(node)
            return UnionValue(index, self.build(node.branches[index], budget))
        if isinstance(node, Array):
            return []
        if isinstance(node, Map):
            return {}
        if isinstance(node, Enum):
            return node.symbols[0]
        if isinstance(node, Fixed):
            budget[0] -= node.size // 32
            return bytes(node.size)
        if node.logical is not None and node.logical.name in SMALLEST_LOGICAL:
            return SMALLEST_LOGICAL[node.logical.name]
        return SCALARS[node.kind]

    def branch(self, node: Union) -> int:
        """The index of the branch that holds the smallest value. Raises ValueTooLarge when no branch has one."""
        usable = [i for i, b in enumerate(node.branches) if id(b) in self._ranks]
        if not usable:
            raise ValueTooLarge
        return min(usable, key=lambda i: self._ranks[id(node.branches[i])])


def encode(node: Node, value: Value) -> bytes:
    """A value in Avro's binary encoding (Avro 1.12, "Binary Encoding")."""
    out = bytearray()
    _encode(node, value, out)
    return bytes(out)


def _encode(node: Node, value: Value, out: bytearray) -> None:
    if isinstance(node, Record):
        for member in node.fields:
            _encode(member.type, value[member.name], out)
    elif isinstance(node, Union):
        out += zigzag(value.index)
        _encode(node.branches[value.index], value.value, out)
    elif isinstance(node, Array | Map):
        if value:
            out += zigzag(len(value))
        if isinstance(node, Map):
            for key, item in value.items():
                _encode(KEY, key, out)
                _encode(node.values, item, out)
        else:
            for item in value:
                _encode(node.items, item, out)
        out.append(0)
    elif isinstance(node, Enum):
        out += zigzag(node.symbols.index(value))
    elif node.kind in ("int", "long"):
        out += zigzag(value)
    elif node.kind in ("float", "double"):
        out += struct.pack("<f" if node.kind == "float" else "<d", value)
    elif node.kind == "boolean":
        out.append(value)
    elif node.kind == "fixed":
        out += value
    elif node.kind != "null":
        content = value.encode() if node.kind == "string" else value
        out += zigzag(len(content))
        out += content


def zigzag(number: int) -> bytes:
    """A number of 64 bits as a variable-length zig-zag."""
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def to_json(node: Node, value: Value) -> Json:
    """A value in Avro's JSON encoding (Avro 1.12, "JSON Encoding")."""
    if isinstance(node, Record):
        return {member.name: to_json(member.type, value[member.name]) for member in node.fields}
    if isinstance(node, Union):
        branch = node.branches[value.index]
        return None if branch.kind == "null" else {tag(branch): to_json(branch, value.value)}
    if isinstance(node, Array):
        return [to_json(node.items, item) for item in value]
    if isinstance(node, Map):
        return {key: to_json(node.values, item) for key, item in value.items()}
    return value.decode("latin-1") if isinstance(value, bytes) else value


def ranks(root: Node) -> dict[int, int]:
    """How deeply the shallowest value of each type under `root` nests, by id; types without a finite value are absent.

    Rounds of one level each: a record needs all its fields ranked, a union one branch. Ranks strictly fall from a
    type to what its smallest value holds, so that building one ends.
    """
    parents: dict[int, list[Node]] = {}
    missing: dict[int, int] = {}  # by record: how many distinct field types are not ranked yet
    found: dict[int, int] = {}
    level: list[Node] = []
    for node in reachable(root):
        below = {id(child) for child in children(node)}
        if isinstance(node, Record):
            missing[id(node)] = len(below)
        if isinstance(node, Record | Union):
            for child in {id(c): c for c in children(node)}.values():
                parents.setdefault(id(child), []).append(node)
        if (
            (isinstance(node, Record) and below)
            or isinstance(node, Union)
            or (isinstance(node, Enum) and not node.symbols)
        ):
            continue
        level.append(node)
    rank = 0
    while level:
        above: list[Node] = []
        for node in level:
            if id(node) in found:
                continue
            found[id(node)] = rank
            for parent in parents.get(id(node), ()):
                if isinstance(parent, Record):
                    missing[id(parent)] -= 1
                    if missing[id(parent)]:
                        continue
                above.append(parent)
        level, rank = above, rank + 1
    return found


def without_value(root: Node) -> list[Record]:
    """The records under `root` that have no finite value."""
    found = ranks(root)
    return [node for node in reachable(root) if isinstance(node, Record) and id(node) not in found]
