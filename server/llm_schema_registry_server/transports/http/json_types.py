"""Whether a JSON value fits a field of a request, said in words: the field, what is expected, what came, an example. Pure.

protobuf's own parser refuses the same values, but in words of Python (`unsupported operand type`), and not always with
the name of the field. It still has the last word; what is refused here never reaches it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from ...errors import InvalidRequest

_RANGES: Mapping[int, tuple[int, int]] = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,19})")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,19})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?")
_DURATION = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,9})?s")
_TEXT_INSTEAD: Mapping[str, str] = {
    "schema_content": "schema",
    "new_schema": "schema",
    "data": "data_json",
}
"""Fields of bytes that have a friendlier twin (json_in.py)."""
_MAX_SHOWN = 60


def check_message(tree: Mapping[str, Any], kind: Descriptor, path: str = "") -> None:
    """Raises InvalidRequest for the first value that does not fit its field. `tree` has full field names."""
    for name, value in tree.items():
        check_field(value, kind.fields_by_name[name], path + name)


def check_field(value: Any, field: FieldDescriptor, path: str) -> None:
    """As `check_message`, for one field. null stands for a field that is not given."""
    if value is None:
        return
    message = field.message_type
    if message is not None and message.GetOptions().map_entry:
        _check_map(value, message, path)
    elif field.is_repeated:
        if not isinstance(value, list):
            raise _unfit(value, path, f"a list of {_named(field, plural=True)}", f"[{_example(field)}]")
        for i, item in enumerate(value):
            _check_one(item, field, f"{path}[{i}]")
    else:
        _check_one(value, field, path)


def _check_map(value: Any, entry: Descriptor, path: str) -> None:
    item = entry.fields_by_name["value"]
    if not isinstance(value, dict):
        raise _unfit(
            value,
            path,
            f"an object whose values are {_named(item, plural=True)}",
            f'{{"key": {_example(item)}}}',
        )
    for key, member in value.items():
        _check_one(member, item, f"{path}[{key[:_MAX_SHOWN]!r}]")


def _check_one(value: Any, field: FieldDescriptor, path: str) -> None:
    if field.enum_type is not None:
        _check_enum(value, field.enum_type, path)
    elif field.message_type is not None:
        _check_nested(value, field.message_type, path)
    elif not _fits(value, field):
        raise _unfit(value, path, _named(field), _example(field), _hint(value, field))


def _fits(value: Any, field: FieldDescriptor) -> bool:
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_BOOL:
            return isinstance(value, bool)
        case FieldDescriptor.CPPTYPE_STRING:
            return isinstance(value, str) and (
                _is_base64(value) if field.type == FieldDescriptor.TYPE_BYTES else is_unicode(value)
            )
        case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
            return _is_number(value)
        case _:
            return _is_integer(value, *_RANGES[field.cpp_type])


def _is_number(value: Any) -> bool:
    if isinstance(value, str):  # a query parameter, or written as text to keep its digits
        return _NUMBER.fullmatch(value) is not None
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e308


def _is_integer(value: Any, low: int, high: int) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, str):
        return _INTEGER.fullmatch(value) is not None and low <= int(value) <= high
    return (isinstance(value, int) and low <= value <= high) or (
        isinstance(value, float) and value.is_integer() and low <= value <= high
    )  # fmt: skip


def _is_base64(text: str) -> bool:
    """Standard or URL-safe, padded or not, as the JSON form of protobuf reads it."""
    try:
        standard = text.encode("ascii").replace(b"-", b"+").replace(b"_", b"/").rstrip(b"=")
        base64.b64decode(standard + b"=" * (-len(standard) % 4), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return False
    return True


def is_unicode(text: str) -> bool:
    """Whether UTF-8 can carry `text`: JSON escapes can spell half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True


def _check_enum(value: Any, kind: EnumDescriptor, path: str) -> None:
    # Names were looked up before (json_in.py); a number that the enum does not have is the handler's to refuse.
    known = isinstance(value, str) and value in kind.values_by_name
    if not known and not _is_integer(value, *_RANGES[FieldDescriptor.CPPTYPE_INT32]):
        names = [v.name for v in kind.values if v.number]
        raise _unfit(value, path, f"one of {', '.join(names)}", f'"{names[0]}"')


def _check_nested(value: Any, kind: Descriptor, path: str) -> None:
    match kind.full_name:
        case "google.protobuf.Duration":
            if not (isinstance(value, str) and _DURATION.fullmatch(value)):
                raise _unfit(value, path, "a duration in seconds", '"30s"')
        case "google.protobuf.Timestamp":
            if not (isinstance(value, str) and _is_timestamp(value)):
                raise _unfit(value, path, "an instant (RFC 3339)", '"2026-01-31T12:00:00Z"')
        case _:
            if not isinstance(value, dict):
                raise _unfit(value, path, "an object", _object_example(kind))
            check_message(value, kind, f"{path}.")


def _is_timestamp(text: str) -> bool:
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).tzinfo is not None
    except ValueError:
        return False


def _unfit(value: Any, path: str, expected: str, example: str, hint: str = "") -> InvalidRequest:
    return InvalidRequest(path, f"must be {expected}, such as {example}; it is {_shown(value)}{hint}")


def _shown(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return f"the boolean {str(value).lower()}"
        case str():
            cut = value[:_MAX_SHOWN].encode("ascii", "backslashreplace").decode()
            return f'the string "{cut}{"..." if len(value) > _MAX_SHOWN else ""}"'
        case int() | float():
            return f"the number {str(value)[:_MAX_SHOWN]}" if abs(value) < 1e60 else "a very large number"
        case list():
            return f"a list of {len(value)} item{'' if len(value) == 1 else 's'}"
        case _:
            return f"an object with {len(value)} member{'' if len(value) == 1 else 's'}"


def _named(field: FieldDescriptor, *, plural: bool = False) -> str:
    """What a field takes, in words."""
    if field.enum_type is not None or field.message_type is not None:
        return "objects" if field.message_type is not None else "names"
    if field.type == FieldDescriptor.TYPE_BYTES:
        return "base64 texts" if plural else "base64 text"
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_BOOL:
            return "booleans" if plural else "true or false"
        case FieldDescriptor.CPPTYPE_STRING:
            return "strings" if plural else "a string"
        case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
            return "numbers" if plural else "a number"
        case _:
            low, high = _RANGES[field.cpp_type]
            return "integers" if plural else f"an integer from {low} to {high}"


def _example(field: FieldDescriptor) -> str:
    if field.enum_type is not None:
        return f'"{field.enum_type.values[-1].name}"'
    if field.message_type is not None:
        return _object_example(field.message_type)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return '"e30="'
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_BOOL:
            return "true"
        case FieldDescriptor.CPPTYPE_STRING:
            return '"text"'
        case _:
            return "1"


def _object_example(kind: Descriptor) -> str:
    """An object with the first fields of a message that are plain."""
    plain = [f for f in kind.fields if f.message_type is None and f.enum_type is None and not f.is_repeated]
    return "{" + ", ".join(f'"{f.name}": {_example(f)}' for f in plain[:3]) + "}"


def _hint(value: Any, field: FieldDescriptor) -> str:
    """The way out for what people write most often."""
    friendlier = _TEXT_INSTEAD.get(field.name)
    if field.type == FieldDescriptor.TYPE_BYTES and friendlier:
        return f"; give `{friendlier}` instead to write the {'schema' if friendlier == 'schema' else 'data'} itself"
    if isinstance(value, list) and not field.is_repeated:
        return "; one value is expected, not a list"
    return ""
