"""What subscribers of everything add to the processor time of a registration, on each wire, and what of it is the wire's own.

    python loadtest/subscribers.py [--subscribers 1000] [--writes 120] [--rounds 3] [--only TEXT] [--markdown loadtest/results/subscribers.md]

A server for each engine, on SQLite with durable commits. In every round the same number of new schemas is registered, eight at once, and
the next eight when all subscribers have these: without subscribers, with subscribers of everything over 20 connections, with subscribers of
everything that want the schemas too, with streams of 100 patterns each that fit nothing, and with subscribers over server-sent events, a
connection each. The subscribers are a process of their own. Processor time is the server's, without its workers and the
cached answers. The floor is
loadtest/empty_servers.py: an empty handler that writes the same bytes to as many streams.

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
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import psutil
import rig
from google.protobuf.duration_pb2 import Duration

from llm_schema_registry.v1 import schema_registry_pb2 as pb

CHANNELS, WRITERS = 20, 8
EVENT_BYTES = 230
LONGER = 8
"""So many times more writes where nobody is told: the system counts processor time in steps of 10 ms."""
PATTERNS = "of 100 patterns each"
Figures = tuple[float, float]


@dataclass(frozen=True)
class Kind:
    """A row: who subscribes on which engine. wire: what the subscribers speak; "" for nobody. told: whether they get the changes."""

    name: str
    engine: str
    wire: str = "grpc"
    with_schema: bool = False
    patterns: bool = False

    @property
    def told(self) -> bool:
        return bool(self.wire) and not self.patterns


KINDS = tuple(
    kind
    for engine in ("native", "grpcio")
    for kind in (
        Kind(f"{engine}: no subscriber", engine, wire=""),
        Kind(f"{engine}: subscribers of everything", engine),
        Kind(f"{engine}: with schemas", engine, with_schema=True),
        Kind(f"{engine}: {PATTERNS}", engine, patterns=True),
        *((Kind("native: of everything, server-sent events", engine, wire="http"),) * (engine == "native")),
    )
)
FLOORS = ("native", "grpcio")


class Seen:
    """Says on standard output when all subscribers listen, and how many changes all of them have."""

    def __init__(self, subscribers: int) -> None:
        self._subscribers = subscribers
        self._live = 0
        self._had: list[int] = [0] * subscribers
        self._missing: dict[int, int] = {}

    def lives(self) -> None:
        self._live += 1
        if self._live == self._subscribers:
            print(0, flush=True)

    def event(self, number: int) -> None:
        self._had[number] += 1
        change = self._had[number]
        missing = self._missing[change] = self._missing.get(change, self._subscribers) - 1
        if not missing:
            del self._missing[change]
            print(change, flush=True)


class Events(asyncio.Protocol):
    """A subscriber over server-sent events."""

    def __init__(self, seen: Seen, number: int) -> None:
        self._seen, self._number = seen, number
        self._begun, self._rest = False, b""

    def connection_made(self, transport: Any) -> None:
        transport.write(
            b"GET /api/v1/changes HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
        )

    def data_received(self, data: bytes) -> None:
        if not self._begun and b"retry:" in data:
            self._begun = True
            self._seen.lives()
        data = self._rest + data
        for _ in range(data.count(b"data: {")):
            self._seen.event(self._number)
        self._rest = data[-6:] if not data.endswith(b"\n") else b""


async def subscribe(port: int, kind: Kind, count: int) -> None:
    """The subscribers' process."""
    seen = Seen(count)
    if kind.wire == "http":
        loop = asyncio.get_running_loop()
        for number in range(count):
            await loop.create_connection(lambda number=number: Events(seen, number), "127.0.0.1", port)  # type: ignore[misc]
        await asyncio.Event().wait()
    channels = [rig.channel(port) for _ in range(CHANNELS)]

    async def follow(number: int) -> None:
        stub: Any = rig.stub(channels[number % CHANNELS])
        patterns = [f"*{number}x{n}*y?" for n in range(100)] if kind.patterns else []
        request = pb.StreamRequest(
            heartbeat_interval=Duration(seconds=600), subjects=patterns, include_schema=kind.with_schema
        )
        async for event in stub.StreamSchemaChanges(request):
            if event.heartbeat:
                seen.lives()
            else:
                seen.event(number)

    await asyncio.gather(*(follow(number) for number in range(count)))


