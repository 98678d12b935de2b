"""Checks of a compiled file that protoc does not make. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from ...errors import SchemaIssue
from .names import join

MAX_DEPTH = 31
"""Messages inside messages that protoc reads as text."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PACKAGE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")


def package_issues(file: FileDescriptorProto) -> Iterator[SchemaIssue]:
    """A package in which types would replace the well-known types, whose JSON form is special."""
    if file.package == "google.protobuf" or file.package.startswith("google.protobuf."):
        yield SchemaIssue(
            "PACKAGE_RESERVED",
            f"package {file.package!r} belongs to the well-known types; choose another package",
            file.package,
        )


def text_issues(file: FileDescriptorProto) -> Iterator[SchemaIssue]:
    """Names and options that are not UTF-8: escapes such as "\\377" can put any bytes there."""
    for path, value in _strings(file, ""):
        if not isinstance(value, str):
            yield SchemaIssue("NOT_UTF8", f"{path} holds bytes that are not UTF-8", path)


def descriptor_issues(file: FileDescriptorProto) -> Iterator[SchemaIssue]:
    """Errors of a descriptor that .proto text cannot contain and that protoc does not check."""
    if file.package and not _PACKAGE.fullmatch(file.package):
        yield SchemaIssue("SYNTAX", f"package {file.package[:80]!r} is not a name")
    yield from _named_issues(file, file.package, 0)


def option_issues(element: Message, pool: DescriptorPool, scope: str = "") -> Iterator[SchemaIssue]:
    """Options of a descriptor that cannot be read as the messages that `pool` says they are: protoc aborts on them."""
    for descriptor, value in element.ListFields():
        if descriptor.message_type is None:
            continue
        for item in value if descriptor.is_repeated else [value]:
            path = join(scope, str(getattr(item, "name", descriptor.name))[:80])
            if descriptor.name != "options":
                yield from option_issues(item, pool, path)
            elif not _readable(item, pool):
                yield SchemaIssue(
                    "OPTION_INVALID", f"the options of {scope or 'the file'!r} cannot be read", scope
                )


def _readable(options: Message, pool: DescriptorPool) -> bool:
    try:
        kind = GetMessageClass(pool.FindMessageTypeByName(options.DESCRIPTOR.full_name))
    except KeyError:
        return True  # without descriptor.proto there are no options but the compiler's own
    try:
        return kind.FromString(options.SerializeToString()).IsInitialized()
    except DecodeError:
        return False


def _named_issues(element: Message, scope: str, depth: int) -> Iterator[SchemaIssue]:
    if depth > MAX_DEPTH:
        yield SchemaIssue("NESTING_TOO_DEEP", f"messages are nested more than {MAX_DEPTH} deep", scope)
        return
    for descriptor, value in element.ListFields():
        if descriptor.type != FieldDescriptor.TYPE_MESSAGE or not descriptor.is_repeated:
            continue
        for item in value:
            name = getattr(item, "name", None)
            if not isinstance(name, str):
                continue
            path = join(scope, name[:80])
            if not _NAME.fullmatch(name):
                yield SchemaIssue("SYNTAX", f"{path!r} is not a name", path)
            if isinstance(item, FieldDescriptorProto) and not (
                item.HasField("type") and item.HasField("label") and item.HasField("number")
            ):
                yield SchemaIssue("TYPE_UNDEFINED", f"{path!r} lacks a type, a label or a number", path)
            yield from _named_issues(item, path, depth + isinstance(item, DescriptorProto))


def _strings(
    element: Message, scope: str
) -> Iterator[tuple[str, Any]]:  # str, or bytes where it is not UTF-8
    for descriptor, value in element.ListFields():
        path = join(scope, descriptor.name)
        items = value if descriptor.is_repeated else [value]
        if descriptor.type == FieldDescriptor.TYPE_STRING:
            yield from ((path, item) for item in items)
        elif descriptor.type == FieldDescriptor.TYPE_MESSAGE and descriptor.name != "source_code_info":
            for item in items:
                yield from _strings(item, path)
