"""Attacks with schemas: texts that are dear to scan, to compile and to compare."""

from __future__ import annotations

import json
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from attacks.attack import (
    AVRO,
    JSON,
    PROTOBUF,
    Outcomes,
    Target,
    address,
    ask,
    attack,
    calling,
    fresh,
    json_request,
    register,
    together,
)
from llm_schema_registry.v1 import schema_registry_pb2 as pb

Send = Callable[[Any, Target], Awaitable[Any]]


def clauses(seed: int, variables: int = 16, count: int = 66) -> bytes:
    """A random 3-SAT question as a JSON Schema: as hard to compare as they come."""
    chance = random.Random(seed)
    parts = [
        {
            "anyOf": [
                {"properties": {f"v{v}": {"const": chance.random() < 0.5}}}
                for v in chance.sample(range(variables), 3)
            ]
        }
        for _ in range(count)
    ]
    names = [f"v{v}" for v in range(variables)]
    booleans = {n: {"type": "boolean"} for n in names}
    return json.dumps({"type": "object", "properties": booleans, "required": names, "allOf": parts}).encode()


def wide() -> bytes:
    """About a megabyte, different each time."""
    seed = fresh()
    return json.dumps(
        {"properties": {f"p{seed}_{i}": {"type": "string", "minLength": i % 7} for i in range(18_000)}}
    ).encode()


def references() -> bytes:
    """Definitions that refer to each other twice, thirty deep."""
    levels = {f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(30)}
    return json.dumps({"$ref": "#/$defs/d0", "title": str(fresh()), "$defs": {**levels, "d30": {}}}).encode()


def nested() -> bytes:
    """Types that go ninety deep."""
    return f'syntax = "proto3"; package p{fresh()};'.encode() + b"message A { " * 90 + b"}" * 90


def many_messages() -> bytes:
    fields = "".join(f"M{i} m{i} = {i + 1};" for i in range(3_000))
    messages = "".join(f"message M{i} {{ M{(i * 7) % 3000} a = 1; }}" for i in range(3_000))
    return f'syntax = "proto3"; package p{fresh()}; {messages} message All {{ {fields} }}'.encode()


def wide_record() -> bytes:
    fields = [{"name": f"f{i}", "type": ["null", "long"], "default": None} for i in range(9_000)]
    return json.dumps({"type": "record", "name": f"R{fresh()}", "fields": fields}).encode()


def registers(make: Callable[[], bytes], kind: pb.SchemaType.ValueType) -> Send:
    """Registers what `make` gives, as a subject of its own."""
    return lambda stub, _: stub.RegisterSchema(
        pb.RegisterSchemaRequest(subject=f"hostile.{fresh()}", schema_content=make(), schema_type=kind)
    )


