"""Schemas and data of the micro-benchmarks. Pure, and of no source tree."""

from __future__ import annotations

import json
from typing import Any

TOOL_CALL: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z_]{1,64}$"},
        "arguments": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "minLength": 1},
                "unit": {"enum": ["celsius", "fahrenheit"]},
                "days": {"type": "integer", "minimum": 1, "maximum": 14},
            },
            "required": ["city"],
            "additionalProperties": False,
        },
    },
    "required": ["name", "arguments"],
    "additionalProperties": False,
}
CALL = {"name": "get_weather", "arguments": {"city": "Oslo", "unit": "celsius", "days": 3}}
BAD_CALL = {"name": "Get Weather!", "arguments": {"unit": "kelvin", "days": 99}}


def record(fields: int, longest: int = 100) -> dict[str, Any]:
    """An object with so many texts, none longer than that."""
    text = {"type": "string", "maxLength": longest}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {f"field_{n}": {**text, "description": f"Field {n}."} for n in range(fields)},
        "required": ["field_0"],
        "additionalProperties": False,
    }


def referring(count: int) -> dict[str, Any]:
    """A schema of so many definitions, each of which uses the next one."""
    definitions: dict[str, Any] = {
        f"d{n}": {
            "type": "object",
            "properties": {"next": {"$ref": f"#/$defs/d{n + 1}"}, "n": {"type": "integer"}},
        }
        for n in range(count - 1)
    }
    definitions[f"d{count - 1}"] = {"type": "string"}
    return {"type": "object", "properties": {"first": {"$ref": "#/$defs/d0"}}, "$defs": definitions}


def union(kinds: int) -> dict[str, Any]:
    """A list of objects that a constant tells apart."""
    branches = [
        {
            "type": "object",
            "properties": {"kind": {"const": f"k{n}"}, f"value_{n}": {"type": "string"}},
            "required": ["kind"],
            "additionalProperties": False,
        }
        for n in range(kinds)
    ]
    return {"type": "object", "properties": {"items": {"type": "array", "items": {"oneOf": branches}}}}


def items(count: int, kinds: int) -> dict[str, Any]:
    """Data of `union`."""
    return {"items": [{"kind": f"k{n % kinds}", f"value_{n % kinds}": "text"} for n in range(count)]}


def avro(fields: int, *, more: bool = False, without_default: bool = False) -> bytes:
    """A record; `more` adds a field with a default, or without one."""
    kinds: list[Any] = ["long", "string", ["null", "string"], "double", {"type": "array", "items": "string"}]
    made: list[dict[str, Any]] = [
        {"name": f"field_{n}", "type": kinds[n % 5], "doc": f"Field {n}."} for n in range(fields)
    ]
    if more:
        made.append({"name": "added", "type": "int", **({} if without_default else {"default": 0})})
    return text({"type": "record", "name": "Event", "namespace": "org.example", "fields": made})


def avro_value(fields: int, *, tagged: bool) -> bytes:
    """A value of `avro`, plainly or in the JSON encoding of the specification, which tags unions."""
    maybe = {"string": "maybe"} if tagged else "maybe"
    values: list[Any] = [12345, "some text", maybe, 0.25, ["a", "b"]]
    return text({f"field_{n}": values[n % 5] for n in range(fields)})


AVRO_BINARY = b"\xf2\xc0\x01\x12some text\x02\x0amaybe\x00\x00\x00\x00\x00\x00\xd0\x3f\x04\x02a\x02b\x00"
"""Of five fields."""

PROTO = b"""syntax = "proto3"; package shop.v1; import "google/protobuf/timestamp.proto";
message Order { string id = 1; repeated Line lines = 2; google.protobuf.Timestamp created = 4; map<string, string> labels = 5; }
message Line { string sku = 1; int32 quantity = 2; }"""
PROTO_JSON = b"""{"id": "order-1", "lines": [{"sku": "a-1", "quantity": 2}, {"sku": "b-2", "quantity": 1}],
"created": "2024-05-06T07:08:09Z", "labels": {"channel": "web"}}"""
PROTO_BINARY = b"\n\x07order-1\x12\x07\n\x03a-1\x10\x02\x12\x07\n\x03b-2\x10\x01*\x0e\n\x07channel\x12\x03web"


def large_proto(messages: int) -> bytes:
    """So many messages of 15 fields."""
    kinds = ("int32", "string", "double", "bool")
    made = 'syntax = "proto3"; package big.v1;\n'
    for m in range(messages):
        fields = "".join(f"  {kinds[n % 4]} field_{n} = {n + 1};\n" for n in range(15))
        made += f"message M{m} {{\n{fields}}}\n"
    return made.encode()


def text(value: object) -> bytes:
    return json.dumps(value).encode()
