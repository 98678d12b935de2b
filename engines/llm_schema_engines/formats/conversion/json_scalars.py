"""The scalar of a JSON Schema of one type, from its format, range and encoding. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ..json_schema.rewriting import plain
from . import avro_attributes as attribute
from .losses import Losses
from .model import INTEGERS, Kind, Scalar
from .scalars import ScalarMismatch

FORMATS: Mapping[str, Kind] = {"uuid": Kind.UUID, "date": Kind.DATE, "date-time": Kind.INSTANT}
CARRIED_KEYWORDS: Mapping[str, tuple[str, ...]] = {
    "string": (
        "minLength",
        "maxLength",
        "pattern",
        "format",
        "contentMediaType",
        "contentEncoding",
        "examples",
    ),
    "integer": (
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "format",
        "examples",
    ),
    "number": (
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "format",
        "examples",
    ),
    "boolean": ("examples",),
}


def read_scalar(kind: str, schema: Mapping[str, Any], pointer: str, losses: Losses) -> Scalar:
    """The scalar, with the keywords that other schema types do not enforce as extras."""
    extras = {key: plain(schema[key]) for key in CARRIED_KEYWORDS[kind] if key in schema}
    if attribute.LOGICAL in schema:
        extras[attribute.LOGICAL] = schema[attribute.LOGICAL]
    if kind == "string":
        return _string(schema, pointer, extras, losses)
    if kind == "integer":
        return _integer(pointer, extras, losses)
    if kind == "number":
        if extras.get("format") == "float":
            for key in ("format", "minimum", "maximum"):
                extras.pop(key, None)
            losses.narrowed(
                pointer, "numbers beyond the range of a float are refused, digits beyond it are lost"
            )
            return Scalar(pointer, extras, Kind.FLOAT)
        if extras.get("format") == "double":
            del extras["format"]
        losses.narrowed(
            pointer, "numbers beyond the range of a double are refused, digits beyond it are lost"
        )
        return Scalar(pointer, extras, Kind.DOUBLE)
    return Scalar(pointer, extras, Kind.BOOLEAN)


def native(value: Any) -> Any:
    """A JSON value with the numbers of Python in place of exact ones. Raises ScalarMismatch for what no double holds."""
    if isinstance(value, Decimal):
        out = plain(value)
        if isinstance(out, Decimal) and math.isinf(out := float(out)):
            raise ScalarMismatch("holds a number beyond the range of a double")
        return out
    if isinstance(value, dict):
        return {key: native(item) for key, item in value.items()}
    return [native(item) for item in value] if isinstance(value, list) else value


def _string(schema: Mapping[str, Any], pointer: str, extras: dict[str, Any], losses: Losses) -> Scalar:
    precision, scale, size = (_whole(schema.get(key)) for key in ("x-precision", "x-scale", "x-size"))
    name = str(schema.get("x-name", ""))
    if extras.get("format") == "decimal" and precision > 0 and 0 <= scale <= precision:
        _drop(extras, "format", "pattern")
        losses.narrowed(
            pointer, f"only decimals of at most {precision} digits, {scale} behind the point, are carried"
        )
        return Scalar(pointer, extras, Kind.DECIMAL, precision=precision, scale=scale, size=size, name=name)
    if extras.get("contentEncoding") == "base64":
        losses.narrowed(pointer, "strings that are not base64 are refused (JSON Schema does not check)")
        _drop(extras, "contentEncoding")
        if size >= 0:
            _drop(extras, "minLength", "maxLength")
            return Scalar(pointer, extras, Kind.FIXED, size=size, name=name)
        return Scalar(pointer, extras, Kind.BYTES)
    kind = FORMATS.get(str(extras.get("format")))
    if kind is None:
        return Scalar(pointer, extras, Kind.STRING)
    losses.narrowed(
        pointer, f"strings that are no {extras['format']} are refused (JSON Schema need not check)"
    )
    if kind is Kind.INSTANT:
        losses.changed(pointer, "date-times are carried in UTC, fractions cut to what the target holds")
    _drop(extras, "format")
    unit = _whole(schema.get("x-unit"))
    return Scalar(pointer, extras, kind, unit=unit if unit in (3, 6, 9) else 6)


def _integer(pointer: str, extras: dict[str, Any], losses: Losses) -> Scalar:
    """The narrowest of int32, int64, uint32 and uint64 that holds the stated range."""
    low, high = _bounds(extras)
    named = next((k for k in INTEGERS if k.value == extras.get("format")), None)
    fitting = [k for k, span in INTEGERS.items() if low is not None and high is not None
               and span.start <= low and high < span.stop]  # fmt: skip
    kind = named if named in fitting else (fitting[0] if fitting else Kind.INT64)
    if not fitting:
        losses.narrowed(pointer, "integers beyond 64 bits are refused")
    if named is kind:
        _drop(extras, "format")
    span = INTEGERS[kind]
    if extras.get("minimum") == span.start and extras.get("maximum") == span.stop - 1:
        _drop(extras, "minimum", "maximum")
    return Scalar(pointer, extras, kind)


def _bounds(extras: Mapping[str, Any]) -> tuple[float | None, float | None]:
    low = [extras[key] for key in ("minimum", "exclusiveMinimum") if type(extras.get(key)) in (int, float)]
    high = [extras[key] for key in ("maximum", "exclusiveMaximum") if type(extras.get(key)) in (int, float)]
    return (max(low) if low else None), (min(high) if high else None)


def _whole(value: Any) -> int:
    return value if type(value) is int else -1


def _drop(extras: dict[str, Any], *keys: str) -> None:
    for key in keys:
        extras.pop(key, None)
