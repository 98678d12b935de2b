"""Rules about data: what the writer encodes, the reader must decode to the same values. Pure.

They follow what encoders and decoders do (tests/formats/protobuf/test_oracle.py), not convention: an enum may become an
int32, an int64 may not become an int32.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ....model.compatibility import Severity
from ..ir import MAP, REQUIRED, Field, MessageType
from ..kinds import CARRIES_ANY_BYTES, GROUP, KINDS
from ..names import join
from .rule import DATA, BreakingChange, ComparisonRule, Evidence
from .sides import Sides, in_package


def _pairs(sides: Sides) -> Iterator[tuple[MessageType, MessageType]]:
    for reader, writer in sides.reached:
        yield sides.reader.messages[reader], sides.writer.messages[writer]


def _at(reader: MessageType, writer: MessageType, field: Field) -> Evidence:
    return Evidence(reader.name, writer.name, (field.number,))


def wrong_types(sides: Sides) -> Iterator[BreakingChange]:
    for reader, writer, mine, theirs in sides.read_fields:
        if mine.kind == theirs.kind or survives(sides, mine, theirs):
            continue
        yield BreakingChange(
            join(reader.name, mine.name), described(theirs), described(mine), _at(reader, writer, theirs)
        )


def survives(sides: Sides, mine: Field, theirs: Field) -> bool:
    """Whether the reader decodes every value of the writer's kind to the same value."""
    read, written = KINDS[mine.kind], KINDS[theirs.kind]
    if mine.kind == "bytes":
        return theirs.kind == "bytes" or theirs.kind in CARRIES_ANY_BYTES
    if mine.kind == "string":
        return theirs.kind == "string"  # which is text in every syntax, whether the runtime checks it or not
    if (read.wire, read.encoding) != (written.wire, written.encoding):
        return False
    if read.encoding not in ("varint", "zigzag", "fixed"):
        return True
    low, high = written.low, written.high
    if theirs.kind == "enum" and sides.writer.enums[theirs.type_name].closed:
        values = sides.writer.enums[theirs.type_name].values
        low, high = min(values), max(values)
    if mine.kind == "enum" and sides.reader.enums[mine.type_name].closed:
        if theirs.kind == "bool":
            return False  # any varint but zero is read as true, whatever the enum lists
        known = sides.reader.enums[mine.type_name].values
        # Any larger range of integers holds a number that the enum does not list.
        return high - low < len(known) and all(value in known for value in range(low, high + 1))
    return read.low <= low and high <= read.high


def unknown_enum_values(sides: Sides) -> Iterator[BreakingChange]:
    """Closed enums keep numbers that they do not list as unknown fields."""
    for reader, writer, mine, theirs in sides.read_fields:
        if mine.kind != "enum" or theirs.kind != "enum":
            continue
        known, written = sides.reader.enums[mine.type_name], sides.writer.enums[theirs.type_name]
        if not known.closed:
            continue
        missing = sorted(set(written.values) - set(known.values))
        if not missing and written.closed:
            continue
        extra = ", ".join(f"{written.values[n][0]} = {n}" for n in missing[:5]) or "any other number (open)"
        yield BreakingChange(
            join(reader.name, mine.name),
            f"{written.name}: {extra}",
            f"{known.name} (closed)",
            _at(reader, writer, theirs),
        )


def wrong_cardinality(sides: Sides) -> Iterator[BreakingChange]:
    for reader, writer, mine, theirs in sides.read_fields:
        collapses = theirs.many and not mine.many
        merges = mine.cardinality == MAP and theirs.cardinality not in (MAP,) and theirs.many
        if collapses or merges or _is_no_entry(sides, mine, theirs):
            yield BreakingChange(
                join(reader.name, mine.name),
                theirs.cardinality + (" packed" if theirs.packed else ""),
                mine.cardinality,
                _at(reader, writer, theirs),
            )


def _is_no_entry(sides: Sides, mine: Field, theirs: Field) -> bool:
    """Whether the writer's message may not be a valid entry of the reader's map.

    It may have other fields than key and value, so that runtimes keep it as an unknown field; or it may lack the value,
    whose default lacks a field that its type requires.
    """
    if mine.cardinality != MAP or theirs.cardinality == MAP or theirs.type_name not in sides.writer.messages:
        return False
    written = sides.writer.messages[theirs.type_name].fields
    if written.keys() - {1, 2}:
        return True
    value = sides.reader.messages[mine.type_name].fields[2]
    needs = (
        sides.reader.messages[value.type_name].required if value.type_name in sides.reader.messages else ()
    )
    return bool(needs) and (2 not in written or written[2].cardinality != REQUIRED)


