"""What well-behaved callers notice while others send hostile schemas and payloads.

    python loadtest/hostile.py [--seconds 5] [--markdown loadtest/results/hostile.md]

Starts a server and asks it, one call after the other, for a kept answer, an answer that is computed, and a validation;
first alone, then while hostile clients keep sending what was made to be expensive. Latencies are the caller's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import grpc
import rig
import uvloop

from llm_schema_registry.v1 import schema_registry_pb2 as pb

ROOT = Path(__file__).resolve().parents[1]
Latencies = dict[str, list[float]]


def clauses(seed: int, variables: int = 16, count: int = 66) -> bytes:
    """A random 3-SAT question as a JSON Schema: as hard to compare as they come."""
    import random

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
    return json.dumps(
        {
            "type": "object",
            "properties": {n: {"type": "boolean"} for n in names},
            "required": names,
            "allOf": parts,
        }
    ).encode()


def wide(seed: int) -> bytes:
    """A schema of about a megabyte."""
    return json.dumps(
        {
            "type": "object",
            "properties": {f"p{seed}_{i}": {"type": "string", "minLength": i % 7} for i in range(18_000)},
        }
    ).encode()


def bomb(seed: int) -> bytes:
    """Definitions that refer to each other twice, thirty deep."""
    levels = {f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(30)}
    return json.dumps({"$ref": "#/$defs/d0", "title": str(seed), "$defs": {**levels, "d30": {}}}).encode()


def nested(seed: int) -> bytes:
    """A Protobuf schema whose types go ninety deep."""
    return f'syntax = "proto3"; package p{seed};'.encode() + b"message A { " * 90 + b"}" * 90


PAYLOADS: Mapping[str, bytes] = {
    "100,000 deep": b"[" * 100_000 + b"]" * 100_000,
    "2 MB of wrong items": b"[" + b",".join([b"1"] * 1_000_000) + b"]",
    "a key a million times": b"{" + b",".join([b'"a":1'] * 300_000) + b"}",
}


async def timed(latencies: Latencies, name: str, call: Awaitable[Any]) -> None:
    """Await a call and note how long it took; a refusal is an answer."""
    began = time.perf_counter()
    try:
        await call
    except grpc.aio.AioRpcError as error:
        if error.code() in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNKNOWN):
            raise
    latencies.setdefault(name, []).append(time.perf_counter() - began)


async def behave(stub: Any, schema_id: str, seconds: float) -> Latencies:
    """The well-behaved caller."""
    latencies: Latencies = {}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        request = pb.GetSchemaRequest(schema_id=schema_id)
        await timed(latencies, "GetSchema, kept", stub.GetSchema(request))
        fresh = stub.GetSchema(request, metadata=(("cache-control", "no-cache"),))
        await timed(latencies, "GetSchema, computed", fresh)
        valid = pb.ValidateDataRequest(schema_id=schema_id, data=b'["a", "b"]')
        await timed(latencies, "ValidateData", stub.ValidateData(valid))
        await asyncio.sleep(0.002)
    return latencies


def attacks(stub: Any, schema_id: str) -> Mapping[str, Callable[[int], Awaitable[Any]]]:
    """One hostile client each: what it sends the n-th time."""

    def register(
        make: Callable[[int], bytes], kind: pb.SchemaType.ValueType
    ) -> Callable[[int], Awaitable[Any]]:
        name = getattr(make, "__name__", "schema")
        return lambda n: stub.RegisterSchema(
            pb.RegisterSchemaRequest(subject=f"hostile.{name}.{n}", schema_content=make(n), schema_type=kind)
        )

    def validate(payload: bytes) -> Callable[[int], Awaitable[Any]]:
        return lambda n: stub.ValidateData(
            pb.ValidateDataRequest(schema_id=schema_id, data=payload, max_errors=100)
        )

    return {
        "compare 3-SAT": lambda n: stub.CheckCompatibility(
            pb.CompatibilityCheckRequest(subject="hostile.sat", new_schema=clauses(n + 1))
        ),
        "register 1 MB": register(wide, pb.SCHEMA_TYPE_JSON),
        "register a $ref bomb": register(bomb, pb.SCHEMA_TYPE_JSON),
        "register nested Protobuf": register(nested, pb.SCHEMA_TYPE_PROTOBUF),
        **{f"validate {name}": validate(payload) for name, payload in PAYLOADS.items()},
    }


async def attack(target: str, schema_id: str, seconds: float, only: str) -> Latencies:
    """The hostile client called `only` (all at once when empty), for `seconds`; it goes on as soon as it was answered."""
    options = (("grpc.max_send_message_length", 16 << 20),)
    hostile: Latencies = {}
    async with grpc.aio.insecure_channel(target, options=options) as channel:
        stub = rig.stub(channel)
        end = time.perf_counter() + seconds

        async def client(name: str, send: Callable[[int], Awaitable[Any]]) -> None:
            number = 0
            while time.perf_counter() < end:
                number += 1
                await timed(hostile, name, send(number))

        wanted = {n: s for n, s in attacks(stub, schema_id).items() if only in ("", n)}
        await asyncio.gather(*(client(n, s) for n, s in wanted.items()))
    return hostile


async def measure(target: str, seconds: float) -> tuple[Latencies, Mapping[str, tuple[Latencies, Latencies]]]:
    """The well-behaved caller alone, and beside each hostile client; what that one waited."""
    async with grpc.aio.insecure_channel(target) as channel:
        stub = rig.stub(channel)
        strings = b'{"type": "array", "items": {"type": "string"}}'
        done = await stub.RegisterSchema(
            pb.RegisterSchemaRequest(subject="good", schema_content=strings, schema_type=pb.SCHEMA_TYPE_JSON)
        )
        await stub.RegisterSchema(
            pb.RegisterSchemaRequest(
                subject="hostile.sat", schema_content=clauses(0), schema_type=pb.SCHEMA_TYPE_JSON
            )
        )
        await behave(stub, done.schema_id, 1.0)
        alone = await behave(stub, done.schema_id, seconds)
        found = {}
        for only in (*attacks(stub, done.schema_id), ""):
            # In a process of their own: what it costs to make hostile requests must not count as their neighbours' wait.
            arguments = (
                "--attack",
                target,
                "--schema",
                done.schema_id,
                "--seconds",
                str(seconds + 1),
                "--only",
                only,
            )
            hostile = await asyncio.create_subprocess_exec(
                sys.executable, __file__, *arguments, stdout=asyncio.subprocess.PIPE
            )
            await asyncio.sleep(1.0)
            meanwhile = await behave(stub, done.schema_id, seconds)
            out, _ = await hostile.communicate()
            if hostile.returncode:
                raise SystemExit("a hostile call was not answered")
            found[only or "all of them at once"] = (meanwhile, json.loads(out))
    return alone, found


def cell(values: list[float]) -> str:
    ordered = sorted(values)
    p50, p99 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
    return f"{p50 * 1000:.1f}, {p99 * 1000:.1f} ms"


def row(name: str, latencies: Latencies, hostile: Latencies) -> str:
    most = max((v for values in hostile.values() for v in values), default=0.0)
    calls = sum(map(len, hostile.values()))
    return f"| {name} | " + " | ".join(map(cell, latencies.values())) + f" | {most:.2f} s ({calls:,}) |"


def main() -> None:
    parser = rig.parser(__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--attack", metavar="TARGET", help=argparse.SUPPRESS)
    parser.add_argument("--schema", help=argparse.SUPPRESS)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.attack:
        print(json.dumps(uvloop.run(attack(options.attack, options.schema, options.seconds, options.only))))
        return
    head = rig.head("Hostile neighbours", os.getloadavg()[0])
    with rig.server() as server:
        alone, found = uvloop.run(measure(f"127.0.0.1:{server.port}", options.seconds))
    lines = [
        *head,
        "Every hostile call was answered or refused.",
        "",
        "| beside | "
        + " | ".join(f"{name}: p50, p99" for name in alone)
        + " | longest hostile call (calls) |",
        "|---|---|---|---|---|",
        row("nobody", alone, {}),
        *(row(name, meanwhile, hostile) for name, (meanwhile, hostile) in found.items()),
    ]
    rig.publish(lines, options.markdown)


if __name__ == "__main__":
    main()
