"""Reads a compiled Protobuf schema into the model. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto

from ...errors import ConversionRefused
from ..engine import SchemaSource
from ..protobuf import artifact as artifacts
from ..protobuf.names import join
from ..protobuf.pools import CompiledSchema
from .losses import Losses
from .model import (
    Anything,
    Enumeration,
    Kind,
    ListOf,
    MapOf,
    Model,
    ModelField,
    ModelRecord,
    NamedShape,
    Presence,
    Scalar,
    Shape,
)

F = FieldDescriptor
SCALARS: Mapping[int, Kind] = {
    F.TYPE_DOUBLE: Kind.DOUBLE, F.TYPE_FLOAT: Kind.FLOAT, F.TYPE_BOOL: Kind.BOOLEAN, F.TYPE_STRING: Kind.STRING,
    F.TYPE_BYTES: Kind.BYTES, F.TYPE_INT32: Kind.INT32, F.TYPE_SINT32: Kind.INT32, F.TYPE_SFIXED32: Kind.INT32,
    F.TYPE_INT64: Kind.INT64, F.TYPE_SINT64: Kind.INT64, F.TYPE_SFIXED64: Kind.INT64, F.TYPE_UINT32: Kind.UINT32,
    F.TYPE_FIXED32: Kind.UINT32, F.TYPE_UINT64: Kind.UINT64, F.TYPE_FIXED64: Kind.UINT64,
}  # fmt: skip
PLAIN_INTEGERS = frozenset({F.TYPE_INT32, F.TYPE_INT64, F.TYPE_UINT32, F.TYPE_UINT64})
WRAPPERS: Mapping[str, Kind] = {
    "DoubleValue": Kind.DOUBLE, "FloatValue": Kind.FLOAT, "Int64Value": Kind.INT64, "UInt64Value": Kind.UINT64,
    "Int32Value": Kind.INT32, "UInt32Value": Kind.UINT32, "BoolValue": Kind.BOOLEAN, "StringValue": Kind.STRING,
    "BytesValue": Kind.BYTES,
}  # fmt: skip
TEXTS: Mapping[str, Mapping[str, str]] = {
    "Duration": {"pattern": "^-?[0-9]+(\\.[0-9]{1,9})?s$"},
    "FieldMask": {},
}
NOT_FINITE = "NaN and the infinities cannot be written as JSON numbers"
MAX_MESSAGES = 2_000


def read_protobuf(source: SchemaSource, losses: Losses, message_name: str = "") -> Model:
    """The model of one message of a schema that has been parsed before; "" is the first message.

    Raises ConversionRefused.
    """
    if not source.artifact:
        raise ConversionRefused("", "the Protobuf schema has not been compiled")
    compiled = CompiledSchema(source.artifact)
    name = message_name or compiled.first
    found = compiled.message(name) if name else None
    if found is None:
        raise ConversionRefused(
            "", f"the schema has no message {name!r}" if name else "the schema has no message"
        )
    _report_file_losses(artifacts.read(source.artifact)[-1], losses)
    descriptor: Any = found.DESCRIPTOR  # the stubs know two classes for it
    return _ProtobufReader(losses).read(descriptor)


def _report_file_losses(file: FileDescriptorProto, losses: Losses) -> None:
    """Report the losses of a file beside its messages' fields. File options for generated code are not reported."""
    for service in file.service:
        losses.dropped(join(file.package, service.name), "services are not carried")
    for extension in file.extension:
        losses.dropped(join(file.package, extension.name), "extensions are not carried")
    for name, message in _messages(file):
        if message.reserved_range or message.reserved_name:
            losses.dropped(name, "reserved numbers and names are not carried")
        if message.extension_range:
            losses.dropped(name, "extensions are not carried")
        for extension in message.extension:
            losses.dropped(join(name, extension.name), "extensions are not carried")
        for member in message.field:
            if member.options.ListFields():
                losses.dropped(join(name, member.name), "options of the field are not carried")


def _messages(file: FileDescriptorProto) -> Iterator[tuple[str, DescriptorProto]]:
    """The messages of a file by their full names, nested ones too."""
    stack = [(join(file.package, message.name), message) for message in file.message_type]
    while stack:
        name, message = stack.pop()
        yield name, message
        stack += [(join(name, nested.name), nested) for nested in message.nested_type]


