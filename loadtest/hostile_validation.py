"""How long others wait while schemas and payloads that were made to be expensive are validated.

    python loadtest/hostile_validation.py

For each attack: the answer, the seconds until it came, the processor time that the server's own process spent meanwhile
(beside what answering the others takes), and the longest time that a kept GetSchema, asked every 5 ms, took. A machine
with other work makes the latter longer; the processor time tells the two apart.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path.cwd() / "loadtest"))
import grpc
import rig

from llm_schema_registry.v1 import schema_registry_pb2 as pb

JSON, AVRO, PROTOBUF = pb.SCHEMA_TYPE_JSON, pb.SCHEMA_TYPE_AVRO, pb.SCHEMA_TYPE_PROTOBUF
ONES = b"[" + b",".join([b"1"] * 8_000) + b"]"


class Attack(NamedTuple):
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


ATTACKS: Mapping[str, Attack] = {
    "anyOf of 4,900 branches": Attack(items({"anyOf": [{"minimum": i + 5} for i in range(4_900)]}), ONES),
    "valid under the last of 4,900": Attack(
        items({"anyOf": [*[{"minimum": i + 5} for i in range(4_900)], True]}), ONES
    ),
    "errors of allOf": Attack(items({"allOf": [{"minimum": i + 5} for i in range(900)]}), ONES[:1_001] + b"1]"),
    "required, all missing": Attack(
        items({"required": [f"p{i}" for i in range(900)]}), b"[" + b",".join([b"{}"] * 900) + b"]"
    ),
    "patternProperties x 200,000 keys": Attack(
        json.dumps({"patternProperties": {f"^k{i}.*x$": {} for i in range(40)}}).encode(),
        b"{" + b",".join(b'"key%d":1' % i for i in range(200_000)) + b"}",
    ),
    "uniqueItems of huge integers": Attack(
        b'{"uniqueItems": true}', b"[" + b",".join(b"%d" % (2**200 + i) for i in range(250)) + b"]" ),
    "uniqueItems of huge integers, 60 KB": Attack(
        b'{"uniqueItems": true}', b"[" + b",".join(b"%d" % (2**200 + i) for i in range(1_000)) + b"]" ),
    "contains": Attack(items({"contains": {"enum": [{"a": i} for i in range(900)]}, "minContains": 0}),
        b"[[" + b",".join([b'{"a":-1}'] * 1_500) + b"]]"),
    "enum of objects, strict": Attack(items({"enum": [{f"k{i}": i} for i in range(4_000)]}),
        b"[" + b",".join([b'{"k3999":3999}'] * 800) + b"]", fields={"strict": True}),
    "a slow regular expression": Attack(items({"pattern": "[ab]*a[ab]{900}[^ab]"}),
        json.dumps(["".join("ab"[(i * i + i // 7) % 2] for i in range(14_000))]).encode()),
    "$ref fan-out of 16 levels": Attack(
        json.dumps({"$defs": {**{f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(14)},
            "d14": {"minimum": 0}}, "items": {"$ref": "#/$defs/d0"}}).encode(), ONES),
    "dependentSchemas": Attack(items({"dependentSchemas": {f"k{i}": {"minProperties": 1, "anyOf": [{"required": ["z"]}] * 40 + [True]} for i in range(90)}}),
        b"[" + b",".join([json.dumps({f"k{i}": 1 for i in range(90)}, separators=(",", ":")).encode()] * 20) + b"]"),
    "expression tree, recursive anyOf": Attack(
        json.dumps({"$defs": {"e": {"anyOf": [{"properties": {"a": {"$ref": "#/$defs/e"}}, "required": [k]} for k in "xy"] + [{"type": "string"}]}},
            "$ref": "#/$defs/e"}).encode(), b'{"a":' * 20 + b'"x"' + b"}" * 20),
    "Avro union of 2,400 records": Attack(
        json.dumps({"type": "array", "items": [{"type": "record", "name": f"R{i}", "fields": [{"name": f"b{i}", "type": "int"}]} for i in range(2_400)]}).encode(),
        b"[" + b",".join([b'{"b2399":1}'] * 1_300) + b"]", AVRO),
    "Avro record of 4,900 defaults": Attack(
        json.dumps({"type": "array", "items": {"type": "record", "name": "R", "fields": [{"name": f"b{i}", "type": "int", "default": 0} for i in range(4_900)]}}).encode(),
        b"[" + b",".join([b"{}"] * 5_400) + b"]", AVRO),
    "Protobuf closed enum of 9,000": Attack(enum_of_messages(9_000),
        b"\x0a\x80\x7d" + b"\xff\x7f" * 8_000, PROTOBUF, {"encoding": pb.DATA_ENCODING_BINARY}),
    "Protobuf enum names": Attack(enum_of_messages(9_000),
        b'{"e":[' + b",".join([b'"A8999"'] * 2_000) + b"]}", PROTOBUF),
    "Protobuf fields of unset messages": Attack(
        ('syntax = "proto2"; message R { required int32 x = 1; } message M { optional R r = 1; repeated M m = 2; '
         + " ".join(f"optional int32 f{i} = {i + 3};" for i in range(4_000)) + "}").encode(),
        b"\x12\x00" * 8_000 + b"\x0a\x00", PROTOBUF, {"encoding": pb.DATA_ENCODING_BINARY}),
    "4 MB of a plain schema": Attack(items({"type": "integer"}), b"[" + b",".join([b"1"] * 2_000_000) + b"]"),
    "4 MB of brackets": Attack(b"{}", b"[" * 2_000_000 + b"]" * 2_000_000),
}  # fmt: skip


def processor(server: rig.Server) -> float:
    """Processor seconds of the server's own process so far."""
    times = server.process.cpu_times()
    return times.user + times.system


