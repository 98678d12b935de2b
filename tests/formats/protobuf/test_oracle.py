"""Random data written with one schema and read with the other must agree with the verdict.

The judge here shares no code with the comparison: it turns both decoded messages into plain values by field number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor as F
from google.protobuf.message import DecodeError, Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_schema_engines.formats.protobuf.decoded import missing_required
from llm_schema_engines.formats.protobuf.pools import CompiledSchema
from tests.formats.protobuf.cases import CASES
from tests.formats.protobuf.kit import parse

INT32 = [0, 1, 2, 3, -1, 2**31 - 1, -(2**31), 127, 128]
UINT32 = [0, 1, 2, 3, 2**31, 2**32 - 1]
INT64 = [*INT32, 2**31, 2**32, 2**63 - 1, -(2**63)]
UINT64 = [*UINT32, 2**32, 2**63, 2**64 - 1]
TEXT = ["", "a", "é", "\x08\x01", "\x00"]
VALUES: dict[int, list[Any]] = {
    F.TYPE_INT32: INT32,
    F.TYPE_SINT32: INT32,
    F.TYPE_SFIXED32: INT32,
    F.TYPE_INT64: INT64,
    F.TYPE_SINT64: INT64,
    F.TYPE_SFIXED64: INT64,
    F.TYPE_UINT32: UINT32,
    F.TYPE_FIXED32: UINT32,
    F.TYPE_UINT64: UINT64,
    F.TYPE_FIXED64: UINT64,
    F.TYPE_BOOL: [False, True],
    F.TYPE_FLOAT: [0.0, 1.5, -2.0, math.inf],
    F.TYPE_DOUBLE: [0.0, 1.5, 1e300, -math.inf],
    F.TYPE_STRING: TEXT,
    F.TYPE_BYTES: [*(t.encode() for t in TEXT), b"\xff", b"\xff\xfe\x00"],
}


def fill(draw: st.DrawFn, message: Any, depth: int = 0) -> None:
    """Sets a random choice of the fields and extensions of `message`."""
    for field in [
        *message.DESCRIPTOR.fields,
        *message.DESCRIPTOR.file.pool.FindAllExtensions(message.DESCRIPTOR),
    ]:
        required = field.is_required
        if depth > 10 or (not required and (depth > 3 or draw(st.booleans()))):
            continue  # a message that requires itself stays incomplete
        if field.is_extension:
            message.Extensions[field] = draw(st.sampled_from(VALUES[field.type]))
        elif field.message_type is not None and field.message_type.GetOptions().map_entry:
            fill_map(draw, getattr(message, field.name), field.message_type, depth)
        elif field.message_type is not None:
            for _ in range(draw(st.integers(1, 2)) if field.is_repeated else 1):
                inner = getattr(message, field.name)
                inner = inner.add() if field.is_repeated else inner
                inner.SetInParent()
                fill(draw, inner, depth + 1)
        elif field.is_repeated:
            getattr(message, field.name).extend(draw(st.lists(scalar(field), max_size=3)))
        else:
            setattr(message, field.name, draw(scalar(field)))


def fill_map(draw: st.DrawFn, values: Any, entry: Any, depth: int) -> None:
    key, value = entry.fields_by_name["key"], entry.fields_by_name["value"]
    for name in draw(st.lists(scalar(key), max_size=2)):
        if value.message_type is not None:
            fill(draw, values[name], depth + 1)
        else:
            values[name] = draw(scalar(value))


def scalar(field: Any) -> st.SearchStrategy[Any]:
    if field.enum_type is None:
        return st.sampled_from(VALUES[field.type])
    numbers = list(field.enum_type.values_by_number)
    return st.sampled_from(numbers if field.enum_type.is_closed else [*numbers, -1, 77])


def plain(field: Any, value: Any) -> Any:
    if field.message_type is not None:
        return value
    if isinstance(value, float):
        return ("float", repr(value))  # NaN is itself
    return value.encode() if isinstance(value, str) else value


def contents(message: Any) -> dict[int, list[Any]]:
    """Field number -> its values; a map as entries, an unset field as an empty list."""
    found: dict[int, list[Any]] = {}
    for field in [
        *message.DESCRIPTOR.fields,
        *message.DESCRIPTOR.file.pool.FindAllExtensions(message.DESCRIPTOR),
    ]:
        value = message.Extensions[field] if field.is_extension else getattr(message, field.name)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            name, part = (field.message_type.fields_by_name[n] for n in ("key", "value"))
            found[field.number] = [{1: [plain(name, key)], 2: [plain(part, value[key])]} for key in value]
        elif field.is_repeated:
            found[field.number] = [plain(field, item) for item in value]
        elif not field.has_presence:
            found[field.number] = [plain(field, value)]
        else:
            present = message.HasExtension(field) if field.is_extension else message.HasField(field.name)
            found[field.number] = [plain(field, value)] if present else []
    return found


def as_entry(value: Any) -> Any:
    if isinstance(value, Message):
        return {number: list(values) for number, values in contents(value).items() if number in (1, 2)}
    return value


def agree(written: Any, read: Any) -> bool:
    """Whether what `written` sets is what `read` holds, as far as the reader declares it."""
    mine = contents(read)
    for number, values in contents(written).items():
        if number not in mine:
            continue
        if not any(f.number == number for f, _ in written.ListFields()):
            continue  # a reader may show a default for what was never written
        others = mine[number]
        if any(isinstance(value, dict) for value in [*values, *others]):  # the entries of a map have no order
            values, others = sorted(values, key=rank), sorted(others, key=rank)
        if len(values) != len(others) or not all(map(same, values, others)):
            return False
    return True


def rank(value: Any) -> str:
    return str(as_entry(value)[1]) if isinstance(as_entry(value), dict) and 1 in as_entry(value) else ""


def same(old: Any, new: Any) -> bool:
    if isinstance(old, dict) and isinstance(new, bytes):
        return True  # the entry of a map, kept as its bytes
    if isinstance(old, dict) or isinstance(new, dict):
        old, new = as_entry(old), as_entry(new)
        return (
            isinstance(old, dict)
            and isinstance(new, dict)
            and all(same_values(old[n], new[n]) for n in old if n in new)  # what the reader declares
        )
    if isinstance(old, Message) and isinstance(new, Message):
        return agree(old, new)
    if isinstance(old, Message):
        return isinstance(new, bytes) and type(old).FromString(new) == old
    if isinstance(new, Message):
        return False
    if isinstance(old, bytes) != isinstance(new, bytes) or isinstance(old, tuple) != isinstance(new, tuple):
        return False
    return bool(old == new)


def same_values(old: list[Any], new: list[Any]) -> bool:
    """Whether the values of a part of an entry are the same; for what was never written a reader may show a default."""
    if not old:
        return all(not value or (isinstance(value, Message) and not value.ListFields()) for value in new)
    return len(old) == len(new) and all(map(same, old, new))


def reads(writer: CompiledSchema, reader: CompiledSchema, draw: st.DrawFn) -> bool:
    """Whether a random message of the writer's first type comes back from the reader."""
    wrote = writer.message(writer.first)
    knows = reader.message(writer.first)
    assert wrote is not None
    message = wrote()
    fill(draw, message)
    if missing_required(message):
        return True  # not a message of the writer
    if knows is None:
        return False
    try:
        read = knows.FromString(message.SerializeToString())
    except DecodeError:
        return False
    return not missing_required(read) and agree(message, read)


def directed() -> Iterator[Any]:
    for case in CASES:
        yield pytest.param(case.new, case.old, case.backward, id=f"{case.name}, backward")
        yield pytest.param(case.old, case.new, case.forward, id=f"{case.name}, forward")


READABLE = [p for p in directed() if p.values[2]]


@pytest.mark.parametrize(("reader", "writer", "expected"), READABLE)
@settings(max_examples=25, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_no_data_contradicts_a_yes(reader: str, writer: str, expected: bool, data: st.DataObject) -> None:
    read, wrote = CompiledSchema(parse(reader).artifact), CompiledSchema(parse(writer).artifact)

    assert data.draw(st.composite(lambda draw: reads(wrote, read, draw))())
