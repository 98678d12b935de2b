"""What an honest caller notices of attacks from other addresses (attacks.py), and what they cost the server.

    python loadtest/neighbours.py [--seconds 8] [--engine native|grpcio] [--only TEXT] [--markdown loadtest/results/neighbours.md]

A server of its own for each attack. The honest caller asks, one call after the other, for a cached answer and for a registration
over gRPC, and for a registration over HTTP. The longest wait for a cached answer is at least the longest stall of the event loop.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import grpc
import rig
import uvloop
from attacks import ATTACKS
from hostile import clauses

from llm_schema_registry.v1 import schema_registry_pb2 as pb

CACHED, REGISTER, OVER_HTTP = "cached answer", "registration", "registration over HTTP"
LARGE = json.dumps({"type": "object", "description": "x" * 900_000}).encode()
NUMBERS = itertools.count()


class Honest:
    """Seconds of each call by kind, and how often it was refused."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {CACHED: [], REGISTER: [], OVER_HTTP: []}
        self.refused: Counter[str] = Counter()

    async def timed(self, kind: str, call: Awaitable[Any]) -> None:
        began = time.perf_counter()
        try:
            await call
        except grpc.aio.AioRpcError as error:
            self.refused[f"{kind}: {error.code().name}"] += 1
        except urllib.error.HTTPError as error:
            self.refused[f"{kind}: {error.code}"] += 1
        self.seconds[kind].append(time.perf_counter() - began)

    async def behave(self, stub: Any, http: int, schema_id: str, seconds: float) -> None:
        """Calls for so long."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            for _ in range(10):
                await self.timed(CACHED, stub.GetSchema(pb.GetSchemaRequest(schema_id=schema_id)))
            number = next(NUMBERS)
            request = pb.RegisterSchemaRequest(
                subject=f"good.{number}", schema_content=schema(number), schema_type=pb.SCHEMA_TYPE_JSON
            )
            await self.timed(REGISTER, stub.RegisterSchema(request))
            await self.timed(OVER_HTTP, asyncio.to_thread(post, http, next(NUMBERS)))
            await asyncio.sleep(0.005)


def schema(number: int) -> bytes:
    """A schema that is compiled in a worker process, since it has a pattern."""
    return json.dumps({"type": "object", "properties": {f"p{number}": {"pattern": "^[a-z]+$"}}}).encode()


def post(port: int, number: int) -> None:
    body = {"subject": f"good.{number}", "schema": schema(number).decode(), "schema_type": "JSON"}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v1/schemas",
        json.dumps(body).encode(),
        {"content-type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=60).read()


async def beside(server: rig.Server, name: str, seconds: float) -> str:
    """A line of the table."""
    async with rig.channel(server.port) as channel:
        stub = rig.stub(channel)
        for subject, content in (("hostile.sat", clauses(0)), ("large", LARGE)):
            made = await stub.RegisterSchema(
                pb.RegisterSchemaRequest(
                    subject=subject, schema_content=content, schema_type=pb.SCHEMA_TYPE_JSON
                )
            )
        await Honest().behave(stub, server.http, made.schema_id, 1.0)
        before, during = Honest(), Honest()
        small = await stub.RegisterSchema(
            pb.RegisterSchemaRequest(subject="s", schema_content=schema(0), schema_type=pb.SCHEMA_TYPE_JSON)
        )
        await before.behave(stub, server.http, small.schema_id, seconds / 2)
        server.forget_peak()
        ports = ("--grpc", str(server.port), "--http", str(server.http), "--large", made.schema_id)
        attack = await asyncio.create_subprocess_exec(
            sys.executable,
            str(Path(__file__).with_name("attacks.py")),
            name,
            *ports,
            "--seconds",
            str(seconds + 2),
            stdout=asyncio.subprocess.PIPE,
        )
        await asyncio.sleep(1.5)
        await during.behave(stub, server.http, small.schema_id, seconds)
        out, _ = await attack.communicate()
    cells = [
        f"{pair(before.seconds[kind])} / {pair(during.seconds[kind])}"
        for kind in (CACHED, REGISTER, OVER_HTTP)
    ]
    stall = max(during.seconds[CACHED]) * 1000
    refused = ", ".join(f"{what} × {n}" for what, n in during.refused.items()) or "none"
    attacked = ", ".join(f"{what} × {n}" for what, n in json.loads(out or b"{}").items())
    return (
        f"| {name} | {' | '.join(cells)} | {stall:.0f} ms | {server.peak:.0f} MiB | {refused} | {attacked} |"
    )


def pair(values: list[float]) -> str:
    """Median and 99th percentile in milliseconds."""
    return f"{rig.percentile(values, 0.5) * 1000:.1f}, {rig.percentile(values, 0.99) * 1000:.0f}"


def main() -> None:
    parser = rig.parser(__doc__)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--engine", default="native")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    lines = [
        *rig.head("Hostile callers at other addresses", os.getloadavg()[0]),
        "Honest calls: p50, p99 in ms before / during the attack.",
        "",
        f"| attack | {CACHED} | {REGISTER} | {OVER_HTTP} | longest wait for a cached answer | peak memory "
        "| honest calls refused | the attack |",
        "|" + "---|" * 8,
    ]
    for name in ATTACKS:
        if options.only in name:
            with rig.server(GRPC__ENGINE=options.engine) as server:
                lines.append(uvloop.run(beside(server, name, options.seconds)))
    rig.publish(lines, options.markdown)


if __name__ == "__main__":
    main()