async def ping(stub: Any, schema_id: str, waits: list[float]) -> None:
    """A kept answer every 5 ms."""
    while True:
        began = time.perf_counter()
        await stub.GetSchema(pb.GetSchemaRequest(schema_id=schema_id))
        waits.append(time.perf_counter() - began)
        await asyncio.sleep(0.005)


async def attack(stub: Any, slow: Any, server: rig.Server, name: str, made: Attack, honest: str) -> str:
    done = await slow.RegisterSchema(
        pb.RegisterSchemaRequest(
            subject=f"hostile.{abs(hash(name))}", schema_content=made.schema, schema_type=made.schema_type
        ),
        timeout=120,
    )
    waits: list[float] = []
    pinging = asyncio.ensure_future(ping(stub, honest, waits))
    await asyncio.sleep(0.2)
    waits.clear()
    before, began = processor(server), time.perf_counter()
    request = pb.ValidateDataRequest(schema_id=done.schema_id, data=made.payload, **made.fields)
    try:
        answer = f"valid={(await slow.ValidateData(request, timeout=120)).valid}"
    except grpc.aio.AioRpcError as error:
        answer = f"{error.code().name}: {(error.details() or '')[:100]}"
    took = time.perf_counter() - began
    own = processor(server) - before
    pinging.cancel()
    calls, worst = len(waits), max(waits, default=took)
    return (
        f"| {name} | {len(made.schema):,} + {len(made.payload):,} | {took:.2f} s | {own * 1000:.0f} ms ({calls} pings) "
        f"| {worst * 1000:.0f} ms | {answer} |"
    )


async def run(server: rig.Server) -> None:
    target, options = f"127.0.0.1:{server.port}", (("grpc.max_send_message_length", 16 << 20),)
    async with (
        grpc.aio.insecure_channel(target, options=options) as one,
        grpc.aio.insecure_channel(target, options=(*options, ("grpc.use_local_subchannel_pool", 1))) as two,
    ):
        stub, slow = rig.stub(one), rig.stub(two)
        honest = await stub.RegisterSchema(
            pb.RegisterSchemaRequest(subject="honest", schema_content=b"{}", schema_type=JSON)
        )
        print(
            "| attack | bytes of schema + payload | answered after | processor of the server | longest ping | answer |"
        )
        print("|---|---|---|---|---|---|")
        for name, made in ATTACKS.items():
            try:
                print(await attack(stub, slow, server, name, made, honest.schema_id), flush=True)
            except grpc.aio.AioRpcError as error:
                print(f"| {name} | | | | | not registered: {(error.details() or '')[:120]} |", flush=True)


def main() -> None:
    print("load average", os.getloadavg()[0])
    with rig.server() as server:
        asyncio.run(run(server))


if __name__ == "__main__":
    main()
