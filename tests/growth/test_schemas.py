"""Schemas made to cost more than their length: parsing, listing faults, linting, differences, comparison."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from llm_schema_engines import EngineLimits, LocalEngines
from llm_schema_engines.errors import RegistryError
from llm_schema_engines.formats.avro.engine import AvroEngine
from llm_schema_engines.formats.engine import ReferencedSchema, SchemaSource
from llm_schema_engines.formats.json_schema import JsonSchemaEngine, JsonSchemaLimits
from llm_schema_engines.linter.registering import parse_and_lint

from .measure import LIMIT, memory_growth, time_growth

Make = Callable[[int], Any]


def nested(keyword: str, depth: int, leaf: Any) -> Any:
    for _ in range(depth):
        leaf = {keyword: leaf}
    return leaf


JSON: dict[str, Make] = {
    "a long name around many subschemas": lambda n: {
        "properties": {"k" * (n // 2): {"anyOf": [{"minimum": i} for i in range(n // 40)]}}
    },
    "many properties": lambda n: {"properties": {f"p{i}": {"type": "string"} for i in range(n // 30)}},
    "many faults": lambda n: {"properties": {f"p{i}": {"type": "strin"} for i in range(n // 30)}},
    "a reference of many steps to nothing": lambda n: {"$ref": "#" + "/a" * (n // 2)},
    "a reference with a long name": lambda n: {"$ref": "#/$defs/" + "k" * n},
    "many references to one definition": lambda n: {
        "properties": {f"p{i}": {"$ref": "#/$defs/a"} for i in range(n // 40)},
        "$defs": {"a": {"type": "string"}},
    },
    "many references to a definition with a long name": lambda n: {
        "properties": {f"p{i}": {"$ref": "#a"} for i in range(n // 60)},
        "$defs": {"k" * (n // 2): {"$anchor": "a"}},
    },
    "references to each level of a nest": lambda n: {
        "$defs": {"a": nested("not", 40, {"enum": list(range(n // 20))})},
        "properties": {f"p{i}": {"$ref": "#/$defs/a" + "/not" * (i % 40)} for i in range(n // 60)},
    },
    "dead references": lambda n: {"properties": {f"p{i}": {"$ref": f"#/x/{i}"} for i in range(n // 40)}},
    "dynamic references": lambda n: {
        "properties": {f"p{i}": {"$dynamicRef": "#a"} for i in range(n // 60)},
        "$defs": {"a": {"$dynamicAnchor": "a"}} | {f"d{i}": True for i in range(n // 60)},
    },
    "a long base under many references": lambda n: {
        "$id": "http://a/" + "b" * (n // 2),
        "properties": {f"p{i}": {"$ref": "#/$defs/a"} for i in range(n // 80)},
        "$defs": {"a": {}},
    },
    "a path of dots": lambda n: {"$id": "http://a" + "/b" * (n // 5) + "/.." * (n // 5)},
    "identifiers in each other": lambda n: {
        "allOf": [
            nested("not", 1, {"$id": "b" * 50 + "/", "not": {"$id": "c" * 50 + f"/{i}"}})
            for i in range(n // 150)
        ]
    },
    "a long pattern": lambda n: {"pattern": "a" * n},
    "many patterns": lambda n: {"patternProperties": {f"^a{i}$": {} for i in range(n // 20)}},
    "a long constant": lambda n: {"const": "x" * n},
    "many choices": lambda n: {"enum": [f"v{i}" for i in range(n // 10)]},
    "many large choices": lambda n: {"enum": [{"a": [i]} for i in range(n // 20)]},
    "many alternatives": lambda n: {"anyOf": [{"const": i} for i in range(n // 20)]},
    "required names": lambda n: {"required": [f"p{i}" for i in range(n // 10)]},
    "required twice": lambda n: {"required": ["p"] * (n // 4)},
    "dependent names": lambda n: {"dependentRequired": {f"p{i}": ["q", f"r{i}"] for i in range(n // 30)}},
    "long texts": lambda n: {"title": "é" * (n // 2), "description": "\\u" * (n // 4)},
}
AVRO: dict[str, Make] = {
    "many fields": lambda n: record([{"name": f"f{i}", "type": "int"} for i in range(n // 30)]),
    "the same field": lambda n: record([{"name": "f", "type": "int"}] * (n // 25)),
    "many records": lambda n: record(
        [{"name": f"f{i}", "type": record([], f"R{i}")} for i in range(n // 80)]
    ),
    "unknown types": lambda n: record([{"name": f"f{i}", "type": f"T{i}"} for i in range(n // 30)]),
    "a long name": lambda n: record([], "R" * n),
    "a long namespace": lambda n: {
        **record([{"name": f"f{i}", "type": "R"} for i in range(n // 60)]),
        "namespace": ".".join("a" * (n // 4)),
    },
    "aliases": lambda n: {**record([]), "aliases": [f"A{i}" for i in range(n // 8)]},
    "a union of many": lambda n: [record([], f"R{i}") for i in range(n // 60)],
    "symbols": lambda n: {"type": "enum", "name": "E", "symbols": [f"S{i}" for i in range(n // 8)]},
    "a large default": lambda n: record(
        [{"name": "f", "type": {"type": "array", "items": "int"}, "default": [1] * (n // 3)}]
    ),
    "defaults of a union": lambda n: record(
        [
            {"name": "f", "type": {"type": "array", "items": ["null", "int"]}, "default": [1] * (n // 3)},
        ]
    ),
    "undeclared members of a default": lambda n: record(
        [{"name": "f", "type": record([], "X"), "default": {f"k{i}": 1 for i in range(n // 10)}}]
    ),
    "keys twice": lambda n: json.loads("[]") or "[" + '{"type":"int","type":"int"},' * (n // 30) + '"int"]',
    "attributes": lambda n: {"type": "int"} | {f"a{i}": i for i in range(n // 10)},
}


LIMITS = EngineLimits(json_schema=JsonSchemaLimits(compare_steps=500))
"""A rule of the linter asks the prover, whose work is bounded by its steps and not by the schema."""


REGISTERING = {"JSON": JsonSchemaEngine(LIMITS.json_schema), "AVRO": AvroEngine()}


def record(fields: list[Any], name: str = "R") -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": fields}


def parse(schema_type: str) -> Callable[[Any], None]:
    def run(schema: Any) -> None:
        engines = LocalEngines(limits=LIMITS, cache_bytes=0)
        text = schema if isinstance(schema, str) else json.dumps(schema)
        with contextlib.suppress(RegistryError):
            parsed = engines.parse(text, schema_type)
            engines.lint(parsed)
            parse_and_lint(REGISTERING[schema_type], SchemaSource(text.encode()))
            engines.diff(parsed, '{"type": "string"}' if schema_type == "JSON" else '"string"')

    return run


CASES = [pytest.param(make, parse("JSON"), id=f"json: {name}") for name, make in JSON.items()] + [
    pytest.param(make, parse("AVRO"), id=f"avro: {name}") for name, make in AVRO.items()
]


@pytest.mark.parametrize(("make", "run"), CASES)
def test_time_grows_with_the_schema(make: Make, run: Callable[[Any], None]) -> None:
    assert time_growth(make, run, 1_000, 200_000) <= LIMIT


@pytest.mark.parametrize(("make", "run"), CASES)
def test_memory_grows_with_the_schema(make: Make, run: Callable[[Any], None]) -> None:
    assert memory_growth(make, run, 3_000) <= LIMIT


@pytest.mark.parametrize("levels", [4, 30])
def test_references_under_two_names_at_each_level_do_not_double_the_work(levels: int) -> None:
    used: tuple[ReferencedSchema, ...] = ()
    for level in range(levels):
        content = json.dumps({"title": str(level)}).encode()
        used = tuple(
            ReferencedSchema(f"{folder}/{level}.json", f"{level}{folder}", content, used) for folder in "ab"
        )
    source = SchemaSource(b'{"$ref": "a/%d.json"}' % (levels - 1), used)

    with contextlib.nullcontext() if levels == 4 else pytest.raises(RegistryError, match="the limit"):
        JsonSchemaEngine().parse(source)
