"""Forms that stand for the meaning of a schema, references written out: the Parsing Canonical Form and the validation
form. Pure."""

from __future__ import annotations

from json.encoder import encode_basestring as quote

from .canonical import dump
from .nodes import Array, Enum, Field, Fixed, Map, Named, Node, Record, Union
from .text import Json


def parsing_canonical_form(root: Node) -> bytes:
    """The Parsing Canonical Form (Avro 1.12, "Transforming into Parsing Canonical Form"), in UTF-8."""
    written: set[str] = set()

    def write(node: Node) -> str:
        if isinstance(node, Union):
            return f"[{','.join([write(branch) for branch in node.branches])}]"
        if isinstance(node, Array):
            return f'{{"type":"array","items":{write(node.items)}}}'
        if isinstance(node, Map):
            return f'{{"type":"map","values":{write(node.values)}}}'
        if not isinstance(node, Named):
            return f'"{node.kind}"'
        name = quote(node.name)
        if node.name in written:
            return name
        written.add(node.name)
        head = f'{{"name":{name},"type":"{node.kind}",'
        if isinstance(node, Record):
            fields = [f'{{"name":{quote(f.name)},"type":{write(f.type)}}}' for f in node.fields]
            return f'{head}"fields":[{",".join(fields)}]}}'
        if isinstance(node, Enum):
            return f'{head}"symbols":[{",".join([quote(symbol) for symbol in node.symbols])}]}}'
        assert isinstance(node, Fixed)
        return f'{head}"size":{node.size}}}'

    return write(root).encode()


def validation_form(root: Node) -> bytes:
    """All that decides whether data is valid and how it resolves: the Parsing Canonical Form with defaults, aliases,
    enum defaults and logical types that hold. `doc`, `order` and custom attributes are out."""
    written: set[str] = set()

    def write(node: Node) -> Json:
        if isinstance(node, Union):
            return [write(branch) for branch in node.branches]
        if isinstance(node, Named):
            if node.name in written:
                return node.name
            written.add(node.name)
        elif node.logical is None and not isinstance(node, Array | Map):
            return node.kind
        out: dict[str, Json] = {"type": node.kind}
        if node.logical is not None:
            out["logicalType"] = str(node.logical)
        if isinstance(node, Array):
            out["items"] = write(node.items)
        elif isinstance(node, Map):
            out["values"] = write(node.values)
        elif isinstance(node, Named):
            out["name"], out["aliases"] = node.name, sorted(node.aliases)
            if isinstance(node, Record):
                out["fields"] = [member(f) for f in node.fields]
            elif isinstance(node, Enum):
                out["symbols"], out["default"] = node.symbols, node.default
            elif isinstance(node, Fixed):
                out["size"] = node.size
        return out

    def member(f: Field) -> Json:
        out: dict[str, Json] = {"name": f.name, "type": write(f.type)}
        if f.aliases:
            out["aliases"] = sorted(set(f.aliases))
        if f.has_default:
            out["default"] = f.default
        return out

    return dump(write(root))
