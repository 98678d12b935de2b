"""What subscribers of everything add to the processor time of a registration, on each wire, and what of it is the wire's own.

    python loadtest/subscribers.py [--subscribers 1000] [--writes 120] [--rounds 3] [--seconds 5] [--only TEXT] [--markdown FILE]

A server for each engine, on SQLite with durable commits. In every round the same number of new schemas is registered, eight at once, and
the next eight when all subscribers have these: without subscribers, with subscribers of everything over 20 connections, with subscribers of
everything over a connection each, with subscribers of everything that want the schemas too, with streams of 100 patterns each that fit
nothing, and with subscribers over server-sent events, a connection each. Then registrations follow each other without waiting for the
subscribers: 4, 20 and 100 a second, and as fast as 32 writers can; also with subscribers that take changes together (`gather`).
The subscribers are a process of their own. Processor time is the server's, without
its workers, the cached answers, and what the server takes in as much time when nobody asks for anything: it waits for the subscribers, which
are slower. The floor is loadtest/empty_servers.py: an empty handler that writes the same bytes to as many streams.

A delay is the time from when the server has dated a change (in its transaction, before the commit) until a subscriber has read it, by the
clock of the machine, of each fiftieth subscriber. The longest wait is of a caller who asks for a cached answer every 2 ms meanwhile: it holds the longest stretch of the loop, and
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
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import rig
from google.protobuf.duration_pb2 import Duration
from raw_streams import RawStreams

from llm_schema_registry.v1 import schema_registry_pb2 as pb

CHANNELS, WRITERS, FAST_WRITERS = 20, 8, 32
EVENT_BYTES = 230
STREAM_CHANGES = "/schema_registry.v1.SchemaRegistry/StreamSchemaChanges"
GATHER = 0.1
"""Seconds; what the SDK asks for."""
SAMPLE = 50
RATES = (4, 20, 100, 0)
"""Registrations a second; 0: as fast as the writers can."""
LONGER = 8
"""So many times more writes where nobody is told: the system counts processor time in steps of 10 ms."""
PATTERNS = "of 100 patterns each"
Figures = tuple[float, float]


@dataclass(frozen=True)
class Kind:
    """A row: who subscribes on which engine. wire: what the subscribers speak; "" for nobody. told: whether they get the changes.
    gather: seconds for which they let changes be held back."""

    name: str
    engine: str
    wire: str = "grpc"
    with_schema: bool = False
    patterns: bool = False
    connections: int = CHANNELS
    gather: float = 0.0

    @property
    def told(self) -> bool:
        return bool(self.wire) and not self.patterns


KINDS = tuple(
    kind
    for engine in ("native", "grpcio")
    for kind in (
        Kind(f"{engine}: no subscriber", engine, wire=""),
        Kind(f"{engine}: subscribers of everything", engine),
        Kind(f"{engine}: subscribers of everything, a connection each", engine, connections=1000),
        Kind(f"{engine}: with schemas", engine, with_schema=True),
        Kind(f"{engine}: {PATTERNS}", engine, patterns=True),
        Kind(f"{engine}: subscribers that gather", engine, gather=GATHER),
        Kind(
            f"{engine}: subscribers that gather, a connection each", engine, gather=GATHER, connections=1000
        ),
        *((Kind("native: of everything, server-sent events", engine, wire="http"),) * (engine == "native")),
    )
)


class Seen:
    """Says on standard output when all subscribers listen, and how many changes all of them have."""

    def __init__(self, subscribers: int) -> None:
        self._subscribers = subscribers
        self._live = 0
        self._had: list[int] = [0] * subscribers
        self.delays: list[float] = []
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

    def request(number: int) -> bytes:
        asked = pb.StreamRequest(
            heartbeat_interval=Duration(seconds=600),
            subjects=[f"*{number}x{n}*y?" for n in range(100)] if kind.patterns else [],
            include_schema=kind.with_schema,
        )
        asked.gather.FromMilliseconds(int(kind.gather * 1000))
        return asked.SerializeToString()

    def told(number: int, message: bytes) -> None:
        event = pb.SchemaChangeEvent.FromString(message)
        if event.heartbeat:
            seen.lives()
            return
        changes = (event, *event.more)
        for _ in changes:
            seen.event(number)
        if number % SAMPLE == 0:
            now = time.time()
            seen.delays += (now - c.timestamp.seconds - c.timestamp.nanos / 1e9 for c in changes)

    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin, _tell_delays, seen)
    connections = min(count, kind.connections)
    for first in range(connections):
        numbers = range(first, count, connections)

        def message(stream: int, body: bytes, numbers: range = numbers) -> None:
            told(numbers[stream], body)

        streams = RawStreams(STREAM_CHANGES, [*map(request, numbers)], message)
        await loop.create_connection(lambda streams=streams: streams, "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.Event().wait()


def _tell_delays(seen: Seen) -> None:
    """Answers a line on standard input with the delays in milliseconds, and begins anew."""
    sys.stdin.readline()
    delays, seen.delays = seen.delays, []
    print(*(f"{rig.percentile(delays, part) * 1000:.1f}" for part in (0.5, 0.99)), flush=True)


def spent(server: rig.Server) -> float:
    """Processor seconds of the server's own process so far, by the scheduler's account, which counts in less than the 10 ms of others."""
    threads = Path(f"/proc/{server.process.pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


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


class Told:
    """What the subscribers' process tells: awaited with a number, it waits until all have so many changes more than `before`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        assert process.stdin is not None
        self._output, self._input, self.before = process.stdout, process.stdin, 0

    async def __call__(self, changes: int) -> None:
        async with asyncio.timeout(180):
            while int(await self._output.readline()) < self.before + changes:
                pass

    async def delays(self) -> tuple[float, float]:
        """The median and the 99th percentile of the delays since this was asked last, in milliseconds."""
        self._input.write(b"\n")
        median, most = map(float, (await self._output.readline()).split())
        return median, most


