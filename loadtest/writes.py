"""Registrations per second, what a thousand subscribers cost them, and how long a change takes to reach everyone.

    python loadtest/writes.py [--postgres] [--instances 2] [--writers 64] [--kilobytes 1.6] [--rounds 5] [--seconds 4] [--markdown loadtest/results/writes.md]

Starts a server with an empty SQLite file, or one or more with a PostgreSQL of their own, and durable commits. With several, every other writer uses the next one, so that all of them write to all subjects. In every round the same load is measured without
subscribers, with a thousand that wait for other subjects, and with a hundred that want everything, one after the other on
one server, so that all see the same machine; figures are medians of the rounds. Writers register a new JSON Schema each
time, as a new version of one of 500 subjects, with parsing and the compatibility check. Subscribers and writers share a
process of their own beside the server. --kilobytes: fields with descriptions are added to each schema, up to this size.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import grpc
import rig
import uvloop

from llm_schema_registry.v1 import schema_registry_pb2 as pb

if TYPE_CHECKING:
    from llm_schema_registry.v1.schema_registry_pb2_grpc import SchemaRegistryAsyncStub as Stub
    from tests.support.postgres import Postgres

SUBJECTS = 500
CHANNELS = 20
PROSE = "What the field says, in a sentence as people write them in a schema of theirs."


@dataclass
class Part:
    """One kind of load: registrations per second and their latencies (seconds), round by round."""

    name: str
    rates: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)


class Account:
    """Who used how much of the processors; hardly depends on what else the machine does, as rates do."""

    def __init__(self, servers: list[rig.Server], database: Postgres | None) -> None:
        self._servers, self._database = servers, database
        self.used: dict[str, list[float]] = {}

    @contextmanager
    def of(self, part: Part) -> Iterator[None]:
        """Notes milliseconds for each registration that is made in the block."""
        before, made = self._now(), len(part.latencies)
        yield
        for name, seconds in self._now().items():
            each = (seconds - before[name]) * 1000 / (len(part.latencies) - made)
            self.used.setdefault(name, []).append(each)

    def _now(self) -> dict[str, float]:
        own, workers = zip(*(server.cpu() for server in self._servers), strict=True)
        database = {"database": self._database.cpu_seconds()} if self._database else {}
        return {"server": sum(own), "its workers": sum(workers), **database, "writers": time.process_time()}


class Schemas:
    """Ever new schemas, no two of them alike, each compatible with the one before it on its subject: it allows a longer text."""

    def __init__(self, kilobytes: float = 0.0) -> None:
        self._made = self._asked = 0
        self._more: dict[str, dict[str, str]] = {}
        while self.size < kilobytes * 1000:
            self._more[f"field_{len(self._more)}"] = {"type": "string", "description": PROSE}

    @property
    def size(self) -> int:
        """Bytes of a schema."""
        return len(self._request(0).schema_content)

    def next(self) -> pb.RegisterSchemaRequest:
        self._made += 1
        return self._request(self._made - 1)

    def again(self) -> pb.RegisterSchemaRequest:
        """One of those that were made in the beginning."""
        self._asked += 1
        return self._request(self._asked % min(self._made, SUBJECTS))

    def _request(self, number: int) -> pb.RegisterSchemaRequest:
        version = number // SUBJECTS
        text = {"type": "string", "maxLength": 100 + version}
        own = f"n{number % SUBJECTS}"
        properties = {"id": text, own: {"type": "integer"}, **self._more}
        content = {"type": "object", "properties": properties, "required": ["id"]}
        return pb.RegisterSchemaRequest(
            subject=f"load.s{number % SUBJECTS}",
            schema_content=json.dumps(content).encode(),
            schema_type=pb.SCHEMA_TYPE_JSON,
        )


async def write(
    stubs: list[Stub], make: Callable[[], pb.RegisterSchemaRequest], seconds: float, part: Part, writers: int
) -> None:
    """Register what is made, as fast as so many callers can, for `seconds`; each keeps to one of the stubs."""
    end = time.perf_counter() + seconds
    done = 0

    async def writer(stub: Stub) -> None:
        nonlocal done
        while time.perf_counter() < end:
            began = time.perf_counter()
            try:
                await stub.RegisterSchema(make())
            except grpc.aio.AioRpcError as error:
                # Two writers of one subject may meet: the shorter text then comes after the longer one.
                if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
                    raise
            part.latencies.append(time.perf_counter() - began)
            done += 1

    began = time.perf_counter()
    await asyncio.gather(*(writer(stubs[n % len(stubs)]) for n in range(writers)))
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


async def measure(
    ports: list[int], account: Account, schemas: Schemas, writers: int, rounds: int, seconds: float
) -> tuple[list[Part], list[float]]:
    channels = [rig.channel(ports[n % len(ports)]) for n in range(CHANNELS)]
    stubs = [rig.stub(channel) for channel in channels]
    writing = stubs[: len(ports)]
    again, alone, others, everything = (
        Part("no subscriber, and every schema is there already"),
        Part("no subscriber"),
        Part("1,000 subscribers of other subjects"),
        Part("100 subscribers of everything"),
    )
    await write(writing, schemas.next, 2.0, Part("warm-up"), writers)
    for _ in range(rounds):
        with account.of(alone):
            await write(writing, schemas.next, seconds, alone, writers)
        await write(writing, schemas.again, seconds, again, writers)
        async with subscribed(stubs, 1000, "team{}.*"):
            await write(writing, schemas.next, seconds, others, writers)
        async with subscribed(stubs, 100, ""):
            await write(writing, schemas.next, seconds, everything, writers)
    delays = await fan_out(stubs[0], stubs, schemas, 30)
    for channel in channels:
        await channel.close()
    return [alone, others, everything, again], delays


def report(
    parts: list[Part], delays: list[float], account: Account, schemas: Schemas, writers: int
) -> list[str]:
    """The lines of the page, in Markdown."""
    base = statistics.median(parts[0].rates)
    lines = [
        "| while the server has | registrations/s, median (lowest to highest) | beside no subscriber | p50, p95 |",
        "|---|---|---|---|",
    ]
    for part in parts:
        ratio = statistics.median(a / b for a, b in zip(part.rates, parts[0].rates, strict=True))
        lines.append(
            f"| {part.name} | {statistics.median(part.rates):,.0f} ({min(part.rates):,.0f} to {max(part.rates):,.0f}) "
            f"| {ratio:.0%} | {rig.percentile(part.latencies, 0.5) * 1000:.1f} ms, "
            f"{rig.percentile(part.latencies, 0.95) * 1000:.1f} ms |"
        )
    shares = {name: statistics.median(each) for name, each in account.used.items()}
    lines += [
        "",
        "Processor time for each registration without subscribers: "
        + ", ".join(f"{name} {each:.2f} ms" for name, each in shares.items())
        + f"; together {sum(shares.values()):.2f} ms.",
        "",
        f"{writers} writers at a time; each call parses a new schema of {schemas.size:,} bytes, compares it and stores it "
        f"({base:,.0f}/s alone).",
        "",
        "From the call of a write until a subscriber has its change, with 1,000 subscribers of everything: "
        f"p50 {rig.percentile(delays, 0.5) * 1000:.1f} ms, p99 {rig.percentile(delays, 0.99) * 1000:.1f} ms "
        f"({len(delays):,} deliveries; the subscribers' own process takes its share of both).",
    ]
    return lines


def main() -> None:
    parser = rig.parser(__doc__)
    parser.add_argument("--postgres", action="store_true", help="store in PostgreSQL instead of SQLite")
    parser.add_argument("--instances", type=int, default=1, help="servers on one PostgreSQL (default 1)")
    parser.add_argument("--writers", type=int, default=64, help="callers at a time (default 64)")
    parser.add_argument(
        "--kilobytes", type=float, default=0.0, help="of a schema (default: as small as they come)"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    options = parser.parse_args()
    if options.instances > 1 and not options.postgres:
        parser.error("several instances need --postgres")
    kind = "PostgreSQL" if options.postgres else "SQLite"
    served = f" {options.instances} servers share it." if options.instances > 1 else ""
    lines = [
        *rig.head("Writes", os.getloadavg()[0]),
        f"Stored in {kind}, every commit on disk before its answer.{served}",
        "",
    ]
    with ExitStack() as stack:
        database = stack.enter_context(rig.postgres_cluster()) if options.postgres else None
        storage = rig.on(asyncio.run(database.create_database())) if database else {}
        servers = [stack.enter_context(rig.server(**storage)) for _ in range(options.instances)]
        ports = [server.port for server in servers]
        account = Account(servers, database)
        schemas = Schemas(options.kilobytes)
        measured = measure(ports, account, schemas, options.writers, options.rounds, options.seconds)
        lines += report(*uvloop.run(measured), account, schemas, options.writers)
    rig.publish(lines, options.markdown)


if __name__ == "__main__":
    main()
