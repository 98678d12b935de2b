"""Removes from a file descriptor what has no meaning: declaration order, explicit defaults, source info. Pure.

Kept, because it can be observed: the order of messages (Confluent's message indexes), enums, services and rpcs,
explicit options, unused imports. docs/protobuf.md lists what becomes equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableSequence, Sequence
from typing import Any

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.message import Message

from .names import json_name, short


def normalise(file: FileDescriptorProto) -> FileDescriptorProto:
    """A normalised copy of `file`; equal copies mean equal schemas. The name of the file is dropped."""
    out = FileDescriptorProto()
    out.CopyFrom(file)
    out.ClearField("source_code_info")
    out.ClearField("name")
    if out.syntax == "proto2":
        out.ClearField("syntax")
    _drop_empty_options([out])
    _sort_imports(out)
    for message in out.message_type:
        _message(message)
    for enum in out.enum_type:
        _enum(enum)
    for service in out.service:
        _drop_empty_options([service, *service.method])
    _extensions(out.extension)
    _sort_groups(out.message_type, out.extension)
    return out


def _message(message: DescriptorProto) -> None:
    _drop_empty_options([message, *message.oneof_decl, *message.extension_range])
    _sort_oneofs(message)
    _sort(message.field, lambda f: f.number)
    for field in message.field:
        _field(field)
    _merge_ranges(message.reserved_range, touching=0)
    _sort_names(message.reserved_name)
    _sort(message.extension_range, lambda r: r.start)
    _extensions(message.extension)
    for nested in message.nested_type:
        _message(nested)
    for enum in message.enum_type:
        _enum(enum)
    _sort_groups(message.nested_type, [*message.field, *message.extension])


def _field(field: FieldDescriptorProto) -> None:
    _drop_empty_options([field])
    if field.HasField("extendee") or field.json_name == json_name(field.name):
        field.ClearField("json_name")


def _extensions(extensions: MutableSequence[FieldDescriptorProto]) -> None:
    _sort(extensions, lambda e: (e.extendee, e.number))
    for extension in extensions:
        _field(extension)


def _enum(enum: EnumDescriptorProto) -> None:
    _drop_empty_options([enum, *enum.value])
    # The first value is the default of the enum, wherever its number sorts.
    first, *rest = enum.value
    if enum.options.allow_alias:
        rest.sort(key=lambda v: v.number)  # the first name of a number is the one that is written in JSON
    else:
        rest.sort(key=lambda v: (v.number, v.name))
    _replace(enum.value, [first, *rest])
    _merge_ranges(enum.reserved_range, touching=1)
    _sort_names(enum.reserved_name)


def _sort_imports(file: FileDescriptorProto) -> None:
    paths = list(file.dependency)
    order = sorted(set(paths))
    place = {path: index for index, path in enumerate(order)}
    public = sorted({place[paths[index]] for index in file.public_dependency})
    weak = sorted({place[paths[index]] for index in file.weak_dependency})
    for target, values in (
        (file.dependency, order),
        (file.public_dependency, public),
        (file.weak_dependency, weak),
        (file.option_dependency, sorted(set(file.option_dependency))),
    ):
        del target[:]
        target.extend(values)  # type: ignore[arg-type]  # each target has its own element type


def _sort_oneofs(message: DescriptorProto) -> None:
    """Orders the oneofs by their lowest field number, and their fields' indexes with them."""
    lowest: dict[int, int] = {}
    for field in message.field:
        if field.HasField("oneof_index"):
            index = field.oneof_index
            lowest[index] = min(lowest.get(index, field.number), field.number)
    order = sorted(range(len(message.oneof_decl)), key=lambda index: lowest.get(index, 0))
    place = {old: new for new, old in enumerate(order)}
    _replace(message.oneof_decl, [message.oneof_decl[index] for index in order])
    for field in message.field:
        if field.HasField("oneof_index"):
            field.oneof_index = place[field.oneof_index]


def _sort_groups(nested: MutableSequence[DescriptorProto], fields: Iterable[FieldDescriptorProto]) -> None:
    """Puts the messages that fields imply (map entries, groups) after the declared ones, by name."""
    groups = {short(f.type_name) for f in fields if f.type == FieldDescriptorProto.TYPE_GROUP}
    _sort(
        nested,
        lambda m: (1, m.name) if m.options.map_entry or m.name in groups else (0, ""),
    )


def _merge_ranges(ranges: Any, *, touching: int) -> None:  # message and enum ranges are unrelated classes
    """Sorts and joins adjacent ranges. `touching` is start minus end of adjacent ranges: 0 for half-open ranges
    (messages), 1 for closed ones (enums)."""
    merged: list[list[int]] = []
    for start, end in sorted((r.start, r.end) for r in ranges):
        if merged and start <= merged[-1][1] + touching:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    if [(r.start, r.end) for r in ranges] != [tuple(m) for m in merged]:
        del ranges[:]
        for start, end in merged:
            ranges.add(start=start, end=end)


def _sort_names(names: MutableSequence[str]) -> None:
    names[:] = sorted(set(names))


def _drop_empty_options(
    elements: Iterable[Any],
) -> None:  # every kind of descriptor has its own options class
    for element in elements:
        if element.HasField("options") and not element.options.ByteSize():
            element.ClearField("options")


def _sort(items: Any, key: Callable[[Any], Any]) -> None:  # a repeated field of any element type
    _replace(items, sorted(items, key=key))


def _replace(items: Any, wanted: Sequence[Message]) -> None:
    if all(old is new for old, new in zip(items, wanted, strict=True)):
        return
    copies = [type(item).FromString(item.SerializeToString()) for item in wanted]
    del items[:]
    items.extend(copies)
