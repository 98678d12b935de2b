"""What cannot be converted is refused with its place, and hostile schemas and documents cost little."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_schema_engines.formats.conversion import (
    ConversionRefused,
    DataRefused,
    LossKind,
    convert,
)
from llm_schema_engines.formats.engine import ReferencedSchema, SchemaSource
from llm_schema_engines.model.schema import SchemaType
from llm_schema_registry_server.errors import UnsupportedSchemaType
from tests.formats.conversion.kit import AVRO, JSON, PROTOBUF, losses, source, there


def obj(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def test_thrift_is_not_implemented() -> None:
    with pytest.raises(UnsupportedSchemaType):
        convert(SchemaSource(b"{}"), JSON, SchemaType.THRIFT)


@pytest.mark.parametrize(
    ("schema", "kind", "pointer"),
    [
        (obj(a={"type": "string", "maxLength": 3}), LossKind.NOT_ENFORCED, "/properties/a"),
        (obj(a={"type": "string", "format": "date-time"}), LossKind.NARROWED, "/properties/a"),
        (obj(**{"a-b": {"type": "string"}}), LossKind.RESTATED, "/properties/a-b"),
        ({**obj(a={"type": "string"}), "additionalProperties": True}, LossKind.DROPPED, ""),
        ({**obj(a={"type": "string"}), "if": {}, "then": {}}, LossKind.DROPPED, "/if"),
        ({**obj(a={"type": "string"}), "not": {"required": ["b"]}}, LossKind.DROPPED, "/not"),
        (obj(a={"properties": {"b": {"type": "string"}}}), LossKind.NARROWED, "/properties/a"),
        (
            obj(a={"oneOf": [{"type": "string"}, {"type": "boolean"}]}),
            LossKind.DROPPED,
            "/properties/a/oneOf",
        ),
        ({**obj(a={"type": "string"}), "required": ["b"]}, LossKind.DROPPED, "/required"),
    ],
)
def test_what_avro_cannot_say_of_a_json_schema_is_reported(schema: Any, kind: LossKind, pointer: str) -> None:
    assert (kind, pointer) in losses(there(JSON, schema, AVRO))


def test_what_json_schema_and_protobuf_cannot_say_of_an_avro_schema_is_reported() -> None:
    schema = {"type": "record", "name": "R", "fields": [
        {"name": "a", "type": "int", "order": "descending", "aliases": ["b"], "custom": 1}]}  # fmt: skip

    assert losses(there(AVRO, schema, JSON)) == {
        (LossKind.DROPPED, "/fields/0/order"),
        (LossKind.DROPPED, "/fields/0/custom"),
    }
    assert (LossKind.DROPPED, "/fields/0") in losses(there(AVRO, schema, PROTOBUF))


def test_what_the_others_cannot_say_of_a_protobuf_schema_is_reported() -> None:
    text = 'syntax = "proto3"; message R { sint32 a = 1; reserved 2; oneof c { string d = 3; int32 e = 4; } } service S {}'

    assert losses(there(PROTOBUF, text, JSON)) == {
        (LossKind.DROPPED, "S"), (LossKind.DROPPED, "R"), (LossKind.DROPPED, "R.a"), (LossKind.NOT_ENFORCED, "R.c"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("schema", "document", "pointer"),
    [
        (obj(a={"type": "integer"}), {"a": 2**63}, "/a"),
        (obj(a={"type": "string", "format": "date-time"}), {"a": "tomorrow"}, "/a"),
        (obj(a={"type": "array", "items": {"type": "string"}}), {"a": ["x", 5]}, "/a/1"),
        (obj(a={"type": "string"}), [], ""),
    ],
)
def test_data_that_cannot_be_carried_is_refused_with_its_place(
    schema: Any, document: Any, pointer: str
) -> None:
    with pytest.raises(DataRefused) as raised:
        there(JSON, schema, AVRO).data.convert(json.dumps(document).encode())
    assert raised.value.metadata.get("pointer", "") == pointer


def test_a_oneof_with_two_fields_set_is_refused() -> None:
    text = 'syntax = "proto3"; message R { oneof c { string d = 3; int32 e = 4; } }'
    back = there(JSON, there(PROTOBUF, text, JSON).content, PROTOBUF)

    with pytest.raises(DataRefused, match="only one of d, e"):
        back.data.convert(b'{"d": "x", "e": 1}')


@pytest.mark.parametrize("payload", [b"", b"{", b"[" * 100_000, b'{"a": 1, "a": 2}', b"\xff", b"NaN"])
def test_a_document_that_is_not_json_is_refused(payload: bytes) -> None:
    with pytest.raises(DataRefused):
        there(JSON, {}, AVRO).data.convert(payload)


def test_members_that_are_not_declared_are_left_out_and_named() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    converted = there(JSON, schema, AVRO).data.convert(b'{"a": "x", "b": 1, "c/d": 2}')

    assert converted.dropped == ("/b", "/c~1d")


def test_deep_documents_are_refused() -> None:
    value: Any = None
    for _ in range(200):
        value = [value]

    for schema in (
        {},
        {"$ref": "#/$defs/A", "$defs": {"A": {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}}}},
    ):
        nested = value
        if schema:
            nested = {}
            for _ in range(200):
                nested = {"a": nested}
        with pytest.raises(DataRefused, match="nested"):
            there(JSON, schema, AVRO).data.convert(json.dumps(nested).encode())


def test_nested_alternatives_are_told_apart_once_each() -> None:
    """Every level fits both branches until the innermost value; trying both everywhere would take 2^60 steps."""
    node = {
        "type": "object",
        "required": ["x"],
        "properties": {"x": {"$ref": "#/$defs/U"}},
        "additionalProperties": False,
    }
    schema = {
        "$ref": "#/$defs/U",
        "$defs": {"U": {"anyOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}]}, "A": node, "B": node},
    }
    value: Any = {"y": 1}
    for _ in range(50):
        value = {"x": value}

    with pytest.raises(DataRefused):
        there(JSON, schema, AVRO).data.convert(json.dumps(value).encode())


def test_definitions_that_double_when_they_are_written_out_are_refused() -> None:
    definitions: dict[str, Any] = {"D0": {"type": "string"}}
    for i in range(1, 25):
        definitions[f"D{i}"] = {
            "type": "array",
            "prefixItems": [{"$ref": f"#/$defs/D{i - 1}"}] * 2,
            "items": False,
        }
    schema = {"$ref": "#/$defs/D24", "$defs": definitions}

    with pytest.raises(ConversionRefused, match="20000 subschemas"):
        there(JSON, schema, AVRO)


def test_messages_that_nest_deeper_than_avro_writes_are_refused() -> None:
    messages = "".join(f"message M{i} {{ M{i + 1} next = 1; }}\n" for i in range(300))
    text = f'syntax = "proto3";\n{messages}message M300 {{}}'

    with pytest.raises(ConversionRefused, match="nested more than 60 deep"):
        there(PROTOBUF, text, AVRO)
    source(JSON, there(PROTOBUF, text, JSON).content)


def test_a_schema_that_refers_only_to_itself_accepts_anything() -> None:
    schema = {"$ref": "#/$defs/A", "$defs": {"A": {"type": "array", "items": {"$ref": "#/$defs/A"}}}}

    source(AVRO, there(JSON, schema, AVRO).content)


def test_a_protobuf_schema_without_messages_or_without_the_wanted_one_is_refused() -> None:
    empty = source(PROTOBUF, 'syntax = "proto3";')

    with pytest.raises(ConversionRefused, match="no message"):
        convert(empty, PROTOBUF, JSON)
    with pytest.raises(ConversionRefused, match="'Other'"):
        convert(empty, PROTOBUF, JSON, message_name="Other")


def test_the_alternative_that_needs_the_least_guessing_is_chosen() -> None:
    """Both records take {}: one by its defaults, one as it is; and {"b": 1} is dropped by neither only in one."""
    union = [
        {"type": "record", "name": "A", "fields": [{"name": "a", "type": "int", "default": 5}]},
        {"type": "record", "name": "B", "fields": [{"name": "b", "type": ["null", "int"], "default": None}]},
        {"type": "record", "name": "C", "fields": []},
    ]
    conversion = there(
        AVRO, {"type": "record", "name": "R", "fields": [{"name": "f", "type": union}]}, PROTOBUF
    )

    for document, written in (({}, {"c": {}}), ({"b": 1}, {"b": {"b": 1}}), ({"a": 1}, {"a": {"a": 1}})):
        converted = conversion.data.convert(json.dumps({"f": document}).encode())
        assert json.loads(converted.payload) == {"f": written}


def test_alternatives_that_all_fit_are_tried_once_each() -> None:
    """Every level fits both branches, each dropping a member: without memory that would be 2^40 ways."""
    node = {"type": "object", "properties": {"x": {"$ref": "#/$defs/U"}}}
    schema = {
        "$ref": "#/$defs/U",
        "$defs": {"U": {"anyOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}]}, "A": node, "B": node},
    }
    value: Any = {}
    for _ in range(40):
        value = {"x": value, "more": 1}

    assert len(there(JSON, schema, AVRO).data.convert(json.dumps(value).encode()).dropped) == 40


def test_long_names_and_large_enumerations_stay_within_the_limits_of_the_target() -> None:
    long = "n" * 300
    schema = obj(**{long: {"enum": ["s" * 300, "t"]}, f"{long}2": obj(a=obj(b={"type": "string"}))})
    for target in (AVRO, PROTOBUF):
        source(target, there(JSON, schema, target).content)
        many = there(JSON, obj(a={"enum": [f"v{i}" for i in range(3000)]}), target)
        source(target, many.content)
        assert (LossKind.DROPPED, "/properties/a") in losses(many)


def test_what_avro_only_carried_along_is_enforced_again() -> None:
    carried = {
        "type": "string",
        "x-json-schema": {"minLength": 3, "type": "integer", "$ref": "http://example.org"},
    }
    conversion = there(
        AVRO, {"type": "record", "name": "R", "fields": [{"name": "f", "type": carried}]}, JSON
    )

    assert json.loads(conversion.content)["$defs"]["R"]["properties"]["f"] == {
        "type": "string",
        "minLength": 3,
    }
    assert (LossKind.NARROWED, "/fields/0/type") in losses(conversion)
    with pytest.raises(DataRefused, match="not valid under the target"):
        conversion.data.convert(b'{"f": "ab"}')


def test_attributes_that_make_no_sense_are_left_alone() -> None:
    odd = {
        "type": "record", "name": "R", "x-open": 5, "fields": [
            {"name": "a", "type": {"type": "enum", "name": "E", "symbols": ["A", "B"], "x-enum-values": {"A": "B"},
                                   "x-enum-numbers": [1, "2"]}, "x-json-name": "same", "x-field-number": -1},
            {"name": "b", "type": {"type": "map", "values": "int", "x-key-kind": "banana"}, "x-json-name": "same"},
            {"name": "c", "type": {"type": "long", "x-kind": 7}, "x-oneof": [], "x-optional": True},
        ],
    }  # fmt: skip
    for target in (JSON, PROTOBUF):
        source(target, there(AVRO, odd, target).content)
    odd_json = {"enum": ["a", "b"], "x-enum-default": "z", "x-enum-numbers": [1, 1], "x-aliases": ["a-b", 5]}
    source(
        AVRO,
        there(
            JSON,
            obj(a=odd_json, b={"contentEncoding": "base64", "type": "string", "x-size": 3, "x-name": "int"}),
            AVRO,
        ).content,
    )
    source(PROTOBUF, there(JSON, obj(a=odd_json), PROTOBUF).content)


def test_a_schema_that_the_target_would_refuse_is_refused_here() -> None:
    with pytest.raises(ConversionRefused, match="not a valid schema"):
        there(
            JSON,
            obj(**{name: obj(**{f"f{i}": {"type": "string"} for i in range(3000)}) for name in "ab"}),
            AVRO,
        )


def test_integers_that_no_type_spans_are_narrowed() -> None:
    ranges = [
        {"type": "integer", "minimum": 0, "maximum": 2**64 - 1},
        {"type": "integer", "minimum": -5, "maximum": 5},
    ]
    conversion = there(JSON, obj(a={"anyOf": ranges}), PROTOBUF)

    assert (LossKind.NARROWED, "/properties/a") in losses(conversion)
    with pytest.raises(DataRefused):
        conversion.data.convert(json.dumps({"a": 2**64 - 1}).encode())


ITEM = {
    "type": "record",
    "name": "X",
    "fields": [{"name": "q", "type": {"type": "string", "x-json-schema": {"pattern": "("}}}],
}
AVRO_PATTERN = {"type": "string", "x-json-schema": {"pattern": "^x"}}


def record_of(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": [{"name": "ok", "type": "int"}, *fields]}


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        (record_of({"name": "a", "type": ["null", {"type": "array", "items": ITEM["fields"][0]["type"]}]}),
         "/fields/1/type/1/items"),
        (record_of({"name": "a", "type": {"type": "map", "values": ["int", ITEM["fields"][0]["type"]]}}),
         "/fields/1/type/values/1"),
        (record_of({"name": "a", "type": ITEM}), "/fields/1/type/fields/0"),
    ],
)  # fmt: skip
def test_a_schema_that_the_target_refuses_is_refused_with_its_place_in_the_source(
    schema: Any, pointer: str
) -> None:
    with pytest.raises(ConversionRefused, match="not a valid schema") as raised:
        there(AVRO, schema, JSON)
    assert raised.value.metadata["pointer"].startswith(pointer)


@pytest.mark.parametrize(
    ("kind", "schema", "target", "document", "pointer"),
    [
        (AVRO, record_of({"name": "a_b", "x-json-name": "a b", "type": {"type": "array", "items": ["null", AVRO_PATTERN]}}),
         JSON, {"ok": 1, "a_b": ["xa", "b"]}, "/a_b/1"),
        (AVRO, record_of({"name": "m", "type": {"type": "map", "values": AVRO_PATTERN}}), JSON, {"ok": 1, "m": {"k/": "y"}}, "/m/k~1"),
        (AVRO, record_of({"name": "d", "type": AVRO_PATTERN, "default": "y"}), JSON, {"ok": 1, "d": "z"}, "/d"),
        (PROTOBUF, 'syntax = "proto3"; message M { repeated uint64 a_b = 1; }', AVRO, {"a_b": ["1", str(2**64 - 1)]}, "/a_b/1"),
        (PROTOBUF, 'syntax = "proto3"; message M { repeated uint64 a_b = 1; }', AVRO, {"aB": ["1", str(2**64 - 1)]}, "/aB/1"),
    ],
)  # fmt: skip
def test_a_document_that_the_target_refuses_is_refused_with_its_place_in_the_source(
    kind: SchemaType, schema: Any, target: SchemaType, document: Any, pointer: str
) -> None:
    with pytest.raises(DataRefused) as raised:
        there(kind, schema, target).data.convert(json.dumps(document).encode())
    assert raised.value.metadata["pointer"] == pointer


def test_a_loss_in_a_reference_names_the_reference() -> None:
    inner = obj(a={"not": {}})
    reference = ReferencedSchema("inner.json", "1", json.dumps(inner).encode())
    given = SchemaSource(json.dumps(obj(i={"$ref": "inner.json"})).encode(), (reference,))

    assert "inner.json#/properties/a/not" in {loss.pointer for loss in convert(given, JSON, AVRO).losses}


def test_a_loss_of_a_protobuf_schema_has_a_full_name() -> None:
    text = (
        'syntax = "proto2"; package p.q; message R { message In { reserved 2; optional int32 a = 1 [deprecated = true]; } '
        "optional In i = 1; extensions 5; extend R { optional int32 x = 5; } } service S {} extend R { optional int32 y = 6; }"
    ).replace("extensions 5;", "extensions 5 to 9;")

    dropped = losses(there(PROTOBUF, text, JSON), LossKind.DROPPED)

    assert {pointer for _, pointer in dropped} == {
        "p.q.R", "p.q.R.In", "p.q.R.In.a", "p.q.R.x", "p.q.y", "p.q.S",
    }  # fmt: skip
