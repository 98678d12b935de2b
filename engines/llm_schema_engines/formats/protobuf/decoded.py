"""Reads decoded messages where the runtime's own calls fail: keys of maps that are not UTF-8, required fields. Pure.

proto2 accepts any bytes in a string. upb then lists the key of a map as bytes, refuses to look it up, and its
FindInitializationErrors ends the process (protobuf 7.36).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet


def is_map(field: Any) -> bool:
    """Whether a field's descriptor is that of a map."""
    return bool(field.message_type and field.is_repeated and field.message_type.GetOptions().map_entry)


def entries(message: Message, field: Any) -> list[tuple[Any, Any]]:
    """The keys and values of a map of `message`; a key that is not UTF-8 is given as bytes."""
    found: Any = message.Extensions[field] if field.is_extension else getattr(message, field.name)
    keys = list(found)
    if not any(isinstance(key, bytes) for key in keys):
        return [(key, found[key]) for key in keys]
    # Read as fields that an empty message does not know, each entry can be decoded as the message that it is on the wire.
    entry = found.GetEntryClass()
    known: dict[Any, Any] = {}
    unknown: Any = UnknownFieldSet(Empty.FromString(message.SerializePartialToString()))
    for item in unknown:
        if item.field_number == field.number:
            decoded = entry.FromString(item.data)
            known[decoded.key] = decoded.value
    return list(known.items())


def key_text(key: object) -> str:
    """The key of a map as part of a path; bytes that are not UTF-8 are written as escapes."""
    return key.decode("utf-8", "backslashreplace") if isinstance(key, bytes) else str(key)


def missing_required(message: Message) -> list[str]:
    """The paths of the required fields that are not set, here or deeper, such as `lines[0].price`."""
    found: list[str] = []
    if not message.IsInitialized():
        _missing(message, "", found)
    return found


def _missing(message: Message, path: str, found: list[str]) -> None:
    described: Any = message.DESCRIPTOR
    found += [path + f.name for f in described.fields if f.is_required and not message.HasField(f.name)]
    for field, value in message.ListFields():
        inner: Any = field.message_type
        if inner is None:
            continue
        name = f"({field.full_name})" if field.is_extension else field.name
        if not field.is_repeated:
            _missing(value, f"{path}{name}.", found)
        elif not is_map(field):
            for index, item in enumerate(value):
                _missing(item, f"{path}{name}[{index}].", found)
        elif inner.fields_by_name["value"].message_type is not None:
            for key, item in entries(message, field):
                _missing(item, f"{path}{name}[{key_text(key)}].", found)


def not_text(message: Message, path: str = "") -> Iterator[str]:
    """JSON pointers of the strings that are not UTF-8, which a string of any syntax has to be
    (protobuf.dev/programming-guides/proto2, "Scalar Value Types"); the runtime checks it in proto3 and editions only."""
    for descriptor, value in message.ListFields():
        field: Any = descriptor
        here = f"{path}/{f'[{field.full_name}]' if field.is_extension else field.name}"
        if is_map(field):
            for key, item in entries(message, field):
                yield from _not_text(key, f"{here}/{key_text(key)}")
                yield from _not_text(
                    item, f"{here}/{key_text(key)}", field.message_type.fields_by_name["value"]
                )
        elif field.is_repeated and (field.message_type or field.type == FieldDescriptor.TYPE_STRING):
            for index, item in enumerate(value):
                yield from _not_text(item, f"{here}/{index}", field)
        elif not field.is_repeated:
            yield from _not_text(value, here, field)


def _not_text(value: Any, path: str, field: Any = None) -> Iterator[str]:
    """`field` holds `value`; None: it is the key of a map, whose bytes can only be text."""
    if isinstance(value, Message):
        yield from not_text(value, path)
    elif isinstance(value, bytes) and (field is None or field.type == FieldDescriptor.TYPE_STRING):
        yield path
