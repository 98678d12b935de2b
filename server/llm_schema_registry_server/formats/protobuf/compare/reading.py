"""Whether a reader gets back what a writer wrote, by looking at both decoded messages. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

_TEXT = (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)
_MESSAGES = (FieldDescriptor.TYPE_MESSAGE, FieldDescriptor.TYPE_GROUP)


def difference(written: Message, read: Message, path: str = "") -> str | None:
    """The path of a value that `read` lacks or holds otherwise; None when all that `written` sets is there.

    Fields that the reader does not declare are no difference: it keeps them as unknown fields.
    """
    for field, value in written.ListFields():
        mine = _declared(read, field.number)
        if mine is None:
            continue
        here = f"{path}.{field.name}" if path else field.name
        theirs, ours = list(_values(field, value)), list(_values(mine, _get(read, mine)))
        if mine.has_presence and not mine.is_repeated and not _has(read, mine):
            return here
        if len(theirs) != len(ours):
            return here
        for old, new in zip(theirs, ours, strict=True):
            found = _differs(field, old, mine, new, here)
            if found is not None:
                return found
    return None


def _declared(message: Message, number: int) -> FieldDescriptor | None:
    """The field or extension of that number."""
    descriptor: Any = message.DESCRIPTOR  # the stubs name two classes of descriptor for one
    field = descriptor.fields_by_number.get(number)
    if field is None:
        known = (e for e in descriptor.file.pool.FindAllExtensions(descriptor) if e.number == number)
        field = next(known, None)
    return field if isinstance(field, FieldDescriptor) else None


def _get(message: Message, field: Any) -> Any:  # whatever type the field has
    return message.Extensions[field] if field.is_extension else getattr(message, field.name)


def _has(message: Message, field: Any) -> bool:  # the stubs want a generic class for extensions
    return bool(message.HasExtension(field) if field.is_extension else message.HasField(field.name))


def _is_map(field: FieldDescriptor) -> bool:
    return bool(field.message_type and field.is_repeated and field.message_type.GetOptions().map_entry)


def _values(field: FieldDescriptor, value: Any) -> Iterator[Any]:
    """The values of a field: the elements, the entries of a map as (key, value), or the one value."""
    if _is_map(field):
        yield from sorted(((key, value[key]) for key in value), key=lambda entry: str(entry[0]))
    elif field.is_repeated:
        yield from value
    else:
        yield value


def _differs(field: FieldDescriptor, old: Any, mine: FieldDescriptor, new: Any, path: str) -> str | None:
    if _is_map(field) or _is_map(mine):
        return _entries_differ(field, old, mine, new, path)
    old_is_message, new_is_message = field.type in _MESSAGES, mine.type in _MESSAGES
    if old_is_message and new_is_message:
        return difference(old, new, path)
    if old_is_message:
        same = isinstance(new, bytes) and old.SerializeToString() == new
        return None if same or (isinstance(new, bytes) and type(old).FromString(new) == old) else path
    if new_is_message:
        return path
    return None if _same_scalar(field, old, mine, new) else path


def _entries_differ(
    field: FieldDescriptor, old: Any, mine: FieldDescriptor, new: Any, path: str
) -> str | None:
    """Map entries against map entries, or against messages that look like them."""
    if field.message_type is None or mine.message_type is None:
        return path
    for number in (1, 2):
        theirs = field.message_type.fields_by_number.get(number)
        ours = mine.message_type.fields_by_number.get(number)
        if theirs is None or ours is None:
            continue
        found = _differs(theirs, _part(field, old, theirs), ours, _part(mine, new, ours), path)
        if found is not None:
            return found
    return None


def _part(field: FieldDescriptor, entry: Any, part: FieldDescriptor) -> Any:
    return entry[part.number - 1] if _is_map(field) else getattr(entry, part.name)


def _same_scalar(field: FieldDescriptor, old: Any, mine: FieldDescriptor, new: Any) -> bool:
    if (field.type in _TEXT) != (mine.type in _TEXT):
        return False
    if field.type in _TEXT:
        return _as_bytes(old) == _as_bytes(new)
    if isinstance(old, float) and math.isnan(old):
        return isinstance(new, float) and math.isnan(new)
    return bool(old == new)


def _as_bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value
