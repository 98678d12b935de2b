"""Buf's rules about the fields of one message. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..ir import EXPLICIT, IMPLICIT, Field, Schema
from ..json_known import NULL_VALUE
from ..names import short
from .data_rules import described
from .rule import ALL, JSON, JSON_SOURCE, SOURCE, WIRE_JSON, BreakingChange, ComparisonRule, Evidence
from .sides import FieldPair, Sides

JSON_GROUPS = (
    frozenset({"int32", "uint32"}),
    frozenset({"int64", "uint64"}),
    frozenset({"fixed32", "sfixed32"}),
    frozenset({"fixed64", "sfixed64"}),
)
"""Kinds that can replace each other both on the wire and in JSON. Any other kind can only be itself."""

JSTYPES = ("JS_NORMAL", "JS_STRING", "JS_NUMBER")


TEXT = frozenset({"string", "bytes"})
STRING = frozenset({"string"})


def _differ(
    value: Callable[[Field], object], kinds: frozenset[str] = frozenset()
) -> Callable[[Sides], Iterator[BreakingChange]]:
    """A check that one property of each field is the same on both sides; `kinds`: only for fields of these kinds."""

    def check(sides: Sides) -> Iterator[BreakingChange]:
        for pair in sides.fields:
            if kinds and not (pair.writer.kind in kinds and pair.reader.kind in kinds):
                continue
            old, new = value(pair.writer), value(pair.reader)
            if old != new:
                yield BreakingChange(pair.path, str(old), str(new), _in_json(pair))

    return check


def _cardinality_group(field: Field) -> str:
    return "singular" if field.cardinality in (IMPLICIT, EXPLICIT) else field.cardinality


def json_types(sides: Sides) -> Iterator[BreakingChange]:
    for pair in sides.fields:
        if not _json_type_allowed(sides, pair):
            yield BreakingChange(pair.path, described(pair.writer), described(pair.reader), _in_json(pair))


def _in_json(pair: FieldPair) -> Evidence:
    return Evidence(pair.reader_message.name, pair.writer_message.name, (pair.writer.number,), json=True)


def _json_type_allowed(sides: Sides, pair: FieldPair) -> bool:
    mine, theirs = pair.reader, pair.writer
    if mine.kind != theirs.kind:
        return any(mine.kind in group and theirs.kind in group for group in JSON_GROUPS)
    if not mine.type_name or sides.same_type(mine.type_name, theirs.type_name):
        return True
    if mine.kind != "enum" or short(mine.type_name) != short(theirs.type_name):
        return False
    if NULL_VALUE in (mine.type_name, theirs.type_name):  # written as null
        return False
    kept, old = sides.reader.enums[mine.type_name].values, sides.writer.enums[theirs.type_name].values
    return all(set(names) <= set(kept.get(number, ())) for number, names in old.items())


def same_types(sides: Sides) -> Iterator[BreakingChange]:
    for pair in sides.fields:
        mine, theirs = pair.reader, pair.writer
        if mine.kind != theirs.kind or not sides.same_type(mine.type_name, theirs.type_name):
            yield BreakingChange(pair.path, described(theirs), described(mine))


def other_defaults(sides: Sides) -> Iterator[BreakingChange]:
    """What an unset field reads as; where one side has no such value, the type rules report it."""
    for pair in (*sides.fields, *sides.unchanged_enum_fields):
        old, new = _default(sides.writer, pair.writer), _default(sides.reader, pair.reader)
        if old is None or new is None or (pair.writer.kind in TEXT) != (pair.reader.kind in TEXT):
            continue
        if old[0] != new[0]:
            yield BreakingChange(pair.path, old[1], new[1])


def _default(schema: Schema, field: Field) -> tuple[float | str, str] | None:
    """The value that an unset singular field reads as, for comparison and for people; None for lists and messages."""
    if field.many or field.kind in ("message", "group"):
        return None
    if field.kind == "enum":
        values = schema.enums[field.type_name].values
        number = next((n for n, names in values.items() if field.default in names), next(iter(values)))
        return float(number), values[number][0]
    if field.kind in TEXT:
        return field.default, field.default
    if field.kind == "bool":
        return float(field.default == "true"), field.default or "false"
    number_text = field.default or "0"
    value = float(number_text)
    return ("nan" if value != value else value), number_text


def deleted(sides: Sides) -> Iterator[BreakingChange]:
    return _deleted(sides, lambda reader, field: False)


def deleted_unless_number_reserved(sides: Sides) -> Iterator[BreakingChange]:
    return _deleted(sides, lambda reader, field: reader.reserved.holds(field.number))


def deleted_unless_name_reserved(sides: Sides) -> Iterator[BreakingChange]:
    return _deleted(sides, lambda reader, field: field.name in reader.reserved.names, json=True)


def _deleted(sides: Sides, excused: Callable[..., bool], *, json: bool = False) -> Iterator[BreakingChange]:
    """The writer's fields whose number the reader lacks; extensions have rules of their own."""
    for reader, writer in sides.messages:
        for number in sorted(writer.fields.keys() - reader.fields.keys()):
            field = writer.fields[number]
            if not field.name.startswith("[") and not excused(reader, field):
                evidence = Evidence(reader.name, writer.name, (number,), json=True) if json else None
                text = f"{described(field)} {field.name} = {number}"
                yield BreakingChange(f"{writer.name}.{field.name}", text, "absent", evidence)


