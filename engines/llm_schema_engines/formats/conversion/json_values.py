"""Converts documents of a JSON Schema to and from values of the model. Pure."""

from __future__ import annotations

import re

from ..avro.schema.defaults import DOUBLE_LIMIT, FLOAT_LIMIT
from . import scalars
from .model import INTEGERS, Kind, Scalar, Value
from .scalars import ScalarMismatch
from .values import Decoder, Encoder, Json, integer, number, text

UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


class JsonDecoder(Decoder):
    """Bytes are base64, instants and dates RFC 3339, decimals strings."""

    def scalar(self, shape: Scalar, value: Json) -> Value:
        kind = shape.kind
        if kind in INTEGERS:
            return integer(kind, value)
        if kind in (Kind.FLOAT, Kind.DOUBLE):
            return number(value, FLOAT_LIMIT if kind is Kind.FLOAT else DOUBLE_LIMIT)
        if kind is Kind.NULL:
            if value is not None:
                raise ScalarMismatch("is not null")
            return None
        if kind is Kind.BOOLEAN:
            if not isinstance(value, bool):
                raise ScalarMismatch("is not true or false")
            return value
        return self._from_text(shape, text(value))

    def _from_text(self, shape: Scalar, value: str) -> Value:
        kind = shape.kind
        if kind is Kind.INSTANT:
            return scalars.instant_from_text(value)
        if kind is Kind.DATE:
            return scalars.date_from_text(value)
        if kind is Kind.DECIMAL:
            return scalars.decimal_from_text(value, shape.precision, shape.scale)
        if kind in (Kind.BYTES, Kind.FIXED):
            content = scalars.bytes_from_base64(value)
            if scalars.bytes_to_base64(content) != value:  # it would not come back as it was
                raise ScalarMismatch("is not base64 with its padding (RFC 4648 4)")
            if kind is Kind.FIXED and len(content) != shape.size:
                raise ScalarMismatch(f"has {len(content)} bytes, not {shape.size}")
            return content
        if kind is Kind.UUID and not UUID.fullmatch(value):
            raise ScalarMismatch("is not a UUID")
        return value


class JsonEncoder(Encoder):
    """As JsonDecoder. Fields without a value are left out; those with a default are written."""

    def scalar(self, shape: Scalar, value: Value) -> Json:
        if shape.kind is Kind.INSTANT:
            return scalars.instant_to_text(value)
        if shape.kind is Kind.DATE:
            return scalars.date_to_text(value)
        if shape.kind is Kind.DECIMAL:
            return scalars.decimal_to_text(value, shape.scale)
        if isinstance(value, bytes):
            return scalars.bytes_to_base64(value)
        if shape.kind in (Kind.FLOAT, Kind.DOUBLE) and value - value != 0:
            raise ScalarMismatch("is not a finite number, which JSON cannot write")
        return value
