"""The compact form that comparisons read: tuples and dictionaries, so that equal parts compare fast. Pure."""

from __future__ import annotations

import bisect
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from google.protobuf import descriptor_pb2 as d
from google.protobuf.descriptor import FieldDescriptor

from . import features
from .artifact import Files
from .features import Features
from .names import join, json_name

F = d.FieldDescriptorProto
S = d.FeatureSet

KINDS: Mapping[int, str] = {number: name.removeprefix("TYPE_").lower() for name, number in F.Type.items()}
PACKABLE = frozenset(KINDS.values()) - {"string", "bytes", "message", "group"}

JAVA_VERIFY = 2
"""pb.JavaFeatures.Utf8Validation.VERIFY."""

IMPLICIT, EXPLICIT, REQUIRED, REPEATED, MAP = "implicit", "explicit", "required", "repeated", "map"
"""Cardinalities. Singular ones are the first three."""


class Field(NamedTuple):
    """A field or extension. `type_name` is the full name of its message or enum, else "".

    `kind` is the type as .proto text names it; messages that are delimited on the wire are "group". `oneof` is "" for
    fields outside one. `utf8`: bytes that are not UTF-8 are refused. `language` holds what only generated code sees:
    JavaScript type, C++ string type, Java UTF-8 checks.
    """

    number: int
    name: str
    json_name: str
    kind: str
    type_name: str
    cardinality: str
    packed: bool
    oneof: str
    default: str
    utf8: bool
    language: tuple[int, int, int]

    @property
    def many(self) -> bool:
        return self.cardinality in (REPEATED, MAP)


class Reserved(NamedTuple):
    """Reserved numbers as sorted (first, last) pairs, and reserved names."""

    ranges: tuple[tuple[int, int], ...]
    names: frozenset[str]

    def holds(self, number: int) -> bool:
        place = bisect.bisect_right(self.ranges, (number, 2**31))
        return place > 0 and self.ranges[place - 1][1] >= number


@dataclass(frozen=True, slots=True)
class MessageType:
    """`uses`: (field number, type name) of the fields that have a message or enum type. `required`: field
    numbers. `file`: index of the file. `depth`: 0 for top-level messages."""

    name: str
    file: int
    depth: int
    fields: Mapping[int, Field]
    oneofs: frozenset[str]
    reserved: Reserved
    extension_ranges: tuple[tuple[int, int], ...]
    json_format: int
    no_accessor: bool
    message_set: bool
    map_entry: bool
    uses: tuple[tuple[int, str], ...]
    required: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class EnumType:
    """`values`: number -> its names in declaration order."""

    name: str
    file: int
    values: Mapping[int, tuple[str, ...]]
    closed: bool
    reserved: Reserved
    json_format: int


class Method(NamedTuple):
    request: str
    response: str
    client_streaming: bool
    server_streaming: bool
    idempotency: int


@dataclass(frozen=True)
class Schema:
    """All types that a schema can reach, by full name. The last file is the schema itself.

    `packages`: package of each file. `options`: the file options that generated code depends on, by name.
    `extensions`: full name -> (file index, extended message, number).
    """

    messages: Mapping[str, MessageType]
    enums: Mapping[str, EnumType]
    services: Mapping[str, tuple[int, Mapping[str, Method]]]
    extensions: Mapping[str, tuple[int, str, int]]
    packages: tuple[str, ...]
    syntax: str
    options: Mapping[str, str]

    @property
    def root(self) -> int:
        return len(self.packages) - 1

    @functools.cached_property
    def unchecked_text(self) -> bool:
        """Whether it has strings that the runtime takes whatever their bytes are."""
        fields = (f for m in self.messages.values() for f in m.fields.values())
        return any(f.kind == "string" and not f.utf8 for f in fields)

    @property
    def package(self) -> str:
        return self.packages[-1]

    def own_messages(self, *, entries: bool = False) -> Mapping[str, MessageType]:
        """The messages declared in the schema's own file, by name inside the package; those of maps on request."""
        return self._own_with_entries if entries else self._own

    @functools.cached_property
    def _own_with_entries(self) -> Mapping[str, MessageType]:
        root, cut = self.root, len(self.package) + 1 if self.package else 0
        return {m.name[cut:]: m for m in self.messages.values() if m.file == root}

    @functools.cached_property
    def _own(self) -> Mapping[str, MessageType]:
        return {name: m for name, m in self._own_with_entries.items() if not m.map_entry}


def build(files: Files) -> Schema:
    """The compact form of compiled files."""
    builder = _Builder()
    for index, file in enumerate(files):
        builder.file(index, file)
    return builder.finish(files)


