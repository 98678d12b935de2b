"""Reports on data and errors about schemas: their cost grows with the data, and no text in them is as long as the data."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

import pytest

import llm_schema_engines as engines
from llm_schema_engines import EngineLimits, InvalidSchema, LocalEngines
from llm_schema_engines.formats.json_schema import JsonSchemaLimits

from .measure import LIMIT, memory_growth, time_growth

LONG = "k" * 300_000
CLOSED = {
    "type": "object",
    "properties": {},
    "additionalProperties": {"type": "object", "properties": {"a": True}},
}
DATA: dict[str, tuple[Any, bool, Callable[[int], Any]]] = {
    "a long name around undeclared names": (
        {"additionalProperties": {"items": {"type": "object", "properties": {"a": {}}}}},
        True,
        lambda n: {"k" * (n // 2): [{"b": 1} for _ in range(n // 20)]},
    ),
    "a long name around declared names": (
        {"additionalProperties": {"items": {"type": "object", "properties": {"a": {}}}}},
        True,
        lambda n: {"k" * (n // 2): [{"a": 1} for _ in range(n // 20)]},
    ),
    "a long name around values of the wrong type": (
        {"additionalProperties": {"items": {"type": "string"}}},
        False,
        lambda n: {"k" * (n // 2): [1] * (n // 4)},
    ),
    "long names": (CLOSED, True, lambda n: {f"{i}" + "k" * 400: {"b": 1} for i in range(n // 420)}),
}


@pytest.mark.parametrize("name", DATA)
def test_time_and_memory_grow_with_the_data(name: str) -> None:
    schema, strict, make = DATA[name]
    validator = engines.validator(json.dumps(schema))

    def run(payload: bytes) -> None:
        validator.validate(payload, strict=strict, max_errors=100)

    def payload(size: int) -> bytes:
        return json.dumps(make(size)).encode()

    assert time_growth(payload, run, 2_000, 600_000) <= LIMIT
    assert memory_growth(payload, run, 4_000) <= LIMIT


KEYWORDS: dict[str, tuple[Callable[[str], Any], Any]] = {
    "enum": (lambda text: {"items": {"enum": [text, "a"]}}, 1),
    "enum of objects": (lambda text: {"items": {"enum": [{"a": text}]}}, 1),
    "const": (lambda text: {"items": {"const": text}}, 1),
    "required": (lambda text: {"items": {"required": [text]}}, {}),
    "dependentRequired": (lambda text: {"items": {"dependentRequired": {"a": [text]}}}, {"a": 1}),
    "a definition": (
        lambda text: {"items": {"$ref": f"#/$defs/{text}"}, "$defs": {text: {"type": "string"}}},
        1,
    ),
}


@pytest.mark.parametrize("name", KEYWORDS)
def test_errors_do_not_multiply_the_text_of_a_schema(name: str) -> None:
    of_text, item = KEYWORDS[name]

    def make(size: int) -> tuple[Any, bytes]:
        schema = json.dumps(of_text("k" * (size // 2)))
        return engines.validator(schema), json.dumps([item] * (size // 8)).encode()

    def run(both: tuple[Any, bytes]) -> None:
        both[0].validate(both[1], max_errors=100)

    assert time_growth(make, run, 2_000, 600_000) <= LIMIT


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    ("schema", "data"),
    [
        ({"additionalProperties": {"type": "string"}}, {LONG: 1}),
        ({"properties": {"a": {}}, "additionalProperties": False}, {LONG: 1}),
        ({"properties": {"a": {}}}, {"a": 1, LONG: {LONG: 1}}),
        ({"const": LONG}, LONG[1:]),
        ({"enum": [LONG]}, {"a": LONG}),
        ({"type": "object", "required": [LONG]}, {}),
        ({"propertyNames": {"maxLength": 1}}, {LONG: 1}),
        ('{"type": "map", "values": "string"}', {LONG: 1}),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, LONG),
        ('syntax = "proto3"; message M { map<string, int32> a = 1; }', {"a": {LONG: "x"}}),
        ('syntax = "proto3"; message M { int32 a = 1; }', {LONG: 1, "a": LONG}),
    ],
)
def test_no_text_of_a_report_is_as_long_as_the_data(schema: Any, data: Any, strict: bool) -> None:
    text = schema if isinstance(schema, str) else json.dumps(schema)
    kind = "AVRO" if '"values"' in text or '"symbols"' in text else None

    report = engines.validate(text, json.dumps(data), schema_type=kind, strict=strict)

    assert longest(report) <= 2_000
    assert len(engines.reask_text(report)) < 10_000


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {LONG: {"allOf": [{"type": "x"}] * 200}}},
        {"$ref": "#/" + LONG},
        {"$ref": LONG},
        {"$schema": LONG},
        {"$id": LONG},
        {"pattern": LONG},
        {"type": LONG},
        {"minimum": LONG},
        {"required": [LONG, LONG]},
        {"$anchor": LONG, "$defs": {"a": {"$ref": "#" + LONG[1:]}}},
        f'{{"{LONG}": 1, "{LONG}": 2}}',
        f'{{"{LONG}": {{"a": 1, "a": 2}}}}',
        {"type": "record", "name": LONG, "fields": []},
        {"type": "record", "name": "R", "fields": [{"name": LONG, "type": LONG, "default": LONG}]},
        {"type": "enum", "name": "E", "symbols": [LONG, LONG]},
        {"type": "array", "items": LONG},
        "message " + LONG[:200_000] + " {}",
        'import "' + LONG[:200_000] + '"; message A {}',
        "syntax = \"proto3\"; message A { " + LONG[:200_000],
    ],
    ids=lambda schema: str(schema)[:40],
)  # fmt: skip
def test_no_text_of_an_error_is_as_long_as_the_schema(schema: Any) -> None:
    text = schema if isinstance(schema, str) else json.dumps(schema)
    kind = "AVRO" if isinstance(schema, dict) and schema.get("type") in ("record", "enum", "array") else None

    with pytest.raises(InvalidSchema) as caught:
        engines.parse(text, kind)

    assert longest(caught.value.issues) <= 2_000
    assert len(str(caught.value)) <= 4_000
    assert sum(len(v.field) + len(v.description) for v in caught.value.violations) < 100_000


def refuted(writer: Any, reader: Any) -> engines.Comparison:
    limits = EngineLimits(json_schema=JsonSchemaLimits(compare_steps=2_000))
    return LocalEngines(limits=limits).compare(json.dumps(reader), json.dumps(writer))


def rows(levels: int, leaf: Any) -> Any:
    for _ in range(levels):
        leaf = {"type": "array", "minItems": 90, "items": leaf}
    return leaf


@pytest.mark.parametrize(
    ("writer", "reader", "why"),
    [
        ({"type": "string", "minLength": 400_000_000}, {"type": "number"}, "400000000 characters"),
        ({"type": "string"}, {"maxLength": 2**63}, "characters is not constructed"),
        ({"type": "string"}, {"maxLength": 10**399}, "about 1e399 characters"),
        ({"type": "array", "minItems": 10**12}, {"type": "object"}, "too long"),
        ({"type": "array"}, {"maxItems": 2**63}, "too long"),
        ({"type": "object", "minProperties": 2**64}, {"type": "array"}, "too many properties"),
        (rows(3, {"type": "string", "minLength": 6_000}), {"type": "object"}, "too large for a witness"),
        ({"const": LONG}, {"type": "number"}, "too large for a witness"),
        ({"type": "object", "properties": {LONG: True}, "required": [LONG]}, {"type": "array"}, "too large"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_witness_that_is_too_large_is_described_and_not_built(writer: Any, reader: Any, why: str) -> None:
    comparison = refuted(writer, reader)

    assert comparison.verdict is engines.Verdict.UNDECIDED
    assert why in comparison.violations[0].message
    assert longest(comparison) < 1_000
    assert memory_growth(lambda _: None, lambda _: refuted(writer, reader), 1) <= 4


def longest(value: Any) -> int:
    """Characters of the longest text in a value."""
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, tuple | list):
        return max(map(longest, value), default=0)
    if is_dataclass(value):
        return max((longest(getattr(value, field.name)) for field in fields(value)), default=0)
    return 0
