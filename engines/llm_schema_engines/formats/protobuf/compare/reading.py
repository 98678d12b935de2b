"""Compares a message as the writer and as the reader decode it. Pure."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from google.protobuf.message import Message

from ..decoded import entries, is_map


class MapEntry(NamedTuple):
    """An entry of a map seen as the message that it is on the wire. `descriptor` is that message's."""

    descriptor: Any
    key: Any
    value: Any


def difference(written: Message | MapEntry, read: Message | MapEntry, path: str = "") -> str | None:
    """The path of the first value that `read` lacks or decodes differently; None when it has all that `written` sets.

    Fields that the reader does not declare are not a difference: it keeps them as unknown fields.
    """
    for field, value in _set_fields(written):
        mine = _declared(read, field.number)
        if mine is None:
            continue
        here = f"{path}.{field.name}" if path else field.name
        if mine.has_presence and not mine.is_repeated and not _has(read, mine):
            return here
        theirs, ours = _values(written, field, value), _values(read, mine, _get(read, mine))
        if len(theirs) != len(ours):
            return here
        if is_map(field) or is_map(mine):  # the entries of a map have no order
            theirs, ours = sorted(theirs, key=_first), sorted(ours, key=_first)
        for old, new in zip(theirs, ours, strict=True):
            found = _differs(old, new, here)
            if found is not None:
                return found
    return None


def _set_fields(message: Message | MapEntry) -> list[tuple[Any, Any]]:
    if isinstance(message, MapEntry):
        return list(zip(message.descriptor.fields, (message.key, message.value), strict=True))
    return list(message.ListFields())


def _declared(message: Message | MapEntry, number: int) -> Any:
    """The descriptor of the field or extension of that number, or None."""
    descriptor: Any = message.descriptor if isinstance(message, MapEntry) else message.DESCRIPTOR
    field = descriptor.fields_by_number.get(number)
    if field is not None:
        return field
    extensions = descriptor.file.pool.FindAllExtensions(descriptor)
    return next((extension for extension in extensions if extension.number == number), None)


def _get(message: Message | MapEntry, field: Any) -> Any:
    if isinstance(message, MapEntry):
        return message.key if field.number == 1 else message.value
    return message.Extensions[field] if field.is_extension else getattr(message, field.name)


def _has(message: Message | MapEntry, field: Any) -> bool:
    if isinstance(message, MapEntry):
        return True
    return bool(message.HasExtension(field) if field.is_extension else message.HasField(field.name))


def _values(message: Message | MapEntry, field: Any, value: Any) -> list[Any]:
    """The values of a field: the elements, the entries of a map, or the one value."""
    if isinstance(message, Message) and is_map(field):
        return [MapEntry(field.message_type, key, item) for key, item in entries(message, field)]
    return list(value) if field.is_repeated else [value]


def _first(entry: Any) -> str:
    """Field 1 of an entry, or of a message in its place: the key to sort by."""
    if not isinstance(entry, (Message, MapEntry)):
        return ""
    field = _declared(entry, 1)
    return "" if field is None else str(_get(entry, field))


def _differs(old: Any, new: Any, path: str) -> str | None:
    """`path`, or that of a value inside, when the reader's value `new` is not the writer's `old`."""
    if isinstance(old, (Message, MapEntry)) and isinstance(new, (Message, MapEntry)):
        return difference(old, new, path)
    if isinstance(old, Message) and isinstance(new, bytes):
        return None if type(old).FromString(new) == old else path
    if isinstance(old, MapEntry) and isinstance(new, bytes):
        return None  # the bytes of the entry
    if isinstance(old, (Message, MapEntry)) or isinstance(new, (Message, MapEntry)):
        return path
    return None if _same_scalar(old, new) else path


def _same_scalar(old: Any, new: Any) -> bool:
    if isinstance(old, (str, bytes)) or isinstance(new, (str, bytes)):
        return bool(_as_bytes(old) == _as_bytes(new))
    if isinstance(old, float) != isinstance(new, float):
        return False
    return bool(old == new or (math.isnan(old) and math.isnan(new)))


def _as_bytes(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else value