async def register(port: int, writes: int, told: Callable[[int], Awaitable[None]] | None = None) -> str:
    """Registers so many new schemas, eight at once; the id of one of them. `told` waits until the first so many reached everybody."""
    name, made = uuid.uuid4().hex, ""
    async with rig.channel(port) as channel:
        stub: Any = rig.stub(channel)

        async def write(number: int) -> None:
            nonlocal made
            request = pb.RegisterSchemaRequest(
                subject=f"{name}.s{number}",
                schema_content=rig.schema(number) + b" " * number,
                schema_type=pb.SCHEMA_TYPE_JSON,
            )
            made = (await stub.RegisterSchema(request)).schema_id

        for start in range(0, writes, WRITERS):
            end = min(start + WRITERS, writes)
            await asyncio.gather(*(write(number) for number in range(start, end)))
            if told is not None:
                await told(end)
    return made


class Asking:
    """A caller who asks for a cached answer every 2 ms, until it is cancelled."""

    def __init__(self) -> None:
        self.calls = 0
        self.longest = 0.0

    async def __call__(self, port: int, schema_id: str) -> None:
        async with rig.channel(port) as channel:
            stub: Any = rig.stub(channel)
            while True:
                began = time.perf_counter()
                await stub.GetSchema(pb.GetSchemaRequest(schema_id=schema_id))
                self.longest = max(self.longest, time.perf_counter() - began)
                self.calls += 1
                await asyncio.sleep(0.002)


@asynccontextmanager
async def subscribed(
    server: rig.Server, kind: Kind, count: int
) -> AsyncIterator[Callable[[int], Awaitable[None]] | None]:
    """Subscribers for the time of the block, which gets what waits until all have so many changes."""
    if not kind.wire:
        yield None
        return
    port = server.http if kind.wire == "http" else server.port
    arguments = ("--subscribe", kind.name, "--port", str(port), "--subscribers", str(count))
    subscribers = await asyncio.create_subprocess_exec(
        sys.executable, __file__, *arguments, stdout=subprocess.PIPE
    )
    output = subscribers.stdout
    assert output is not None
    before = 0

    async def told(changes: int) -> None:
        async with asyncio.timeout(180):
            while int(await output.readline()) < before + changes:
                pass

    try:
        async with asyncio.timeout(180):
            assert await output.readline()
        if kind.told:
            await register(server.port, WRITERS, told)
            before = WRITERS
        yield told if kind.told else None
    finally:
        subscribers.kill()
        await subscribers.wait()
        await asyncio.sleep(1.0)


async def measure(server: rig.Server, kind: Kind, count: int, writes: int) -> Figures:
    """Processor milliseconds of a registration, and the longest wait beside in milliseconds."""
    async with subscribed(server, kind, count) as told:
        made = await register(server.port, 1)
        if told is not None:
            await told(1)
        asking = Asking()
        task = asyncio.create_task(asking(server.port, made))
        await asyncio.sleep(0.5)
        before, calls = server.cpu()[0], asking.calls
        await asyncio.sleep(1.0)
        each = (server.cpu()[0] - before) / (asking.calls - calls)
        before, calls, asking.longest = server.cpu()[0], asking.calls, 0.0
        if told is None:
            writes *= LONGER
            await register(server.port, writes)
        else:
            await register(server.port, writes, lambda changes: told(changes + 1))
        used = server.cpu()[0] - before - each * (asking.calls - calls)
        task.cancel()
        return used * 1000 / writes, asking.longest * 1000


