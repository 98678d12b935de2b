"""A compact set of our own: each keyword with data that it accepts and data that it refuses, in every dialect it is in.

The official suite says much more where it is present; this stands alone.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_schema_engines.model.compatibility import CompareOptions, Verdict

from .build import ENGINE, source

ALL = ("draft-07", "2019-09", "2020-12")
LATER = ("2019-09", "2020-12")
NEWEST = ("2020-12",)
OLDER = ("draft-07", "2019-09")

CASES: list[tuple[tuple[str, ...], Any, list[Any], list[Any]]] = [
    (ALL, True, [1, None], []),
    (ALL, False, [], [1, None]),
    (ALL, {"type": "integer"}, [1, 1.0, -3], [1.5, "1", None, True]),
    (ALL, {"type": ["string", "null"]}, ["", None], [0, []]),
    (ALL, {"enum": [1, "a", None, {"x": [1]}]}, [1, 1.0, "a", None, {"x": [1.0]}], [2, True, {"x": []}]),
    (ALL, {"const": False}, [False], [0, None, ""]),
    (ALL, {"minimum": 1, "exclusiveMaximum": 3}, [1, 2.9, "x"], [0.9, 3]),
    (ALL, {"exclusiveMinimum": 1, "maximum": 3}, [1.1, 3], [1, 3.1]),
    (ALL, {"multipleOf": 0.1}, [0.3, 1, "x"], [0.35]),
    (ALL, {"minLength": 1, "maxLength": 2}, ["a", "é💡", 5], ["", "abc"]),
    (ALL, {"pattern": "^[a-c]+$"}, ["abc", 1], ["", "abd"]),
    (ALL, {"items": {"type": "integer"}}, [[], [1, 2], "x"], [["a"]]),
    (OLDER, {"items": [{"type": "integer"}], "additionalItems": {"type": "string"}}, [[], [1, "a"]], [["a"], [1, 2]]),
    (NEWEST, {"prefixItems": [{"type": "integer"}], "items": {"type": "string"}}, [[], [1, "a"]], [["a"], [1, 2]]),
    (ALL, {"minItems": 1, "maxItems": 2}, [[1], {}], [[], [1, 2, 3]]),
    (ALL, {"uniqueItems": True}, [[1, 2], [1, True], [{"a": 1}, {"a": 2}]], [[1, 1.0], [{"a": 1}, {"a": 1}]]),
    (ALL, {"contains": {"const": 1}}, [[0, 1], {}], [[], [0]]),
    (LATER, {"contains": {"const": 1}, "minContains": 2, "maxContains": 3}, [[1, 1], [1, 0, 1, 1]], [[1], [1, 1, 1, 1]]),
    (ALL, {"properties": {"a": {"type": "string"}}}, [{}, {"a": "x", "b": 1}, 1], [{"a": 1}]),
    (ALL, {"required": ["a", "b"]}, [{"a": 1, "b": 2}, []], [{}, {"a": 1}]),
    (ALL, {"properties": {"a": True}, "patternProperties": {"^x": True}, "additionalProperties": False}, [{"a": 1, "xy": 2}], [{"b": 1}]),
    (ALL, {"propertyNames": {"maxLength": 2}}, [{"ab": 1}], [{"abc": 1}]),
    (ALL, {"minProperties": 1, "maxProperties": 2}, [{"a": 1}], [{}, {"a": 1, "b": 2, "c": 3}]),
    (("draft-07",), {"dependencies": {"a": ["b"], "c": {"required": ["d"]}}}, [{}, {"a": 1, "b": 1}], [{"a": 1}, {"c": 1}]),
    (LATER, {"dependentRequired": {"a": ["b"]}, "dependentSchemas": {"c": {"required": ["d"]}}}, [{}, {"a": 1, "b": 1}], [{"a": 1}, {"c": 1}]),
    (ALL, {"allOf": [{"minimum": 1}, {"maximum": 2}]}, [1, "x"], [0, 3]),
    (ALL, {"anyOf": [{"type": "string"}, {"minimum": 2}]}, ["x", 2], [1]),
    (ALL, {"oneOf": [{"minimum": 2}, {"maximum": 4}]}, [1, 5], [3]),
    (ALL, {"not": {"type": "string"}}, [1], ["x"]),
    (ALL, {"if": {"minimum": 5}, "then": {"multipleOf": 2}, "else": {"multipleOf": 3}}, [3, 6, 8], [4, 5]),
    (ALL, {"definitions": {"t": {"type": "null"}}, "items": {"$ref": "#/definitions/t"}}, [[None]], [[1]]),
    (ALL, {"properties": {"c": {"$ref": "#"}}, "additionalProperties": False}, [{"c": {"c": {}}}], [{"c": {"d": 1}}]),
    (LATER, {"$defs": {"t": {"$anchor": "t", "type": "null"}}, "items": {"$ref": "#t"}}, [[None]], [[1]]),
    (LATER, {"allOf": [{"properties": {"a": True}}], "unevaluatedProperties": False}, [{"a": 1}], [{"b": 1}]),
    (NEWEST, {"allOf": [{"prefixItems": [True]}], "unevaluatedItems": False}, [[1]], [[1, 2]]),
    (NEWEST, {"$dynamicRef": "#t", "$defs": {"t": {"$dynamicAnchor": "t", "type": "null"}}}, [None], [1]),
]  # fmt: skip

EXPANDED = [(dialect, *case[1:]) for case in CASES for dialect in case[0]]


@pytest.mark.parametrize(
    ("dialect", "schema", "valid", "invalid"),
    EXPANDED,
    ids=[f"{e[0]} {json.dumps(e[1])[:60]}" for e in EXPANDED],
)
def test_a_keyword_accepts_and_refuses(
    dialect: str, schema: Any, valid: list[Any], invalid: list[Any]
) -> None:
    given = source(schema, dialect=dialect)
    ENGINE.parse(given)
    validator = ENGINE.compile_validator(given)

    assert [data for data in valid if not validator.validate(json.dumps(data).encode()).valid] == []
    assert [data for data in invalid if validator.validate(json.dumps(data).encode()).valid] == []


@pytest.mark.parametrize(
    ("dialect", "schema", "valid", "invalid"),
    EXPANDED,
    ids=[f"{e[0]} {json.dumps(e[1])[:60]}" for e in EXPANDED],
)
def test_the_prover_finds_that_each_example_belongs_or_not(
    dialect: str, schema: Any, valid: list[Any], invalid: list[Any]
) -> None:
    whole = source(schema, dialect=dialect)

    for data, verdict in [(d, Verdict.YES) for d in valid] + [(d, Verdict.NO) for d in invalid]:
        one = source({"const": data}, dialect=dialect)
        assert ENGINE.compare(whole, one, CompareOptions()).verdict is verdict, data
