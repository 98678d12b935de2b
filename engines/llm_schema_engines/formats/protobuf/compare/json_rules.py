"""Rules about JSON data: what the writer's JSON form may be, a reader must take as the same thing. Pure.

They are facts beside Buf's categories WIRE_JSON and FILE: the first excuses what is reserved, and both look at names one by one
and at what an Any may hold not at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..ir import Field, MessageType
from ..json_known import ANY, KNOWN
from .rule import JSON_SOURCE, BreakingChange, ComparisonRule, Evidence
from .sides import Sides


def json_keys(message: MessageType) -> Mapping[str, Field]:
    """The fields of a message by each of their JSON keys: the JSON name goes before another field's name."""
    fields = message.fields.values()
    return {f.name: f for f in fields} | {f.json_name: f for f in fields if f.name[0] != "["}


def reused_keys(sides: Sides) -> Iterator[BreakingChange]:
    """JSON keys of the writer that mean another field to the reader."""
    for reader, writer in sides.messages:
        if reader.fields == writer.fields or writer.name in KNOWN:
            continue
        read = json_keys(reader)
        for key, theirs in json_keys(writer).items():
            mine = read.get(key)
            if mine is not None and mine.number != theirs.number:
                yield BreakingChange(
                    f"{reader.name}.{mine.name}",
                    f"{key!r} (field {theirs.number})",
                    f"field {mine.number}",
                    Evidence(reader.name, writer.name, (theirs.number,), json=True),
                )


def unknown_value_names(sides: Sides) -> Iterator[BreakingChange]:
    """Names of enum values that the reader has reserved, with their numbers: no reader of JSON can tell what they were."""
    for (reader_name, writer_name), use in sides.enum_uses.items():
        reader, writer = sides.reader.enums[reader_name], sides.writer.enums[writer_name]
        if reader.values == writer.values:
            continue
        known = {name for names in reader.values.values() for name in names}
        for number, names in writer.values.items():
            if number not in reader.values and reader.reserved.names.issuperset(names):
                lost = [name for name in names if name not in known]
                if lost:
                    yield BreakingChange(
                        f"{writer.name}.{lost[0]}",
                        ", ".join(lost),
                        "reserved",
                        Evidence(use[0], use[1], (use[2],), json=True, value=number),
                    )


def unknown_any_types(sides: Sides) -> Iterator[BreakingChange]:
    """What an Any of the writer may hold and the reader has no message of."""
    if not any(writer == ANY for _, writer in sides.reached):
        return
    for name, message in sides.writer.messages.items():
        if name not in sides.reader.messages and name not in KNOWN and not message.map_entry:
            yield BreakingChange(name, name, "absent", Evidence(None, name))


RULES = (
    ComparisonRule(
        "JSON_NAME_REUSED",
        "the writer's JSON key {old} is {new}, {path}, for the reader",
        reused_keys,
        JSON_SOURCE,
    ),
    ComparisonRule(
        "JSON_ENUM_VALUE_UNKNOWN",
        "the writer writes enum value {path} as its name, which is {new} for the reader",
        unknown_value_names,
        JSON_SOURCE,
    ),
    ComparisonRule(
        "JSON_ANY_TYPE_UNKNOWN",
        "a google.protobuf.Any of the writer may hold {path}, which the reader's schema lacks",
        unknown_any_types,
        JSON_SOURCE,
    ),
)
