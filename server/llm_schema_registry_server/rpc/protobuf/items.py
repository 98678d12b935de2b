"""How many items the lists and maps of a serialized request have, counted before it is parsed.

A message of a few megabytes can hold millions of empty strings, each of which costs tens of bytes and a step of every loop over
it once it is parsed. What is counted here are bytes; contents are passed over without a look into them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from ...errors import InvalidRequest

SETTING = "limits.request_items"

AnyDescriptor = Any
"""Of a message type: protobuf's implementations of it share no type."""

# Fields of all kinds that a request may have, for each item that a list may have, and beside them.
_FIELDS_PER_ITEM, _OTHER_FIELDS = 4, 1000
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
# Bytes of packed numbers in which a number does not end.
_CONTINUED = bytes(range(0x80, 0x100))
_LONGEST_VARINT = 10
# Messages in messages: protobuf's parsers take 100.
_DEEPEST = 100
_PACKED_SIZES = {
    **dict.fromkeys(
        (FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FIXED64, FieldDescriptor.TYPE_SFIXED64), 8
    ),
    **dict.fromkeys(
        (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_FIXED32, FieldDescriptor.TYPE_SFIXED32), 4
    ),
}
_NEVER_PACKED = (
    FieldDescriptor.TYPE_STRING,
    FieldDescriptor.TYPE_BYTES,
    FieldDescriptor.TYPE_MESSAGE,
    FieldDescriptor.TYPE_GROUP,
)


@dataclass(frozen=True, slots=True)
class _Counted:
    """What is counted of one field: its items when `listed`, and what lies in it when `inner` is given. `packed`: bytes of
    each number where many may stand in one field, 0 when they differ; None where there is one item in each."""

    name: str
    listed: bool
    packed: int | None
    inner: Mapping[int, _Counted] | None


def check_items(message: AnyDescriptor, data: bytes, most: int) -> None:
    """Raises InvalidRequest for a message of this type with a list or map of more than `most` items.

    Bytes that are no message pass: the parser tells what is wrong with them. Takes time in proportion to `most`.
    """
    if len(data) <= most:  # an item has a byte at least
        return
    counted = _counted(message)
    if counted:
        _Count(most).walk(counted, data, 0, len(data))


@lru_cache(maxsize=1024)
def _counted(message: AnyDescriptor) -> Mapping[int, _Counted]:
    """What is counted of a message, by field number: lists, and what has lists in it."""
    return _of_message(message, {})


def _of_message(
    message: AnyDescriptor, above: Mapping[str, Mapping[int, _Counted]]
) -> Mapping[int, _Counted]:
    """A type that contains itself is in its own mapping again."""
    if message.full_name in above:
        return above[message.full_name]
    found: dict[int, _Counted] = {}
    below = {**above, message.full_name: found}
    for field in message.fields:
        inner: Mapping[int, _Counted] | None = None
        if field.message_type is not None and not field.message_type.GetOptions().map_entry:
            inner = _of_message(field.message_type, below)
            inner = inner if inner or field.message_type.full_name in below else None
        if field.is_repeated or inner is not None:
            packed = None if field.type in _NEVER_PACKED else _PACKED_SIZES.get(field.type, 0)
            found[field.number] = _Counted(field.name, field.is_repeated, packed, inner)
    return found


class _Count:
    """The items of one request so far."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._fields = most * _FIELDS_PER_ITEM + _OTHER_FIELDS
        self._items: dict[str, int] = {}

    def walk(self, counted: Mapping[int, _Counted], data: bytes, at: int, end: int, depth: int = 1) -> None:
        """Counts what lies between `at` and `end`. What is deeper than a parser goes is refused by the parser."""
        while at < end and depth <= _DEEPEST:
            self._fields -= 1
            if self._fields < 0:
                raise InvalidRequest(
                    "request",
                    f"has too many fields: more than the setting {SETTING} = {self._most} lets it have",
                )
            tag, at = _varint(data, at, end)
            kind = tag & 7
            known = counted.get(tag >> 3)
            if kind == _BYTES:
                length, at = _varint(data, at, end)
                if known is not None:
                    self._take(known, data, at, min(at + length, end), depth)
                at += length
                continue
            if known is not None and known.listed:
                self._add(known.name, 1)
            if kind == _VARINT:
                _, at = _varint(data, at, end)
            elif kind == _FIXED64:
                at += 8
            elif kind == _FIXED32:
                at += 4

    def _take(self, known: _Counted, data: bytes, at: int, end: int, depth: int) -> None:
        if known.listed:
            self._add(known.name, 1 if known.packed is None else self._numbers(data, at, end, known.packed))
        if known.inner is not None:
            self.walk(known.inner, data, at, end, depth + 1)

    def _numbers(self, data: bytes, at: int, end: int, size: int) -> int:
        """How many packed numbers of `size` bytes there are; of 0: numbers that end with a byte below 0x80."""
        least = (end - at) // (size or _LONGEST_VARINT)
        if size or least > self._most:  # too many anyway: not looked at
            return least
        return len(data[at:end].translate(None, _CONTINUED))

    def _add(self, name: str, count: int) -> None:
        total = self._items[name] = self._items.get(name, 0) + count
        if total > self._most:
            raise InvalidRequest(
                name, f"has more than {self._most} items, which is the limit (setting {SETTING})"
            )


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A number and where it ends; `end` when it does not end before."""
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    return 0, end
