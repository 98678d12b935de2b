"""Every kind read as every kind, in every cardinality: a rule speaks exactly when boundary values say so.

One message for each combination, so that one pair of files holds the whole matrix.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import pytest
from google.protobuf.message import DecodeError

from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.formats.protobuf.pools import CompiledSchema
from llm_schema_engines.model.compatibility import CompareOptions, Severity
from tests.formats.protobuf.kit import ENGINE, parse
from tests.formats.protobuf.test_oracle import VALUES, agree

KINDS = [
    "int32", "int64", "uint32", "uint64", "sint32", "sint64", "bool", "fixed32", "fixed64", "sfixed32", "sfixed64",
    "float", "double", "string", "bytes", "Open", "Closed", "Inner",
]  # fmt: skip
TYPES = (
    "message Inner { int32 a = 1; string b = 2; } enum Open { O0 = 0; O1 = 1; } "
    "enum Closed { option features.enum_type = CLOSED; C1 = 1; C2 = 2; C0 = 0; }"
)
IMPLICIT = "[features.field_presence = IMPLICIT]"
CARDINALITIES = {
    "implicit": ("", IMPLICIT),
    "explicit": ("", ""),
    "packed": ("repeated ", ""),
    "expanded": ("repeated ", "[features.repeated_field_encoding = EXPANDED]"),
}
NOT_PACKED = {"string", "bytes", "Inner"}


class Combination(NamedTuple):
    kind: str
    cardinality: str


def combinations() -> Iterator[Combination]:
    for kind, cardinality in itertools.product(KINDS, CARDINALITIES):
        if cardinality == "implicit" and kind in ("Inner", "Closed"):
            continue
        if cardinality == "expanded" and kind in NOT_PACKED:
            continue
        yield Combination(kind, cardinality)


ALL = list(combinations())


def text(fields: list[Combination]) -> str:
    """A file with message M<i> for each field, numbered 1 there."""
    lines = []
    for index, (kind, cardinality) in enumerate(fields):
        label, option = CARDINALITIES[cardinality]
        lines.append(f"message M{index} {{ {label}{kind} f = 1 {option}; }}")
    return f'edition = "2023"; package t; {TYPES} {" ".join(lines)}'


@cache
def compiled(fields: tuple[Combination, ...]) -> tuple[SchemaSource, CompiledSchema]:
    parsed = parse(text(list(fields)))
    return SchemaSource(b"", artifact=parsed.artifact), CompiledSchema(parsed.artifact)


def payloads(field: Combination, kind: Any) -> Iterator[Any]:
    """Messages with boundary values of the field."""
    described = kind.DESCRIPTOR.fields_by_name["f"]
    if field.kind == "Inner":
        filled = [{"a": 1}, {"a": -1, "b": "é"}, {}, {"b": "\x08\x01"}]
        values: list[Any] = [described.message_type._concrete_class(**v) for v in filled]
    elif field.kind == "Open":
        values = [0, 1, -1, 77, 2**31 - 1]
    elif field.kind == "Closed":
        values = [0, 1, 2]
    else:
        values = VALUES[described.type]
    if field.cardinality in ("implicit", "explicit"):
        yield from (kind(f=value) for value in values)
    else:
        yield from (kind(f=[value]) for value in values)
        yield from (kind(f=[first, second]) for first, second in itertools.pairwise(values))


def survives(message: Any, reader: Any) -> bool:
    try:
        return agree(message, reader.FromString(message.SerializeToString()))
    except DecodeError:
        return False


# A bool that no runtime writes and every runtime reads as true.
LARGE_BOOL = b"\x08\x40"


def keeps(reader: Any, payload: bytes) -> bool:
    """Whether the reader takes the payload and finds a value in the field."""
    try:
        return bool(reader.FromString(payload).ListFields())
    except DecodeError:
        return False


@pytest.mark.parametrize("written", ALL, ids=lambda c: f"{c.cardinality} {c.kind}")
def test_a_rule_speaks_exactly_when_boundary_values_are_lost(written: Combination) -> None:
    reader_source, reader = compiled(tuple(ALL))
    writer_source, writer = compiled(tuple([written] * len(ALL)))

    refused = {
        violation.path.split(".")[1]
        for violation in ENGINE.compare(reader_source, writer_source, CompareOptions()).violations
        if violation.severity is Severity.ERROR
    }

    lost = set()
    for index in range(len(ALL)):
        wrote, reads = writer.message(f"t.M{index}"), reader.message(f"t.M{index}")
        assert wrote is not None
        survive = all(survives(message, reads) for message in payloads(written, wrote))
        if not survive or (written.kind == "bool" and not keeps(reads, LARGE_BOOL)):
            lost.add(f"M{index}")
    name = {f"M{index}": str(tuple(field)) for index, field in enumerate(ALL)}
    assert {name[m] for m in refused} == {name[m] for m in lost}
