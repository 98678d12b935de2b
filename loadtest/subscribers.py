"""What subscribers of everything add to the processor time of a registration, and how long one piece of work on the loop is.

    python loadtest/subscribers.py [--subscribers 1000] [--writes 150] [--rounds 3] [--markdown loadtest/results/subscribers.md]

One server on SQLite with durable commits. In every round the same number of new schemas is registered by eight writers without
subscribers, with subscribers of everything, with subscribers of everything that want the schemas too and with streams of 100
patterns each that fit nothing; the subscribers are a process of their own. Processor time is the server's, without its workers.
The longest wait is of a caller who asks for a cached answer every 2 ms meanwhile: it holds the longest stretch of the loop, and
whatever else the machine does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
import uuid
from typing import Any

import rig
from google.protobuf.duration_pb2 import Duration

from llm_schema_registry.v1 import schema_registry_pb2 as pb

CHANNELS, WRITERS = 20, 8
KINDS = ("no subscriber", "subscribers of everything", "with schemas", "of 100 patterns each")


def wanted(kind: str, number: int) -> pb.StreamRequest:
    beat = Duration(seconds=600)
    if kind == "of 100 patterns each":
        patterns = [f"*{number}x{n}*y?" for n in range(100)]
        return pb.StreamRequest(heartbeat_interval=beat, subjects=patterns)
    return pb.StreamRequest(heartbeat_interval=beat, include_schema=kind == "with schemas")


async def subscribe(port: int, kind: str, count: int) -> None:
    """The subscribers' process: says on standard output when all listen."""
    channels = [rig.channel(port) for _ in range(CHANNELS)]
    live = asyncio.Semaphore(0)

    async def follow(number: int) -> None:
        stub: Any = rig.stub(channels[number % CHANNELS])
        async for event in stub.StreamSchemaChanges(wanted(kind, number)):
            if event.heartbeat:
                live.release()

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(follow(number))
        for _ in range(count):
            await live.acquire()
        print("live", flush=True)


async def register(port: int, writes: int) -> str:
    """Registers so many new schemas; the id of one of them."""
    name, numbers, made = uuid.uuid4().hex, iter(range(writes)), ""
    async with rig.channel(port) as channel:
        stub: Any = rig.stub(channel)

        async def writer() -> None:
            nonlocal made
            for number in numbers:
                request = pb.RegisterSchemaRequest(
                    subject=f"{name}.s{number}",
                    schema_content=rig.schema(number) + b" " * number,
                    schema_type=pb.SCHEMA_TYPE_JSON,
                )
                made = (await stub.RegisterSchema(request)).schema_id

        await asyncio.gather(*(writer() for _ in range(WRITERS)))
    return made


async def longest_wait(port: int, schema_id: str) -> float:
    """Until it is cancelled; then the longest wait for a cached answer in seconds."""
    longest = 0.0
    async with rig.channel(port) as channel:
        stub: Any = rig.stub(channel)
        try:
            while True:
                began = time.perf_counter()
                await stub.GetSchema(pb.GetSchemaRequest(schema_id=schema_id))
                longest = max(longest, time.perf_counter() - began)
                await asyncio.sleep(0.002)
        except asyncio.CancelledError:
            return longest


async def measure(server: rig.Server, kind: str, count: int, writes: int) -> tuple[float, float]:
    """Processor milliseconds of a registration, and the longest wait beside in milliseconds."""
    subscribers = None
    if kind != KINDS[0]:
        arguments = ("--subscribe", kind, "--port", str(server.port), "--subscribers", str(count))
        subscribers = await asyncio.create_subprocess_exec(
            sys.executable, __file__, *arguments, stdout=subprocess.PIPE
        )
        assert subscribers.stdout is not None
        async with asyncio.timeout(180):
            assert await subscribers.stdout.readline()
    try:
        made = await register(server.port, 20)
        await asyncio.sleep(1.0)
        asking = asyncio.create_task(longest_wait(server.port, made))
        before = server.cpu()[0]
        await register(server.port, writes)
        await asyncio.sleep(1.0)
        used = (server.cpu()[0] - before) * 1000 / writes
        asking.cancel()
        return used, await asking * 1000
    finally:
        if subscribers is not None:
            subscribers.kill()
            await subscribers.wait()
            await asyncio.sleep(1.0)


def main() -> None:
    parser = rig.parser(__doc__)
    parser.add_argument("--subscribers", type=int, default=1000)
    parser.add_argument("--writes", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engine", default="native")
    parser.add_argument("--subscribe", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.subscribe:
        asyncio.run(subscribe(options.port, options.subscribe, options.subscribers))
        return
    head = rig.head("Subscribers and registrations", os.getloadavg()[0])
    found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
    settings = {"GRPC__ENGINE": options.engine, **json.loads(os.environ.get("SERVER_SETTINGS", "{}"))}
    with rig.server(**settings) as server:
        asyncio.run(register(server.port, 100))
        for _ in range(options.rounds):
            for kind in KINDS:
                figures = asyncio.run(measure(server, kind, options.subscribers, options.writes))
                found[kind].append(figures)
                print(kind, *(f"{figure:.1f}" for figure in figures), flush=True)
    alone = statistics.median(used for used, _ in found[KINDS[0]])
    lines = [
        *head,
        f"| {options.subscribers:,} on the {options.engine} engine | processor time of a registration | beside none | longest wait |",
        "|---|---|---|---|",
    ]
    for kind, measured in found.items():
        used = statistics.median(u for u, _ in measured)
        longest = statistics.median(w for _, w in measured)
        lines.append(f"| {kind} | {used:.2f} ms | {used / alone:.1f} | {longest:.0f} ms |")
    rig.publish(lines, options.markdown)


if __name__ == "__main__":
    main()
