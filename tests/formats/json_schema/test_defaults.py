"""Readers that fill in defaults: a verdict that relies on a default must hold for every document that is filled in."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import pytest

from llm_schema_engines.formats.json_schema import JsonSchemaEngine
from llm_schema_engines.formats.json_schema.compiled import open_schema
from llm_schema_engines.formats.json_schema.limits import DEFAULT_LIMITS
from llm_schema_engines.formats.json_schema.prover.defaults import supply, waivable
from llm_schema_engines.model.compatibility import CompareOptions, Verdict

from .build import compare, source

DEFAULTS = CompareOptions(apply_defaults=True)
INNER = {"type": "object", "properties": {"a": {"type": "string", "default": "x"}}, "required": ["a"]}
WRITER = {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.mark.parametrize(
    ("writer", "reader"),
    [
        # Another schema sees the property that the default supplies.
        ({"type": "object", "maxProperties": 0}, {**INNER, "patternProperties": {"^a": {"maxLength": 0}}}),
        ({"type": "object", "maxProperties": 0}, {**INNER, "$ref": "#/$defs/none", "$defs": {"none": {"maxProperties": 0}}}),
        ({"type": "object", "maxProperties": 0}, {**INNER, "anyOf": [{"additionalProperties": False}]}),
        ({"type": "object", "maxProperties": 0}, {"anyOf": [INNER, {"type": "object", "additionalProperties": False}]}),
        ({"type": "object", "maxProperties": 0}, {**INNER, "enum": [{"a": "y"}, {}]}),
        # What holds the object compares it.
        ({"type": "array", "items": WRITER, "uniqueItems": True}, {"type": "array", "items": INNER, "uniqueItems": True}),
        (
            {"type": "array", "items": WRITER, "contains": {"maxProperties": 0}},
            {"type": "array", "items": INNER, "contains": {"type": "object", "maxProperties": 0}},
        ),
        ({"type": "object", "properties": {"o": WRITER}}, {"properties": {"o": INNER}, "not": {"required": ["o"]}}),
    ],
)  # fmt: skip
def test_a_property_that_something_else_sees_is_not_waived(writer: Any, reader: Any) -> None:
    assert compare(writer, reader, options=DEFAULTS).verdict is not Verdict.YES


@pytest.mark.parametrize(
    ("writer", "reader"),
    [
        (WRITER, INNER),
        ({"type": ["object", "null"], "properties": {"a": {"type": "string"}}}, {"anyOf": [INNER, {"type": "null"}]}),
        (WRITER, {"allOf": [INNER]}),
        (WRITER, {"$ref": "#/$defs/i", "description": "", "$defs": {"i": INNER}}),
        ({"type": "array", "items": WRITER}, {"type": "array", "items": {"$ref": "#/$defs/i"}, "$defs": {"i": INNER}}),
        ({"properties": {"o": WRITER, "n": {"const": 1}}}, {"properties": {"o": INNER, "n": {"enum": [1, "b"]}}}),
        (
            {"$schema": "http://json-schema.org/draft-07/schema#", **WRITER},
            {"$schema": "http://json-schema.org/draft-07/schema#", "$ref": "#/definitions/i", "maxProperties": 0,
             "definitions": {"i": INNER}},
        ),
    ],
)  # fmt: skip
def test_a_property_that_nothing_else_sees_is_waived(writer: Any, reader: Any) -> None:
    assert compare(writer, reader).verdict is Verdict.NO
    assert compare(writer, reader, options=DEFAULTS).verdict is Verdict.YES


class Generator:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.plain = False

    def document(self) -> Any:
        self.plain = self.random.random() < 0.5
        return {**self.reader(), "$defs": {"p": self.reader(2)}}

    def reader(self, depth: int = 3) -> Any:
        r = self.random
        if depth <= 0:
            return r.choice(
                [{"type": "string"}, {"type": "integer"}, {"enum": ["a", 1]}, {"type": "null"}, {}]
            )
        kind = r.choice(["object"] * 5 + ["array", "array", "union", "union", "ref"])
        if kind == "ref":
            return {
                "$ref": r.choice(["#/$defs/p", "#"]),
                **({"maxProperties": 1} if r.random() < 0.1 else {}),
            }
        if kind == "union":
            return {
                r.choice(["anyOf", "oneOf", "allOf"]): [
                    self.reader(depth - 1) for _ in range(r.choice([1, 2, 2]))
                ]
            }
        if kind == "array":
            more = r.choice(
                [{}, {}, {"uniqueItems": True}, {"contains": self.reader(depth - 1)}, {"minItems": 1}]
            )
            return {"type": "array", "items": self.reader(depth - 1), **more}
        names = r.sample("abc", r.choice([1, 2, 3]))
        props = {name: self.reader(depth - 1) for name in names}
        for held in props.values():
            if r.random() < 0.7:
                fitting = {"string": "a", "integer": 1, "null": None, "object": {}, "array": []}.get(
                    held.get("type", ""), "a"
                )
                held["default"] = r.choice([fitting, fitting, fitting, 1, {"a": 1}])
        more = r.choice(
            [{}, {}, {}, {"maxProperties": 2}, {"patternProperties": {"^[ab]": self.reader(depth - 1)}},
             {"additionalProperties": False}, {"additionalProperties": self.reader(depth - 1)}, {"minProperties": 1},
             {"propertyNames": {"enum": ["a", "b"]}}, {"dependentRequired": {"a": ["b"]}}]
        ) if not self.plain else r.choice([{}, {"additionalProperties": False}])  # fmt: skip
        return {
            "type": "object",
            "properties": props,
            "required": r.sample(names, r.randint(0, len(names))),
            **more,
        }

    def value(self, depth: int = 3) -> Any:
        r = self.random
        kind = r.choice("oooas") if depth else "s"
        if kind == "o":
            return {name: self.value(depth - 1) for name in r.sample("abcd", r.choice([0, 0, 1, 2]))}
        if kind == "a":
            return [self.value(depth - 1) for _ in range(r.choice([0, 1, 2]))]
        return r.choice(["a", 1, None])


def without_waived(schema: Any) -> Any:
    """A writer for the reader: the same schema, in which nothing that has a default is required."""
    if isinstance(schema, list):
        return [without_waived(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    out = {key: without_waived(value) for key, value in schema.items() if key != "default"}
    if isinstance(out.get("required"), list):
        props = schema.get("properties", {})
        out["required"] = [name for name in out["required"] if "default" not in props.get(name, {})]
    return out


def examine(schemas: int, seed: int) -> tuple[Counter[str], list[str]]:
    engine, make = JsonSchemaEngine(), Generator(seed)
    counts: Counter[str] = Counter()
    wrong = []
    for _ in range(schemas):
        schema = make.document()
        reader, writer = source(schema), source(without_waived(schema))
        if engine.compare(reader, reader, CompareOptions()).verdict is Verdict.UNDECIDED:
            continue  # refers to itself on the same value
        opened = open_schema(reader, DEFAULT_LIMITS)
        waived = waivable(opened)
        verdict = engine.compare(reader, writer, DEFAULTS).verdict
        counts[f"{verdict.name}, {'some' if waived else 'none'} waived"] += 1
        if verdict is not Verdict.YES:
            continue
        reads, writes = engine.compile_validator(reader), engine.compile_validator(writer)
        for _ in range(40):
            value = make.value()
            if not writes.validate(json.dumps(value).encode()).valid:
                continue
            counts["documents"] += 1
            filled = supply(opened, waived, value)
            if not reads.validate(json.dumps(filled).encode()).valid:
                wrong.append(f"{json.dumps(value)} becomes {json.dumps(filled)} under {json.dumps(schema)}")
    return counts, sorted(wrong, key=len)


@pytest.mark.parametrize(
    ("schemas", "seed"),
    [pytest.param(400, 3, id="sample"), pytest.param(20_000, 9, id="many", marks=pytest.mark.deep)],
)
def test_documents_are_valid_once_they_are_filled_in(schemas: int, seed: int) -> None:
    counts, wrong = examine(schemas, seed)

    print(dict(counts))
    assert wrong == []
    assert counts["YES, some waived"] > schemas / 50
    assert counts["documents"] > schemas
