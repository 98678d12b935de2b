"""Converts Avro data in plain JSON to and from values of the model. Pure."""

from __future__ import annotations

import json
import math

from ..avro.schema.defaults import DOUBLE_LIMIT, FLOAT_LIMIT, NON_FINITE_NUMBERS, is_latin1
from ..avro.schema.text import InvalidJsonText, read
from .model import Kind, Model, ModelField, Nullable, Presence, Scalar, Value
from .scalars import ScalarMismatch, decimal_from_bytes, decimal_to_bytes
from .values import Decoder, Encoder, Json, ValueMismatch, ValuePath, integer, number, text

LONG = range(-(2**63), 2**63)


class AvroDecoder(Decoder):
    """Plain JSON: unions untagged, bytes as code points up to U+00FF."""

    def scalar(self, shape: Scalar, value: Json) -> Value:
        kind = shape.kind
        if kind in (Kind.INT32, Kind.INT64, Kind.UINT32, Kind.UINT64):
            return integer(kind, value)
        if kind is Kind.INSTANT:
            return integer(Kind.INT64, value) * 10 ** (9 - shape.unit)
        if kind is Kind.DATE:
            return integer(Kind.INT32, value)
        if kind in (Kind.FLOAT, Kind.DOUBLE):
            return number(value, FLOAT_LIMIT if kind is Kind.FLOAT else DOUBLE_LIMIT)
        if kind in (Kind.BYTES, Kind.FIXED, Kind.DECIMAL):
            return self._bytes(shape, value)
        if kind in (Kind.STRING, Kind.UUID):
            return text(value)
        if value is not None if kind is Kind.NULL else not isinstance(value, bool):
            raise ScalarMismatch(f"is not {kind}")
        return value

    def means_absent(self, member: ModelField, value: Json) -> bool:
        """Null does where the field's type got null for that (see avro_attributes.OPTIONAL)."""
        return value is None and needs_null(member)

    def _bytes(self, shape: Scalar, value: Json) -> Value:
        if not is_latin1(value):
            raise ScalarMismatch("is not a string of code points up to U+00FF")
        content: bytes = value.encode("latin-1")
        if shape.size >= 0 and len(content) != shape.size:
            raise ScalarMismatch(f"has {len(content)} bytes, not {shape.size}")
        return (
            decimal_from_bytes(content, shape.precision, shape.scale)
            if shape.kind is Kind.DECIMAL
            else content
        )

    def anything(self, value: Json, at: ValuePath) -> Value:
        if not isinstance(value, str):
            raise ValueMismatch(at, "the value is not JSON text")
        try:
            return super().anything(read(value.encode())[0], at)
        except InvalidJsonText as error:
            raise ValueMismatch(at, f"the text is not JSON: {error.message}") from None


class AvroEncoder(Encoder):
    """As AvroDecoder. `names`: (record, field) -> Avro's field name; `symbols`: (enum, value) -> Avro's symbol."""

    def __init__(
        self, model: Model, names: dict[tuple[str, str], str], symbols: dict[tuple[str, str], str]
    ) -> None:
        super().__init__(model)
        self._names = names
        self._symbols = symbols

    def scalar(self, shape: Scalar, value: Value) -> Json:
        if shape.kind is Kind.INSTANT:
            count = value // 10 ** (9 - shape.unit)
            if count not in LONG:
                raise ScalarMismatch("is outside the range of a timestamp")
            return count
        if shape.kind is Kind.UINT64 and value not in LONG:
            raise ScalarMismatch("is outside the range of a long")
        if shape.kind is Kind.DECIMAL:
            return decimal_to_bytes(value, shape.scale, shape.size).decode("latin-1")
        if shape.kind in (Kind.FLOAT, Kind.DOUBLE) and value - value != 0:
            raise ScalarMismatch("is not a finite number, which plain JSON cannot write")
        return value.decode("latin-1") if isinstance(value, bytes) else value

    def anything(self, value: Value, at: ValuePath) -> Json:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    def symbol(self, key: str, value: str) -> Json:
        return self._symbols[key, value]

    def name(self, key: str, member: ModelField) -> str:
        return self._names[key, member.name]

    def left_out(self, member: ModelField, at: ValuePath) -> Json:
        """Avro writes every field: the default where the source has one, else null."""
        if member.has_default:
            return self.encode(member.shape, member.default, at)
        return None


def non_finite_text(member: ModelField) -> str:
    """How a default is written that JSON cannot write, a float that is not finite; "" for any other."""
    shape, value = member.shape, member.default
    if not isinstance(shape, Scalar) or shape.kind not in (Kind.FLOAT, Kind.DOUBLE) or math.isfinite(value):
        return ""
    return next(
        name
        for name, number in NON_FINITE_NUMBERS.items()
        if number == value or (name == "NaN" and value != value)
    )


def needs_null(member: ModelField) -> bool:
    """Whether an optional field becomes a union with null: it may be left out and has no default."""
    return (
        member.presence is Presence.OPTIONAL
        and not member.has_default
        and not isinstance(member.shape, Nullable)
    )