def missing_required(sides: Sides) -> Iterator[BreakingChange]:
    for reader, writer in _pairs(sides):
        for number in reader.required:
            mine, theirs = reader.fields[number], writer.fields.get(number)
            if theirs is not None and writer.map_entry:
                continue  # every writer writes both the key and the value
            if theirs is None or theirs.cardinality != REQUIRED:
                yield BreakingChange(
                    join(reader.name, mine.name),
                    theirs.cardinality if theirs else "absent",
                    REQUIRED,
                    Evidence(reader.name, writer.name),
                )


def merged_oneofs(sides: Sides) -> Iterator[BreakingChange]:
    """Fields that the writer may set together, of which the reader keeps only the last."""
    for reader, writer in _pairs(sides):
        if reader.fields == writer.fields:
            continue
        joined: dict[str, dict[str, int]] = {}
        for number, mine in reader.fields.items():
            theirs = writer.fields.get(number)
            if mine.oneof and theirs is not None:
                joined.setdefault(mine.oneof, {}).setdefault(theirs.oneof or f"field {theirs.name}", number)
        for oneof, apart in joined.items():
            if len(apart) > 1:
                numbers = tuple(apart.values())
                yield BreakingChange(
                    join(reader.name, oneof),
                    ", ".join(apart),
                    f"oneof {oneof}",
                    Evidence(reader.name, writer.name, numbers),
                )


def missing_messages(sides: Sides) -> Iterator[BreakingChange]:
    """Top-level messages: what a payload may be. A nested one is reached through its parent."""
    if sides.reader.package != sides.writer.package:
        return
    for name, message in sides.writer.own_messages().items():
        kept = sides.reader.messages.get(message.name)
        if message.depth == 0 and (kept is None or not in_package(sides.reader, kept.file)):
            yield BreakingChange(message.name, f"message {name}", "absent", Evidence(None, message.name))


def other_package(sides: Sides) -> Iterable[BreakingChange]:
    """Payloads are named by their message's full name, which contains the package."""
    old, new = sides.writer.package, sides.reader.package
    if old == new:
        return []
    first = next((m for m in sides.writer.own_messages().values() if m.depth == 0), None)
    return [
        BreakingChange(new, old or "(none)", new or "(none)", Evidence(None, first.name) if first else None)
    ]


def stricter_text(sides: Sides) -> Iterator[BreakingChange]:
    for reader, writer, mine, theirs in sides.read_fields:
        if theirs.kind == "string" and mine.utf8 and not theirs.utf8:
            yield BreakingChange(
                join(reader.name, mine.name),
                "any bytes",
                "UTF-8 only",
                _at(reader, writer, theirs),
                Severity.WARNING,  # most encoders write nothing else; data that breaks it is rare
            )


def described(field: Field) -> str:
    """The type of a field as .proto text names it."""
    name = field.type_name if field.type_name else field.kind
    return f"group {name}" if KINDS[field.kind].wire == GROUP else name


RULES = (
    ComparisonRule(
        "FILE_SAME_PACKAGE", "the writer's package is {old}, the reader's is {new}", other_package, DATA
    ),
    ComparisonRule(
        "PACKAGE_MESSAGE_NO_DELETE",
        "message {path} can be written and the reader lacks it",
        missing_messages,
        DATA,
    ),
    ComparisonRule(
        "FIELD_WIRE_COMPATIBLE_TYPE",
        "field {path} is written as {old} and read as {new}, which does not give the same value back",
        wrong_types,
        DATA,
    ),
    ComparisonRule(
        "FIELD_WIRE_COMPATIBLE_CARDINALITY",
        "field {path} is written as {old} and read as {new}: values are lost",
        wrong_cardinality,
        DATA,
    ),
    ComparisonRule(
        "CLOSED_ENUM_VALUE_UNKNOWN",
        "field {path} may hold {old}, which {new} sets aside as unknown",
        unknown_enum_values,
        DATA,
    ),
    ComparisonRule(
        "MESSAGE_SAME_REQUIRED_FIELDS",
        "the reader requires {path}, which is {old} for the writer",
        missing_required,
        DATA,
    ),
    ComparisonRule(
        "FIELD_SAME_ONEOF",
        "{old} can be set together by the writer and are one oneof, {path}, for the reader: only the last is kept",
        merged_oneofs,
        DATA,
    ),
    ComparisonRule(
        "FIELD_SAME_UTF8_VALIDATION",
        "string {path} may hold {old} for the writer and {new} for the reader",
        stricter_text,
        DATA,
    ),
)
