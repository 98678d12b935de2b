"""The lint rules of Protobuf, by the names and meanings of Buf's (https://buf.build/docs/lint/rules): each looks at a file. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)

from ..formats.protobuf.names import join
from ..model.compatibility import Severity
from ..model.schema import SchemaType
from .rule import Fault, LintRule

_LOWER_SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_UPPER_SNAKE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")
_PASCAL = re.compile(r"[A-Z][A-Za-z0-9]*")
_VERSION = re.compile(r"v[1-9][0-9]*(p[1-9][0-9]*)?((alpha|beta)[1-9]?[0-9]*|test.*)?")
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def package_defined(file: FileDescriptorProto) -> Iterator[Fault]:
    if not file.package:
        yield Fault("", "the file has no package")


def package_lower_snake_case(file: FileDescriptorProto) -> Iterator[Fault]:
    if not all(_LOWER_SNAKE.fullmatch(part) for part in file.package.split(".") if part):
        yield Fault(file.package, f"the package {file.package!r} is not lower_snake_case")


def package_version_suffix(file: FileDescriptorProto) -> Iterator[Fault]:
    if file.package and not _VERSION.fullmatch(file.package.rpartition(".")[2]):
        yield Fault(file.package, f"the package {file.package!r} does not end with a version such as v1")


def message_pascal_case(file: FileDescriptorProto) -> Iterator[Fault]:
    for name, message in _messages(file):
        if not _PASCAL.fullmatch(message.name):
            yield Fault(name, f"the message {message.name!r} is not PascalCase")


def field_lower_snake_case(file: FileDescriptorProto) -> Iterator[Fault]:
    for name, field in _fields(file):
        if field.type != FieldDescriptorProto.TYPE_GROUP and not _LOWER_SNAKE.fullmatch(field.name):
            yield Fault(join(name, field.name), f"the field {field.name!r} is not lower_snake_case")


def oneof_lower_snake_case(file: FileDescriptorProto) -> Iterator[Fault]:
    for name, message in _messages(file):
        made = {f.oneof_index for f in message.field if f.proto3_optional}
        for number, oneof in enumerate(message.oneof_decl):
            if number not in made and not _LOWER_SNAKE.fullmatch(oneof.name):
                yield Fault(join(name, oneof.name), f"the oneof {oneof.name!r} is not lower_snake_case")


def enum_pascal_case(file: FileDescriptorProto) -> Iterator[Fault]:
    for name, enum in _enums(file):
        if not _PASCAL.fullmatch(enum.name):
            yield Fault(name, f"the enum {enum.name!r} is not PascalCase")


def enum_value_upper_snake_case(file: FileDescriptorProto) -> Iterator[Fault]:
    for name, enum in _enums(file):
        for value in enum.value:
            if not _UPPER_SNAKE.fullmatch(value.name):
                yield Fault(join(name, value.name), f"the enum value {value.name!r} is not UPPER_SNAKE_CASE")


def enum_value_prefix(file: FileDescriptorProto) -> Iterator[Fault]:
    for name, enum in _enums(file):
        prefix = "_".join(_WORDS.split(enum.name)).upper() + "_"
        for value in enum.value:
            if not value.name.upper().startswith(prefix):
                yield Fault(
                    join(name, value.name), f"the enum value {value.name!r} does not begin with {prefix}"
                )


def enum_zero_value_suffix(file: FileDescriptorProto) -> Iterator[Fault]:
    for name, enum in _enums(file):
        for value in enum.value:
            if not value.number and not value.name.upper().endswith("_UNSPECIFIED"):
                yield Fault(
                    join(name, value.name), f"the zero value {value.name!r} does not end with _UNSPECIFIED"
                )


def enum_first_value_zero(file: FileDescriptorProto) -> Iterator[Fault]:
    for name, enum in _enums(file):
        if enum.value[0].number:
            yield Fault(join(name, enum.value[0].name), f"the first value of {enum.name!r} is not zero")


def enum_no_allow_alias(file: FileDescriptorProto) -> Iterator[Fault]:
    for name, enum in _enums(file):
        if enum.options.allow_alias:
            yield Fault(name, f"the enum {enum.name!r} has two names for one number")


def service_pascal_case(file: FileDescriptorProto) -> Iterator[Fault]:
    for service in file.service:
        if not _PASCAL.fullmatch(service.name):
            yield Fault(join(file.package, service.name), f"the service {service.name!r} is not PascalCase")


def service_suffix(file: FileDescriptorProto) -> Iterator[Fault]:
    for service in file.service:
        if not service.name.endswith("Service"):
            yield Fault(
                join(file.package, service.name), f"the service {service.name!r} does not end with Service"
            )


def rpc_pascal_case(file: FileDescriptorProto) -> Iterator[Fault]:
    for service in file.service:
        for method in service.method:
            if not _PASCAL.fullmatch(method.name):
                place = join(join(file.package, service.name), method.name)
                yield Fault(place, f"the rpc {method.name!r} is not PascalCase")


def _messages(file: FileDescriptorProto) -> Iterator[tuple[str, DescriptorProto]]:
    """All messages with their full names, in order of declaration; not those that maps are made of."""
    stack = [(join(file.package, message.name), message) for message in reversed(file.message_type)]
    while stack:
        name, message = stack.pop()
        yield name, message
        nested = [m for m in reversed(message.nested_type) if not m.options.map_entry]
        stack += [(join(name, inner.name), inner) for inner in nested]


def _fields(file: FileDescriptorProto) -> Iterator[tuple[str, FieldDescriptorProto]]:
    for name, message in _messages(file):
        yield from ((name, field) for field in (*message.field, *message.extension))
    yield from ((file.package, field) for field in file.extension)


def _enums(file: FileDescriptorProto) -> Iterator[tuple[str, EnumDescriptorProto]]:
    yield from ((join(file.package, enum.name), enum) for enum in file.enum_type)
    for name, message in _messages(file):
        yield from ((join(name, enum.name), enum) for enum in message.enum_type)


def _rule(
    severity: Severity, sentence: str, hint: str, check: Any, *, by_default: bool = True
) -> LintRule[FileDescriptorProto]:
    return LintRule(check.__name__.upper(), SchemaType.PROTOBUF, severity, sentence, hint, check, by_default)


WARNING, INFO = Severity.WARNING, Severity.INFO
_LATER = "New names change generated code and JSON, not the binary form."
RULES = (
    _rule(WARNING, "A file has a package.", "Add `package company.product.v1;`.", package_defined),
    _rule(WARNING, "A package is lower_snake_case.", _LATER, package_lower_snake_case),
    _rule(INFO, "A package ends with a version.", "Name it `company.product.v1`.", package_version_suffix, by_default=False),
    _rule(WARNING, "A message is PascalCase.", _LATER, message_pascal_case),
    _rule(WARNING, "A field is lower_snake_case.", f"{_LATER} `json_name` keeps a name in JSON.", field_lower_snake_case),
    _rule(WARNING, "A oneof is lower_snake_case.", _LATER, oneof_lower_snake_case),
    _rule(WARNING, "An enum is PascalCase.", _LATER, enum_pascal_case),
    _rule(WARNING, "An enum value is UPPER_SNAKE_CASE.", _LATER, enum_value_upper_snake_case),
    _rule(WARNING, "An enum value begins with the name of its enum.", "Values share the scope of their enum in C++; the prefix keeps them apart.", enum_value_prefix),
    _rule(WARNING, "The zero value of an enum ends with _UNSPECIFIED.", "Zero is what readers see when nothing was set: give it a value of its own.", enum_zero_value_suffix),
    _rule(WARNING, "The first value of an enum is zero.", "Put a value `..._UNSPECIFIED = 0` first.", enum_first_value_zero),
    _rule(WARNING, "An enum has one name a number.", "Take out allow_alias and the second name.", enum_no_allow_alias),
    _rule(WARNING, "A service is PascalCase.", _LATER, service_pascal_case),
    _rule(INFO, "A service ends with Service.", "Name it `OrderService`.", service_suffix, by_default=False),
    _rule(WARNING, "An rpc is PascalCase.", _LATER, rpc_pascal_case),
)  # fmt: skip
