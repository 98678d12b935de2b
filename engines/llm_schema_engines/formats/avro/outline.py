"""The outline of an Avro schema: its named types, their fields and symbols, by full name. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from ..outline import Outline
from .schema.document import Document
from .schema.nodes import Array, Enum, Field, Fixed, Map, Named, Node, Record, Union

ROOT = "(root)"


def outline(document: Document) -> Outline:
    """The types that the schema itself defines; a root without a name has the path `(root)`."""
    lines: dict[str, str] = {}
    if not isinstance(document.root, Named) or document.root.name not in document.defined:
        lines[ROOT] = spell(document.root)
    for name, node in document.defined.items():
        lines.update(_named(name, node))
    return lines


def _named(name: str, node: Named) -> Iterator[tuple[str, str]]:
    yield name, _head(node)
    yield from _doc(name, node.source)
    if isinstance(node, Record):
        for field in node.fields:
            yield f"{name}.{field.name}", _field(field)
            yield from _doc(f"{name}.{field.name}", field.source)
    if isinstance(node, Enum):
        for symbol in node.symbols:
            yield f"{name}.{symbol}", "symbol"


def _head(node: Named) -> str:
    text = node.kind
    if isinstance(node, Fixed):
        text += f" of {node.size} bytes"
    if isinstance(node, Enum) and node.default is not None:
        text += f", default {node.default}"
    if node.logical is not None:
        text += f", logical type {node.logical}"
    return text + _aliases(node.aliases)


def _field(field: Field) -> str:
    default = f", default {json.dumps(field.default, ensure_ascii=False)}" if field.has_default else ""
    return spell(field.type) + default + _aliases(field.aliases)


def _aliases(aliases: tuple[str, ...]) -> str:
    return f", also known as {', '.join(aliases)}" if aliases else ""


def _doc(path: str, source: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    doc = source.get("doc")
    if isinstance(doc, str):
        yield f"{path} (doc)", json.dumps(doc, ensure_ascii=False)


def spell(node: Node) -> str:
    """A type in one line. Named types are written by name, so that recursive types end."""
    if isinstance(node, Named):
        return node.name
    if isinstance(node, Array):
        text = f"array of {spell(node.items)}"
    elif isinstance(node, Map):
        text = f"map of {spell(node.values)}"
    elif isinstance(node, Union):
        text = f"union ({' | '.join(spell(b) for b in node.branches)})"
    else:
        text = node.kind
    return f"{text} ({node.logical})" if node.logical is not None else text
