"""Writes single values by hand, so that a witness can hold just what shows a break. Pure.

https://protobuf.dev/programming-guides/encoding
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from ..ir import Field, Schema
from ..kinds import GROUP, I32, KINDS, LEN, VARINT

MAX_DEPTH = 20
"""Required fields inside required fields followed to this depth; a message that needs itself has no instance."""


class Impossible(ValueError):
    """No finite message satisfies the schema, or none small enough was found."""


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


def least(schema: Schema, message: str, but: frozenset[int] = frozenset(), depth: int = 0) -> bytes:
    """The least valid message of a type: its required fields and nothing else. `but`: fields left out.

    Raises Impossible.
    """
    if depth > MAX_DEPTH:
        raise Impossible(message)
    described = schema.messages[message]
    out = b""
    for number in described.required:
        if number not in but:
            field = described.fields[number]
            out += element(field, [plain(schema, field, depth + 1)])
    return out


def plain(schema: Schema, field: Field, depth: int = 0) -> bytes:
    """An unremarkable value of `field`."""
    if field.kind in ("message", "group"):
        return least(schema, field.type_name, depth=depth)
    if field.kind == "enum":
        return scalar("enum", next(iter(schema.enums[field.type_name].values)))
    if field.kind in ("string", "bytes"):
        return b"a"
    return scalar(field.kind, 1)
