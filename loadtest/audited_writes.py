"""What the audit log costs a registration: processor time and rate of two servers, one with it and one without, in turns.

    python loadtest/audited_writes.py [--postgres] [--rounds 5] [--seconds 3] [--writers 32] [--markdown FILE]

Both servers run from the start to the end; in every round each of them gets the same load. Processor time is that of the server, its
workers included, sequencing included; figures are medians of the rounds. Each registration is a new JSON Schema under a new subject.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import statistics
import time
from contextlib import ExitStack

import rig
import uvloop

from llm_schema_registry.v1 import schema_registry_pb2 as pb

NAMES = itertools.count()


async def load(server: rig.Server, writers: int, seconds: float) -> tuple[float, float]:
    """Registrations per second, and processor milliseconds for each."""
    channels = [rig.channel(server.port) for _ in range(min(writers, 8))]
    stubs = [rig.stub(channel) for channel in channels]
    end, done = time.perf_counter() + seconds, 0

    async def writer(number: int) -> None:
        nonlocal done
        while time.perf_counter() < end:
            name = next(NAMES)
            content = f'{{"type":"object","properties":{{"f{name}":{{"type":"string"}}}}}}'.encode()
            await stubs[number % len(stubs)].RegisterSchema(
                pb.RegisterSchemaRequest(
                    subject=f"load-{name}", schema_content=content, schema_type=pb.SCHEMA_TYPE_JSON
                )
            )
            done += 1

    before, began = sum(server.cpu()), time.perf_counter()
    await asyncio.gather(*map(writer, range(writers)))
    rate = done / (time.perf_counter() - began)
    await asyncio.sleep(2)  # what was written last is sequenced, too
    used = (sum(server.cpu()) - before) * 1000 / done
    for channel in channels:
        await channel.close()
    return rate, used


def main() -> None:
    parser = rig.parser(__doc__)
    parser.add_argument("--postgres", action="store_true", help="store in PostgreSQL instead of SQLite")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--writers", type=int, default=32)
    given = parser.parse_args()
    before = os.getloadavg()[0]
    figures: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    with ExitStack() as stack:
        settings: dict[bool, dict[str, str]] = {True: {}, False: {}}
        if given.postgres:
            cluster = stack.enter_context(rig.postgres_cluster())
            for on in settings:
                dsn = asyncio.run(cluster.create_database())
                settings[on] = {"STORAGE__KIND": "postgres", "STORAGE__POSTGRES__DSN": dsn}
        servers = {
            on: stack.enter_context(rig.server(AUDIT__ENABLED=str(on).lower(), **settings[on]))
            for on in settings
        }
        for server in servers.values():
            uvloop.run(load(server, given.writers, 1.0))
        for number in range(given.rounds):
            for on in (True, False) if number % 2 else (False, True):
                figures[on].append(uvloop.run(load(servers[on], given.writers, given.seconds)))
    lines = rig.head("What the audit log costs a registration", before)
    lines += ["| audit log | registrations/s | processor time of each, ms |", "|---|---|---|"]
    medians = {
        on: [statistics.median(column) for column in zip(*rows, strict=True)] for on, rows in figures.items()
    }
    for on, (rate, used) in medians.items():
        lines.append(f"| {'on' if on else 'off'} | {rate:,.0f} | {used:.3f} |")
    (fast, more), (plain, less) = medians[True], medians[False]
    lines.append(f"| on / off | {fast / plain:.2f} | {more / less:.2f} |")
    rig.publish(lines, given.markdown)


if __name__ == "__main__":
    main()
