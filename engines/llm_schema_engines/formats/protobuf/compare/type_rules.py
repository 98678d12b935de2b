"""Buf's rules about messages, enums and extensions. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from google.protobuf.descriptor_pb2 import FeatureSet

from ..ir import EnumType, MessageType, Reserved, Schema
from ..names import join
from .rule import ALL, JSON, JSON_SOURCE, SOURCE, WIRE_JSON, BreakingChange, ComparisonRule, Evidence
from .sides import Sides, in_package

NamesOf = Callable[[Schema], Mapping[str, Any]]  # by name inside the package


def _own_messages(schema: Schema) -> Mapping[str, Any]:
    return schema.own_messages()


def _own_extensions(schema: Schema) -> Mapping[str, Any]:
    return dict.fromkeys(sorted(Sides.own_extensions(schema)))


def _package_messages(schema: Schema) -> Mapping[str, Any]:
    return _in_package(schema, {n: m.file for n, m in schema.messages.items() if not m.map_entry})


def _package_enums(schema: Schema) -> Mapping[str, Any]:
    return _in_package(schema, {n: e.file for n, e in schema.enums.items()})


def _package_services(schema: Schema) -> Mapping[str, Any]:
    return _in_package(schema, {n: file for n, (file, _) in schema.services.items()})


def _package_extensions(schema: Schema) -> Mapping[str, Any]:
    return _in_package(schema, {n: file for n, (file, _, _) in schema.extensions.items()})


def _in_package(schema: Schema, files: Mapping[str, int]) -> Mapping[str, int]:
    cut = len(schema.package) + 1 if schema.package else 0
    return {name[cut:]: file for name, file in files.items() if in_package(schema, file)}


def _must_still_declare(written: NamesOf, kept: NamesOf) -> Callable[[Sides], Iterator[BreakingChange]]:
    """A check that all that the writer's file declares is still declared for the reader."""

    def check(sides: Sides) -> Iterator[BreakingChange]:
        known = kept(sides.reader)
        for name in written(sides.writer):
            if name not in known:
                yield BreakingChange(join(sides.writer.package, name), name, "absent")

    return check


def _messages_differ(value: Callable[[MessageType], object]) -> Callable[[Sides], Iterator[BreakingChange]]:
    def check(sides: Sides) -> Iterator[BreakingChange]:
        for reader, writer in sides.messages:
            old, new = value(writer), value(reader)
            if old != new:
                yield BreakingChange(reader.name, str(old), str(new))

    return check


def lost_oneofs(sides: Sides) -> Iterator[BreakingChange]:
    for reader, writer in sides.messages:
        for name in sorted(writer.oneofs - reader.oneofs):
            yield BreakingChange(join(writer.name, name), name, "absent")


def lost_extension_ranges(sides: Sides) -> Iterator[BreakingChange]:
    for reader, writer in sides.messages:
        for first, last in uncovered(writer.extension_ranges, reader.extension_ranges):
            yield BreakingChange(reader.name, f"extensions {first} to {last}", "absent")


def lost_reservations(sides: Sides) -> Iterator[BreakingChange]:
    for reader, writer in sides.messages:
        yield from _lost_reservations(reader.name, writer.reserved, reader.reserved)


def lost_enum_reservations(sides: Sides) -> Iterator[BreakingChange]:
    for reader, writer in sides.enums:
        yield from _lost_reservations(reader.name, writer.reserved, reader.reserved)


def _lost_reservations(path: str, old: Reserved, new: Reserved) -> Iterator[BreakingChange]:
    for first, last in uncovered(old.ranges, new.ranges):
        yield BreakingChange(path, f"{first} to {last}" if first != last else str(first), "not reserved")
    for name in sorted(old.names - new.names):
        yield BreakingChange(path, repr(name), "not reserved")


def uncovered(
    wanted: tuple[tuple[int, int], ...], cover: tuple[tuple[int, int], ...]
) -> list[tuple[int, int]]:
    """The parts of sorted inclusive ranges `wanted` that `cover` leaves out."""
    left = []
    place = 0
    for first, last in wanted:
        while place < len(cover) and cover[place][1] < first:
            place += 1
        index = place
        while first <= last and index < len(cover) and cover[index][0] <= last:
            start, end = cover[index]
            if start > first:
                left.append((first, start - 1))
            first = max(first, end + 1)
            index += 1
        if first <= last:
            left.append((first, last))
    return left