@asynccontextmanager
async def subscribed(server: rig.Server, kind: Kind, count: int) -> AsyncIterator[Told | None]:
    """Subscribers for the time of the block, which gets what waits until all have so many changes."""
    if not kind.wire:
        yield None
        return
    port = server.http if kind.wire == "http" else server.port
    arguments = ("--subscribe", kind.name, "--port", str(port), "--subscribers", str(count))
    subscribers = await asyncio.create_subprocess_exec(
        sys.executable, __file__, *arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    told = Told(subscribers)
    try:
        await told(0)
        if kind.told:
            await register(server.port, WRITERS, told)
            told.before = WRITERS
        yield told if kind.told else None
    finally:
        subscribers.kill()
        await subscribers.wait()
        await asyncio.sleep(1.0)


async def idle(server: rig.Server, seconds: float = 2.0) -> float:
    """Processor seconds that the server takes in a second when nobody asks for anything."""
    before = spent(server)
    await asyncio.sleep(seconds)
    return (spent(server) - before) / seconds


@dataclass(frozen=True)
class Stream:
    """Registrations in a row. rate: made in a second; used: processor milliseconds of each with all of its deliveries; delays: see Told."""

    rate: float
    used: float
    delays: tuple[float, float] | None


async def sustained(server: rig.Server, kind: Kind, count: int, rate: int, seconds: float) -> Stream:
    """Registrations without a wait for the subscribers, `rate` a second (0: as fast as 32 writers can)."""
    async with subscribed(server, kind, count) as told:
        each = await idle(server)
        if told is not None:
            await told.delays()
        before, began = spent(server), time.perf_counter()
        name, made = uuid.uuid4().hex, 0
        async with rig.channel(server.port) as channel:
            stub: Any = rig.stub(channel)

            async def writer() -> None:
                nonlocal made
                while time.perf_counter() < began + seconds:
                    number = made = made + 1
                    if rate:
                        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
                    content = rig.schema(number) + b" " * (number % 1000)
                    request = pb.RegisterSchemaRequest(
                        subject=f"{name}.s{number}", schema_content=content, schema_type=pb.SCHEMA_TYPE_JSON
                    )
                    await stub.RegisterSchema(request)

            await asyncio.gather(*(writer() for _ in range(FAST_WRITERS)))
        wrote = time.perf_counter() - began
        if told is not None:
            await told(made)
        used = spent(server) - before - each * (time.perf_counter() - began)
        delays = None if told is None else await told.delays()
        return Stream(made / wrote, used * 1000 / made, delays)


async def measure(server: rig.Server, kind: Kind, count: int, writes: int) -> Figures:
    """Processor milliseconds of a registration, and the longest wait beside in milliseconds."""
    async with subscribed(server, kind, count) as told:
        made = await register(server.port, 1)
        if told is not None:
            await told(1)
        asking = Asking()
        nothing = await idle(server)
        task = asyncio.create_task(asking(server.port, made))
        await asyncio.sleep(0.5)
        before, calls = spent(server), asking.calls
        each = max(0.0, await idle(server, 1.0) - nothing) / (asking.calls - calls)
        before, calls, asking.longest = spent(server), asking.calls, 0.0
        began = time.perf_counter()
        if told is None:
            writes *= LONGER
            await register(server.port, writes)
        else:
            await register(server.port, writes, lambda changes: told(changes + 1))
        used = spent(server) - before - each * (asking.calls - calls)
        used -= nothing * (time.perf_counter() - began)
        task.cancel()
        return used * 1000 / writes, asking.longest * 1000


@contextmanager
def empty(kind: Kind, count: int) -> Iterator[tuple[psutil.Process, Callable[[], None]]]:
    """A server that does nothing but write to streams, with its subscribers, and what has it write once to each of them."""
    command = [
        sys.executable,
        str(rig.ROOT / "loadtest/empty_servers.py"),
        f"{kind.engine}-streams",
        str(EVENT_BYTES),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        sending, told = server.stdin, server.stdout
        port = told.readline().decode().strip()
        arguments = ("--subscribe", kind.name, "--port", port, "--subscribers", str(count))
        with subprocess.Popen(
            [sys.executable, __file__, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as subscribers:
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


def floor(kind: Kind, count: int, messages: int = 60) -> float:
    """Microseconds of processor time for each message that an empty handler writes."""
    with empty(kind, count) as (process, send):
        for _ in range(5):
            send()
        before = sum(process.cpu_times()[:2])
        for _ in range(messages):
            send()
        return (sum(process.cpu_times()[:2]) - before) * 1e6 / messages / count


def row(rate: int, kind: Kind, streams: Mapping[tuple[int, Kind], list[Stream]]) -> str:
    """A line of the table of streams: medians of the rounds; the ratio is that of each round."""
    own = streams[rate, kind]
    none = next(
        found for (r, k), found in streams.items() if (r, k.engine, k.wire) == (rate, kind.engine, "")
    )
    beside = statistics.median(s.used / n.used for s, n in zip(own, none, strict=True))
    delays = [
        f"{statistics.median(s.delays[n] for s in own if s.delays):.0f} ms" if kind.wire else ""
        for n in (0, 1)
    ]
    how = f"{rate} a second" if rate else f"{FAST_WRITERS} writers"
    made, used = (statistics.median(figure) for figure in zip(*((s.rate, s.used) for s in own), strict=True))
    cells = (kind.name, how, f"{made:.0f}", f"{used:.2f} ms", f"{beside:.1f}", *delays)
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = rig.parser(__doc__)
    parser.add_argument("--subscribers", type=int, default=1000)
    parser.add_argument("--writes", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--only", default="", help="kinds that hold this text, beside those without subscribers"
    )
    parser.add_argument("--alone", type=int, default=1, help="0: only registrations that wait for nobody")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each stream of registrations; 0: none")
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
    floors: dict[Kind, list[float]] = {
        kind: [] for kind in kinds if kind.told and kind.wire == "grpc" and not kind.with_schema
    }
    streams: dict[tuple[int, Kind], list[Stream]] = {}
    given = json.loads(os.environ.get("SERVER_SETTINGS", "{}"))
    with ExitStack() as stack:
        servers = {
            engine: stack.enter_context(rig.server(GRPC__ENGINE=engine, **given)) for engine in engines
        }
        for server in servers.values():
            asyncio.run(register(server.port, 100))
        for _ in range(options.rounds if options.alone else 0):
            for kind in kinds:
                figures = asyncio.run(
                    measure(servers[kind.engine], kind, options.subscribers, options.writes)
                )
                found[kind].append(figures)
                print(kind.name, *(f"{figure:.1f}" for figure in figures), flush=True)
            for kind, measured in floors.items():
                measured.append(floor(kind, options.subscribers))
                print(kind.name, f"floor {measured[-1]:.1f} us", flush=True)
        for _ in range(options.rounds if options.seconds else 0):
            for rate in RATES:
                for kind in kinds:
                    if not kind.wire or kind in floors:
                        stream = asyncio.run(
                            sustained(servers[kind.engine], kind, options.subscribers, rate, options.seconds)
                        )
                        streams.setdefault((rate, kind), []).append(stream)
                        print(rate, kind.name, stream, flush=True)
    alone = {
        kind.engine: statistics.median(u for u, _ in found[kind])
        for kind in kinds
        if not kind.wire and found[kind]
    }
    lines = [
        *head,
        f"| {options.subscribers:,} subscribers | processor time of a registration | beside none | for each delivery | the wire's floor | longest wait |",
        "|---|---|---|---|---|---|",
    ]
    for kind, of_kind in found.items():
        if not of_kind:
            continue
        used, longest = (statistics.median(figure[n] for figure in of_kind) for n in (0, 1))
        base = alone[kind.engine]
        each = f"{(used - base) * 1000 / options.subscribers:.1f} us" if kind.told else ""
        own = f"{statistics.median(floors[kind]):.1f} us" if kind in floors else ""
        lines.append(
            f"| {kind.name} | {used:.2f} ms | {used / base:.1f} | {each} | {own} | {longest:.0f} ms |"
        )
    if streams:
        lines += [
            "",
            "| registrations that wait for nobody | | made in a second | processor time of each | beside none | delay, median | p99 |",
            "|---|---|---|---|---|---|---|",
            *(row(rate, kind, streams) for rate, kind in streams),
        ]
    rig.publish(lines, options.markdown)


if __name__ == "__main__":
    main()
