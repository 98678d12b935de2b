"""Encodes single values, so that a witness holds just what shows a breaking change. Pure.

https://protobuf.dev/programming-guides/encoding
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from ..ir import Field, MessageType, Schema
from ..kinds import GROUP, I32, KINDS, LEN, VARINT

MAX_DEPTH = 90
"""Deepest nesting of required messages; decoders stop at 100."""

MAX_BYTES = 64 * 1024
"""Largest message built; required fields can double it at every level."""


class NoSampleMessage(ValueError):
    """No finite message satisfies the schema, or the smallest passes MAX_DEPTH or MAX_BYTES."""


def varint(value: int) -> bytes:
    """A varint; negative numbers take ten bytes, as the encoding demands."""
    value &= 2**64 - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def tag(number: int, wire: int) -> bytes:
    return varint(number << 3 | wire)


def scalar(kind: str, value: float | bytes) -> bytes:
    """The bytes of one value, without its tag; strings and messages are given as bytes."""
    shape = KINDS[kind]
    if isinstance(value, bytes):
        return value
    if shape.encoding == "float":
        return struct.pack("<f", value)
    if shape.encoding == "double":
        return struct.pack("<d", value)
    number = int(value)
    if shape.encoding == "zigzag":
        return varint((number << 1) ^ (number >> 63))
    if shape.wire == VARINT:
        return varint(number)
    return struct.pack(
        "<I" if shape.wire == I32 else "<Q", number & (2**32 - 1 if shape.wire == I32 else 2**64 - 1)
    )


def element(field: Field, values: Iterable[bytes]) -> bytes:
    """A field with the given values (one, unless it is repeated), each as `scalar` made it."""
    wire = KINDS[field.kind].wire
    if field.packed:
        body = b"".join(values)
        return tag(field.number, LEN) + varint(len(body)) + body
    return b"".join(_one(field.number, wire, value) for value in values)


def _one(number: int, wire: int, value: bytes) -> bytes:
    if wire == GROUP:
        return tag(number, GROUP) + value + tag(number, GROUP + 1)
    length = varint(len(value)) if wire == LEN else b""
    return tag(number, wire) + length + value


class SampleMessages:
    """Small valid messages and values of one schema, each built once."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._minimal: dict[str, bytes | None] = {}
        self._depth = 0

    def minimal(self, message: str, without: frozenset[int] = frozenset()) -> bytes:
        """The smallest valid message of a type: its required fields and nothing else. `without`: fields left out.

        Raises NoSampleMessage.
        """
        described = self._schema.messages[message]
        if without.intersection(_always_present(described)):
            return self._build(described, without)
        if message not in self._minimal:
            self._minimal[message] = None  # seen again before it is built: it requires itself
            self._minimal[message] = self._build(described, without)
        built = self._minimal[message]
        if built is None:
            raise NoSampleMessage(message)
        return built

    def sample_value(self, field: Field) -> bytes:
        """A simple valid value of `field`, encoded; raises NoSampleMessage."""
        if field.kind in ("message", "group"):
            return self.minimal(field.type_name)
        if field.kind == "enum":
            return scalar("enum", next(iter(self._schema.enums[field.type_name].values)))
        if field.kind in ("string", "bytes"):
            return b"a"
        return scalar(field.kind, 1)

    def _build(self, message: MessageType, without: frozenset[int]) -> bytes:
        if self._depth > MAX_DEPTH:
            raise NoSampleMessage(message.name)
        out = b""
        self._depth += 1
        try:
            for number in _always_present(message):
                if number not in without:
                    field = message.fields[number]
                    out += element(field, [self.sample_value(field)])
                    if len(out) > MAX_BYTES:
                        raise NoSampleMessage(message.name)
        finally:
            self._depth -= 1
        return out


def _always_present(message: MessageType) -> tuple[int, ...]:
    """The fields that every instance has; an encoder writes key and value of each entry of a map."""
    return (1, 2) if message.map_entry else message.required
