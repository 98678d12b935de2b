"""Writes a model as a JSON Schema of draft 2020-12. Pure."""

from __future__ import annotations

import json

from ...model.dialect import DEFAULT
from . import avro_attributes as attribute
from .json_values import JsonEncoder
from .losses import Losses
from .model import (
    INTEGERS,
    Anything,
    Enumeration,
    Extras,
    Kind,
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
from .values import Json, ValueMismatch

FLOAT_LARGEST = 3.4028234663852886e38
MAX_PATTERN_DIGITS = 100
"""Most digits of a decimal that are checked by a pattern."""
KEY_PATTERNS = {
    Kind.BOOLEAN: "^(true|false)$",
    **{kind: "^-?(0|[1-9][0-9]{0,19})$" if span.start < 0 else "^(0|[1-9][0-9]{0,19})$" for kind, span in INTEGERS.items()},
}  # fmt: skip


def write_json_schema(model: Model, losses: Losses) -> tuple[bytes, JsonEncoder]:
    """The schema text, and the encoder of data that is valid under it. Raises ConversionRefused."""
    writer = _JsonSchemaWriter(model, losses)
    out = {"$schema": DEFAULT.uri, **writer.shape(model.root)}
    definitions = {found.name: writer.definition(found) for found in model.types.values()}
    if definitions:
        out["$defs"] = definitions
    return json.dumps(out, ensure_ascii=False, indent=2).encode(), writer.encoder


class _JsonSchemaWriter:
    def __init__(self, model: Model, losses: Losses) -> None:
        self._model = model
        self._losses = losses
        self.encoder = JsonEncoder(model)

    def shape(self, shape: Shape) -> dict[str, Json]:
        """The schema of a shape, with the keywords that were kept for it."""
        enforced = sorted(key for key in shape.extras if key not in ("examples", attribute.LOGICAL))
        if enforced:
            self._losses.narrowed(shape.pointer, f"enforced again: {', '.join(enforced)}")
        return {**self._structure(shape), **shape.extras}

    def _structure(self, shape: Shape) -> dict[str, Json]:
        if isinstance(shape, Scalar):
            return _scalar(shape)
        if isinstance(shape, Anything):
            return {}
        if isinstance(shape, Nullable):
            return self._nullable(shape)
        if isinstance(shape, ModelUnion):
            return (
                {"anyOf": [self.shape(branch) for branch in shape.branches]}
                if shape.branches
                else {"not": {}}
            )
        if isinstance(shape, ListOf):
            return {"type": "array", "items": self.shape(shape.item)}
        if isinstance(shape, MapOf):
            keys = {} if shape.key is Kind.STRING else {"propertyNames": {"pattern": KEY_PATTERNS[shape.key]}}
            kind = {} if shape.key is Kind.STRING else {attribute.KEY: shape.key.value}
            return {"type": "object", "additionalProperties": self.shape(shape.value), **keys, **kind}
        assert isinstance(shape, NamedShape)
        name = self._model.types[shape.key].name
        return {"$ref": f"#/$defs/{name.replace('~', '~0').replace('/', '~1').replace('%', '%25')}"}

    def _nullable(self, shape: Nullable) -> dict[str, Json]:
        inner = self.shape(shape.inner)
        null: dict[str, Json] = {"type": "null"}
        if isinstance(inner.get("type"), str) and "enum" not in inner:
            kinds = [inner["type"], "null"] if shape.null_last else ["null", inner["type"]]
            return {**inner, "type": kinds}
        branches = inner["anyOf"] if set(inner) == {"anyOf"} else [inner]
        return {"anyOf": [*branches, null] if shape.null_last else [null, *branches]}

    def definition(self, found: ModelRecord | Enumeration) -> dict[str, Json]:
        out: dict[str, Json] = {}
        if found.doc:
            out["description"] = found.doc
        if found.aliases:
            out["x-aliases"] = list(found.aliases)
        if isinstance(found, Enumeration):
            out["enum"] = list(found.symbols)
            if found.default:
                out["x-enum-default"] = found.default
                self._losses.not_enforced(
                    found.pointer, "readers are not told to fall back to the enum's default"
                )
            if found.numbers:
                out[attribute.NUMBERS] = list(found.numbers)
            return {**out, **found.extras}
        out["type"] = "object"
        out["properties"] = {member.name: self._property(member) for member in found.fields}
        required = [member.name for member in found.fields if member.presence is Presence.REQUIRED]
        if required:
            out["required"] = required
        if not found.open:
            out["additionalProperties"] = False
        return {**out, **found.extras}

    def _property(self, member: ModelField) -> dict[str, Json]:
        out = self.shape(member.shape)
        if member.doc:
            out["description"] = member.doc
        if member.has_default:
            self._add_default(out, member)
        if member.presence is Presence.DEFAULTED:
            out["x-defaulted"] = True
        if member.other_names:
            out["x-aliases"] = list(member.other_names)
        if member.number:
            out[attribute.NUMBER] = member.number
        if member.proto_name:
            out[attribute.PROTO_NAME] = member.proto_name
        if member.oneof:
            out[attribute.ONEOF] = member.oneof
        return {**out, **_without(member.extras, out)}

    def _add_default(self, out: dict[str, Json], member: ModelField) -> None:
        try:
            out["default"] = self.encoder.encode(member.shape, member.default)
        except ValueMismatch as mismatch:
            self._losses.narrowed(
                member.pointer,
                f"the default of {member.name!r} cannot be written ({mismatch.message}), and data that has it is refused",
            )


def _without(extras: Extras, known: Extras) -> dict[str, Json]:
    return {key: value for key, value in extras.items() if key not in known}


def _scalar(shape: Scalar) -> dict[str, Json]:
    kind = shape.kind
    if kind in INTEGERS:
        span = INTEGERS[kind]
        if shape.extras.get(attribute.LOGICAL) in attribute.TIMES:
            span = range(attribute.TIMES[shape.extras[attribute.LOGICAL]] + 1)
        return {"type": "integer", "format": kind.value, "minimum": span.start, "maximum": span.stop - 1}
    if kind is Kind.FLOAT:
        return {"type": "number", "format": "float", "minimum": -FLOAT_LARGEST, "maximum": FLOAT_LARGEST}
    if kind is Kind.DOUBLE:
        return {"type": "number", "format": "double"}
    if kind in (Kind.NULL, Kind.BOOLEAN, Kind.STRING):
        return {"type": kind.value}
    if kind is Kind.UUID:
        return {"type": "string", "format": "uuid"}
    if kind is Kind.DATE:
        return {"type": "string", "format": "date"}
    if kind is Kind.INSTANT:
        return {"type": "string", "format": "date-time"} | ({} if shape.unit == 6 else {"x-unit": shape.unit})
    if kind is Kind.DECIMAL:
        return _decimal(shape)
    out: dict[str, Json] = {"type": "string", "contentEncoding": "base64"}
    if kind is Kind.FIXED:
        length = (shape.size + 2) // 3 * 4
        out |= {"minLength": length, "maxLength": length, "x-size": shape.size, "x-name": shape.name}
    return out


def _decimal(shape: Scalar) -> dict[str, Json]:
    out: dict[str, Json] = {
        "type": "string",
        "format": "decimal",
        "x-precision": shape.precision,
        "x-scale": shape.scale,
    }
    if shape.precision <= MAX_PATTERN_DIGITS:
        fraction = f"(\\.[0-9]{{1,{shape.scale}}})?" if shape.scale else ""
        out["pattern"] = f"^-?[0-9]{{1,{max(1, shape.precision - shape.scale)}}}{fraction}$"
    return out | ({"x-size": shape.size, "x-name": shape.name} if shape.size >= 0 else {})
