"""Compiles of one caller beside others whose schemas abort the compiler, each with a new one every time.

    PYTHONPATH=engines:server python loadtest/aborts.py [--attackers 6] [--seconds 10] [--back-off 60]

The guard before the compiler is off here, since nothing is known that gets past it: protoc itself is aborted. `--back-off 0`
shows what it would be without workers.crash_back_off_seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections import Counter
from dataclasses import replace

import uvloop

from llm_schema_engines.formats.catalogue import EngineLimits
from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.model.schema import SchemaType
from llm_schema_registry_server.errors import InvalidSchema, LimitExceeded
from llm_schema_registry_server.queues import caller as callers
from llm_schema_registry_server.queues.caller import Caller
from llm_schema_registry_server.settings import WorkersSettings
from llm_schema_registry_server.workers.engines import FACTORY
from llm_schema_registry_server.workers.processes import ProcessWorkers
from llm_schema_registry_server.workers.tasks import Parse

UNGUARDED = EngineLimits(protobuf=replace(EngineLimits().protobuf, brackets=1 << 40))


def aborting(name: str) -> SchemaSource:
    deep = "{a " * 100 + "{}" + "}" * 100
    return SchemaSource(
        b'import "google/protobuf/descriptor.proto"; message O { optional O a = 1; } '
        b"extend google.protobuf.FileOptions { optional O o = 50001; } "
        + f"option (o) = {deep}; message {name} {{}}".encode()
    )


def harmless(number: int) -> SchemaSource:
    return SchemaSource(
        f'syntax = "proto3"; message Order{number} {{ string id = 1; int32 n = 2; }}'.encode()
    )


async def attack(workers: ProcessWorkers, number: int, end: float, found: Counter[str]) -> None:
    callers.bind(Caller(f"attacker {number}"))
    count = 0
    while time.monotonic() < end:
        count += 1
        try:
            await workers.run(Parse(SchemaType.PROTOBUF, aborting(f"M{number}_{count}")))
        except InvalidSchema:
            found["aborted"] += 1
        except LimitExceeded:
            found["refused"] += 1
            await asyncio.sleep(0.01)


async def measure(workers: ProcessWorkers, attackers: int, seconds: float) -> None:
    for count in (0, attackers):
        end, found, took = time.monotonic() + seconds, Counter[str](), list[float]()
        attacks = [asyncio.create_task(attack(workers, n, end, found)) for n in range(count)]
        callers.bind(Caller("neighbour"))
        while time.monotonic() < end:
            began = time.monotonic()
            try:
                await workers.run(Parse(SchemaType.PROTOBUF, harmless(len(took) + 1_000_000 * count)))
            except LimitExceeded:
                found["neighbour refused"] += 1
            took.append((time.monotonic() - began) * 1e3)
            await asyncio.sleep(0.02)
        await asyncio.gather(*attacks)
        steps = statistics.quantiles(took, n=100)
        print(
            f"beside {count} attackers: {len(took)} compiles, p50 {steps[49]:.1f} ms, p99 {steps[98]:.1f} ms, most "
            f"{max(took):.1f} ms; {dict(found)}, {dict(workers.facts())}"
        )


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--attackers", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--back-off", type=float, default=60.0)
    options = parser.parse_args()
    workers = ProcessWorkers(WorkersSettings(crash_back_off_seconds=options.back_off), FACTORY, UNGUARDED)
    await workers.start()
    try:
        await measure(workers, options.attackers, options.seconds)
    finally:
        await workers.stop()


if __name__ == "__main__":
    uvloop.run(main())
