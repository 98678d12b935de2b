"""The mapping table, row by row: what a type of one language becomes in the two others."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from llm_schema_engines.formats.conversion import Conversion, convert
from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.model.schema import SchemaType
from tests.formats.conversion.kit import AVRO, JSON, PROTOBUF, check_data, source, there

INT32 = {"type": "integer", "format": "int32", "minimum": -(2**31), "maximum": 2**31 - 1}
INT64 = {"type": "integer", "format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1}
BASE64 = {"type": "string", "contentEncoding": "base64"}
E = {"type": "enum", "name": "E", "symbols": ["A", "B"]}


def avro(kind: Any) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": [{"name": "f", "type": kind}]}


def json_schema(kind: Any) -> dict[str, Any]:
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "R", "type": "object",
            "properties": {"f": kind}, "required": ["f"], "additionalProperties": False}  # fmt: skip


def proto(field: str) -> str:
    return f'syntax = "proto3"; import "google/protobuf/timestamp.proto"; import "google/protobuf/struct.proto";\nmessage R {{ {field} }}'


def field_of(conversion: Conversion, kind: SchemaType) -> Any:
    """What the field f became."""
    if kind is PROTOBUF:
        found = re.search(r"^message R \{\n(.*?)^\}", conversion.content.decode(), re.DOTALL | re.MULTILINE)
        assert found is not None
        return " ".join(found[1].split())
    schema = json.loads(conversion.content)
    if kind is AVRO:
        return schema["fields"][0]["type"]
    return schema["$defs"]["R"]["properties"]["f"]


FROM_AVRO: list[tuple[str, Any, Any, str]] = [
    ("null", "null", {"type": "null"}, ".google.protobuf.Value f = 1;"),
    ("boolean", "boolean", {"type": "boolean"}, "bool f = 1;"),
    ("int", "int", INT32, "int32 f = 1;"),
    ("long", "long", INT64, "int64 f = 1;"),
    ("double", "double", {"type": "number", "format": "double"}, "double f = 1;"),
    ("string", "string", {"type": "string"}, "string f = 1;"),
    ("bytes", "bytes", BASE64, "bytes f = 1;"),
    ("fixed", {"type": "fixed", "name": "F", "size": 4},
     {**BASE64, "minLength": 8, "maxLength": 8, "x-size": 4, "x-name": "F"}, "bytes f = 1;"),
    ("enum", E, {"$ref": "#/$defs/E"}, ".E f = 1;"),
    ("array", {"type": "array", "items": "int"}, {"type": "array", "items": INT32}, "repeated int32 f = 1;"),
    ("map", {"type": "map", "values": "string"}, {"type": "object", "additionalProperties": {"type": "string"}},
     "map<string, string> f = 1;"),
    ("nullable", ["null", "string"], {"type": ["null", "string"]}, "optional string f = 1;"),
    ("nullable, null last", ["string", "null"], {"type": ["string", "null"]}, "optional string f = 1;"),
    ("union", ["string", "int"], {"anyOf": [{"type": "string"}, INT32]}, ".R_F f = 1;"),
    ("array of arrays", {"type": "array", "items": {"type": "array", "items": "int"}},
     {"type": "array", "items": {"type": "array", "items": INT32}}, "repeated .R_F f = 1;"),
    ("recursion", ["null", "R"], {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/R"}]}, ".R f = 1;"),
    ("uuid", {"type": "string", "logicalType": "uuid"}, {"type": "string", "format": "uuid"}, "string f = 1;"),
    ("date", {"type": "int", "logicalType": "date"}, {"type": "string", "format": "date"}, "string f = 1;"),
    ("timestamp-micros", {"type": "long", "logicalType": "timestamp-micros"}, {"type": "string", "format": "date-time"},
     ".google.protobuf.Timestamp f = 1;"),
    ("timestamp-millis", {"type": "long", "logicalType": "timestamp-millis"},
     {"type": "string", "format": "date-time", "x-unit": 3}, ".google.protobuf.Timestamp f = 1;"),
    ("time-millis", {"type": "int", "logicalType": "time-millis"}, {**INT32, "minimum": 0, "maximum": 86_399_999, "x-logical-type": "time-millis"}, "int32 f = 1;"),
    ("decimal", {"type": "bytes", "logicalType": "decimal", "precision": 5, "scale": 2},
     {"type": "string", "format": "decimal", "x-precision": 5, "x-scale": 2, "pattern": "^-?[0-9]{1,3}(\\.[0-9]{1,2})?$"},
     "string f = 1;"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kind", "as_json", "as_proto"), FROM_AVRO, ids=[row[0] for row in FROM_AVRO]
)
def test_what_avro_types_become(name: str, kind: Any, as_json: Any, as_proto: str) -> None:
    assert field_of(there(AVRO, avro(kind), JSON), JSON) == as_json
    assert field_of(there(AVRO, avro(kind), PROTOBUF), PROTOBUF) == as_proto


FROM_JSON: list[tuple[str, Any, Any, str]] = [
    ("integer", {"type": "integer"}, "long", "int64 f = 1;"),
    ("integer of 32 bits", INT32, "int", "int32 f = 1;"),
    ("small integer", {"type": "integer", "minimum": 0, "maximum": 9},
     {"type": "int", "x-json-schema": {"minimum": 0, "maximum": 9}}, "int32 f = 1;"),
    ("unsigned 64", {"type": "integer", "minimum": 0, "maximum": 2**64 - 1}, {"type": "long", "x-kind": "uint64"}, "uint64 f = 1;"),
    ("number", {"type": "number"}, "double", "double f = 1;"),
    ("string with a length", {"type": "string", "maxLength": 3},
     {"type": "string", "x-json-schema": {"maxLength": 3}}, "string f = 1;"),
    ("enum", {"enum": ["red", "dark blue"]},
     {"type": "enum", "name": "R_F", "symbols": ["red", "dark_blue"], "x-enum-values": {"dark_blue": "dark blue"}}, ".R_F f = 1;"),
    ("const", {"const": "x"}, {"type": "enum", "name": "R_F", "symbols": ["x"]}, ".R_F f = 1;"),
    ("mixed enum", {"enum": [1, "x"]}, ["long", "string"], ".R_F f = 1;"),
    ("nullable enum", {"enum": ["a", None]}, ["null", {"type": "enum", "name": "R_F", "symbols": ["a"]}], "optional .R_F f = 1;"),
    ("anything", {}, {"type": "string", "x-json-text": True}, ".google.protobuf.Value f = 1;"),
    ("true", True, {"type": "string", "x-json-text": True}, ".google.protobuf.Value f = 1;"),
    ("tuple", {"type": "array", "prefixItems": [{"type": "string"}, {"type": "boolean"}], "items": False},
     {"type": "array", "items": {"type": "string", "x-json-text": True}}, "repeated .google.protobuf.Value f = 1;"),
    ("open object", {"type": "object"}, {"type": "map", "values": {"type": "string", "x-json-text": True}},
     "map<string, .google.protobuf.Value> f = 1;"),
    ("several types", {"type": ["string", "integer", "null"]}, ["string", "long", "null"], ".R_F f = 1;"),
    ("two arrays", {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "array", "items": {"type": "boolean"}}]},
     {"type": "array", "items": ["string", "boolean"]}, "repeated .R_F f = 1;"),
    ("allOf", {"allOf": [{"type": "string"}, {"minLength": 1}]}, "string", "string f = 1;"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kind", "as_avro", "as_proto"), FROM_JSON, ids=[row[0] for row in FROM_JSON]
)
def test_what_json_schemas_become(name: str, kind: Any, as_avro: Any, as_proto: str) -> None:
    assert field_of(there(JSON, json_schema(kind), AVRO), AVRO) == as_avro
    assert field_of(there(JSON, json_schema(kind), PROTOBUF), PROTOBUF) == as_proto


FROM_PROTO: list[tuple[str, Any, Any]] = [
    ("int32 f = 1;", {**INT32, "default": 0, "x-defaulted": True, "x-field-number": 1}, "int"),
    ("optional int32 f = 1;", {**INT32, "x-field-number": 1}, ["null", "int"]),
    ("uint64 f = 1;", {"type": "integer", "format": "uint64", "minimum": 0, "maximum": 2**64 - 1, "default": 0,
                       "x-defaulted": True, "x-field-number": 1}, {"type": "long", "x-kind": "uint64"}),
    ("bytes f = 1;", {**BASE64, "default": "", "x-defaulted": True, "x-field-number": 1}, "bytes"),
    ("repeated string f = 1;", {"type": "array", "items": {"type": "string"}, "default": [], "x-defaulted": True,
                                "x-field-number": 1}, {"type": "array", "items": "string"}),
    ("map<int32, string> f = 1;",
     {"type": "object", "additionalProperties": {"type": "string"}, "propertyNames": {"pattern": "^-?(0|[1-9][0-9]{0,19})$"},
      "x-key-kind": "int32", "default": {}, "x-defaulted": True, "x-field-number": 1},
     {"type": "map", "values": "string", "x-key-kind": "int32"}),
    ("R f = 1;", {"$ref": "#/$defs/R", "x-field-number": 1}, ["null", "R"]),
    ("google.protobuf.Timestamp f = 1;", {"type": "string", "format": "date-time", "x-unit": 9, "x-field-number": 1},
     ["null", {"type": "long", "logicalType": "timestamp-nanos"}]),
    ("google.protobuf.Struct f = 1;", {"type": "object", "additionalProperties": {}, "x-field-number": 1},
     ["null", {"type": "map", "values": {"type": "string", "x-json-text": True}}]),
    ("oneof c { string f = 1; int32 g = 2; }", {"type": "string", "x-field-number": 1, "x-oneof": "c"}, ["null", "string"]),
]  # fmt: skip


@pytest.mark.parametrize(("field", "as_json", "as_avro"), FROM_PROTO, ids=[row[0] for row in FROM_PROTO])
def test_what_protobuf_fields_become(field: str, as_json: Any, as_avro: Any) -> None:
    assert field_of(there(PROTOBUF, proto(field), JSON), JSON) == as_json
    assert field_of(there(PROTOBUF, proto(field), AVRO), AVRO) == as_avro


@pytest.mark.parametrize(
    ("kind", "schema", "target", "document", "converted"),
    [
        (AVRO, avro("bytes"), JSON, {"f": "\u00ff\u0000"}, {"f": "/wA="}),
        (AVRO, avro({"type": "int", "logicalType": "date"}), JSON, {"f": -1}, {"f": "1969-12-31"}),
        (AVRO, avro({"type": "long", "logicalType": "timestamp-micros"}), JSON, {"f": 1}, {"f": "1970-01-01T00:00:00.000001Z"}),
        (AVRO, avro({"type": "bytes", "logicalType": "decimal", "precision": 5, "scale": 2}), JSON, {"f": "\u00ff"}, {"f": "-0.01"}),
        (AVRO, avro(["string", "int"]), PROTOBUF, {"f": 5}, {"f": {"int32Value": 5}}),
        (AVRO, avro("long"), PROTOBUF, {"f": 2**60}, {"f": str(2**60)}),
        (AVRO, avro({"type": "array", "items": {"type": "array", "items": "int"}}), PROTOBUF, {"f": [[1], []]},
         {"f": [{"value": [1]}, {"value": []}]}),
        (AVRO, avro({"type": "array", "items": ["null", "int"]}), PROTOBUF, {"f": [1, None]}, {"f": [{"value": 1}, {}]}),
        (JSON, json_schema({"type": "string", "format": "date-time"}), AVRO, {"f": "2026-01-01T01:00:00+01:00"}, {"f": 1767225600000000}),
        (JSON, json_schema({"enum": ["dark blue"]}), AVRO, {"f": "dark blue"}, {"f": "dark_blue"}),
        (JSON, json_schema({"enum": ["dark blue"]}), PROTOBUF, {"f": "dark blue"}, {"f": "R_F_DARK_BLUE"}),
        (JSON, json_schema({}), AVRO, {"f": {"a": [None]}}, {"f": '{"a":[null]}'}),
        (JSON, json_schema({"type": "integer"}), AVRO, {"f": 3.0}, {"f": 3}),
        (JSON, {"type": "array", "items": {"type": "string"}}, PROTOBUF, ["a"], {"value": ["a"]}),
        (PROTOBUF, proto("int64 some_id = 1;"), JSON, {"someId": "7"}, {"someId": 7}),
        (PROTOBUF, proto("int64 some_id = 1;"), JSON, {"some_id": 7}, {"someId": 7}),
        (PROTOBUF, proto("int64 some_id = 1;"), JSON, {}, {"someId": 0}),
        (PROTOBUF, proto("E f = 1; enum E { A = 0; B = 1; }"), AVRO, {"f": 1}, {"f": "B"}),
        (PROTOBUF, proto("optional string f = 1;"), AVRO, {}, {"f": None}),
        (PROTOBUF, proto("map<bool, bytes> f = 1;"), AVRO, {"f": {"true": "_w=="}}, {"f": {"true": "\u00ff"}}),
    ],
)  # fmt: skip
def test_what_documents_become(
    kind: SchemaType, schema: Any, target: SchemaType, document: Any, converted: Any
) -> None:
    assert check_data(there(kind, schema, target), target, document) == converted


def test_names_documentation_and_numbers_travel() -> None:
    schema = {
        "type": "record", "name": "Order", "namespace": "org.example", "doc": "An order.\nOf one customer.",
        "fields": [{"name": "line_items", "type": "int", "doc": "How many.", "aliases": ["items"]}],
    }  # fmt: skip
    as_json = json.loads(there(AVRO, schema, JSON).content)
    as_proto = there(AVRO, schema, PROTOBUF).content.decode()

    assert as_json["$defs"]["org.example.Order"]["description"] == "An order.\nOf one customer."
    assert as_json["$defs"]["org.example.Order"]["properties"]["line_items"]["x-aliases"] == ["items"]
    assert "package org.example;" in as_proto
    assert (
        '// An order.\n// Of one customer.\nmessage Order {\n  // How many.\n  int32 line_items = 1 [json_name = "line_items"];'
        in as_proto
    )


def test_field_numbers_survive_the_way_through_avro() -> None:
    text = proto("int32 a = 7; string b = 3; reserved 5;")
    through = there(AVRO, there(PROTOBUF, text, AVRO).content, PROTOBUF).content.decode()

    assert "int32 a = 7;" in through
    assert "string b = 3;" in through


def test_constraints_survive_the_way_through_avro() -> None:
    constraints = {"type": "string", "minLength": 1, "pattern": "^a"}
    there_and_back = there(AVRO, there(JSON, json_schema(constraints), AVRO).content, JSON)

    assert field_of(there_and_back, JSON) == constraints


def test_the_parts_of_all_of_become_one_record() -> None:
    schema = {
        "title": "R", "allOf": [{"$ref": "#/$defs/Base"}, {"properties": {"b": {"type": "integer"}}, "required": ["b"]},
                  {"if": {"required": ["a"]}, "then": {"required": ["b"]}}],
        "$defs": {"Base": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}},
    }  # fmt: skip
    conversion = there(JSON, schema, AVRO)

    assert [(f["name"], f["type"]) for f in json.loads(conversion.content)["fields"]] == [
        ("a", "string"),
        ("b", "long"),
    ]
    assert check_data(conversion, AVRO, {"a": "x", "b": 1}) == {"a": "x", "b": 1}
    assert ("DROPPED", "/allOf/2/if") in {(loss.kind, loss.pointer) for loss in conversion.losses}


def test_an_object_that_is_one_of_several_becomes_a_union() -> None:
    def event(kind: str) -> Any:
        return {
            "type": "object",
            "properties": {"kind": {"const": kind}},
            "required": ["kind"],
            "title": kind,
        }

    conversion = there(JSON, {"type": "object", "oneOf": [event("start"), event("stop")]}, AVRO)

    assert [branch["name"] for branch in json.loads(conversion.content)] == ["Root1", "Root2"]
    assert check_data(conversion, AVRO, {"kind": "stop"}) == {"kind": "stop"}


def test_a_reference_to_another_document_is_followed() -> None:
    from llm_schema_engines.formats.conversion import convert
    from llm_schema_engines.formats.engine import ReferencedSchema, SchemaSource

    other = ReferencedSchema("https://example.org/point.json", "0" * 64, json.dumps(
        {"type": "object", "properties": {"x": {"type": "number"}}, "additionalProperties": False}).encode())  # fmt: skip
    given = SchemaSource(
        json.dumps(json_schema({"$ref": "https://example.org/point.json"})).encode(), (other,)
    )
    converted = convert(given, JSON, AVRO)

    source(AVRO, converted.content)
    assert b'"x"' in converted.content


@pytest.mark.parametrize(
    ("keyword", "text", "kept"),
    [
        ("multipleOf", "0.01", 0.01),
        ("minimum", "1.5", 1.5),
        ("exclusiveMaximum", "-0.25", -0.25),
        ("maximum", "1e400", "1E+400"),  # more than a float holds: as text
    ],
)
def test_bounds_with_fractions_are_kept_as_annotations(keyword: str, text: str, kept: float | str) -> None:
    schema = f'{{"type": "number", "{keyword}": {text}}}'.encode()
    done = convert(SchemaSource(schema), SchemaType.JSON, SchemaType.AVRO)

    assert json.loads(done.content)["x-json-schema"] == {keyword: kept}
