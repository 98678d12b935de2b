"""Data against schemas: verdicts, errors, limits, policies."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from llm_schema_engines.formats.json_schema import JsonSchemaEngine, JsonSchemaLimits
from llm_schema_engines.model.validation import DataReport, Encoding
from llm_schema_registry_server.errors import InvalidRequest

from .build import ENGINE, source


def validate(
    schema: Any, data: Any, *, strict: bool = False, max_errors: int = 20, **options: str
) -> DataReport:
    payload = data if isinstance(data, bytes) else json.dumps(data).encode()
    validator = ENGINE.compile_validator(source(schema, **options))
    return validator.validate(payload, strict=strict, max_errors=max_errors)


ORDER = {
    "type": "object",
    "properties": {"id": {"type": "integer"}, "tags": {"type": "array", "items": {"type": "string"}}},
    "required": ["id"],
    "additionalProperties": False,
}


def test_an_error_names_its_place_in_the_data_and_in_the_schema_and_the_keyword() -> None:
    report = validate(ORDER, {"id": "x", "tags": ["a", 2], "more": 1})

    found = {(e.path, e.schema_path, e.error_type, e.expected, e.got) for e in report.errors}
    assert found == {
        ("/id", "/properties/id/type", "type", "integer", '"x"'),
        ("/tags/1", "/properties/tags/items/type", "type", "string", "2"),
        ("", "/additionalProperties", "additionalProperties", "", '{"id":"x","more":1,"tags":["a",2]}'),
    }
    assert not report.truncated


def test_errors_are_bounded_in_number_and_say_so() -> None:
    report = validate({"items": {"type": "string"}}, list(range(100)), max_errors=5)

    assert len(report.errors) == 5
    assert report.truncated


def test_error_texts_are_bounded() -> None:
    report = validate({"type": "integer"}, "x" * 10_000)

    assert len(report.errors[0].message) <= 400
    assert len(report.errors[0].got) <= 400


@pytest.mark.parametrize(
    ("payload", "rule"),
    [
        (b"", "json/syntax"),
        (b"{", "json/syntax"),
        (b'{"a": NaN}', "json/number"),
        (b"\xff", "json/utf-8"),
        (b"[" * 100_000 + b"]" * 100_000, "json/depth"),
        (b'"\\ud800"', "json/surrogate"),
    ],
)
def test_a_payload_that_is_not_json_is_an_invalid_payload(payload: bytes, rule: str) -> None:
    report = validate({}, payload)

    assert not report.valid
    assert report.errors[0].error_type == rule


def test_a_payload_above_the_limit_is_refused_with_the_limit() -> None:
    engine = JsonSchemaEngine(replace(JsonSchemaLimits(), data_bytes=10))

    report = engine.compile_validator(source({})).validate(b'"' + b"x" * 20 + b'"')

    assert report.errors[0].error_type == "json/size"
    assert "10" in report.errors[0].message


@pytest.mark.parametrize(
    ("schema", "data", "valid"),
    [
        ({"const": 2**64 + 1}, str(2**64 + 1), True),
        ({"const": 2**64 + 1}, str(2**64), False),
        ({"maximum": 1}, "1.00000000000000000000000001", False),
        ({"multipleOf": 0.1}, "0.3", True),
        ({"multipleOf": 0.01}, "0.07", True),
        ({"type": "integer"}, "1.0", True),
        ({"type": "integer"}, "1e300", True),
        ({"minimum": 0}, "1e399", True),
    ],
)
def test_numbers_are_exact(schema: Any, data: str, valid: bool) -> None:
    assert validate(schema, data.encode()).valid is valid


@pytest.mark.parametrize(
    ("dialect", "policy", "valid"),
    [
        ("draft-07", "DIALECT", False),
        ("2019-09", "DIALECT", True),
        ("2020-12", "DIALECT", True),
        ("2020-12", "ASSERT", False),
        ("draft-07", "IGNORE", True),
    ],
)
def test_format_decides_as_the_policy_says(dialect: str, policy: str, valid: bool) -> None:
    report = validate({"format": "date"}, "no date", dialect=dialect, format_policy=policy)

    assert report.valid is valid


def test_strict_refuses_undeclared_properties_at_any_depth() -> None:
    schema = {
        "properties": {"a": {"properties": {"b": {}}}},
        "anyOf": [{"properties": {"c": {}}}, {"$ref": "#/$defs/d"}],
        "$defs": {"d": {"patternProperties": {"^x": {}}}},
    }
    data = {"a": {"b": 1, "extra": 2}, "c": 1, "xx": 1, "more": 1}

    assert validate(schema, data).valid
    assert {e.path for e in validate(schema, data, strict=True).errors} == {"/a/extra", "/more"}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"additionalProperties": {"type": "integer"}, "properties": {"a": {}}},
        {"required": ["a", "b"]},
        {"enum": [{"a": 1, "b": 2}]},
    ],
)
def test_strict_leaves_maps_and_listed_values_alone(schema: Any) -> None:
    assert validate(schema, {"a": 1, "b": 2}, strict=True).valid


def test_strict_refuses_duplicate_keys() -> None:
    assert validate({}, b'{"a": 1, "a": 2}').valid
    assert validate({}, b'{"a": 1, "a": 2}', strict=True).errors[0].path == "/a"


def test_an_encoding_or_message_that_does_not_fit_is_the_callers_error() -> None:
    validator = ENGINE.compile_validator(source({}))

    with pytest.raises(InvalidRequest, match="encoding"):
        validator.validate(b"{}", encoding=Encoding.BINARY)
    with pytest.raises(InvalidRequest, match="message_name"):
        validator.validate(b"{}", message_name="Order")


def nested(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


def test_errors_of_nested_unions_do_not_multiply() -> None:
    tree = {"properties": {"a": {"$ref": "#/$defs/t"}}}
    schema = {
        "$ref": "#/$defs/t",
        "$defs": {"t": {"anyOf": [{**tree, "required": ["b"]}, {**tree, "required": ["c"]}]}},
    }

    report = validate(schema, nested(100))

    assert not report.valid
    assert report.truncated
    assert report.errors[0].error_type == "invalid"
    assert validate(schema, nested(2)).errors[0].error_type == "anyOf"


def test_many_missing_properties_of_a_large_document_cost_one_copy() -> None:
    schema = {"required": [f"missing{i}" for i in range(2000)]}
    data = {"filler": ["x" * 100] * 5_000}

    report = validate(schema, data)

    assert [e.error_type for e in report.errors] == ["required"]
    assert report.truncated


@pytest.mark.parametrize("pattern", ["^(a+)+$", "(a.*)*b$", "^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_patterns_that_explode_elsewhere_are_linear_here(pattern: str) -> None:
    assert not validate({"pattern": pattern}, "a" * 100_000 + "!").valid or pattern == "(a.*)*b$"


def test_a_validator_knows_its_size() -> None:
    small, large = (
        ENGINE.compile_validator(source({"enum": list(range(count))})).size for count in (1, 10_000)
    )

    assert 0 < small < large


DRAFTS_WITHOUT_SIBLINGS = [
    ("http://json-schema.org/draft-04/schema#", "id"),
    ("http://json-schema.org/draft-06/schema#", "$id"),
    ("http://json-schema.org/draft-07/schema#", "$id"),
]


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(("dialect", "identifier"), DRAFTS_WITHOUT_SIBLINGS)
def test_an_identifier_beside_a_reference_names_nothing(dialect: str, identifier: str, first: bool) -> None:
    """draft-handrews-json-schema-01, section 8.3: members beside `$ref` are ignored."""
    ignored = {"$ref": "#/definitions/any", identifier: "#q"}
    named = {"type": "object", identifier: "#q"}
    two = {"one": ignored, "two": named} if first else {"one": named, "two": ignored}
    schema = {"$schema": dialect, "items": {"$ref": "#q"}, "definitions": {"any": {}, **two}}

    assert validate(schema, [{}]).valid
    assert not validate(schema, [1]).valid


@pytest.mark.parametrize(("dialect", "identifier"), DRAFTS_WITHOUT_SIBLINGS)
def test_an_identifier_of_the_document_beside_a_reference_is_no_base(dialect: str, identifier: str) -> None:
    schema = {
        "$schema": dialect,
        identifier: "http://example.com/a/root.json",
        "$ref": "#/definitions/number",
        "definitions": {
            "number": {"type": "number"},
            "text": {identifier: "http://example.com/b/", "type": "string"},
        },
    }

    assert validate(schema, 1).valid
    assert not validate(schema, "a").valid
