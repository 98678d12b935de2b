"""Attacks with payloads: data that is dear to read, and pairs of schema and data that are dear to validate."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, NamedTuple

from attacks.attack import AVRO, JSON, PROTOBUF, Outcomes, Target, attack, calling, register
from attacks.schemas import UNCLOSED
from llm_schema_registry.v1 import schema_registry_pb2 as pb

Send = Callable[[Any, Target], Awaitable[Any]]
ONES = b"[" + b",".join([b"1"] * 8_000) + b"]"


class Dear(NamedTuple):
    """A schema and a payload; `fields` are further ones of the request."""

    schema: bytes
    payload: bytes
    schema_type: pb.SchemaType.ValueType = JSON
    fields: Mapping[str, Any] = {}


def items(schema: Any) -> bytes:
    return json.dumps({"items": schema}, separators=(",", ":")).encode()


def enum_of_messages(count: int) -> bytes:
    values = " ".join(f"A{i} = {i * 1000};" for i in range(count))
    return (
        f'syntax = "proto2"; enum E {{ {values} }} message M {{ repeated E e = 1 [packed = true]; }}'.encode()
    )


DEAR: Mapping[str, Dear] = {
    "anyOf of 4,900 branches": Dear(items({"anyOf": [{"minimum": i + 5} for i in range(4_900)]}), ONES),
    "valid under the last of 4,900": Dear(
        items({"anyOf": [*[{"minimum": i + 5} for i in range(4_900)], True]}), ONES
    ),
    "errors of allOf": Dear(items({"allOf": [{"minimum": i + 5} for i in range(900)]}), ONES[:1_001] + b"1]"),
    "required, all missing": Dear(
        items({"required": [f"p{i}" for i in range(900)]}), b"[" + b",".join([b"{}"] * 900) + b"]"
    ),
    "patternProperties x 200,000 keys": Dear(
        json.dumps({"patternProperties": {f"^k{i}.*x$": {} for i in range(40)}}).encode(),
        b"{" + b",".join(b'"key%d":1' % i for i in range(200_000)) + b"}",
    ),
    "uniqueItems of huge integers": Dear(
        b'{"uniqueItems": true}', b"[" + b",".join(b"%d" % (2**200 + i) for i in range(250)) + b"]" ),
    "uniqueItems of huge integers, 60 KB": Dear(
        b'{"uniqueItems": true}', b"[" + b",".join(b"%d" % (2**200 + i) for i in range(1_000)) + b"]" ),
    "contains": Dear(items({"contains": {"enum": [{"a": i} for i in range(900)]}, "minContains": 0}),
        b"[[" + b",".join([b'{"a":-1}'] * 1_500) + b"]]"),
    "enum of objects, strict": Dear(items({"enum": [{f"k{i}": i} for i in range(4_000)]}),
        b"[" + b",".join([b'{"k3999":3999}'] * 800) + b"]", fields={"strict": True}),
    "a slow regular expression": Dear(items({"pattern": "[ab]*a[ab]{900}[^ab]"}),
        json.dumps(["".join("ab"[(i * i + i // 7) % 2] for i in range(14_000))]).encode()),
    "$ref fan-out of 16 levels": Dear(
        json.dumps({"$defs": {**{f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(14)},
            "d14": {"minimum": 0}}, "items": {"$ref": "#/$defs/d0"}}).encode(), ONES),
    "dependentSchemas": Dear(items({"dependentSchemas": {f"k{i}": {"minProperties": 1, "anyOf": [{"required": ["z"]}] * 40 + [True]} for i in range(90)}}),
        b"[" + b",".join([json.dumps({f"k{i}": 1 for i in range(90)}, separators=(",", ":")).encode()] * 20) + b"]"),
    "expression tree, recursive anyOf": Dear(
        json.dumps({"$defs": {"e": {"anyOf": [{"properties": {"a": {"$ref": "#/$defs/e"}}, "required": [k]} for k in "xy"] + [{"type": "string"}]}},
            "$ref": "#/$defs/e"}).encode(), b'{"a":' * 20 + b'"x"' + b"}" * 20),
    "Avro union of 2,400 records": Dear(
        json.dumps({"type": "array", "items": [{"type": "record", "name": f"R{i}", "fields": [{"name": f"b{i}", "type": "int"}]} for i in range(2_400)]}).encode(),
        b"[" + b",".join([b'{"b2399":1}'] * 1_300) + b"]", AVRO),
    "Avro record of 4,900 defaults": Dear(
        json.dumps({"type": "array", "items": {"type": "record", "name": "R", "fields": [{"name": f"b{i}", "type": "int", "default": 0} for i in range(4_900)]}}).encode(),
        b"[" + b",".join([b"{}"] * 5_400) + b"]", AVRO),
    "Protobuf closed enum of 9,000": Dear(enum_of_messages(9_000),
        b"\x0a\x80\x7d" + b"\xff\x7f" * 8_000, PROTOBUF, {"encoding": pb.DATA_ENCODING_BINARY}),
    "Protobuf enum names": Dear(enum_of_messages(9_000),
        b'{"e":[' + b",".join([b'"A8999"'] * 2_000) + b"]}", PROTOBUF),
    "Protobuf fields of unset messages": Dear(
        ('syntax = "proto2"; message R { required int32 x = 1; } message M { optional R r = 1; repeated M m = 2; '
         + " ".join(f"optional int32 f{i} = {i + 3};" for i in range(4_000)) + "}").encode(),
        b"\x12\x00" * 8_000 + b"\x0a\x00", PROTOBUF, {"encoding": pb.DATA_ENCODING_BINARY}),
    "4 MB of a plain schema": Dear(items({"type": "integer"}), b"[" + b",".join([b"1"] * 2_000_000) + b"]"),
    "4 MB of brackets": Dear(b"{}", b"[" * 2_000_000 + b"]" * 2_000_000),
}  # fmt: skip


async def dear_schemas(target: Target) -> Mapping[str, str]:
    """The ids of the schemas, by their names in DEAR."""
    pairs = [(f"hostile.dear.{n}", d.schema, d.schema_type) for n, d in enumerate(DEAR.values())]
    return dict(zip(DEAR, await register(target, *pairs), strict=True))


def validates(name: str, payload: bytes, **fields: Any) -> Send:
    """Validates by the schema that was prepared as `name`."""
    return lambda stub, target: stub.ValidateData(
        pb.ValidateDataRequest(schema_id=target.ids[name], data=payload, **fields), timeout=30
    )


def all_of(kind: pb.SchemaType.ValueType) -> Iterable[Send]:
    return [validates(n, d.payload, **d.fields) for n, d in DEAR.items() if d.schema_type == kind]


@attack("dear JSON payloads", 9, prepare=dear_schemas)
async def dear_json(target: Target) -> Outcomes:
    """4 callers with payloads and JSON Schemas whose product is large: anyOf, contains, uniqueItems, patterns, enums, $ref."""
    return await calling(4, *all_of(JSON))(target)


@attack("dear Avro and Protobuf payloads", 9, prepare=dear_schemas)
async def dear_others(target: Target) -> Outcomes:
    """4 callers with unions of 2,400 records, 4,900 defaults, enums of 9,000, thousands of unset messages."""
    return await calling(4, *all_of(AVRO), *all_of(PROTOBUF))(target)


async def plain(target: Target) -> Mapping[str, str]:
    """Schemas of strings in the three formats."""
    pairs = (
        ("hostile.plain.json", b'{"type": "array", "items": {"type": "string"}}', JSON),
        ("hostile.plain.avro", b'{"type": "array", "items": "string"}', AVRO),
        (
            "hostile.plain.proto",
            b'syntax = "proto3"; message M { repeated string s = 1; M m = 2; int64 n = 3; }',
            PROTOBUF,
        ),
    )
    return dict(zip(("json", "avro", "proto"), await register(target, *pairs), strict=True))


READ: tuple[bytes, ...] = (
    b"[" * 100_000 + b"]" * 100_000,
    b"[" + b",".join([b"1"] * 1_000_000) + b"]",
    b"{" + b",".join([b'"a":1'] * 300_000) + b"}",
    b"{" + b",".join(b'"%d":1' % (i % 70_000) for i in range(140_000)) + b"}",
    b"9" * 1_000_000,
    b"1e99999999999999999999",
    b'{"n": 1e30, "m": {"n": "1e99999999999999999999"}}',
    b"\x12" * 200_000 + b"\x00",
    b"\x0a\xff\xff\xff\xff\x07",
    b"\x02\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    *UNCLOSED[7:14],
)


@attack("data that is dear to read", 8, 6, prepare=plain)
async def dear_to_read(target: Target) -> Outcomes:
    """4 callers whose data is deep, repeats a key 300,000 times, has numbers of a million digits, or does not end."""
    sends = [
        validates(name, data, max_errors=100, encoding=encoding)
        for data in READ
        for name in ("json", "avro", "proto")
        for encoding in (pb.DATA_ENCODING_UNSPECIFIED, pb.DATA_ENCODING_BINARY)
    ]
    return await calling(4, *sends)(target)
