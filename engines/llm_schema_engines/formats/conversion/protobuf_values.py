"""Converts Protobuf's JSON documents to and from values of the model (protobuf.dev/programming-guides/json). Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..avro.schema.defaults import DOUBLE_LIMIT, FLOAT_LIMIT, NON_FINITE_NUMBERS
from . import scalars
from .model import (
    INTEGERS,
    Anything,
    Enumeration,
    Kind,
    ListOf,
    MapOf,
    Model,
    ModelField,
    ModelRecord,
    ModelUnion,
    Nullable,
    Scalar,
    Shape,
    UnionChoice,
    Value,
)
from .scalars import ScalarMismatch
from .values import ABSENT, Decoder, Encoder, Json, ValueMismatch, ValuePath, integer, number, text

_NUMBER = re.compile(r"-?(0|[1-9]\d{0,400})(\.\d{1,400})?([eE][+-]?\d{1,4})?", re.ASCII)


class ProtobufDecoder(Decoder):
    """Reads what Protobuf's JSON parsers accept, in the strict forms: no duplicate spellings of one field."""

    def scalar(self, shape: Scalar, value: Json) -> Value:
        kind = shape.kind
        if kind in INTEGERS:
            return integer(kind, _parsed(value))
        if kind in (Kind.FLOAT, Kind.DOUBLE):
            if isinstance(value, str) and value in NON_FINITE_NUMBERS:
                return NON_FINITE_NUMBERS[value]
            return number(_parsed(value), FLOAT_LIMIT if kind is Kind.FLOAT else DOUBLE_LIMIT)
        if kind is Kind.BOOLEAN:
            if not isinstance(value, bool):
                raise ScalarMismatch("is not true or false")
            return value
        if kind is Kind.BYTES:
            return scalars.bytes_from_base64(text(value))
        return scalars.instant_from_text(text(value)) if kind is Kind.INSTANT else text(value)

    def symbol(self, enumeration: Enumeration, value: Json, at: ValuePath) -> Value:
        if type(value) is int and value in enumeration.numbers:
            return enumeration.symbols[enumeration.numbers.index(value)]
        return super().symbol(enumeration, value, at)

    def means_absent(self, member: ModelField, value: Json) -> bool:
        """Null does, unless null is a value of the type."""
        return value is None and not isinstance(member.shape, Anything)


def _parsed(value: Json) -> Json:
    """Numbers may be strings. Raises ScalarMismatch."""
    if not isinstance(value, str):
        return value
    if not _NUMBER.fullmatch(value):
        raise ScalarMismatch("is not a number")
    return int(value) if value.lstrip("-").isdigit() else float(value)


@dataclass(frozen=True, slots=True)
class ProtobufLayout:
    """The names in a written schema.

    names: (record, field) -> JSON name. symbols: (enum, symbol) -> enum value. branches: id of the union -> JSON names
    of its branches. oneofs: record -> the fields of each oneof. wrapped_root: the root is the field `value` of a
    message.
    """

    names: Mapping[tuple[str, str], str]
    symbols: Mapping[tuple[str, str], str]
    branches: Mapping[int, tuple[str, ...]]
    oneofs: Mapping[str, tuple[tuple[str, ...], ...]]
    wrapped_root: bool


class ProtobufEncoder(Encoder):
    """Writes documents for the messages that to_protobuf.py writes."""

    def __init__(self, model: Model, layout: ProtobufLayout) -> None:
        super().__init__(model)
        self._layout = layout

    def document(self, value: Value) -> Json:
        """The JSON document of a value of the root. Raises ValueMismatch."""
        if not self._layout.wrapped_root:
            return self._element(self.model.root, value, None)
        written = self.encode(self.model.root, value)
        return {} if written is ABSENT else {"value": written}

    def encode(self, shape: Shape, value: Value, at: ValuePath = None) -> Json:
        """A value as the content of a field: ABSENT for null."""
        if isinstance(shape, Nullable):
            return ABSENT if value is None else self.encode(shape.inner, value, at)
        if isinstance(shape, ListOf):
            return [self._element(shape.item, item, (at, i)) for i, item in enumerate(value)]
        if isinstance(shape, MapOf):
            return {key: self._element(shape.value, item, (at, key)) for key, item in value.items()}
        return self._element(shape, value, at)

    def _element(self, shape: Shape, value: Value, at: ValuePath) -> Json:
        """A value in a position that holds one singular value: lists, maps and null are wrapped in a message."""
        if isinstance(shape, Nullable | ListOf | MapOf):
            written = self.encode(shape, value, at)
            return {} if written is ABSENT else {"value": written}
        return super().encode(shape, value, at)

    def union(self, shape: ModelUnion, value: UnionChoice, at: ValuePath) -> Json:
        branch = self._layout.branches[id(shape)][value.index]
        return {branch: self._element(shape.branches[value.index], value.value, at)}

    def record(self, key: str, record: ModelRecord, value: Mapping[str, Value], at: ValuePath) -> Json:
        for group in self._layout.oneofs.get(key, ()):
            found = [name for name in group if name in value]
            if len(found) > 1:
                raise ValueMismatch(at, f"only one of {', '.join(found)} can be set")
        return super().record(key, record, value, at)

    def scalar(self, shape: Scalar, value: Value) -> Json:
        kind = shape.kind
        if kind is Kind.INSTANT:
            return scalars.instant_to_text(value)
        if kind is Kind.DATE:
            return scalars.date_to_text(value)
        if kind is Kind.DECIMAL:
            return scalars.decimal_to_text(value, shape.scale)
        if kind in (Kind.FLOAT, Kind.DOUBLE) and value - value != 0:
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        if kind in (Kind.INT64, Kind.UINT64):
            return str(value)
        return scalars.bytes_to_base64(value) if isinstance(value, bytes) else value

    def anything(self, value: Value, at: ValuePath) -> Json:
        _check_struct(value, at, 0)
        return value

    def symbol(self, key: str, value: str) -> Json:
        return self._layout.symbols[key, value]

    def name(self, key: str, member: ModelField) -> str:
        return self._layout.names[key, member.name]


MAX_VALUE_DEPTH = 40


def _check_struct(value: Any, at: ValuePath, depth: int) -> None:
    """Raises ValueMismatch for what google.protobuf.Value cannot hold: integers beyond 2^53 and deep nesting."""
    if depth > MAX_VALUE_DEPTH:
        raise ValueMismatch(at, f"the value is nested more than {MAX_VALUE_DEPTH} deep")
    if isinstance(value, dict):
        for key, item in value.items():
            _check_struct(item, (at, key), depth + 1)
    elif isinstance(value, list):
        for i, item in enumerate(value):
            _check_struct(item, (at, i), depth + 1)
    elif type(value) is int and not -(2**53) <= value <= 2**53:
        raise ValueMismatch(at, "the integer has more digits than a double holds")
