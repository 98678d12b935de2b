"""The features in force at each element, from syntax, edition and options (protobuf.dev/editions/features). Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

from google.protobuf import descriptor_pb2 as d

F = d.FieldDescriptorProto
S = d.FeatureSet


class Features(NamedTuple):
    """The features in force at an element; values are those of google.protobuf.FeatureSet."""

    field_presence: int
    enum_type: int
    repeated_field_encoding: int
    utf8_validation: int
    message_encoding: int
    json_format: int
    cpp_string: int = 0
    java_utf8: int = 0


PROTO2 = Features(S.EXPLICIT, S.CLOSED, S.EXPANDED, S.NONE, S.LENGTH_PREFIXED, S.LEGACY_BEST_EFFORT)
PROTO3 = Features(S.IMPLICIT, S.OPEN, S.PACKED, S.VERIFY, S.LENGTH_PREFIXED, S.ALLOW)
EDITION = Features(S.EXPLICIT, S.OPEN, S.PACKED, S.VERIFY, S.LENGTH_PREFIXED, S.ALLOW)
"""Defaults of editions 2023 and 2024."""

_CORE = Features._fields[:6]

# Extensions of FeatureSet: pb.cpp is field 1000 with string_type = 2, pb.java is 1001 with utf8_validation = 2.
_CPP, _JAVA, _LANGUAGE_FIELD = 1000, 1001, 2


def of_file(file: d.FileDescriptorProto) -> Features:
    """The features of a file: the defaults of its syntax, then its own."""
    defaults = {"proto3": PROTO3, "editions": EDITION}.get(file.syntax, PROTO2)
    return override(defaults, file.options)


def override(inherited: Features, options: Any) -> Features:  # each kind of element has its own options class
    """`inherited` with what `options.features` changes."""
    if not options.HasField("features"):
        return inherited
    features = options.features
    changed = {name: getattr(features, name) for name in _CORE if features.HasField(name)}
    for number, name in ((_CPP, "cpp_string"), (_JAVA, "java_utf8")):
        value = _language_feature(features.SerializeToString(), number)
        if value:
            changed[name] = value
    return inherited._replace(**changed)


def of_field(field: F, inherited: Features) -> Features:
    """The features of a field: inherited from its message or oneof, its own, and older options of the same meaning."""
    features = override(inherited, field.options)
    if field.options.HasField("packed"):
        encoding = S.PACKED if field.options.packed else S.EXPANDED
        features = features._replace(repeated_field_encoding=encoding)
    if field.label == F.LABEL_REQUIRED:
        features = features._replace(field_presence=S.LEGACY_REQUIRED)
    elif field.proto3_optional:
        features = features._replace(field_presence=S.EXPLICIT)
    return features


def _language_feature(data: bytes, extension: int) -> int:
    """Field 2 of a language's features inside a serialized FeatureSet; 0 when unset.

    The extensions are not compiled into this process, so they are read from the bytes: d.UninterpretedOption and
    other generated classes would need the language's .proto files.
    """
    for number, value in _fields(data):
        if number == extension and isinstance(value, bytes):
            for inner, setting in _fields(value):
                if inner == _LANGUAGE_FIELD and isinstance(setting, int):
                    return setting
    return 0


def _fields(data: bytes) -> list[tuple[int, int | bytes]]:
    """The varint and length-delimited fields of a message that another library has already read."""
    found: list[tuple[int, int | bytes]] = []
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        number, wire = tag >> 3, tag & 7
        value, place = _varint(data, place)
        if wire == 2:
            found.append((number, data[place : place + value]))
            place += value
        elif wire == 0:
            found.append((number, value))
        else:
            break
    return found


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(data):
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
    return value, place