class _Builder:
    def __init__(self) -> None:
        self._messages: dict[str, MessageType] = {}
        self._enums: dict[str, EnumType] = {}
        self._services: dict[str, tuple[int, Mapping[str, Method]]] = {}
        self._extensions: dict[str, tuple[int, str, int]] = {}
        self._extension_fields: list[tuple[str, Field]] = []
        self._entries: set[str] = set()
        self._java_checks = 0

    def file(self, index: int, file: d.FileDescriptorProto) -> None:
        inherited = features.of_file(file)
        self._java_checks = int(file.options.java_string_check_utf8)
        for message in file.message_type:
            self._message(index, file.package, 0, message, inherited)
        for enum in file.enum_type:
            self._enum(index, file.package, enum, inherited)
        self._extend(index, file.package, file.extension, inherited)
        for service in file.service:
            methods = {
                m.name: Method(
                    m.input_type[1:],
                    m.output_type[1:],
                    m.client_streaming,
                    m.server_streaming,
                    m.options.idempotency_level,
                )
                for m in service.method
            }
            self._services[join(file.package, service.name)] = (index, methods)

    def finish(self, files: Files) -> Schema:
        for extended, field in self._extension_fields:
            message = self._messages.get(extended)
            if message is not None:
                _add(message, field)
        root = files[-1]
        edition = d.Edition.Name(root.edition) if root.syntax == "editions" else ""
        return Schema(
            self._messages,
            self._enums,
            self._services,
            self._extensions,
            tuple(file.package for file in files),
            edition or root.syntax or "proto2",
            {f.name: option_text(f, v) for f, v in root.options.ListFields() if not f.message_type},
        )

    def _message(
        self, file: int, scope: str, depth: int, message: d.DescriptorProto, inherited: Features
    ) -> None:
        name = join(scope, message.name)
        own = features.override(inherited, message.options)
        entries = {join(name, m.name) for m in message.nested_type if m.options.map_entry}
        self._entries |= entries
        inside = [features.override(own, oneof.options) for oneof in message.oneof_decl]
        oneofs = [oneof.name for oneof in message.oneof_decl]
        fields: dict[int, Field] = {}
        for f in message.field:
            in_oneof = f.HasField("oneof_index") and not f.proto3_optional
            parent = inside[f.oneof_index] if in_oneof else own
            fields[f.number] = self._field(f, f.name, oneofs[f.oneof_index] if in_oneof else "", parent)
        self._messages[name] = MessageType(
            name=name,
            file=file,
            depth=depth,
            fields=fields,
            oneofs=frozenset(f.oneof for f in fields.values() if f.oneof),
            reserved=Reserved(
                tuple(sorted((r.start, r.end - 1) for r in message.reserved_range)),
                frozenset(message.reserved_name),
            ),
            extension_ranges=tuple(sorted((r.start, r.end - 1) for r in message.extension_range)),
            json_format=own.json_format,
            no_accessor=message.options.no_standard_descriptor_accessor,
            message_set=message.options.message_set_wire_format,
            map_entry=message.options.map_entry,
            uses=tuple((f.number, f.type_name) for f in fields.values() if f.type_name),
            required=tuple(f.number for f in fields.values() if f.cardinality == REQUIRED),
        )
        for nested in message.nested_type:
            self._message(file, name, depth + 1, nested, own)
        for enum in message.enum_type:
            self._enum(file, name, enum, own)
        self._extend(file, name, message.extension, own)

    def _field(self, f: F, name: str, oneof: str, inherited: Features) -> Field:
        own = features.of_field(f, inherited)
        kind = KINDS[f.type]
        type_name = f.type_name[1:]
        is_map = type_name in self._entries and f.label == F.LABEL_REPEATED
        if kind == "message" and own.message_encoding == S.DELIMITED and not is_map:
            kind = "group"
        return Field(
            number=f.number,
            name=name,
            json_name=f.json_name or json_name(f.name),
            kind=kind,
            type_name=type_name,
            cardinality=MAP if is_map else _cardinality(f, kind, oneof, own),
            packed=f.label == F.LABEL_REPEATED
            and kind in PACKABLE
            and own.repeated_field_encoding == S.PACKED,
            oneof=oneof,
            default=f.default_value,
            utf8=kind == "string" and own.utf8_validation == S.VERIFY,
            language=(
                f.options.jstype,
                own.cpp_string or -1 - f.options.ctype,
                int(self._java_checks or own.java_utf8 == JAVA_VERIFY or own.utf8_validation == S.VERIFY),
            ),
        )

    def _extend(self, file: int, scope: str, extensions: Iterable[F], inherited: Features) -> None:
        for f in extensions:
            name = join(scope, f.name)
            extended = f.extendee[1:]
            self._extensions[name] = (file, extended, f.number)
            self._extension_fields.append((extended, self._field(f, f"[{name}]", "", inherited)))

    def _enum(self, file: int, scope: str, enum: d.EnumDescriptorProto, inherited: Features) -> None:
        name = join(scope, enum.name)
        own = features.override(inherited, enum.options)
        values: dict[int, tuple[str, ...]] = {}
        for value in enum.value:
            values[value.number] = (*values.get(value.number, ()), value.name)
        self._enums[name] = EnumType(
            name,
            file,
            values,
            own.enum_type == S.CLOSED,
            Reserved(
                tuple(sorted((r.start, r.end) for r in enum.reserved_range)), frozenset(enum.reserved_name)
            ),
            own.json_format,
        )


def option_text(field: FieldDescriptor, value: Any) -> str:  # a scalar of whatever type the option has
    """The value of a file option; enum values by name."""
    return field.enum_type.values_by_number[value].name if field.enum_type else str(value)


def _cardinality(f: F, kind: str, oneof: str, own: Features) -> str:
    if f.label == F.LABEL_REPEATED:
        return REPEATED
    if own.field_presence == S.LEGACY_REQUIRED:
        return REQUIRED
    if own.field_presence == S.IMPLICIT and kind not in ("message", "group") and not oneof:
        return IMPLICIT
    return EXPLICIT


def _add(message: MessageType, field: Field) -> None:
    """Adds an extension to the message that it extends; only while the schema is being built."""
    fields: Any = message.fields
    fields[field.number] = field
    if field.type_name:
        object.__setattr__(message, "uses", (*message.uses, (field.number, field.type_name)))