@contextmanager
def empty(engine: str, count: int) -> Iterator[tuple[psutil.Process, Callable[[], None]]]:
    """A server that does nothing but write to streams, with its subscribers, and what has it write once to each of them."""
    command = [
        sys.executable,
        str(rig.ROOT / "loadtest/empty_servers.py"),
        f"{engine}-streams",
        str(EVENT_BYTES),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        sending, told = server.stdin, server.stdout
        port = told.readline().decode().strip()
        kind = next(kind for kind in KINDS if kind.engine == engine and kind.told)
        arguments = ("--subscribe", kind.name, "--port", port, "--subscribers", str(count))
        with subprocess.Popen([sys.executable, __file__, *arguments], stdout=subprocess.PIPE) as subscribers:
            assert subscribers.stdout is not None
            having = subscribers.stdout

            def send() -> None:
                sending.write(b"\n")
                sending.flush()
                having.readline()

            sending.write(b"%d\n" % count)
            sending.flush()
            told.readline()  # all are there
            try:
                yield psutil.Process(server.pid), send
            finally:
                subscribers.kill()
                server.kill()


def floor(engine: str, count: int, messages: int = 60) -> float:
    """Microseconds of processor time for each message that an empty handler writes."""
    with empty(engine, count) as (process, send):
        for _ in range(5):
            send()
        before = sum(process.cpu_times()[:2])
        for _ in range(messages):
            send()
        return (sum(process.cpu_times()[:2]) - before) * 1e6 / messages / count


def main() -> None:
    parser = rig.parser(__doc__)
    parser.add_argument("--subscribers", type=int, default=1000)
    parser.add_argument("--writes", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--only", default="", help="kinds that hold this text, beside those without subscribers"
    )
    parser.add_argument("--subscribe", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.subscribe:
        kind = next(kind for kind in KINDS if kind.name == options.subscribe)
        asyncio.run(subscribe(options.port, kind, options.subscribers))
        return
    head = rig.head("Subscribers and registrations", os.getloadavg()[0])
    kinds = [kind for kind in KINDS if options.only in kind.name]
    engines = {kind.engine for kind in kinds}
    kinds = [kind for kind in KINDS if kind in kinds or (not kind.wire and kind.engine in engines)]
    found: dict[Kind, list[Figures]] = {kind: [] for kind in kinds}
    floors: dict[str, list[float]] = {engine: [] for engine in FLOORS if engine in engines}
    given = json.loads(os.environ.get("SERVER_SETTINGS", "{}"))
    with ExitStack() as stack:
        servers = {
            engine: stack.enter_context(rig.server(GRPC__ENGINE=engine, **given)) for engine in engines
        }
        for server in servers.values():
            asyncio.run(register(server.port, 100))
        for _ in range(options.rounds):
            for kind in kinds:
                figures = asyncio.run(
                    measure(servers[kind.engine], kind, options.subscribers, options.writes)
                )
                found[kind].append(figures)
                print(kind.name, *(f"{figure:.1f}" for figure in figures), flush=True)
            for engine, measured in floors.items():
                measured.append(floor(engine, options.subscribers))
                print(engine, f"floor {measured[-1]:.1f} us", flush=True)
    alone = {kind.engine: statistics.median(u for u, _ in found[kind]) for kind in kinds if not kind.wire}
    lines = [
        *head,
        f"| {options.subscribers:,} subscribers | processor time of a registration | beside none | for each delivery | the wire's floor | longest wait |",
        "|---|---|---|---|---|---|",
    ]
    for kind, of_kind in found.items():
        used, longest = (statistics.median(figure[n] for figure in of_kind) for n in (0, 1))
        base = alone[kind.engine]
        each = f"{(used - base) * 1000 / options.subscribers:.1f} us" if kind.told else ""
        own = f"{statistics.median(floors[kind.engine]):.1f} us" if kind.told and kind.wire == "grpc" else ""
        lines.append(
            f"| {kind.name} | {used:.2f} ms | {used / base:.1f} | {each} | {own} | {longest:.0f} ms |"
        )
    rig.publish(lines, options.markdown)


if __name__ == "__main__":
    main()
