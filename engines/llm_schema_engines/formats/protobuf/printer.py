"""Writes a file descriptor as .proto text that compiles to the same descriptor. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from google.protobuf import descriptor_pb2 as d
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from . import literals
from .comments import ElementPath
from .names import json_name, short

F = d.FieldDescriptorProto

TYPES: Mapping[int, str] = {
    number: name.removeprefix("TYPE_").lower()
    for name, number in F.Type.items()
    if number not in (F.TYPE_MESSAGE, F.TYPE_ENUM, F.TYPE_GROUP)
}
LABELS: Mapping[int, str] = {
    F.LABEL_OPTIONAL: "optional ",
    F.LABEL_REQUIRED: "required ",
    F.LABEL_REPEATED: "repeated ",
}
VISIBILITY: Mapping[int, str] = {1: "local ", 2: "export "}  # descriptor.proto, SymbolVisibility
MAX_FIELD, MAX_ENUM = 2**29 - 1, 2**31 - 1

# Field numbers in descriptor.proto, the steps of element paths (see comments.py).
FILE_MESSAGE, FILE_ENUM, FILE_SERVICE, FILE_EXTENSION = 4, 5, 6, 7
MESSAGE_FIELD, MESSAGE_NESTED, MESSAGE_ENUM, MESSAGE_EXTENSION, MESSAGE_ONEOF = 2, 3, 4, 6, 8
MEMBER = 2  # enum values, methods


def print_file(
    file: d.FileDescriptorProto,
    pool: DescriptorPool,
    comments: Mapping[ElementPath, Sequence[str]] | None = None,
) -> str:
    """The text of `file`. `pool` knows what it imports, so that custom options print by name.

    Comments are written above the element that they belong to.
    """
    return "\n".join(_Printer(file, pool, comments or {}).file()) + "\n"


def without_comments(text: str) -> str:
    """What `print_file` writes for the same file without comments."""
    return "\n".join(line for line in text.split("\n") if not line.lstrip().startswith("//"))


class _Scope(NamedTuple):
    """The scope of fields: the full name of the message or package, the messages declared there, and the field number
    of those messages in descriptor.proto."""

    full_name: str
    messages: Mapping[str, d.DescriptorProto]
    number: int

    def implied(self, field: F) -> d.DescriptorProto | None:
        """The map entry or group that `field` declares here by itself."""
        name = short(field.type_name)
        return self.messages.get(name) if field.type_name == f"{self.full_name}.{name}" else None


class _Printer:
    def __init__(
        self, file: d.FileDescriptorProto, pool: DescriptorPool, comments: Mapping[ElementPath, Sequence[str]]
    ) -> None:
        self._file = file
        self._pool = pool
        self._comments = comments
        self._options: dict[str, type[Message]] = {}
        self._bare_names = file.syntax == "editions"  # editions reserve identifiers, older syntax strings

    def file(self) -> Iterator[str]:
        file = self._file
        yield from self._above((12,))
        if file.syntax == "editions":
            yield from self._above((14,))
            yield f'edition = "{d.Edition.Name(file.edition).removeprefix("EDITION_")}";'
        else:
            yield f'syntax = "{file.syntax or "proto2"}";'
        if file.package:
            yield from self._above((2,))
            yield f"package {file.package};"
        for index, path in enumerate(file.dependency):
            yield from self._above((3, path))
            kind = (
                "public "
                if index in file.public_dependency
                else "weak "
                if index in file.weak_dependency
                else ""
            )
            yield f"import {kind}{literals.quote(path)};"
        for path in file.option_dependency:
            yield f"import option {literals.quote(path)};"
        yield from self._option_lines(file.options)
        package = f".{file.package}" if file.package else ""
        scope = _Scope(package, {m.name: m for m in file.message_type}, FILE_MESSAGE)
        groups = _groups(file.extension)
        for message in file.message_type:
            if message.name not in groups:
                yield from self._message(message, package, (FILE_MESSAGE, message.name))
        for enum in file.enum_type:
            yield from self._enum(enum, (FILE_ENUM, enum.name))
        yield from self._extensions(file.extension, scope, (FILE_EXTENSION,))
        for service in file.service:
            yield from self._service(service)

    def _message(self, message: d.DescriptorProto, parent: str, place: ElementPath) -> Iterator[str]:
        yield from self._above(place)
        yield f"{VISIBILITY.get(message.visibility, '')}message {message.name} {{"
        yield from _indent(self._body(message, parent, place))
        yield "}"

    def _body(self, message: d.DescriptorProto, parent: str, place: ElementPath) -> Iterator[str]:
        full_name = f"{parent}.{message.name}"
        scope = _Scope(full_name, {m.name: m for m in message.nested_type}, MESSAGE_NESTED)
        yield from self._option_lines(message.options)
        for reserved in message.reserved_range:
            yield f"reserved {literals.ranges(reserved.start, reserved.end - 1, MAX_FIELD)};"
        yield from self._reserved_names(message.reserved_name)
        for extension in message.extension_range:
            options = self._brackets(self._option_values(extension.options))
            yield f"extensions {literals.ranges(extension.start, extension.end - 1, MAX_FIELD)}{options};"
        members: dict[int, list[F]] = {}
        for field in message.field:
            if _in_oneof(field):
                members.setdefault(field.oneof_index, []).append(field)
        for field in message.field:
            if not _in_oneof(field):
                yield from self._field(field, scope, (*place, MESSAGE_FIELD))
            elif field.number == members[field.oneof_index][0].number:
                oneof = message.oneof_decl[field.oneof_index]
                yield from self._oneof(oneof, members[field.oneof_index], scope, place)
        groups = _groups([*message.field, *message.extension])
        for nested in message.nested_type:
            if not nested.options.map_entry and nested.name not in groups:
                yield from self._message(nested, full_name, (*place, MESSAGE_NESTED, nested.name))
        for enum in message.enum_type:
            yield from self._enum(enum, (*place, MESSAGE_ENUM, enum.name))
        yield from self._extensions(message.extension, scope, (*place, MESSAGE_EXTENSION))

    def _oneof(
        self, oneof: d.OneofDescriptorProto, fields: Iterable[F], scope: _Scope, place: ElementPath
    ) -> Iterator[str]:
        yield from self._above((*place, MESSAGE_ONEOF, oneof.name))
        yield f"oneof {oneof.name} {{"
        yield from _indent(self._option_lines(oneof.options))
        for field in fields:
            yield from _indent(self._field(field, scope, (*place, MESSAGE_FIELD), labelled=False))
        yield "}"

    def _field(self, field: F, scope: _Scope, place: ElementPath, *, labelled: bool = True) -> Iterator[str]:
        """A field or extension."""
        yield from self._above((*place, field.name))
        settings = []
        if field.HasField("default_value"):
            settings.append(f"default = {literals.default(field)}")
        if field.json_name and not field.HasField("extendee") and field.json_name != json_name(field.name):
            settings.append(f"json_name = {literals.quote(field.json_name)}")
        settings += self._option_values(field.options)
        options = self._brackets(settings)
        implied = scope.implied(field)
        label = self._label(field) if labelled else ""
        if implied is not None and implied.options.map_entry:
            key, value = implied.field
            yield f"map<{_type(key)}, {_type(value)}> {field.name} = {field.number}{options};"
        elif implied is not None and field.type == F.TYPE_GROUP:
            yield f"{label}group {implied.name} = {field.number}{options} {{"
            yield from _indent(
                self._body(implied, scope.full_name, (*place[:-1], scope.number, implied.name))
            )
            yield "}"
        else:
            yield f"{label}{_type(field)} {field.name} = {field.number}{options};"

    def _label(self, field: F) -> str:
        if field.label == F.LABEL_REPEATED:
            return "repeated "
        if self._file.syntax == "proto3":
            return "optional " if field.proto3_optional else ""
        return "" if self._file.syntax == "editions" else LABELS[field.label]

    def _extensions(self, extensions: Sequence[F], scope: _Scope, place: ElementPath) -> Iterator[str]:
        for extendee, group in itertools.groupby(extensions, key=lambda e: e.extendee):
            yield f"extend {extendee} {{"
            for extension in group:
                yield from _indent(self._field(extension, scope, place))
            yield "}"

    def _enum(self, enum: d.EnumDescriptorProto, place: ElementPath) -> Iterator[str]:
        yield from self._above(place)
        yield f"{VISIBILITY.get(enum.visibility, '')}enum {enum.name} {{"
        yield from _indent(self._enum_body(enum, place))
        yield "}"

    def _enum_body(self, enum: d.EnumDescriptorProto, place: ElementPath) -> Iterator[str]:
        yield from self._option_lines(enum.options)
        for value in enum.value:
            yield from self._above((*place, MEMBER, value.name))
            yield f"{value.name} = {value.number}{self._brackets(self._option_values(value.options))};"
        for reserved in enum.reserved_range:
            yield f"reserved {literals.ranges(reserved.start, reserved.end, MAX_ENUM)};"
        yield from self._reserved_names(enum.reserved_name)

    def _service(self, service: d.ServiceDescriptorProto) -> Iterator[str]:
        place = (FILE_SERVICE, service.name)
        yield from self._above(place)
        yield f"service {service.name} {{"
        yield from _indent(self._option_lines(service.options))
        for method in service.method:
            yield from _indent(self._method(method, (*place, MEMBER, method.name)))
        yield "}"

    def _method(self, method: d.MethodDescriptorProto, place: ElementPath) -> Iterator[str]:
        yield from self._above(place)
        request = f"{'stream ' if method.client_streaming else ''}{method.input_type}"
        response = f"{'stream ' if method.server_streaming else ''}{method.output_type}"
        options = list(self._option_lines(method.options))
        yield f"rpc {method.name}({request}) returns ({response}){' {' if options else ';'}"
        if options:
            yield from _indent(options)
            yield "}"

    def _above(self, place: ElementPath) -> Iterator[str]:
        return (f"// {line}" for line in self._comments.get(place, ()))

    def _reserved_names(self, names: Sequence[str]) -> Iterator[str]:
        if names:
            yield f"reserved {', '.join(n if self._bare_names else literals.quote(n) for n in names)};"

    def _option_lines(self, options: Message) -> Iterator[str]:
        return (f"option {setting};" for setting in self._option_values(options))

    def _option_values(self, options: Message) -> Iterator[str]:
        """Each option as `name = value`, a repeated one once for each value; map_entry is implied by map<>."""
        if not options.ByteSize():
            return
        for field, value in self._resolved(options).ListFields():
            if field.is_extension:
                name = f"(.{field.full_name})"
            elif field.name == "map_entry":
                continue
            else:
                name = field.name
            for item in value if field.is_repeated else [value]:
                yield f"{name} = {literals.option(field, item)}"

    def _resolved(self, options: Message) -> Message:
        """`options` read with the schema's own extensions, when it imports descriptor.proto at all."""
        name = options.DESCRIPTOR.full_name
        known = self._options.get(name)
        if known is None:
            try:
                known = GetMessageClass(self._pool.FindMessageTypeByName(name))
            except KeyError:
                known = type(options)
            self._options[name] = known
        return known.FromString(options.SerializeToString())

    @staticmethod
    def _brackets(settings: Iterable[str]) -> str:
        text = ", ".join(settings)
        return f" [{text}]" if text else ""


def _indent(lines: Iterable[str]) -> Iterator[str]:
    return ("  " + line for line in lines)


def _type(field: F) -> str:
    return TYPES.get(field.type) or field.type_name


def _in_oneof(field: F) -> bool:
    return field.HasField("oneof_index") and not field.proto3_optional


def _groups(fields: Iterable[Any]) -> set[str]:
    return {short(f.type_name) for f in fields if f.type == F.TYPE_GROUP}
