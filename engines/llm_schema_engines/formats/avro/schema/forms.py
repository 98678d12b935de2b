"""Texts that are equal for schemas of equal meaning, references written out: the Parsing Canonical Form and the
validation form. Pure."""

from __future__ import annotations

from json.encoder import encode_basestring as quote

from .canonical import dump
from .nodes import Array, Enum, Field, Fixed, Map, Named, Node, Record, Union
from .text import Json


def parsing_canonical_form(root: Node) -> bytes:
    """The Parsing Canonical Form (Avro 1.12, "Transforming into Parsing Canonical Form"), in UTF-8."""
    return _canonical(root, set()).encode()


def _canonical(node: Node, written: set[str]) -> str:
    """written: the names of types that are defined already."""
    if isinstance(node, Union):
        return f"[{','.join([_canonical(branch, written) for branch in node.branches])}]"
    if isinstance(node, Array):
        return f'{{"type":"array","items":{_canonical(node.items, written)}}}'
    if isinstance(node, Map):
        return f'{{"type":"map","values":{_canonical(node.values, written)}}}'
    if not isinstance(node, Named):
        return f'"{node.kind}"'
    name = quote(node.name)
    if node.name in written:
        return name
    written.add(node.name)
    head = f'{{"name":{name},"type":"{node.kind}",'
    if isinstance(node, Record):
        fields = [f'{{"name":{quote(f.name)},"type":{_canonical(f.type, written)}}}' for f in node.fields]
        return f'{head}"fields":[{",".join(fields)}]}}'
    if isinstance(node, Enum):
        return f'{head}"symbols":[{",".join([quote(symbol) for symbol in node.symbols])}]}}'
    assert isinstance(node, Fixed)
    return f'{head}"size":{node.size}}}'


def validation_form(root: Node) -> bytes:
    """Everything that decides whether data is valid and how it resolves, as JSON in UTF-8.

    The Parsing Canonical Form with defaults, aliases, enum defaults and valid logical types; without `doc`, `order`
    and custom attributes.
    """
    return dump(_validation_json(root, set()))


def _validation_json(node: Node, written: set[str]) -> Json:
    """written: the names of types that are defined already."""
    if isinstance(node, Union):
        return [_validation_json(branch, written) for branch in node.branches]
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
        out["items"] = _validation_json(node.items, written)
    elif isinstance(node, Map):
        out["values"] = _validation_json(node.values, written)
    elif isinstance(node, Named):
        out["name"], out["aliases"] = node.name, sorted(node.aliases)
        if isinstance(node, Record):
            out["fields"] = [_field_validation_json(field, written) for field in node.fields]
        elif isinstance(node, Enum):
            out["symbols"], out["default"] = node.symbols, node.default
        elif isinstance(node, Fixed):
            out["size"] = node.size
    return out


def _field_validation_json(field: Field, written: set[str]) -> Json:
    out: dict[str, Json] = {"name": field.name, "type": _validation_json(field.type, written)}
    if field.aliases:
        out["aliases"] = sorted(set(field.aliases))
    if field.has_default:
        out["default"] = field.default
    return out
