"""Registrations per second, what a thousand subscribers cost them, and how long a change takes to reach everyone.

    python loadtest/writes.py [--rounds 5] [--seconds 4] [--markdown loadtest/results/writes.md]

Starts a server with an empty SQLite file and durable commits; variables such as SCHEMA_REGISTRY_STORAGE__KIND and
SCHEMA_REGISTRY_STORAGE__POSTGRES__DSN choose another storage. In every round the same load is measured without
subscribers, with a thousand that wait for other subjects, and with a hundred that want everything, one after the other on
one server, so that all see the same machine; figures are medians of the rounds. Writers register a new JSON Schema each
time, as a new version of one of 500 subjects, with parsing and the compatibility check. Subscribers and writers share a
process of their own beside the server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import uvloop

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2_grpc

ROOT = Path(__file__).resolve().parents[1]
WRITERS = 32
SUBJECTS = 500
CHANNELS = 20
Stub = schema_registry_pb2_grpc.SchemaRegistryStub


@dataclass
class Part:
    """One kind of load: registrations per second and their latencies (seconds), round by round."""

    name: str
    rates: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)


class Schemas:
    """Ever new schemas, each compatible with the one before it on its subject: it allows a longer text."""

    def __init__(self) -> None:
        self._made = 0

    def next(self) -> pb.RegisterSchemaRequest:
        number = self._made
        self._made += 1
        version = number // SUBJECTS
        text = {"type": "string", "maxLength": 100 + version}
        content = {"type": "object", "properties": {"id": text, "n": {"type": "integer"}}, "required": ["id"]}
        return pb.RegisterSchemaRequest(
            subject=f"load.s{number % SUBJECTS}",
            schema_content=json.dumps(content).encode(),
            schema_type=pb.SCHEMA_TYPE_JSON,
        )


async def write(stub: Stub, schemas: Schemas, seconds: float, part: Part) -> None:
    """Register as fast as WRITERS callers can, for `seconds`."""
    end = time.perf_counter() + seconds
    done = 0

    async def writer() -> None:
        nonlocal done
        while time.perf_counter() < end:
            began = time.perf_counter()
            try:
                await stub.RegisterSchema(schemas.next())
            except grpc.aio.AioRpcError as error:
                # Two writers of one subject may meet: the shorter text then comes after the longer one.
                if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
                    raise
            part.latencies.append(time.perf_counter() - began)
            done += 1

    began = time.perf_counter()
    await asyncio.gather(*(writer() for _ in range(WRITERS)))
    part.rates.append(done / (time.perf_counter() - began))


@asynccontextmanager
async def subscribed(
    stubs: list[Stub], count: int, pattern: str, seen: list[tuple[str, float]] | None = None
) -> AsyncIterator[None]:
    """`count` subscribers, each known to be live before the block is entered."""
    from google.protobuf.duration_pb2 import Duration

    live = asyncio.Semaphore(0)

    async def follow(number: int) -> None:
        request = pb.StreamRequest(
            subjects=[pattern.format(number)] if pattern else [], heartbeat_interval=Duration(seconds=600)
        )
        async for event in stubs[number % len(stubs)].StreamSchemaChanges(request):
            if event.heartbeat:
                live.release()
            elif seen is not None:
                seen.append((event.schema_id, time.perf_counter()))

    tasks = [asyncio.create_task(follow(n)) for n in range(count)]
    for _ in range(count):
        await live.acquire()
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def fan_out(stub: Stub, stubs: list[Stub], schemas: Schemas, changes: int) -> list[float]:
    """Seconds from the call of a write until each of a thousand subscribers has its change, one write at a time."""
    seen: list[tuple[str, float]] = []
    delays: list[float] = []
    async with subscribed(stubs, 1000, "", seen):
        for _ in range(changes):
            seen.clear()
            began = time.perf_counter()
            done = await stub.RegisterSchema(schemas.next())
            async with asyncio.timeout(30):
                while len(seen) < 1000:  # noqa: ASYNC110  # an event each would cost the subscribers more
                    await asyncio.sleep(0.001)
            delays += [at - began for schema_id, at in seen if schema_id == done.schema_id]
    return delays


async def measure(target: str, rounds: int, seconds: float) -> tuple[list[Part], list[float]]:
    channels = [
        grpc.aio.insecure_channel(target, options=(("grpc.use_local_subchannel_pool", 1),))
        for _ in range(CHANNELS)
    ]
    stubs: list[Stub] = [schema_registry_pb2_grpc.SchemaRegistryStub(c) for c in channels]
    schemas = Schemas()
    alone, others, everything = (
        Part("no subscriber"),
        Part("1,000 subscribers of other subjects"),
        Part("100 subscribers of everything"),
    )
    await write(stubs[0], schemas, 2.0, Part("warm-up"))
    for _ in range(rounds):
        await write(stubs[0], schemas, seconds, alone)
        async with subscribed(stubs, 1000, "team{}.*"):
            await write(stubs[0], schemas, seconds, others)
        async with subscribed(stubs, 100, ""):
            await write(stubs[0], schemas, seconds, everything)
    delays = await fan_out(stubs[0], stubs, schemas, 30)
    for channel in channels:
        await channel.close()
    return [alone, others, everything], delays


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def report(parts: list[Part], delays: list[float], rounds: int, seconds: float, load: float) -> str:
    """The page, in Markdown."""
    base = statistics.median(parts[0].rates)
    lines = [
        "# Writes",
        "",
        f"`python loadtest/writes.py --rounds {rounds} --seconds {seconds:g}`",
        "",
        f"{os.cpu_count()} processors shared with the load generator, load average before the run {load:.1f}; "
        f"Python {platform.python_version()}, grpcio {grpc.__version__}; storage "
        f"{os.environ.get('SCHEMA_REGISTRY_STORAGE__KIND', 'sqlite')}, every commit on disk before its answer.",
        "",
        "| while the server has | registrations/s, median (lowest to highest) | beside no subscriber | p50, p95 |",
        "|---|---|---|---|",
    ]
    for part in parts:
        ratio = statistics.median(a / b for a, b in zip(part.rates, parts[0].rates, strict=True))
        lines.append(
            f"| {part.name} | {statistics.median(part.rates):,.0f} ({min(part.rates):,.0f} to {max(part.rates):,.0f}) "
            f"| {ratio:.0%} | {percentile(part.latencies, 0.5) * 1000:.1f} ms, "
            f"{percentile(part.latencies, 0.95) * 1000:.1f} ms |"
        )
    lines += [
        "",
        f"{WRITERS} writers at a time; each call parses a new schema, compares it and stores it ({base:,.0f}/s alone).",
        "",
        "From the call of a write until a subscriber has its change, with 1,000 subscribers of everything: "
        f"p50 {percentile(delays, 0.5) * 1000:.1f} ms, p99 {percentile(delays, 0.99) * 1000:.1f} ms "
        f"({len(delays):,} deliveries; the subscribers' own process takes its share of both).",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--markdown", type=Path, help="write the page here too")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as home:
        ready = Path(home) / "ready.json"
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(str(ROOT / p) for p in ("server", "clients/python")),
            "SCHEMA_REGISTRY_STORAGE__PATH": f"{home}/registry.db",
            "SCHEMA_REGISTRY_GRPC__PORT": "0",
            "SCHEMA_REGISTRY_HTTP__PORT": "0",
            "SCHEMA_REGISTRY_METRICS__PORT": "0",
            "SCHEMA_REGISTRY_LOGS__LEVEL": "error",
        }
        server = subprocess.Popen(
            [sys.executable, "-m", "llm_schema_registry_server", "serve", "--ready-file", str(ready)],
            env=environment,
        )
        try:
            while not ready.exists():
                if server.poll() is not None:
                    raise SystemExit("the server did not start")
                time.sleep(0.05)
            target = f"127.0.0.1:{json.loads(ready.read_text())['grpc']}"
            parts, delays = uvloop.run(measure(target, options.rounds, options.seconds))
        finally:
            server.terminate()
            server.wait(30)
    page = report(parts, delays, options.rounds, options.seconds, load)
    print(page)
    if options.markdown:
        options.markdown.write_text(page)


if __name__ == "__main__":
    main()
