"""Reads an Avro schema into the model. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..avro.limits import AvroLimits
from ..avro.schema.defaults import NON_FINITE_NUMBERS
from ..avro.schema.document import load
from ..avro.schema.nodes import Array, Enum, Field, Fixed, Map, Node, Record, Union
from ..avro.schema.text import Json
from ..engine import SchemaSource
from . import avro_attributes as attribute
from .avro_values import AvroDecoder
from .defaults import bare_decode, with_defaults
from .losses import Losses
from .model import (
    KEYS,
    Anything,
    Enumeration,
    ListOf,
    MapOf,
    Model,
    ModelField,
    ModelRecord,
    ModelUnion,
    NamedShape,
    Nullable,
    Presence,
    Scalar,
    Shape,
)
from .model import Kind as K

PRIMITIVES: Mapping[str, K] = {
    "null": K.NULL, "boolean": K.BOOLEAN, "int": K.INT32, "long": K.INT64, "float": K.FLOAT, "double": K.DOUBLE,
    "bytes": K.BYTES, "string": K.STRING,
}  # fmt: skip
UNSIGNED = (K.UINT32, K.UINT64)
UNITS: Mapping[str, int] = {"timestamp-millis": 3, "timestamp-micros": 6, "timestamp-nanos": 9}
STRUCTURE = frozenset({"type", "name", "namespace", "aliases", "fields", "symbols", "size", "items", "values", "doc",
                       "default", "logicalType", "precision", "scale"})  # fmt: skip


def read_avro(source: SchemaSource, losses: Losses, limits: AvroLimits | None = None) -> Model:
    """The model of an Avro schema that has been parsed before. Raises InvalidSchema."""
    document = load(source.content, source.references, limits or AvroLimits(), strict=False)
    return _AvroReader(losses).read(document.root)


class _AvroReader:
    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._types: dict[str, ModelRecord | Enumeration] = {}
        self._open: set[str] = set()

    def read(self, root: Node) -> Model:
        model = Model(self._shape(root, ""), self._types)
        with_defaults(model, lambda member: _default(model, member), self._losses)
        return model

    def _shape(self, node: Node, pointer: str) -> Shape:
        if isinstance(node, Record):
            return self._record(node, pointer)
        if isinstance(node, Enum):
            return self._enum(node, pointer)
        if isinstance(node, Union):
            return self._union(node, pointer)
        extras = self._extras(node.source, pointer)
        if isinstance(node, Array):
            return ListOf(pointer, extras, self._shape(node.items, f"{pointer}/items"))
        if isinstance(node, Map):
            key = node.source.get(attribute.KEY)
            spells = next((kind for kind in KEYS if kind.value == key), K.STRING)
            return MapOf(pointer, extras, self._shape(node.values, f"{pointer}/values"), spells)
        if node.source.get(attribute.JSON_TEXT) is True and node.kind == "string":
            return Anything(pointer, extras)
        return self._scalar(node, pointer, extras)

    def _scalar(self, node: Node, pointer: str, extras: Mapping[str, Json]) -> Shape:
        logical = node.logical
        size, name = (node.size, node.name) if isinstance(node, Fixed) else (-1, "")
        if logical is not None and logical.name == "decimal":
            self._losses.narrowed(pointer, f"decimals of more than {logical.precision} digits are refused")
            return Scalar(
                pointer,
                extras,
                K.DECIMAL,
                precision=logical.precision,
                scale=logical.scale,
                size=size,
                name=name,
            )
        if isinstance(node, Fixed):
            if logical is not None:
                extras = {**extras, attribute.LOGICAL: logical.name}
            return Scalar(pointer, extras, K.FIXED, size=size, name=name)
        if logical is not None and logical.name in UNITS:
            self._losses.narrowed(pointer, "instants outside the years 1 to 9999 cannot be converted")
            return Scalar(pointer, extras, K.INSTANT, unit=UNITS[logical.name])
        if logical is not None and logical.name == "date":
            self._losses.narrowed(pointer, "dates outside the years 1 to 9999 cannot be converted")
            return Scalar(pointer, extras, K.DATE)
        if logical is not None and logical.name == "uuid":
            return Scalar(pointer, extras, K.UUID)
        if logical is not None:
            extras = {**extras, attribute.LOGICAL: logical.name}
        narrower = next((kind for kind in UNSIGNED if kind.value == node.source.get(attribute.KIND)), None)
        if node.kind == "long" and narrower is not None:
            self._losses.narrowed(pointer, f"numbers outside {narrower} are refused")
            return Scalar(pointer, extras, narrower)
        return Scalar(pointer, extras, PRIMITIVES[node.kind])

    def _union(self, node: Union, pointer: str) -> Shape:
        rest = [(i, branch) for i, branch in enumerate(node.branches) if branch.kind != "null"]
        nulls = [i for i, branch in enumerate(node.branches) if branch.kind == "null"]
        if len(node.branches) == 1:
            self._losses.changed(pointer, "a union of one type becomes that type")
        if not rest:
            return Scalar(pointer, {}, K.NULL) if nulls else ModelUnion(pointer, {}, ())
        shapes = tuple(self._shape(branch, f"{pointer}/{i}") for i, branch in rest)
        inner = shapes[0] if len(shapes) == 1 else ModelUnion(pointer, {}, shapes)
        if not nulls:
            return inner
        if 0 < nulls[0] < len(node.branches) - 1:
            self._losses.changed(pointer, "null moves to the front of the union")
        return Nullable(pointer, {}, inner, null_last=nulls[0] == len(node.branches) - 1)

    def _enum(self, node: Enum, pointer: str) -> Shape:
        if node.name not in self._types:
            values = node.source.get(attribute.VALUES)
            spelled = (
                {s: v for s, v in values.items() if isinstance(v, str)} if isinstance(values, dict) else {}
            )
            symbols = tuple(spelled.get(symbol, symbol) for symbol in node.symbols)
            if len(set(symbols)) < len(symbols):
                spelled, symbols = {}, node.symbols
            if spelled:
                self._losses.restated(
                    pointer,
                    f"symbols get the values back that they stand for: {', '.join(list(spelled)[:5])}",
                )
            self._types[node.name] = Enumeration(
                node.name, symbols, pointer, _doc(node.source), node.aliases,
                attribute.enum_numbers(node.source.get(attribute.NUMBERS), len(symbols)),
                spelled.get(node.default or "", node.default or ""), spelled,
                self._extras(node.source, pointer),
            )  # fmt: skip
        return NamedShape(pointer, {}, node.name)

    def _record(self, node: Record, pointer: str) -> Shape:
        if node.name not in self._types and node.name not in self._open:
            self._open.add(node.name)
            if node.is_error:
                self._losses.changed(pointer, "an error becomes a record")
            fields = tuple(self._field(f, f"{pointer}/fields/{f.index}") for f in node.fields)
            if len({f.name for f in fields}) < len(fields):
                fields = tuple(replace(f, name=f.keys[0]) for f in fields)
                self._losses.changed(pointer, "two fields stand for one name; all keep Avro's")
            self._types[node.name] = ModelRecord(
                node.name, fields, pointer, _doc(node.source), node.aliases,
                node.source.get(attribute.OPEN) is True, self._extras(node.source, pointer),
            )  # fmt: skip
        return NamedShape(pointer, {}, node.name)

    def _field(self, member: Field, pointer: str) -> ModelField:
        shape = self._shape(member.type, f"{pointer}/type")
        source = member.source
        name = source.get(attribute.NAME)
        presence = Presence.DEFAULTED if member.has_default else Presence.REQUIRED
        has_default = member.has_default
        if source.get(attribute.OPTIONAL) is True and member.has_default:
            # A converted schema: null or the default represents "left out".
            presence = Presence.OPTIONAL
            if isinstance(shape, Nullable) and member.default is None:
                shape, has_default = shape.inner, False
        if "order" in source and source["order"] != "ascending":
            self._losses.dropped(f"{pointer}/order", f"the sort order {source['order']!r} has no counterpart")
        if isinstance(name, str) and name != member.name:
            self._losses.restated(
                pointer, f"the field {member.name!r} gets the name back that it stands for: {name!r}"
            )
        number = source.get(attribute.NUMBER)
        return ModelField(
            name if isinstance(name, str) else member.name, shape, presence, pointer, member.default, has_default,
            _doc(source), number if type(number) is int else 0, member.aliases, _text(source.get(attribute.PROTO_NAME)), _text(source.get(attribute.ONEOF)), (member.name,), extras=self._extras(source, pointer),
        )  # fmt: skip

    def _extras(self, source: Mapping[str, Json], pointer: str) -> Mapping[str, Json]:
        """The JSON Schema keywords that an earlier conversion kept here; other attributes are dropped."""
        for key in source:
            if key not in STRUCTURE and key not in attribute.ATTRIBUTES and key != "order":
                self._losses.dropped(f"{pointer}/{key}", f"the attribute {key!r} has no counterpart")
        kept = source.get(attribute.JSON_SCHEMA)
        if not isinstance(kept, dict):
            return {}
        good = {key: value for key, value in kept.items() if attribute.is_keyword(key, value)}
        for key in kept.keys() - good.keys():
            self._losses.dropped(
                f"{pointer}/{attribute.JSON_SCHEMA}/{key}",
                "this is no keyword, or not a value that it can have",
            )
        return good


def _default(model: Model, member: ModelField) -> Any:
    """The default of a field as the schema writes it. Raises ValueMismatch."""
    shape = member.shape
    is_float = isinstance(shape, Scalar) and shape.kind in (K.FLOAT, K.DOUBLE)
    if is_float and isinstance(member.default, str) and member.default in NON_FINITE_NUMBERS:
        return NON_FINITE_NUMBERS[member.default]
    return bare_decode(model, AvroDecoder, shape, member.default)


def _doc(source: Mapping[str, Json]) -> str:
    return _text(source.get("doc"))


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""
