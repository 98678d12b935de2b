"""Payloads: what is valid in the three encodings, what is refused and where, and that hostile data costs nothing."""

from __future__ import annotations

import io
import json
import threading
from typing import Any

import fastavro
import pytest

from llm_schema_engines.formats.avro import AvroEngine, AvroLimits
from llm_schema_engines.model.validation import DataReport, Encoding
from tests.formats.avro.support import ENGINE, field, record, source

LIST = record(field("n", ["null", "R"]))
ENDLESS = record(field("n", "R"))
ENUM = {"type": "enum", "name": "E", "symbols": ["A", "B"]}
FIXED = {"type": "fixed", "name": "F", "size": 3}
ORDER = record(
    field("id", "long"), field("note", ["null", "string"], default=None), field("tags", {"type": "array", "items": "string"}),
    field("by", {"type": "map", "values": "double"}), field("e", ENUM), field("f", FIXED), field("ok", "boolean"),
    field("raw", "bytes"), field("x", "float"),
)  # fmt: skip
VALUE = {"id": -7, "note": "hé", "tags": ["a", ""], "by": {"k": 1.5}, "e": "B", "f": b"\x00\xff1", "ok": True,
         "raw": b"\xfe", "x": 0.5}  # fmt: skip
PLAIN = {**VALUE, "f": "\x00\xff1", "raw": "\xfe"}
TAGGED = {**PLAIN, "note": {"string": "hé"}}


def binary(schema: Any, payload: bytes, engine: AvroEngine = ENGINE) -> DataReport:
    return engine.compile_validator(source(schema)).validate(payload, encoding=Encoding.BINARY)


def plain(schema: Any, value: Any, **how: Any) -> DataReport:
    payload = value if isinstance(value, bytes) else json.dumps(value).encode()
    return ENGINE.compile_validator(source(schema)).validate(payload, encoding=Encoding.JSON, **how)


def tagged(schema: Any, value: Any, **how: Any) -> DataReport:
    return ENGINE.compile_validator(source(schema)).validate(
        json.dumps(value).encode(), encoding=Encoding.AVRO_JSON, **how
    )


