"""The functions of llm_schema_engines: what they take, what they answer, how they refuse."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

import llm_schema_engines as engines
from llm_schema_engines import (
    ChangeClass,
    CompareOptions,
    InvalidRequest,
    InvalidSchema,
    InvalidVersion,
    LocalEngines,
    SchemaType,
    UnsupportedSchemaType,
    Verdict,
    WriterModel,
)
from llm_schema_registry import SchemaType as SdkSchemaType

CLOSED = '{"type": "object", "properties": {"id": {"type": "integer"}}, "additionalProperties": false}'
WIDER = (
    '{"type": "object", "properties": {"id": {"type": "integer"}, "tag": {"type": "string"}}, '
    '"additionalProperties": false}'
)
RECORD = '{"type": "record", "name": "shop.Order", "fields": [{"name": "id", "type": "long"}]}'
PROTO = 'syntax = "proto3"; package shop.v1; message Order { int64 id = 1; }'


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ('{"type": "object"}', "", SchemaType.JSON),
        ("\ufeff true", "", SchemaType.JSON),
        ('{"type": "string"}', "", SchemaType.JSON),
        ('{"type": "record", "properties": {', "", SchemaType.JSON),
        (RECORD, "", SchemaType.AVRO),
        ('["null", "string"]', "", SchemaType.AVRO),
        ('"string"', "", SchemaType.AVRO),
        ('{"type": "map", "values": "string"}', "", SchemaType.AVRO),
        ('{"type": "array", "items": "string"}', "", SchemaType.AVRO),
        ('{"type": "array", "items": {"type": "string"}}', "", SchemaType.JSON),
        ('{"type": "array", "items": {"type": "string"}}', "tags.avsc", SchemaType.AVRO),
        (PROTO, "", SchemaType.PROTOBUF),
        ("// nothing", "a/b/order.PROTO", SchemaType.PROTOBUF),
    ],
)
def test_the_type_is_told_by_the_name_of_the_file_or_by_the_content(
    text: str, name: str, expected: SchemaType
) -> None:
    assert engines.detect(text.encode(), name) is expected


@pytest.mark.parametrize(("text", "name"), [(" \n", ""), ("{}", "schema.yaml")])
def test_a_type_that_cannot_be_told_is_asked_for(text: str, name: str) -> None:
    with pytest.raises(InvalidRequest, match="give schema_type"):
        engines.parse(text, name=name)


@pytest.mark.parametrize("kind", [SchemaType.AVRO, "avro", " Avro ", 2, SdkSchemaType.AVRO])
def test_a_type_is_given_as_member_name_or_number(kind: SchemaType | str) -> None:
    assert engines.parse('{"type": "string"}', kind).schema_type is SchemaType.AVRO


@pytest.mark.parametrize("kind", ["XML", 17, True, 1.0])
def test_a_type_that_is_none_names_the_choices(kind: str) -> None:
    with pytest.raises(ValueError, match="JSON, AVRO, PROTOBUF"):
        engines.parse("{}", kind)


def test_a_type_without_an_engine_is_unsupported() -> None:
    with pytest.raises(UnsupportedSchemaType):
        engines.parse("struct A {}", "THRIFT")


def test_a_broken_schema_tells_every_fault_with_its_place() -> None:
    with pytest.raises(InvalidSchema) as caught:
        engines.parse('{"type": "strin",\n "minimum": "a"}')

    assert {(i.pointer, i.line) for i in caught.value.issues} == {("/type", 1), ("/minimum", 2)}


@pytest.mark.parametrize("value", [{"type": "object"}, None, 7, ["null"]])
def test_what_is_neither_bytes_nor_text_is_no_schema(value: object) -> None:
    with pytest.raises(TypeError, match="schema: bytes, str or a Schema is expected, not"):
        engines.parse(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(("old", "name"), [(None, "1"), ([CLOSED, 7], "2"), ({"1.0.0": {}}, r"1\.0\.0")])
def test_an_old_version_that_is_no_schema_is_named(old: Any, name: str) -> None:
    with pytest.raises(TypeError, match=rf"old\[{name}\]: bytes, str or a Schema is expected, not"):
        engines.check(CLOSED, old)


def test_reports_are_true_when_valid_or_compatible() -> None:
    assert engines.validate(CLOSED, {"id": 1})
    assert not engines.validate(CLOSED, {"id": "1"})
    assert engines.compare(WIDER, CLOSED)
    assert not engines.compare(CLOSED, WIDER)
    assert engines.check(WIDER, CLOSED)
    assert not engines.check(WIDER, CLOSED, "FULL")


def test_data_is_bytes_text_or_a_json_value() -> None:
    assert engines.validate('{"type": "string"}', '"text"')
    assert engines.validate('{"type": "string"}', b'"text"')
    assert engines.validate('{"type": ["object", "array", "null"]}', None)
    assert not engines.validate('{"type": "string"}', "not JSON")
    with pytest.raises(TypeError):
        engines.validate("true", {"when": object()})
    with pytest.raises(ValueError, match="not JSON compliant"):
        engines.validate("true", float("nan"))


@pytest.mark.parametrize("most", [0, 101, "3"])
def test_the_number_of_errors_is_bounded(most: int) -> None:
    with pytest.raises(InvalidRequest, match="must be a number from 1 to 100"):
        engines.validate("true", {}, max_errors=most)


def test_options_decide_a_comparison() -> None:
    open_object = '{"type": "object", "properties": {"id": {"type": "integer"}}}'
    wider = '{"type": "object", "properties": {"id": {"type": "integer"}, "tag": {"type": "string"}}}'

    assert not engines.compare(wider, open_object)
    assert engines.compare(wider, open_object, options=CompareOptions(writer_model=WriterModel.DECLARED_KEYS))


def test_two_types_cannot_be_compared() -> None:
    with pytest.raises(InvalidRequest, match=r"new is JSON, old\[1\] is AVRO"):
        engines.check(CLOSED, RECORD)


def test_a_level_asks_about_the_last_version_and_a_transitive_one_about_all() -> None:
    number = CLOSED.replace("integer", "number")

    assert engines.check(CLOSED, [number, CLOSED], "BACKWARD").compared_versions == ("2",)
    transitive = engines.check(CLOSED, [number, CLOSED], "BACKWARD_TRANSITIVE")
    assert transitive.compared_versions == ("2", "1")
    assert {v.compared_version for v in transitive.violations} == {"1"}
    assert engines.check(CLOSED, [number, CLOSED], "NONE").compared_versions == ()


def test_numbered_versions_give_the_next_number() -> None:
    assert engines.check(WIDER, {"1.0.0": CLOSED, "1.1.0": CLOSED}).suggested_version == "1.2.0"
    report = engines.check(CLOSED, {"1.0.0": WIDER})
    assert (report.suggested_version, report.change_class) == ("2.0.0", ChangeClass.BREAKING)
    assert engines.check(CLOSED, {}).suggested_version == "1.0.0"
    assert engines.check(CLOSED, [WIDER]).suggested_version == ""
    with pytest.raises(InvalidVersion, match=r"old\[first\]"):
        engines.check(CLOSED, {"first": WIDER})


def test_a_broken_old_version_is_named() -> None:
    with pytest.raises(InvalidSchema, match=r"old\[1\.1\.0\]"):
        engines.check(CLOSED, {"1.0.0": CLOSED, "1.1.0": "{"}, schema_type="JSON")


def test_what_cannot_be_decided_counts_as_the_caller_says() -> None:
    old, new = r'{"type": "string", "pattern": "^(\\bx\\b)+$"}', '{"enum": ["x"]}'

    refused = engines.check(new, old)
    allowed = engines.check(new, old, allow_undecided=True)

    assert (refused.verdict, allowed.verdict) == (Verdict.UNDECIDED, Verdict.UNDECIDED)
    assert not refused
    assert allowed


def test_a_schema_that_was_parsed_is_taken_everywhere() -> None:
    schema = engines.parse(CLOSED)

    assert engines.parse(schema) is schema
    assert engines.validate(schema, {"id": 1})
    assert engines.check(schema, schema, "FULL").change_class is ChangeClass.NONE
    assert schema.names == ("id",)
    assert schema.content == CLOSED.encode()
    assert json.loads(schema.canonical) == json.loads(CLOSED)


def test_parsing_and_compiling_again_costs_nothing() -> None:
    local = LocalEngines()
    first = local.parse(CLOSED)

    assert local.parse(CLOSED.encode()) is first
    assert local.validator(first) is local.validator(local.parse(CLOSED))
    assert local.parse(CLOSED, dialect="draft-07") is not first
    assert local.parse(CLOSED, strict=False) is not first


def test_nothing_is_kept_beyond_the_bound() -> None:
    local = LocalEngines(cache_bytes=10)
    schema = local.parse(CLOSED)

    assert local.parse(CLOSED) is not schema
    assert local.validate(schema, {"id": 1})


def test_many_threads_may_use_it() -> None:
    local, wrong = LocalEngines(cache_bytes=4000), []

    def work(number: int) -> None:
        for turn in range(50):
            schema = CLOSED.replace("integer", ("integer", "string", "boolean")[(turn + number) % 3])
            valid = {"id": (1, "1", True)[(turn + number) % 3]}
            if not local.validate(schema, valid) or local.validate(schema, {"id": None}):
                wrong.append((number, turn))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_dialect_and_format_policy_decide_how_json_schema_is_read() -> None:
    email = '{"format": "email"}'

    assert engines.validate(engines.parse(email), '"x"')
    assert not engines.validate(engines.parse(email, format_policy="assert"), '"x"')
    assert not engines.validate(engines.parse(email, dialect="draft-07"), '"x"')


def test_conversion_gives_the_schema_the_losses_and_the_data() -> None:
    conversion = engines.convert(RECORD, "JSON")

    assert engines.validate(conversion.content, {"id": 1})
    assert json.loads(conversion.data.convert(b'{"id": 1}').payload) == {"id": 1}
    assert isinstance(conversion.losses, tuple)


def test_differences_are_told_for_people() -> None:
    (difference,) = engines.diff(CLOSED, WIDER).items

    assert difference.path == "/properties/tag"


def test_the_names_of_the_package_are_all_there() -> None:
    assert set(engines.__all__) <= set(dir(engines))
    assert all(getattr(engines, name) is not None for name in engines.__all__)
    assert all(engines.__dict__.get(n) or getattr(engines, n).__doc__ for n in ("parse", "check", "validate"))
    with pytest.raises(AttributeError, match="has no attribute 'pars'"):
        engines.pars  # type: ignore[attr-defined]  # noqa: B018
