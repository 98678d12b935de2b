"""Ordinary input that once had no answer: exact numbers, defaults that take themselves, names that collide, what is renamed on
the way back, floats that JSON cannot write. Each converts both ways, into schemas that their engines take."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_schema_engines.formats.conversion import DataRefused, LossKind
from llm_schema_engines.model.schema import SchemaType
from tests.formats.conversion.kit import AVRO, JSON, PROTOBUF, check_data, source, there


def properties(**members: Any) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": members,
    }


A = {"type": "object", "properties": {"a": {"$ref": "#/$defs/A", "default": {}}}}
MUTUAL = {
    "A": {"type": "object", "properties": {"b": {"$ref": "#/$defs/B", "default": {}}}},
    "B": {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/A", "default": {"b": {}}, "x-defaulted": True}},
    },
}
NUMBERS = b"""{"type": "object", "properties": {
  "a": {"type": "number", "minimum": 0.1, "maximum": 1e400, "multipleOf": 0.01, "examples": [0.5, 1e-400], "default": 0.3},
  "b": {"type": "integer", "minimum": 0.5, "exclusiveMaximum": 9.9, "examples": [1.5, {"x": 0.1}]},
  "c": {"default": {"x": [0.1, 1.0]}}, "d": {"enum": [0.1, "x", 1]}, "e": {"type": "number", "default": 1e400}}}"""
COLLIDING = (
    "a_b",
    "aB",
    "a-b",
    "A_b",
    "_ab",
    "foo_bar",
    "fooBar",
    "FooBar",
    "foo__bar",
    "",
    "a.b",
    "\0",
    "[x]",
    "1",
    "kind",
)
VALUES = ["a b", "a-b", "a_b", "", "1", "ü", "A_B", "aB", "x" * 300, "FOO_1", "FOO1", "UNSPECIFIED"]
CASES: list[tuple[str, SchemaType, Any, list[Any]]] = [
    ("exact numbers", JSON, NUMBERS, [{"a": 0.3, "b": 3}, {}]),
    ("a default that takes itself", JSON, {**properties(), "$ref": "#/$defs/A", "$defs": {"A": A}}, [{}, {"a": {"a": {}}}]),
    ("defaults that take each other", JSON, {**properties(), "$ref": "#/$defs/A", "$defs": MUTUAL}, [{}, {"b": {}}]),
    ("an Avro default that takes itself", AVRO,
     {"type": "record", "name": "A", "fields": [{"name": "a", "type": ["null", "A"], "default": {}}]}, [{}, {"a": None}]),
    ("names that collide", JSON, properties(**{name: {"type": "string"} for name in COLLIDING}), [dict.fromkeys(COLLIDING, "v")]),
    ("values that collide", JSON, properties(e={"enum": VALUES}), [{"e": value} for value in VALUES]),
    ("a comment with anything", JSON, {**properties(a={"type": "string"}), "description": "a */ b\n\u2028\r\x0b\0"}, [{"a": "x"}]),
    ("aliases of any string", AVRO, {"type": "record", "name": "A", "aliases": ["a b", ""], "fields": [
        {"name": "a", "type": "int", "aliases": ["b c"]}]}, [{"a": 1}]),
    ("floats that are not finite", PROTOBUF, 'syntax = "proto2"; message M { optional double a = 1 [default = inf]; '
     "optional float b = 2 [default = nan]; required int32 d = 3; }", [{"d": 1, "a": 1.5, "b": 2.5}]),
    ("NaN as a default", AVRO, {"type": "record", "name": "A", "fields": [{"name": "a", "type": "double", "default": "NaN"}]},
     [{"a": 1.5}]),
]  # fmt: skip
TARGETS = [(*case, target) for case in CASES for target in (JSON, AVRO, PROTOBUF) if target is not case[1]]


@pytest.mark.parametrize(
    ("name", "kind", "schema", "documents", "target"),
    TARGETS,
    ids=[f"{c[0]}, to {c[4].name}" for c in TARGETS],
)
def test_it_converts_and_comes_back(
    name: str, kind: SchemaType, schema: Any, documents: list[Any], target: SchemaType
) -> None:
    conversion = there(kind, schema, target)
    back = there(target, conversion.content, kind)
    source(kind, back.content)

    for document in documents:
        converted = check_data(conversion, target, document)
        assert converted is not None
        check_data(back, kind, converted)


def fields_of(content: bytes) -> dict[str, Any]:
    return {f["name"]: f for f in json.loads(content)["fields"]}


def test_a_default_keeps_its_exact_value_as_a_number() -> None:
    fields = fields_of(there(JSON, NUMBERS, AVRO).content)

    assert fields["a"]["default"] == 0.3
    assert json.loads(fields["c"]["default"]) == {"x": [0.1, 1]}
    assert fields["e"]["default"] is None


def test_a_default_is_written_with_the_defaults_that_it_takes() -> None:
    inner = {"type": "record", "name": "I", "fields": [{"name": "x", "type": "bytes", "default": "\u00ff"}]}
    outer = {"type": "record", "name": "O", "fields": [{"name": "i", "type": inner, "default": {}}]}
    conversion = there(AVRO, outer, JSON)

    assert check_data(conversion, JSON, {}) == {"i": {"x": "/w=="}}


def test_a_default_that_would_double_at_each_level_is_dropped() -> None:
    definitions = {
        f"R{i}": properties(**{n: {"$ref": f"#/$defs/R{i + 1}", "default": {}} for n in "xy"})
        for i in range(25)
    }
    schema = {
        "$ref": "#/$defs/R0",
        "$defs": {**definitions, "R25": properties(z={"type": "string", "default": "z"})},
    }
    conversion = there(JSON, schema, AVRO)

    assert any(loss.kind is LossKind.DROPPED and "no end" in loss.message for loss in conversion.losses)
    assert len(conversion.content) < 1_000_000


def test_what_is_renamed_on_the_way_back_is_reported() -> None:
    schema = properties(**{"a b": {"enum": ["c d"]}})
    back = there(AVRO, there(JSON, schema, AVRO).content, JSON)
    told = [loss.message for loss in back.losses if loss.kind is LossKind.RESTATED]

    assert any("c_d" in message for message in told)
    assert any("a_b" in message for message in told)
    renamed = there(JSON, schema, PROTOBUF).losses
    assert any(loss.kind is LossKind.CHANGED and "C_D" in loss.message for loss in renamed)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("minimum", "1E+400"),
        ("minLength", -1),
        ("uniqueItems", 1),
        ("pattern", 5),
        ("examples", "x"),
        ("nonsense", 1),
    ],
)
def test_a_kept_keyword_with_a_value_that_it_cannot_have_is_dropped_with_a_loss(key: str, value: Any) -> None:
    schema = {"type": "record", "name": "R", "fields": [
        {"name": "f", "type": {"type": "long", "x-json-schema": {key: value}}}]}  # fmt: skip
    conversion = there(AVRO, schema, JSON)

    assert any(loss.pointer.endswith(f"x-json-schema/{key}") for loss in conversion.losses)


def test_a_default_that_json_cannot_write_is_named_and_its_data_refused() -> None:
    schema = {
        "type": "record",
        "name": "R",
        "fields": [{"name": "f", "type": "double", "default": "-Infinity"}],
    }
    conversion = there(AVRO, schema, JSON)

    assert any(loss.kind is LossKind.NARROWED and loss.pointer == "/fields/0" for loss in conversion.losses)
    with pytest.raises(DataRefused):
        conversion.data.convert(b"{}")
    assert check_data(there(AVRO, schema, PROTOBUF), PROTOBUF, {}) == {"f": "-Infinity"}


FOREIGN: dict[str, tuple[str, dict[str, Any]]] = {
    "prefixItems in draft 7": (
        "http://json-schema.org/draft-07/schema#",
        {"type": "array", "items": [{"type": "string"}], "prefixItems": {"any": "thing"}},
    ),
    "prefixItems that is a list in draft 7": (
        "http://json-schema.org/draft-07/schema#",
        {"type": "array", "items": {"type": "string"}, "prefixItems": [{"type": "integer"}]},
    ),
    "dependentSchemas in draft 6": (
        "http://json-schema.org/draft-06/schema#",
        {"type": "object", "properties": {"a": {"type": "string"}}, "dependentSchemas": 7},
    ),
    "$dynamicRef in 2019-09": (
        "https://json-schema.org/draft/2019-09/schema",
        {"type": "array", "items": {"type": "string"}, "$dynamicRef": "#nowhere"},
    ),
    "additionalItems in 2020-12": (
        "https://json-schema.org/draft/2020-12/schema",
        {"type": "array", "items": {"type": "string"}, "additionalItems": [1]},
    ),
    "unevaluatedProperties in draft 4": (
        "http://json-schema.org/draft-04/schema#",
        {"type": "object", "properties": {"a": {"type": "string"}}, "unevaluatedProperties": "no"},
    ),
}


@pytest.mark.parametrize("target", [AVRO, PROTOBUF])
@pytest.mark.parametrize("name", FOREIGN)
def test_keywords_that_the_dialect_does_not_know_are_annotations(name: str, target: SchemaType) -> None:
    dialect, schema = FOREIGN[name]
    known = {k: v for k, v in schema.items() if k not in name}
    assert len(known) < len(schema)

    def converted(body: dict[str, Any]) -> bytes:
        return there(JSON, {"$schema": dialect, **body}, target).content

    assert converted(schema) == converted(known)


def test_a_text_that_is_no_decimal_of_so_many_digits_is_the_next_branch() -> None:
    """`D` is a byte that a fixed type holds, and 68; a decimal of one digit it is not."""
    decimal = {
        "type": "fixed",
        "name": "N",
        "size": 1,
        "logicalType": "decimal",
        "precision": 1,
        "scale": 0,
    }
    enum = {"type": "enum", "name": "E", "symbols": ["B", "D"]}
    union = {"type": "record", "name": "R", "fields": [{"name": "f", "type": ["null", decimal, enum]}]}
    conversion = there(AVRO, union, JSON)
    assert check_data(conversion, JSON, {"f": "D"}) == {"f": "D"}
    assert check_data(conversion, JSON, {"f": "\u0007"}) == {"f": "7"}
    alone = there(AVRO, {"type": "record", "name": "R", "fields": [{"name": "f", "type": decimal}]}, JSON)
    assert check_data(alone, JSON, {"f": "D"}) is None, "which a loss tells"
