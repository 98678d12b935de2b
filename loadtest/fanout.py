"""How long after a write a thousand subscribers have its change, on the server that wrote it and on another one.

    python loadtest/fanout.py [--writes 100] [--markdown loadtest/results/fanout.md]

Two servers on a PostgreSQL with durable commits, and for the last row two that may not LISTEN (as behind PgBouncer) and poll. A
thousand subscribers of everything, in a process of their own, wait on one of the servers; another process registers one new
schema at a time, and the next only when all have the one before. Measured is from the moment the writer has its answer until a
subscriber has the change; a delivery before the answer counts as zero. Both read the clock of the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import rig
from google.protobuf.duration_pb2 import Duration

from llm_schema_registry.v1 import schema_registry_pb2 as pb

SUBSCRIBERS, CHANNELS = 1000, 20


@dataclass(frozen=True)
class Delays:
    """Seconds from the answer of a write until each subscriber had it, and until the last one had it."""

    each: Sequence[float]
    last: Sequence[float]


async def subscribe(port: int) -> None:
    """The subscribers' process: says on standard output when all listen, and of each change when each of them had it."""
    channels = [rig.channel(port) for _ in range(CHANNELS)]
    live = asyncio.Semaphore(0)
    had: dict[str, list[float]] = {}

    async def follow(number: int) -> None:
        stub: Any = rig.stub(channels[number % CHANNELS])
        async for event in stub.StreamSchemaChanges(
            pb.StreamRequest(heartbeat_interval=Duration(seconds=600))
        ):
            if event.heartbeat:
                live.release()
                continue
            times = had.setdefault(event.schema_id, [])
            times.append(time.monotonic())
            if len(times) == SUBSCRIBERS:
                print(json.dumps({"schema_id": event.schema_id, "times": times}), flush=True)

    async with asyncio.TaskGroup() as group:
        for number in range(SUBSCRIBERS):
            group.create_task(follow(number))
        for _ in range(SUBSCRIBERS):
            await live.acquire()
        print(json.dumps({"live": SUBSCRIBERS}), flush=True)


async def told(subscribers: asyncio.StreamReader) -> dict[str, Any]:
    """The next line of the subscribers' process."""
    async with asyncio.timeout(60):
        line: dict[str, Any] = json.loads(await subscribers.readline())
    return line


async def write(port: int, subscribers: asyncio.StreamReader, writes: int) -> Delays:
    each: list[float] = []
    last: list[float] = []
    async with rig.channel(port) as channel:
        stub: Any = rig.stub(channel)
        await told(subscribers)
        name = uuid.uuid4().hex  # a schema that is there already would change nothing
        for number in range(writes + 5):
            request = pb.RegisterSchemaRequest(
                subject=f"{name}.s{number}",
                schema_content=rig.schema(number),
                schema_type=pb.SCHEMA_TYPE_JSON,
            )
            await stub.RegisterSchema(request)
            answered = time.monotonic()
            seen = await told(subscribers)
            if number >= 5:  # the first ones warm up
                delays = [max(0.0, at - answered) for at in seen["times"]]
                each += delays
                last.append(max(delays))
    return Delays(each, last)


async def measure(writing: int, reading: int, writes: int) -> Delays:
    """Writes on one server, subscribers on the same or another one."""
    subscribers = await asyncio.create_subprocess_exec(
        sys.executable,
        __file__,
        "--subscribe",
        str(reading),
        stdout=subprocess.PIPE,
        limit=1 << 20,
    )
    assert subscribers.stdout is not None
    try:
        return await write(writing, subscribers.stdout, writes)
    finally:
        subscribers.kill()
        await subscribers.wait()


def cells(delays: Delays) -> str:
    figures = [rig.percentile(delays.each, 0.5), rig.percentile(delays.each, 0.99)]
    figures += [rig.percentile(delays.last, 0.5), rig.percentile(delays.last, 0.99)]
    return " | ".join(f"{seconds * 1000:.0f} ms" for seconds in figures)


def main() -> None:
    parser = rig.parser(__doc__)
    parser.add_argument("--writes", type=int, default=100)
    parser.add_argument("--subscribe", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.subscribe:
        asyncio.run(subscribe(options.subscribe))
        return
    lines = [
        *rig.head("Fan-out of changes", os.getloadavg()[0]),
        f"| {SUBSCRIBERS:,} subscribers on | p50 | p99 | the last of them, p50 | p99 |",
        "|---|---|---|---|---|",
    ]
    with rig.postgres() as database:
        for name, settings in (("", {}), (", polling", {"STORAGE__POSTGRES__TRANSACTION_POOLER": "true"})):
            with ExitStack() as stack:
                shared = {**database(), **settings}
                one, two = (stack.enter_context(rig.server(**shared)) for _ in range(2))
                pairs = (("the server that wrote", one, one), ("another server", one, two))
                for place, writing, reading in pairs[bool(name) :]:
                    delays = asyncio.run(measure(writing.port, reading.port, options.writes))
                    lines.append(f"| {place}{name} | {cells(delays)} |")
    lines += [
        "",
        f"{options.writes} writes one after the other, each {SUBSCRIBERS:,} deliveries over {CHANNELS} connections. Polling: every "
        "`storage.postgres.poll_seconds` (0.25 s).",
    ]
    rig.publish(lines, options.markdown)


if __name__ == "__main__":
    main()
