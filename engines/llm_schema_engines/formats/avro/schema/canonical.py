"""The canonical form: the same text for schemas that differ only in white space, order of keys and spelling of names.

Annotations are kept (doc, order, custom attributes, ignored logical types). Types of references are written by name.
Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from .names import namespace_of
from .nodes import Array, Enum, Field, Fixed, Map, Named, Node, Record, Union
from .text import Json

STRUCTURE: Mapping[str, frozenset[str]] = {
    "record": frozenset({"type", "name", "namespace", "aliases", "fields"}),
    "enum": frozenset({"type", "name", "namespace", "aliases", "symbols"}),
    "fixed": frozenset({"type", "name", "namespace", "aliases", "size"}),
    "array": frozenset({"type", "items"}),
    "map": frozenset({"type", "values"}),
}
FIELD = frozenset({"type", "name", "aliases"})
PRIMITIVE = frozenset({"type"})


def dump(value: Json) -> bytes:
    """JSON without white space, keys sorted, in UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def canonical(root: Node, defined: Mapping[str, Named] | None = None) -> bytes:
    """The canonical form in UTF-8. `defined`: the types to write out; others are written by name. None: all."""
    return dump(_CanonicalWriter(defined).write(root))


class _CanonicalWriter:
    def __init__(self, defined: Mapping[str, Named] | None) -> None:
        self._defined = defined
        self._written: set[str] = set()
        self._namespace = ""  # of the definition around what is written

    def write(self, node: Node) -> Json:
        if isinstance(node, Named):
            if node.name in self._written or (self._defined is not None and node.name not in self._defined):
                return node.name
            self._written.add(node.name)
        elif isinstance(node, Union):
            return [self.write(branch) for branch in node.branches]
        structure = STRUCTURE.get(node.kind, PRIMITIVE)
        out = {key: value for key, value in node.source.items() if key not in structure}
        if node.kind not in STRUCTURE and not out:
            return node.kind
        out["type"] = "error" if isinstance(node, Record) and node.is_error else node.kind
        if isinstance(node, Array):
            out["items"] = self.write(node.items)
        elif isinstance(node, Map):
            out["values"] = self.write(node.values)
        elif isinstance(node, Named):
            self._named(node, out)
        return out

    def _named(self, node: Named, out: dict[str, Json]) -> None:
        out["name"] = node.name
        if self._namespace and "." not in node.name:
            out["namespace"] = ""  # else the name would belong to the namespace around it
        if node.aliases:
            out["aliases"] = sorted(node.aliases)
        if isinstance(node, Record):
            outer, self._namespace = self._namespace, namespace_of(node.name)
            out["fields"] = [self._field(member) for member in node.fields]
            self._namespace = outer
        elif isinstance(node, Enum):
            out["symbols"] = list(node.symbols)
        elif isinstance(node, Fixed):
            out["size"] = node.size

    def _field(self, member: Field) -> Json:
        out = {key: value for key, value in member.source.items() if key not in FIELD}
        if out.get("order") == "ascending":
            del out["order"]
        out["name"] = member.name
        out["type"] = self.write(member.type)
        if member.aliases:
            out["aliases"] = sorted(set(member.aliases))
        return out