def weaker_message_json(sides: Sides) -> Iterator[BreakingChange]:
    for reader, writer in sides.messages:
        if _weaker(writer.json_format, reader.json_format):
            yield BreakingChange(reader.name, *_formats(writer.json_format, reader.json_format))


def weaker_enum_json(sides: Sides) -> Iterator[BreakingChange]:
    for reader, writer in sides.enums:
        if _weaker(writer.json_format, reader.json_format):
            yield BreakingChange(reader.name, *_formats(writer.json_format, reader.json_format))


def _weaker(old: int, new: int) -> bool:
    return old == FeatureSet.ALLOW and new != FeatureSet.ALLOW


def _formats(old: int, new: int) -> tuple[str, str]:
    names = FeatureSet.JsonFormat.Name
    return names(old), names(new)  # type: ignore[arg-type]  # plain ints


def lost_accessors(sides: Sides) -> Iterator[BreakingChange]:
    for reader, writer in sides.messages:
        if reader.no_accessor and not writer.no_accessor:
            yield BreakingChange(reader.name, "false", "true")


def other_openness(sides: Sides) -> Iterator[BreakingChange]:
    for reader, writer in sides.enums:
        if reader.closed != writer.closed:
            names = ("open", "closed")
            yield BreakingChange(reader.name, names[writer.closed], names[reader.closed])


def other_value_names(sides: Sides) -> Iterator[BreakingChange]:
    for reader, writer in sides.enums:
        for number, names in writer.values.items():
            kept = reader.values.get(number, names)
            lost = [name for name in names if name not in kept]
            if lost:
                evidence = _enum_in_json(sides, reader, writer, number)
                yield BreakingChange(f"{reader.name}.{kept[0]}", ", ".join(lost), ", ".join(kept), evidence)


def _enum_in_json(sides: Sides, reader: EnumType, writer: EnumType, number: int) -> Evidence | None:
    use = sides.enum_uses.get((reader.name, writer.name))
    return Evidence(use[0], use[1], (use[2],), json=True, value=number) if use else None


def lost_values(sides: Sides) -> Iterator[BreakingChange]:
    return _lost_values(sides, lambda reader, number, names: False)


def lost_values_unless_number_reserved(sides: Sides) -> Iterator[BreakingChange]:
    return _lost_values(sides, lambda reader, number, names: reader.reserved.holds(number))


def lost_values_unless_name_reserved(sides: Sides) -> Iterator[BreakingChange]:
    return _lost_values(
        sides, lambda reader, number, names: reader.reserved.names.issuperset(names), json=True
    )


def _lost_values(
    sides: Sides, excused: Callable[[EnumType, int, tuple[str, ...]], bool], *, json: bool = False
) -> Iterator[BreakingChange]:
    for reader, writer in sides.enums:
        for number, names in writer.values.items():
            if number not in reader.values and not excused(reader, number, names):
                evidence = _enum_in_json(sides, reader, writer, number) if json else None
                yield BreakingChange(
                    f"{writer.name}.{names[0]}", f"{names[0]} = {number}", "absent", evidence
                )


_NO_DELETE = "{path} is not in the reader's file"
_PACKAGE_NO_DELETE = "{path} is not in the reader's package"
_VALUE_DELETED = "the reader lacks the writer's enum value {path} ({old})"

