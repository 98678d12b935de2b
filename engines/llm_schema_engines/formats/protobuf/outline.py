"""The outline of a Protobuf schema: the messages, fields, enums and services of its own file, by full name. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ..outline import Outline
from .ir import IMPLICIT, MAP, REPEATED, EnumType, Field, MessageType, Method, Schema
from .names import join


def outline(schema: Schema) -> Outline:
    """What the schema's own file declares."""
    lines: dict[str, str] = {}
    for message in schema.messages.values():
        if message.file == schema.root and not message.map_entry:
            lines.update(_message(schema, message))
    for enum in schema.enums.values():
        if enum.file == schema.root:
            lines.update(_enum(enum))
    for name, (file, methods) in schema.services.items():
        if file == schema.root:
            lines[name] = "service"
            lines.update((join(name, m), _method(method)) for m, method in methods.items())
    for name, (file, extended, number) in schema.extensions.items():
        if file == schema.root:
            lines[name] = f"extension {number} of {extended}"
    lines.update((f"option {name}", value) for name, value in schema.options.items() if value)
    return lines


def _message(schema: Schema, message: MessageType) -> Iterator[tuple[str, str]]:
    yield message.name, "message"
    for number, field in sorted(message.fields.items()):
        yield join(message.name, field.name), _field(schema, number, field)
    yield from _reserved(message)


def _field(schema: Schema, number: int, field: Field) -> str:
    kind = field.type_name or field.kind
    if field.cardinality == MAP and field.type_name in schema.messages:
        entry = schema.messages[field.type_name].fields
        kind = f"map<{', '.join(entry[n].type_name or entry[n].kind for n in (1, 2) if n in entry)}>"
    label = "repeated " if field.cardinality == REPEATED else ""
    if field.cardinality not in (IMPLICIT, REPEATED, MAP):
        label = f"{field.cardinality} "
    parts = [f"{label}{kind} = {number}"]
    if field.oneof:
        parts.append(f"in oneof {field.oneof}")
    if field.default:
        parts.append(f"default {field.default}")
    if field.cardinality == REPEATED and field.packed:
        parts.append("packed")
    parts.append(f"JSON name {field.json_name}")
    return ", ".join(parts)


def _enum(enum: EnumType) -> Iterator[tuple[str, str]]:
    yield enum.name, "closed enum" if enum.closed else "enum"
    for number, names in sorted(enum.values.items()):
        for name in names:
            yield join(enum.name, name), f"= {number}"
    yield from _reserved(enum)


def _reserved(element: MessageType | EnumType) -> Iterator[tuple[str, str]]:
    spans = [f"{a}" if a == b else f"{a} to {b}" for a, b in element.reserved.ranges]
    if spans or element.reserved.names:
        yield f"{element.name} (reserved)", ", ".join([*spans, *sorted(element.reserved.names)])


def _method(method: Method) -> str:
    request = f"{'stream ' if method.client_streaming else ''}{method.request}"
    return f"({request}) returns ({'stream ' if method.server_streaming else ''}{method.response})"