def unclosed(size: int) -> Iterator[bytes]:
    """Texts in which a string, a list or a comment does not end."""
    yield b'{"a": "' + b"x" * size
    yield b'{"a": "' + b"\\" * size
    yield b'{"a": "' + b'\\"' * (size // 2)
    yield b"[" * size
    yield b'{"a":' * (size // 5)
    yield b"/*" * (size // 2)
    yield b'"' * size


UNCLOSED = tuple(text for size in (16_000, 64_000, 900_000) for text in unclosed(size))

scans = calling(
    4,
    *(
        registers(lambda text=text: text, kind)  # type: ignore[misc]  # each its own
        for text in UNCLOSED
        for kind in (JSON, AVRO, PROTOBUF)
    ),
)


@attack("unclosed strings", 8)
async def unclosed_strings(target: Target) -> Outcomes:
    """4 callers that register texts of 16 KB to 900 KB in which a string, a list or a comment does not end."""
    return await scans(target)


@attack("wide and deep schemas", 8)
async def large_schemas(target: Target) -> Outcomes:
    """4 callers that register schemas of a megabyte, 2^30 references, 3,000 messages, 9,000 fields."""
    return await calling(
        4,
        registers(wide, JSON),
        registers(references, JSON),
        registers(nested, PROTOBUF),
        registers(many_messages, PROTOBUF),
        registers(wide_record, AVRO),
    )(target)


@attack("duplicate names in bodies", 8, port="http")
async def duplicate_names(target: Target) -> Outcomes:
    """4 callers that post 600 KB of one name, of many names twice, and of wrong values."""
    bodies = (
        b"{" + b",".join([b'"subject": "a"'] * 40_000) + b"}",
        b"{" + b",".join(b'"n%d": 1' % (i % 25_000) for i in range(50_000)) + b"}",
        b'{"subject": "a", "schema": {' + b",".join([b'"a": 1'] * 80_000) + b"}}",
        b'{"tags": [' + b",".join([b"1"] * 200_000) + b"]}",
        b'{"metadata": {' + b",".join(b'"k%d": "v"' % i for i in range(40_000)) + b"}}",
    )
    requests = [json_request("/api/v1/schemas", body) for body in bodies]

    async def one(target: Target, number: int, found: Outcomes) -> None:
        while not target.over:
            for request in requests:
                found[await ask(target.http, address(number), request)] += 1

    return await together(target, 4, one)


async def hard_subject(target: Target) -> Mapping[str, str]:
    """A subject that is hard to compare with."""
    await register(target, ("hostile.sat", clauses(0), JSON))
    return {}


def compares(subject: str, make: Callable[[], bytes]) -> Send:
    return lambda stub, _: stub.CheckCompatibility(
        pb.CompatibilityCheckRequest(subject=subject, new_schema=make()), timeout=30
    )


@attack("hard comparisons", 13, prepare=hard_subject)
async def hard_comparisons(target: Target) -> Outcomes:
    """16 callers that compare 3-SAT with 3-SAT."""
    return await calling(16, compares("hostile.sat", lambda: clauses(fresh())))(target)


WITNESSES = (
    {"minLength": 400_000_000},
    {"maxLength": 2**63},
    {"minItems": 400_000_000},
    {"minProperties": 2**62},
    {"minimum": 10**300, "multipleOf": 1e-300},
    {"pattern": "^(a{1000}){1000}$"},
    {"pattern": "^.{900,1000}$", "minLength": 2**40},
    {"required": [f"p{i}" * 50 for i in range(2_000)]},
    {"enum": [f"e{i}" * 200 for i in range(2_000)]},
    {"contains": {"minLength": 100_000_000}, "minContains": 100_000_000},
    {"maxItems": 1, "minContains": 10**9, "contains": True},
)


async def wide_open(target: Target) -> Mapping[str, str]:
    """A subject that takes everything, so that each narrower schema wants a witness."""
    await register(target, ("hostile.open", b"true", JSON), ("hostile.text", b'{"type": "string"}', JSON))
    return {}


@attack("witnesses", 10, prepare=wide_open)
async def witnesses(target: Target) -> Outcomes:
    """4 callers whose schemas ask for a counterexample of 400 MB, of 2^63 characters, of 10^9 items ..."""
    texts = [json.dumps(schema).encode() for schema in WITNESSES]
    return await calling(
        4,
        *(compares(subject, lambda t=t: t) for t in texts for subject in ("hostile.open", "hostile.text")),  # type: ignore[misc]
    )(target)


@attack("numbers at their end", 1)
async def last_numbers(target: Target) -> Outcomes:
    """2 callers that register version 999999999.999999999.999999999, then more, and list them."""
    numbers = ("999999999.0.0", "999999999.999999999.999999999", "1000000000.0.0", "9" * 5000, "")

    def registering(number: str) -> Send:
        return lambda stub, _: stub.RegisterSchema(
            pb.RegisterSchemaRequest(
                subject=f"hostile.n{fresh() % 50}",
                schema_content=json.dumps({"properties": {f"p{fresh()}": {"type": "string"}}}).encode(),
                schema_type=JSON,
                version=number,
                compatibility_level=pb.COMPATIBILITY_LEVEL_NONE,
            )
        )

    def listing(stub: Any, _: Target) -> Any:
        return stub.SearchSchemas(pb.SearchSchemasRequest(subject_pattern="hostile.n*"))

    return await calling(2, *map(registering, numbers), listing)(target)