RULES = (
    ComparisonRule("FIELD_NO_DELETE", "the reader lacks the writer's field {path} ({old})", deleted, SOURCE),
    ComparisonRule(
        "FIELD_NO_DELETE_UNLESS_NUMBER_RESERVED",
        "the reader lacks the writer's field {path} ({old}) and does not reserve its number",
        deleted_unless_number_reserved,
        WIRE_JSON,
    ),
    ComparisonRule(
        "FIELD_NO_DELETE_UNLESS_NAME_RESERVED",
        "the reader lacks the writer's field {path} ({old}) and does not reserve its name",
        deleted_unless_name_reserved,
        JSON,
    ),
    ComparisonRule(
        "FIELD_SAME_NAME",
        "field {path} is called {old!r} by the writer and {new!r} by the reader",
        _differ(lambda f: f.name),
        JSON_SOURCE,
    ),
    ComparisonRule(
        "FIELD_SAME_JSON_NAME",
        "the JSON name of {path} is {old!r} for the writer and {new!r} for the reader",
        _differ(lambda f: f.json_name),
        JSON_SOURCE,
    ),
    ComparisonRule(
        "FIELD_SAME_TYPE",
        "the type of {path} is {old} for the writer and {new} for the reader",
        same_types,
        SOURCE,
    ),
    ComparisonRule(
        "FIELD_WIRE_JSON_COMPATIBLE_TYPE",
        "the type of {path} is {old} for the writer and {new} for the reader, whose JSON or binary forms differ",
        json_types,
        JSON,
    ),
    ComparisonRule(
        "FIELD_SAME_CARDINALITY",
        "the cardinality of {path} is {old} for the writer and {new} for the reader",
        _differ(lambda f: f.cardinality),
        SOURCE,
    ),
    ComparisonRule(
        "FIELD_WIRE_JSON_COMPATIBLE_CARDINALITY",
        "{path} is {old} for the writer and {new} for the reader, whose JSON or binary forms differ",
        _differ(_cardinality_group),
        JSON,
    ),
    ComparisonRule(
        "FIELD_SAME_DEFAULT",
        "the default of {path} is {old!r} for the writer and {new!r} for the reader",
        other_defaults,
        ALL,
    ),
    ComparisonRule(
        "FIELD_SAME_ONEOF",
        "{path} is in oneof {old} for the writer and in {new} for the reader",
        _differ(lambda f: f.oneof or "(none)"),
        JSON_SOURCE,
    ),
    ComparisonRule(
        "FIELD_SAME_UTF8_VALIDATION",
        "UTF-8 validation of {path} is {old} for the writer and {new} for the reader",
        _differ(lambda f: f.utf8, STRING),
        SOURCE,
    ),
    ComparisonRule(
        "FIELD_SAME_JSTYPE",
        "the jstype of {path} is {old} for the writer and {new} for the reader",
        _differ(lambda f: JSTYPES[f.language[0]] if f.language[0] < 3 else f.language[0]),
        SOURCE,
    ),
    ComparisonRule(
        "FIELD_SAME_CPP_STRING_TYPE",
        "the C++ string type of {path} is {old} for the writer and {new} for the reader",
        _differ(lambda f: f.language[1], TEXT),
        SOURCE,
    ),
    ComparisonRule(
        "FIELD_SAME_JAVA_UTF8_VALIDATION",
        "Java's UTF-8 validation of {path} is {old} for the writer and {new} for the reader",
        _differ(lambda f: f.language[2], STRING),
        SOURCE,
    ),
)