class _ProtobufReader:
    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._types: dict[str, ModelRecord | Enumeration] = {}
        self._todo: list[Descriptor] = []
        self._known: set[str] = set()

    def read(self, message: Descriptor) -> Model:
        root = self._message(message, message.full_name)
        while self._todo:
            if len(self._known) > MAX_MESSAGES:
                raise ConversionRefused(
                    message.full_name, f"the schema uses more than {MAX_MESSAGES} messages"
                )
            self._record(self._todo.pop())
        return Model(root, self._types)

    def _record(self, message: Descriptor) -> None:
        for name in sorted({_oneof(f) for f in message.fields} - {""}):
            self._losses.not_enforced(
                f"{message.full_name}.{name}", "that at most one field of the oneof is set is not checked"
            )
        fields = tuple(self._field(f) for f in sorted(message.fields, key=lambda f: f.index))
        self._types[message.full_name] = ModelRecord(_flat_name(message), fields, message.full_name)

    def _field(self, member: FieldDescriptor) -> ModelField:
        shape = self._field_shape(member)
        pointer = member.full_name
        default: Any = None
        presence, has_default = Presence.DEFAULTED, True
        if member.is_required:
            presence, has_default = Presence.REQUIRED, False
        elif member.is_repeated:
            default = {} if isinstance(shape, MapOf) else []
        elif not member.has_presence:
            default = _zero_value(member)
        elif member.has_default_value:
            presence, default = Presence.OPTIONAL, _default(member)
        else:
            presence, has_default = Presence.OPTIONAL, False
        return ModelField(
            member.json_name, shape, presence, pointer, default, has_default,
            number=member.number, oneof=_oneof(member), keys=tuple(dict.fromkeys((member.json_name, member.name))), proto_name="" if member.name == member.json_name else member.name,
        )  # fmt: skip

    def _report_encoding_losses(self, member: FieldDescriptor, pointer: str) -> None:
        kind = SCALARS[member.type]
        if kind in (Kind.INT32, Kind.INT64, Kind.UINT32, Kind.UINT64) and member.type not in PLAIN_INTEGERS:
            self._losses.dropped(pointer, "the encoding of the integer (zigzag or fixed) is not carried")
        if kind in (Kind.FLOAT, Kind.DOUBLE):
            self._losses.narrowed(pointer, NOT_FINITE)

    def _field_shape(self, member: FieldDescriptor) -> Shape:
        message = member.message_type
        if message is not None and message.GetOptions().map_entry:
            key, value = message.fields_by_name["key"], message.fields_by_name["value"]
            return MapOf(member.full_name, {}, self._single(value, member.full_name), SCALARS[key.type])
        single = self._single(member, member.full_name)
        return ListOf(member.full_name, {}, single) if member.is_repeated else single

    def _single(self, member: FieldDescriptor, pointer: str) -> Shape:
        if member.message_type is not None:
            return self._message(member.message_type, pointer)
        if member.enum_type is not None:
            return self._enum(member.enum_type, pointer)
        self._report_encoding_losses(member, pointer)
        return Scalar(pointer, {}, SCALARS[member.type])

    def _message(self, message: Descriptor, pointer: str) -> Shape:
        """A record, or the JSON form of a well-known type (protobuf.dev/programming-guides/json)."""
        package, _, name = message.full_name.rpartition(".")
        if package == "google.protobuf":
            if name == "Timestamp":
                return Scalar(pointer, {}, Kind.INSTANT, unit=9)
            if name in WRAPPERS:
                if WRAPPERS[name] in (Kind.FLOAT, Kind.DOUBLE):
                    self._losses.narrowed(pointer, NOT_FINITE)
                self._losses.changed(pointer, f"{name} becomes an optional {WRAPPERS[name]}")
                return Scalar(pointer, {}, WRAPPERS[name])
            if name in TEXTS:
                self._losses.changed(pointer, f"{name} becomes the text that it is in JSON")
                return Scalar(pointer, TEXTS[name], Kind.STRING)
            if name == "Struct":
                return MapOf(pointer, {}, Anything(pointer))
            if name == "ListValue":
                return ListOf(pointer, {}, Anything(pointer))
            if name in ("Value", "Any"):
                if name == "Any":
                    self._losses.changed(pointer, "Any becomes any JSON value")
                return Anything(pointer)
        if message.full_name not in self._known:
            self._known.add(message.full_name)
            self._todo.append(message)
        return NamedShape(pointer, {}, message.full_name)

    def _enum(self, enum: EnumDescriptor, pointer: str) -> Shape:
        if enum.full_name == "google.protobuf.NullValue":
            return Anything(pointer)
        if enum.full_name not in self._types:
            names, numbers = [v.name for v in enum.values], [v.number for v in enum.values]
            self._losses.narrowed(enum.full_name, "numbers that the enum does not name are refused")
            self._types[enum.full_name] = Enumeration(
                _flat_name(enum), tuple(names), enum.full_name, numbers=tuple(numbers)
            )
        return NamedShape(pointer, {}, enum.full_name)


def _flat_name(found: Descriptor | EnumDescriptor) -> str:
    """The full name with nested types joined by underscores: other schema types have no nested types."""
    package = found.file.package
    inside = found.full_name.removeprefix(f"{package}.") if package else found.full_name
    return join(package, inside.replace(".", "_"))


def _oneof(member: FieldDescriptor) -> str:
    """The oneof of a field; "" for none and for the hidden one of an `optional` field."""
    oneof = member.containing_oneof
    return "" if oneof is None or oneof.name == f"_{member.name}" else str(oneof.name)


def _zero_value(member: FieldDescriptor) -> Any:
    if member.enum_type is not None:
        return _symbol(member.enum_type, 0)
    return {Kind.STRING: "", Kind.BYTES: b"", Kind.BOOLEAN: False, Kind.FLOAT: 0.0, Kind.DOUBLE: 0.0}.get(
        SCALARS[member.type], 0
    )


def _default(member: FieldDescriptor) -> Any:
    value = member.default_value
    return _symbol(member.enum_type, value) if member.enum_type is not None else value


def _symbol(enum: EnumDescriptor, number: int) -> str:
    return next(value.name for value in enum.values if value.number == number)
