"""Comparisons follow fields into imported files, types that move between files, and what only JSON shows."""

from __future__ import annotations

import pytest

from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.model.compatibility import CompareOptions, Comparison, Severity, Strictness, Verdict
from llm_schema_engines.model.validation import Encoding
from tests.formats.protobuf.kit import ENGINE, compare, errors, reference

WIRE, WIRE_JSON, SOURCE = Strictness
HEAD = 'syntax = "proto3"; package t; '
ROOT = HEAD + 'import "inner.proto"; message M { repeated I i = 1; map<string, I> by = 2; }'


def with_import(inner: str, root: str = ROOT) -> SchemaSource:
    uses = (reference("inner.proto", HEAD + inner),)
    return SchemaSource(
        root.encode(), uses, artifact=ENGINE.parse(SchemaSource(root.encode(), uses)).artifact
    )


def check(new: SchemaSource, old: SchemaSource, strictness: Strictness) -> Comparison:
    return ENGINE.compare(new, old, CompareOptions(strictness=strictness))


INNER = "message I { int32 a = 1; E e = 2; } enum E { Z = 0; A = 1; }"
CHANGES = [
    ("field becomes repeated", INNER.replace("int32 a", "repeated int32 a"), "FIELD_WIRE_JSON_COMPATIBLE_CARDINALITY"),
    ("enum value renamed", INNER.replace("A = 1", "B = 1"), "ENUM_VALUE_SAME_NAME"),
    ("enum value removed", INNER.replace("A = 1;", ""), "ENUM_VALUE_NO_DELETE_UNLESS_NAME_RESERVED"),
    ("enum value reserved", INNER.replace("A = 1;", 'reserved 1; reserved "A";'), "JSON_ENUM_VALUE_UNKNOWN"),
    ("json_name changed", INNER.replace("a = 1", 'a = 1 [json_name = "b"]'), "FIELD_SAME_JSON_NAME"),
    ("field renamed", INNER.replace("int32 a", "int32 b"), "FIELD_SAME_NAME"),
    ("field removed", INNER.replace("int32 a = 1;", ""), "FIELD_NO_DELETE_UNLESS_NAME_RESERVED"),
    (
        "JSON name reused",
        INNER.replace("int32 a = 1;", 'reserved 1; reserved "a"; repeated int32 b = 9 [json_name = "a"];'),
        "JSON_NAME_REUSED",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "inner", "rule"), CHANGES, ids=[c[0] for c in CHANGES])
def test_a_change_inside_an_imported_message_is_found_with_data(name: str, inner: str, rule: str) -> None:
    old, new = with_import(INNER), with_import(inner)

    found = check(new, old, WIRE_JSON)

    assert found.verdict is Verdict.NO
    assert check(new, old, WIRE).verdict is Verdict.YES
    if rule == "FIELD_SAME_JSON_NAME":
        return  # readers of JSON take the name too, which has not changed
    witness = next(v.witness for v in found.violations if v.rule == rule)
    assert witness is not None
    reports = [
        ENGINE.compile_validator(side).validate(witness.data, encoding=Encoding.JSON, strict=True)
        for side in (old, new)
    ]
    assert [report.valid for report in reports] == [True, False]


def test_source_rules_follow_fields_too() -> None:
    old = with_import("message I { int32 a = 1; oneof o { int32 b = 2; } }")
    new = with_import("message I { optional int32 a = 1; int32 b = 2; }")

    assert {"ONEOF_NO_DELETE", "FIELD_SAME_CARDINALITY"} <= errors(check(new, old, SOURCE))


@pytest.mark.parametrize("strictness", Strictness)
def test_a_type_that_moves_to_another_file_is_still_compared(strictness: Strictness) -> None:
    whole = HEAD + "message M { I i = 1; } message I { int32 a = 1; }"
    root = HEAD + 'import "inner.proto"; message M { I i = 1; }'
    alone = HEAD + 'import "inner.proto"; message M { }'
    old = SchemaSource(whole.encode(), artifact=ENGINE.parse(SchemaSource(whole.encode())).artifact)
    same = with_import("message I { int32 a = 1; }", root)
    other = with_import("message I { string a = 1; }", root)
    unused = with_import("message I { string a = 1; }", alone)

    if strictness is not SOURCE:  # where a file may not lose a message
        assert check(same, old, strictness).verdict is Verdict.YES
        assert check(old, same, strictness).verdict is Verdict.YES
    for new in (other, unused):
        found = check(new, old, strictness)
        broken = [v for v in found.violations if v.rule == "FIELD_WIRE_COMPATIBLE_TYPE"]
        assert [v.severity for v in broken] == [Severity.ERROR]
        assert broken[0].witness is not None
    assert "FIELD_WIRE_COMPATIBLE_TYPE" in errors(check(old, other, strictness))


def test_what_an_rpc_and_an_any_carry_is_compared() -> None:
    rpc = HEAD + 'import "inner.proto"; service S { rpc R(I) returns (I); }'
    some = (
        HEAD
        + 'import "inner.proto"; import "google/protobuf/any.proto"; message M { google.protobuf.Any a = 1; }'
    )
    for root in (rpc, some):
        old, new = (
            with_import("message I { int32 a = 1; }", root),
            with_import("message I { string a = 1; }", root),
        )
        assert "FIELD_WIRE_COMPATIBLE_TYPE" in errors(check(new, old, WIRE))
    gone = with_import("message J { }", some)
    for strictness in (WIRE_JSON, SOURCE):
        assert "JSON_ANY_TYPE_UNKNOWN" in errors(check(gone, with_import(INNER, some), strictness))


def test_a_json_name_that_was_the_name_of_another_field_breaks_json_and_source() -> None:
    old = 'syntax = "proto2"; package t; message M { optional int32 a_b = 1; }'
    new = old.replace("}", 'optional string x = 2 [json_name = "a_b"]; }')

    assert [errors(compare(new, old, strictness)) for strictness in Strictness] == [
        set(),
        {"JSON_NAME_REUSED"},
        {"JSON_NAME_REUSED"},
    ]


def test_an_enum_is_no_null_value() -> None:
    text = (
        HEAD
        + 'import "google/protobuf/struct.proto"; message M { repeated %s n = 1; } enum NullValue { NULL_VALUE = 0; }'
    )

    assert "FIELD_WIRE_JSON_COMPATIBLE_TYPE" in errors(
        compare(text % "NullValue", text % "google.protobuf.NullValue", WIRE_JSON)
    )


KEYS = ["string", "bool", "int32", "uint64", "sfixed32"]


@pytest.mark.parametrize("syntax", ["proto2", "proto3"])
@pytest.mark.parametrize("reader", KEYS)
@pytest.mark.parametrize("writer", KEYS)
@pytest.mark.parametrize("value", ["int32", "string", "bytes", "M"])
def test_the_key_of_a_map_may_change_in_every_way(syntax: str, writer: str, reader: str, value: str) -> None:
    text = f'syntax = "{syntax}"; message M {{ map<%s, {value}> m = 1; }}'
    for strictness in Strictness:
        found = compare(text % reader, text % writer, strictness)
        if writer == reader:
            assert not found.violations
        elif "string" in (writer, reader):
            assert found.verdict is Verdict.NO
