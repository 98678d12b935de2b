"""Values as .proto text writes them. Pure."""

from __future__ import annotations

import math
from typing import Any

from google.protobuf import text_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import FieldDescriptorProto

F = FieldDescriptorProto


def quote(value: str | bytes) -> str:
    """A string literal in ASCII."""
    data = value.encode() if isinstance(value, str) else value
    return '"' + "".join(chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\{b:03o}" for b in data) + '"'


def number(value: float) -> str:
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return repr(value)


def default(field: FieldDescriptorProto) -> str:
    """The default of `field` as a literal; descriptor.proto keeps bytes already escaped, other kinds bare."""
    if field.type == F.TYPE_STRING:
        return quote(field.default_value)
    if field.type == F.TYPE_BYTES:
        return quote(unescape(field.default_value))
    return field.default_value


def unescape(text: str) -> bytes:
    """The bytes behind the C escapes of a bytes default."""
    from google.protobuf import text_encoding

    return text_encoding.CUnescape(text)


def option(field: FieldDescriptor, value: Any) -> str:  # whatever type the option has
    """One value of an option."""
    if field.message_type is not None:
        return "{ " + text_format.MessageToString(value, as_one_line=True) + " }"
    if field.enum_type is not None:
        named = field.enum_type.values_by_number.get(value)
        return named.name if named else str(value)
    if field.type in (F.TYPE_STRING, F.TYPE_BYTES):
        return quote(value)
    if field.type == F.TYPE_BOOL:
        return "true" if value else "false"
    if field.type in (F.TYPE_FLOAT, F.TYPE_DOUBLE):
        return number(value)
    return str(value)


def ranges(start: int, last: int, maximum: int) -> str:
    """`5`, `5 to 9` or `5 to max`; `last` is included."""
    if start == last:
        return str(start)
    return f"{start} to {'max' if last >= maximum else last}"
