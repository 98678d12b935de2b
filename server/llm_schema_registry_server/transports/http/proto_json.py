"""Messages as JSON values (ProtoJSON) and back, by a plan that is made once for each type of message.

It gives what protobuf's json_format gives, which looks at every descriptor again with every message. What is rare is left to json_format: messages of google.protobuf other than times, and in requests also times, fractions
and fields that exclude each other. Pure.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from functools import cache
from operator import methodcaller
from typing import Any, NamedTuple, cast

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

Tree = dict[str, Any]
Convert = Callable[[Any], Any]

_KNOWN = "google.protobuf."
_TIMES = frozenset({"google.protobuf.Timestamp", "google.protobuf.Duration"})
_LONG = frozenset({FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64})
_SHORT = frozenset({FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_UINT32})
_FRACTIONS = frozenset({FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT})


class _Unusual(Exception):
    """A request that json_format reads."""


class _Written(NamedTuple):
    """How a type is written: its fields that are always there as they are when empty, and by number each field's name and what writes it."""

    empty: Tree
    fields: Mapping[int, tuple[str, Convert]]


def tree_of(message: Message) -> Any:
    """The JSON value of a message: names as in the proto, and every field that has no presence, in the order of the proto; then those that
    have it and are set."""
    plan = _written(message.DESCRIPTOR)
    if plan is None:
        return _by_library(message)
    tree = dict(plan.empty)
    for field, value in message.ListFields():
        name, write = plan.fields[field.number]
        tree[name] = write(value)
    return tree


def message_of(tree: Mapping[str, Any], kind: type[Message]) -> Message | None:
    """The message with these fields, by the names of the proto; None for what json_format must read. `tree` was checked before
    (json_types.py): of a field that is wrong all the same, protobuf's own error is raised (ValueError, TypeError)."""
    descriptor = cast(Descriptor, kind.DESCRIPTOR)  # the stubs also know the C class of the same shape
    if descriptor.full_name.startswith(_KNOWN):
        return None
    try:
        return kind(**_arguments(tree, _read(descriptor)))
    except _Unusual:
        return None


@cache
def _written(kind: Descriptor) -> _Written | None:
    """None for what json_format writes."""
    if kind.full_name.startswith(_KNOWN):
        return None
    return _Written(
        {field.name: _empty(field) for field in kind.fields if not field.has_presence},
        {field.number: (field.name, _writer(field)) for field in kind.fields},
    )


def _empty(field: FieldDescriptor) -> Any:
    if field.is_repeated:
        return {} if _is_map(field) else ()
    return _writer(field)(field.default_value)


def _writer(field: FieldDescriptor) -> Convert:
    if _is_map(field):
        key, value = _of_map(field)
        names, write = _key_writer(key), _item_writer(value)
        return lambda held: {names(name): write(held[name]) for name in held}
    write = _item_writer(field)
    if not field.is_repeated:
        return write
    return list if write is _as_it_is else lambda values: [write(value) for value in values]


def _key_writer(key: FieldDescriptor) -> Callable[[Any], str]:
    return (lambda name: str(name).lower()) if key.cpp_type == FieldDescriptor.CPPTYPE_BOOL else str


def _item_writer(field: FieldDescriptor) -> Convert:
    """What writes one value of the field."""
    if (inner := field.message_type) is not None:
        return methodcaller("ToJsonString") if inner.full_name in _TIMES else tree_of
    if field.enum_type is not None:
        names = {number: value.name for number, value in field.enum_type.values_by_number.items()}
        return lambda number: names.get(number, number)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return lambda value: base64.b64encode(value).decode()
    if field.cpp_type in _LONG:
        return str
    if field.cpp_type in _FRACTIONS:
        return _fraction if field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE else _no_floats(field)
    return _as_it_is


def _as_it_is(value: Any) -> Any:
    return value


def _fraction(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _no_floats(field: FieldDescriptor) -> Convert:
    raise TypeError(f"{field.full_name} is a float, whose shortest text nothing here knows: make it a double")


def _by_library(message: Message) -> Any:
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def _is_map(field: FieldDescriptor) -> bool:
    inner = field.message_type
    return inner is not None and bool(inner.GetOptions().map_entry)


def _of_map(field: FieldDescriptor) -> tuple[FieldDescriptor, FieldDescriptor]:
    """Key and value."""
    entry = cast(Descriptor, field.message_type)
    return entry.fields_by_name["key"], entry.fields_by_name["value"]


@cache
def _read(kind: Descriptor) -> Mapping[str, Convert]:
    """What makes an argument of the constructor of a JSON value, by field."""
    return {field.name: _reader(field) for field in kind.fields}


def _arguments(tree: Mapping[str, Any], readers: Mapping[str, Convert]) -> Tree:
    return {name: readers[name](value) for name, value in tree.items() if value is not None}


def _reader(field: FieldDescriptor) -> Convert:
    alone = field.containing_oneof is None or len(field.containing_oneof.fields) == 1
    if not alone:
        return _unusual
    if _is_map(field):
        plain = all(part.type == FieldDescriptor.TYPE_STRING for part in _of_map(field))
        return _as_it_is if plain else _unusual
    read = _item_reader(field)
    if not field.is_repeated or read is _as_it_is or read is _unusual:
        return read
    return lambda values: [read(value) for value in values]


def _item_reader(field: FieldDescriptor) -> Convert:
    """What reads one value of the field."""
    if (inner := field.message_type) is not None:
        if inner.full_name.startswith(_KNOWN):
            return _unusual
        return lambda tree: _arguments(tree, _read(inner))
    if field.enum_type is not None:
        numbers = {name: value.number for name, value in field.enum_type.values_by_name.items()}
        return lambda name: _number(name, numbers)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _bytes
    if field.cpp_type in _LONG or field.cpp_type in _SHORT:
        return int
    return _unusual if field.cpp_type in _FRACTIONS else _as_it_is


def _unusual(value: Any) -> Any:
    raise _Unusual


def _number(name: Any, numbers: Mapping[str, int]) -> int:
    number = numbers.get(name) if isinstance(name, str) else name
    if type(number) is not int:
        raise _Unusual
    return number


def _bytes(text: str) -> bytes:
    """Standard or URL-safe, padded or not."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