RULES = (
    ComparisonRule(
        "MESSAGE_NO_DELETE",
        "message " + _NO_DELETE,
        _must_still_declare(_own_messages, _own_messages),
        SOURCE,
    ),
    ComparisonRule(
        "ENUM_NO_DELETE", "enum " + _NO_DELETE, _must_still_declare(Sides.own_enums, Sides.own_enums), SOURCE
    ),
    ComparisonRule(
        "SERVICE_NO_DELETE",
        "service " + _NO_DELETE,
        _must_still_declare(Sides.own_services, Sides.own_services),
        SOURCE,
    ),
    ComparisonRule(
        "EXTENSION_NO_DELETE",
        "extension " + _NO_DELETE,
        _must_still_declare(_own_extensions, _own_extensions),
        SOURCE,
    ),
    ComparisonRule(
        "PACKAGE_MESSAGE_NO_DELETE",
        "message " + _PACKAGE_NO_DELETE,
        _must_still_declare(_own_messages, _package_messages),
        SOURCE,
    ),
    ComparisonRule(
        "PACKAGE_ENUM_NO_DELETE",
        "enum " + _PACKAGE_NO_DELETE,
        _must_still_declare(Sides.own_enums, _package_enums),
        SOURCE,
    ),
    ComparisonRule(
        "PACKAGE_SERVICE_NO_DELETE",
        "service " + _PACKAGE_NO_DELETE,
        _must_still_declare(Sides.own_services, _package_services),
        SOURCE,
    ),
    ComparisonRule(
        "PACKAGE_EXTENSION_NO_DELETE",
        "extension " + _PACKAGE_NO_DELETE,
        _must_still_declare(_own_extensions, _package_extensions),
        SOURCE,
    ),
    ComparisonRule("ONEOF_NO_DELETE", "the reader lacks the writer's oneof {path}", lost_oneofs, SOURCE),
    ComparisonRule(
        "EXTENSION_MESSAGE_NO_DELETE", "the reader's {path} lacks {old}", lost_extension_ranges, SOURCE
    ),
    ComparisonRule(
        "RESERVED_MESSAGE_NO_DELETE",
        "the reader's {path} does not reserve {old}, as the writer's does",
        lost_reservations,
        ALL,
    ),
    ComparisonRule(
        "RESERVED_ENUM_NO_DELETE",
        "the reader's {path} does not reserve {old}, as the writer's does",
        lost_enum_reservations,
        ALL,
    ),
    ComparisonRule(
        "MESSAGE_SAME_REQUIRED_FIELDS",
        "{path} requires fields {old} for the writer and {new} for the reader",
        _messages_differ(lambda m: sorted(m.required)),
        JSON_SOURCE,
    ),
    ComparisonRule(
        "MESSAGE_SAME_JSON_FORMAT",
        "{path} has JSON format {old} for the writer and {new} for the reader",
        weaker_message_json,
        JSON_SOURCE,
    ),
    ComparisonRule(
        "MESSAGE_SAME_MESSAGE_SET_WIRE_FORMAT",
        "{path} has message_set_wire_format {old} for the writer and {new} for the reader",
        _messages_differ(lambda m: m.message_set),
        SOURCE,
    ),
    ComparisonRule(
        "MESSAGE_NO_REMOVE_STANDARD_DESCRIPTOR_ACCESSOR",
        "{path} has no_standard_descriptor_accessor {old} for the writer and {new} for the reader",
        lost_accessors,
        SOURCE,
    ),
    ComparisonRule(
        "ENUM_SAME_JSON_FORMAT",
        "{path} has JSON format {old} for the writer and {new} for the reader",
        weaker_enum_json,
        JSON_SOURCE,
    ),
    ComparisonRule(
        "ENUM_SAME_TYPE",
        "enum {path} is {old} for the writer and {new} for the reader",
        other_openness,
        SOURCE,
    ),
    ComparisonRule("ENUM_VALUE_NO_DELETE", _VALUE_DELETED, lost_values, SOURCE),
    ComparisonRule(
        "ENUM_VALUE_NO_DELETE_UNLESS_NUMBER_RESERVED",
        _VALUE_DELETED + " and does not reserve its number",
        lost_values_unless_number_reserved,
        WIRE_JSON,
    ),
    ComparisonRule(
        "ENUM_VALUE_NO_DELETE_UNLESS_NAME_RESERVED",
        _VALUE_DELETED + " and does not reserve its name",
        lost_values_unless_name_reserved,
        JSON,
    ),
    ComparisonRule(
        "ENUM_VALUE_SAME_NAME",
        "enum value {path} is {old} for the writer and {new} for the reader",
        other_value_names,
        JSON_SOURCE,
    ),
)
