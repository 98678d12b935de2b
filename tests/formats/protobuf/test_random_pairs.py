"""Random schemas and random edits: no data contradicts a YES, and every NO of WIRE shows data."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.formats.protobuf.decoded import missing_required
from llm_schema_engines.formats.protobuf.pools import CompiledSchema
from llm_schema_engines.model.compatibility import CompareOptions, Severity, Verdict
from llm_schema_registry_server.errors import InvalidSchema
from tests.formats.protobuf.kit import ENGINE
from tests.formats.protobuf.test_oracle import agree, fill

KINDS = [
    "int32",
    "int64",
    "uint32",
    "sint32",
    "bool",
    "fixed32",
    "float",
    "string",
    "bytes",
    "A",
    "B",
    "E",
    "C",
]
LABELS = ["", "repeated ", "IMPLICIT", "REQUIRED", "EXPANDED", "map", "oneof o", "oneof p", "DELIMITED"]
OPTIONS = {
    "IMPLICIT": "features.field_presence = IMPLICIT",
    "REQUIRED": "features.field_presence = LEGACY_REQUIRED",
    "EXPANDED": "features.repeated_field_encoding = EXPANDED",
    "DELIMITED": "features.message_encoding = DELIMITED",
}


@dataclass(frozen=True)
class Field:
    number: int
    kind: str
    label: str

    def text(self) -> str:
        name = f"f{self.number}"
        if self.label == "map":
            return f"map<int32, {self.kind}> {name} = {self.number};"
        option = f" [{OPTIONS[self.label]}]" if self.label in OPTIONS else ""
        label = "repeated " if self.label in ("repeated ", "EXPANDED") else ""
        return f"{label}{self.kind} {name} = {self.number}{option};"


Messages = dict[str, tuple[Field, ...]]


def text(messages: Messages, closed: tuple[int, ...]) -> str:
    parts = ['edition = "2023"; package t; enum E { E0 = 0; E1 = 1; }']
    values = " ".join(f"C{n} = {n};" for n in closed)
    parts.append(f"enum C {{ option features.enum_type = CLOSED; {values} }}")
    for name, fields in messages.items():
        lines = [f.text() for f in fields if not f.label.startswith("oneof")]
        for oneof in ("oneof o", "oneof p"):
            inside = [f.text() for f in fields if f.label == oneof]
            if inside:
                lines.append(f"{oneof} {{ {' '.join(inside)} }}")
        parts.append(f"message {name} {{ {' '.join(lines)} }}")
    return " ".join(parts)


FIELDS = st.builds(Field, st.integers(1, 5), st.sampled_from(KINDS), st.sampled_from(LABELS))
BODIES = st.lists(FIELDS, min_size=1, max_size=4, unique_by=lambda f: f.number).map(tuple)
CLOSED = st.sampled_from([(0, 1), (0, 1, 2), (0, 2), (1, 0)])


@st.composite
def edited(draw: st.DrawFn) -> tuple[str, str]:
    """A schema and an edit of it: one to three fields dropped, added or changed."""
    messages: Messages = {name: draw(BODIES) for name in ("M", "A", "B")}
    closed = draw(CLOSED)
    changed: Messages = dict(messages)
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(sorted(changed)))
        fields = list(changed[name])
        edit = draw(st.sampled_from(["kind", "label", "drop", "add"]))
        place = draw(st.integers(0, len(fields) - 1)) if fields else None
        if place is None or edit == "add":
            added = draw(FIELDS)
            fields = [f for f in fields if f.number != added.number] + [added]
        elif edit == "drop":
            del fields[place]
        elif edit == "kind":
            fields[place] = replace(fields[place], kind=draw(st.sampled_from(KINDS)))
        else:
            fields[place] = replace(fields[place], label=draw(st.sampled_from(LABELS)))
        changed[name] = tuple(fields)
    return text(messages, closed), text(changed, draw(CLOSED))


def compiled(source: str) -> bytes:
    try:
        return ENGINE.parse(SchemaSource(source.encode())).artifact
    except InvalidSchema:
        assume(False)
        raise


def run(pair: tuple[str, str], data: st.DataObject) -> None:
    old, new = (compiled(source) for source in pair)
    for reader_bytes, writer_bytes in ((new, old), (old, new)):
        sources = [SchemaSource(b"", artifact=a) for a in (reader_bytes, writer_bytes)]
        comparison = ENGINE.compare(*sources, CompareOptions())
        reader, writer = CompiledSchema(reader_bytes), CompiledSchema(writer_bytes)
        for violation in comparison.violations:
            if violation.severity is Severity.ERROR and inhabited(writer):
                assert violation.witness is not None, violation
        if comparison.verdict is Verdict.YES:
            for name in ("t.M", "t.A"):
                assert survives(reader, writer, name, data)


def inhabited(writer: CompiledSchema) -> bool:
    """Whether no message requires another one: then every message has an instance."""
    return not any(
        m.fields[number].type_name for m in writer.schema.messages.values() for number in m.required
    )


def survives(reader: CompiledSchema, writer: CompiledSchema, name: str, data: st.DataObject) -> bool:
    wrote, reads = writer.message(name), reader.message(name)
    assert wrote is not None
    assert reads is not None
    message = wrote()
    data.draw(st.composite(lambda draw: fill(draw, message))())
    if missing_required(message):
        return True
    try:
        read = reads.FromString(message.SerializeToString())
    except DecodeError:
        return False
    return not missing_required(read) and agree(message, read)


QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


@settings(max_examples=150, deadline=None, database=None, suppress_health_check=QUIET)
@given(pair=edited(), data=st.data())
def test_verdicts_follow_data(pair: tuple[str, str], data: st.DataObject) -> None:
    run(pair, data)


@pytest.mark.deep
@settings(max_examples=2000, deadline=None, database=None, suppress_health_check=QUIET)
@given(pair=edited(), data=st.data())
def test_verdicts_follow_data_at_length(pair: tuple[str, str], data: st.DataObject) -> None:
    run(pair, data)


def test_an_enum_without_presence_in_a_oneof_of_the_reader_has_a_witness() -> None:
    """Its first value is zero, which is not written; the reader's closed enum must know the other one."""
    head = 'edition = "2023"; package t; enum C { %s C0 = 0; C3 = 3; }'
    writer = (
        head % "" + " message M { C g = 4 [features.field_presence = IMPLICIT]; oneof o { sint32 d = 3; } }"
    )
    reader = (
        head % "option features.enum_type = CLOSED;" + " message M { oneof o { C g = 4; sint32 d = 3; } }"
    )
    sources = [SchemaSource(b"", artifact=compiled(text)) for text in (reader, writer)]

    found = ENGINE.compare(*sources, CompareOptions())

    broken = {v.rule: v.witness for v in found.violations}
    assert broken["FIELD_SAME_ONEOF"] is not None
    assert broken["FIELD_SAME_ONEOF"].data == b"\x20\x03\x18\x02"


def test_an_enum_that_names_nothing_but_zero_has_one_too() -> None:
    """google.protobuf.NullValue is open: it may hold any number."""
    head = 'syntax = "proto3"; package t; enum N { N0 = 0; }'
    writer = head + " message M { N g = 2; oneof o { int32 d = 3; } }"
    reader = head + " message M { oneof o { N g = 2; int32 d = 3; } }"
    sources = [SchemaSource(b"", artifact=compiled(text)) for text in (reader, writer)]

    broken = {v.rule: v.witness for v in ENGINE.compare(*sources, CompareOptions()).violations}
    assert broken["FIELD_SAME_ONEOF"] is not None
    assert broken["FIELD_SAME_ONEOF"].data == b"\x10\x01\x18\x01"