def written(schema: Any, value: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return out.getvalue()


def test_what_fastavro_writes_is_valid_and_every_truncation_of_it_is_not() -> None:
    payload = written(ORDER, VALUE)

    assert binary(ORDER, payload).valid
    for end in range(len(payload)):
        assert not binary(ORDER, payload[:end]).valid


@pytest.mark.parametrize(
    ("schema", "payload", "error_type", "path"),
    [
        ("int", b"\x80\x80\x80\x80\x10", "int", ""),
        ("int", b"\x80" * 50 + b"\x00", "varint", ""),
        ("long", b"\xff" * 9 + b"\x02", "varint", ""),
        ("long", b"", "truncated", ""),
        ("boolean", b"\x07", "boolean", ""),
        ("int", b"\x00\x00", "trailing", ""),
        ("null", b"\x00", "trailing", ""),
        (ENUM, b"\x01", "enum-symbol", ""),
        (ENUM, b"\x04", "enum-symbol", ""),
        (["null", "int"], b"\x01", "union-branch", ""),
        (["null", "int"], b"\x04", "union-branch", ""),
        ("string", b"\x01", "length", ""),
        ("string", b"\x04a", "truncated", ""),
        ("bytes", b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", "truncated", ""),
        ("string", b"\x02\xff", "utf-8", ""),
        ("double", b"1234567", "truncated", ""),
        (FIXED, b"12", "truncated", ""),
        ({"type": "array", "items": "int"}, b"\x02\x00", "truncated", ""),
        ({"type": "array", "items": "int"}, b"\x01\x04\x00\x00", "block-size", ""),
        ({"type": "array", "items": "int"}, b"\x01\x01\x00\x00", "block-size", ""),
        ({"type": "array", "items": "boolean"}, b"\x04\x00\x05\x00", "boolean", "/1"),
        ({"type": "map", "values": "boolean"}, b"\x02\x02k\x05\x00", "boolean", "/0"),
        (record(field("a", "int"), field("b", record(field("c", "boolean"), name="S"))), b"\x00\x02", "boolean", "/b/c"),
        (record(field("a", "int"), field("b", "long")), b"\x00", "truncated", "/b"),
    ],
)  # fmt: skip
def test_binary_data_is_refused_with_a_reason_and_a_path(
    schema: Any, payload: bytes, error_type: str, path: str
) -> None:
    report = binary(schema, payload)

    assert not report.valid
    assert [(e.error_type, e.path) for e in report.errors] == [(error_type, path)]


def test_blocks_with_their_size_and_several_blocks_are_valid() -> None:
    ints = {"type": "array", "items": "int"}

    assert binary(ints, b"\x01\x02\x00\x02\x02\x00").valid
    assert binary(ints, b"\x00").valid


# Payloads that crash or stall other readers (a chain 10,000 deep, a record without an end, a billion nulls).
CRASHERS: list[tuple[str, Any, bytes, str]] = [
    ("linked list 10,000 deep", LIST, b"\x02" * 10_000 + b"\x00", "depth"),
    ("record without an end", ENDLESS, b"", "depth"),
    ("a billion nulls in six bytes", {"type": "array", "items": "null"}, b"\x80\xa8\xd6\xb9\x07\x00", "items"),
    ("a billion empty records", {"type": "array", "items": record()}, b"\x80\xa8\xd6\xb9\x07\x00", "items"),
    ("a billion booleans in six bytes", {"type": "array", "items": "boolean"}, b"\x80\xa8\xd6\xb9\x07\x00", "truncated"),
    ("a billion map entries", {"type": "map", "values": "null"}, b"\x80\xa8\xd6\xb9\x07\x00", "truncated"),
    ("a count of -2^63", {"type": "array", "items": "int"}, b"\xff" * 9 + b"\x01", "truncated"),
    ("a length of 2^62", "bytes", b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f", "truncated"),
    ("arrays in arrays", [{"type": "array", "items": record(field("a", {"type": "array", "items": "R"}))}, "null"],
     b"\x00" + b"\x02" * 5000, "depth"),
    ("decimal of 100 KB", {"type": "bytes", "logicalType": "decimal", "precision": 4},
     b"\x80\xb5\x18" + b"\x11" * 200_000, "logical"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "schema", "payload", "error_type"), CRASHERS, ids=[c[0] for c in CRASHERS])
def test_the_crash_corpus_is_refused(what: str, schema: Any, payload: bytes, error_type: str) -> None:
    report = binary(schema, payload)

    assert not report.valid
    assert report.errors[0].error_type == error_type


def test_records_that_double_without_occupying_bytes_cost_nothing() -> None:
    schemas = [record(field("a", "null"), field("b", "null"), name="W0")]
    schemas += [record(field("a", f"W{i - 1}"), field("b", f"W{i - 1}"), name=f"W{i}") for i in range(1, 60)]

    assert binary([*schemas, {"type": "array", "items": "W59"}], b"\x78\x80\x80\x01\x00").valid


def test_a_few_items_without_content_are_fine() -> None:
    assert binary({"type": "array", "items": "null"}, b"\x06\x00").valid


def test_the_depth_limit_is_a_setting() -> None:
    engine = AvroEngine(AvroLimits(data_depth=3))

    assert binary(LIST, b"\x02\x02\x00", engine).valid
    assert not binary(LIST, b"\x02\x02\x02\x00", engine).valid


def test_plain_json_takes_untagged_unions_and_fields_left_to_their_default() -> None:
    without = {k: v for k, v in PLAIN.items() if k != "note"}

    assert plain(ORDER, PLAIN).valid
    assert plain(ORDER, without).valid
    assert not plain(ORDER, TAGGED).valid


def test_avro_json_takes_tagged_unions_and_every_field() -> None:
    without = {k: v for k, v in TAGGED.items() if k != "note"}

    assert tagged(ORDER, TAGGED).valid
    assert tagged(ORDER, {**TAGGED, "note": None}).valid
    assert not tagged(ORDER, PLAIN).valid
    assert [e.error_type for e in tagged(ORDER, without).errors] == ["required"]


def test_what_fastavro_writes_as_json_is_valid_avro_json() -> None:
    out = io.StringIO()
    fastavro.json_writer(out, fastavro.parse_schema(ORDER), [VALUE])

    assert tagged(ORDER, json.loads(out.getvalue())).valid


@pytest.mark.parametrize(
    ("schema", "value", "error_type", "path"),
    [
        ("int", True, "type", ""),
        ("int", 1.0, "type", ""),
        ("int", 2**31, "type", ""),
        ("int", "1", "type", ""),
        ("float", 1e300, "type", ""),
        ("float", "NaN", "type", ""),
        ("bytes", "\u0100", "type", ""),
        (FIXED, "ab", "type", ""),
        (ENUM, "C", "type", ""),
        ({"type": "array", "items": "int"}, [1, "2"], "type", "/1"),
        ({"type": "map", "values": "int"}, {"a/b": None}, "type", "/a~1b"),
        (record(field("a", "int")), {}, "required", ""),
        (record(field("a", "int")), [], "type", ""),
        (["null", "int"], "x", "union", ""),
        (["null", record(field("a", "int"))], {"a": "x"}, "type", "/a"),
        ({"type": "string", "logicalType": "uuid"}, "not-a-uuid", "logical", ""),
        ({"type": "int", "logicalType": "time-millis"}, -1, "logical", ""),
        ({"type": "bytes", "logicalType": "decimal", "precision": 2}, "\u0001\u0000", "logical", ""),
    ],
)
def test_json_data_is_refused_with_a_reason_and_a_path(
    schema: Any, value: Any, error_type: str, path: str
) -> None:
    assert [(e.error_type, e.path) for e in plain(schema, value).errors] == [(error_type, path)]


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
def test_avro_json_writes_floats_that_json_lacks_as_strings(name: str) -> None:
    assert tagged("double", name).valid
    assert not tagged("string", 1).valid


@pytest.mark.parametrize("value", [{"int": 1, "null": None}, {"long": 1}, {"null": None}, 1, {}])
def test_a_wrong_tag_is_refused(value: Any) -> None:
    assert [e.error_type for e in tagged(["null", "int"], value).errors] == ["union-tag"]


def test_unknown_fields_are_warnings_and_errors_when_strict() -> None:
    value = {"a": 1, "b": 2}
    schema = record(field("a", "int"))

    assert plain(schema, value).valid
    assert [w.path for w in plain(schema, value).warnings] == ["/b"]
    assert [(e.error_type, e.path) for e in plain(schema, value, strict=True).errors] == [
        ("unknown-field", "/b")
    ]
    assert not tagged(schema, value, strict=True).valid
    assert not plain(["null", schema], value, strict=True).valid


def test_errors_are_collected_up_to_the_number_asked_for() -> None:
    ints = {"type": "array", "items": "int"}
    few, many = plain(ints, ["x"] * 3), plain(ints, ["x"] * 50, max_errors=5)

    assert (len(few.errors), few.truncated) == (3, False)
    assert (len(many.errors), many.truncated) == (5, True)


def test_a_repeated_key_is_refused() -> None:
    report = plain(record(field("a", "int")), b'{"a": 1, "a": 2}')

    assert [(e.error_type, e.path) for e in report.errors] == [("repeated-key", "/a")]


@pytest.mark.parametrize("payload", [b"", b"{", b"\xff", b"[" * 100_000, b'{"a": NaN}', b'"\\ud800"'])
def test_a_payload_that_is_not_json_is_an_invalid_payload(payload: bytes) -> None:
    assert [e.error_type for e in plain("string", payload).errors] == ["json"]


def test_deep_json_is_refused() -> None:
    value: Any = {"n": None}
    for _ in range(300):
        value = {"n": value}

    assert "depth" in {e.error_type for e in plain(LIST, value).errors}


def test_nested_unions_of_records_are_tried_once_each() -> None:
    """Each level fits two branches by its looks; trying both at every level would take 2^60 steps."""
    b = record(field("x", ["null", "A", "B"]), name="B")
    a = record(field("x", ["null", "A", b]), name="A")
    value: Any = 5
    for _ in range(60):
        value = {"x": value}

    assert not plain(a, value).valid


@pytest.mark.parametrize(
    ("schema", "payload"),
    [
        (ORDER, json.dumps(PLAIN).encode()),
        (ORDER, json.dumps(TAGGED).encode()),
        (ORDER, written(ORDER, VALUE)),
        ("string", b'"text"'),
        ("long", b"12"),
        ("null", b""),
        ("string", b"\x06abc"),
    ],
)
def test_auto_tells_the_encodings_apart(schema: Any, payload: bytes) -> None:
    assert ENGINE.compile_validator(source(schema)).validate(payload).valid


def test_a_payload_that_starts_like_json_is_judged_as_json() -> None:
    report = ENGINE.compile_validator(source("string")).validate(b'{"a": ')

    assert [e.error_type for e in report.errors] == ["json"]


def test_a_validator_is_shared_between_threads() -> None:
    validator = ENGINE.compile_validator(source(ORDER))
    payload = written(ORDER, VALUE)
    results: list[bool] = []

    def work() -> None:
        results.extend(validator.validate(payload, encoding=Encoding.BINARY).valid for _ in range(200))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 1600
    assert validator.size > 0
