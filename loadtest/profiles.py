"""Where the processor time of a call goes: flame graphs of hot reads, cold reads, registrations and validations on each wire.

    python loadtest/profiles.py [--only "hot read"] [--seconds 5] [--markdown loadtest/results/profiles.md]

`make profile` runs it. Each operation is loaded twice on a server of its own on SQLite: once to see what a call costs, by the system's
account of every thread of the server and of its workers, and once more while py-spy looks at the Python threads --rate times a second. Shares of
samples times the cost of those threads are the microseconds of each layer; what runs in Rust (the wires' own threads) is told apart,
since py-spy cannot see into it. A sample counts for the innermost frame that belongs to a layer; time in C counts for
the function of Python that called it. Needs h2load (apt-get install nghttp2-client) and py-spy (the extra `load`).
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import grpc
import psutil
import rig
import uvloop
from google.protobuf.message import Message
from loads import flames
from loads.layers import function, layer, shortened, waits
from rig import ROOT
from two_commits import SERVICE, h2load

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2_grpc

NATIVE, GRPCIO, HTTP = "gRPC native", "gRPC grpcio", "HTTP"
WIRES = {NATIVE: "native", GRPCIO: "grpcio", HTTP: "native"}
"""The engine of gRPC on the server that is loaded."""
DOCUMENT = b'{"field_0": "a", "field_1": "b"}'
WRITERS = 32
TOP = 8
WARM_UP_SECONDS = 1.0


@dataclass(frozen=True)
class Served:
    """A server under load, and the id of a schema that it holds."""

    server: rig.Server
    schema_id: str


Load = Callable[[Served, float], int]
"""Loads a server for so many seconds; how many answers came."""


# What is asked


def rpc(method: str, request: Callable[[Served], Message], *headers: str) -> Load:
    """One unary call over gRPC again and again: 8 connections with 16 streams each."""

    def load(served: Served, seconds: float) -> int:
        message = request(served).SerializeToString()
        told = ["-H", "content-type: application/grpc", "-H", "te: trailers", *headed(headers)]
        url = f"http://127.0.0.1:{served.server.port}{SERVICE}{method}"
        with body(b"\0" + len(message).to_bytes(4, "big") + message) as data:
            return h2load(seconds, ["-c", "8", "-m", "16", "-d", data, *told, url])

    return load


def http(path: Callable[[Served], str], content: bytes = b"", *headers: str) -> Load:
    """One request over HTTP/1.1 again and again, on 32 connections; POST when it has a content."""

    def load(served: Served, seconds: float) -> int:
        url = f"http://127.0.0.1:{served.server.http}{path(served)}"
        plain = ["-c", "32", "-m", "1", "--h1", *headed(headers)]
        if not content:
            return h2load(seconds, [*plain, url])
        with body(content) as data:
            return h2load(seconds, [*plain, "-H", "content-type: application/json", "-d", data, url])

    return load


def headed(headers: tuple[str, ...]) -> list[str]:
    return [argument for header in headers for argument in ("-H", header)]


@contextmanager
def body(content: bytes) -> Iterator[str]:
    """A file with it."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        yield file.name


_numbers = itertools.count(10**6)


def register_over_grpc(served: Served, seconds: float) -> int:
    """New subjects, 32 callers."""

    async def run() -> int:
        async with rig.channel(served.server.port) as channel:
            stub = rig.stub(channel)

            async def register(number: int) -> None:
                await stub.RegisterSchema(registration(f"write.s{number}", number))

            return await writers(register, seconds)

    return uvloop.run(run())


def register_over_http(served: Served, seconds: float) -> int:
    """New subjects, 32 callers."""

    async def run() -> int:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{served.server.http}") as session:

            async def register(number: int) -> None:
                content = {
                    "subject": f"write.s{number}",
                    "schema": rig.schema(number).decode(),
                    "schema_type": "JSON",
                }
                async with session.post("/api/v1/schemas", json=content) as answer:
                    if answer.status != 201:
                        raise RuntimeError(await answer.text())

            return await writers(register, seconds)

    return uvloop.run(run())


async def writers(register: Callable[[int], object], seconds: float) -> int:
    """How many were registered in so many seconds."""
    end, done = time.monotonic() + seconds, 0

    async def writer() -> None:
        nonlocal done
        while time.monotonic() < end:
            await register(next(_numbers))  # type: ignore[misc]  # a coroutine function
            done += 1

    await asyncio.gather(*(writer() for _ in range(WRITERS)))
    return done


def registration(subject: str, number: int) -> pb.RegisterSchemaRequest:
    return pb.RegisterSchemaRequest(
        subject=subject, schema_content=rig.schema(number), schema_type=pb.SCHEMA_TYPE_JSON
    )


def _get(served: Served) -> Message:
    return pb.GetSchemaRequest(schema_id=served.schema_id)


def _validate(served: Served) -> Message:
    return pb.ValidateDataRequest(schema_id=served.schema_id, data=DOCUMENT)


def _path(served: Served) -> str:
    return f"/api/v1/schemas/{served.schema_id}"


FRESH = "cache-control: no-cache"
_DATA = json.dumps({"data_json": json.loads(DOCUMENT)}).encode()
OPERATIONS: Mapping[str, Mapping[str, Load]] = {
    "hot read": {
        **dict.fromkeys((NATIVE, GRPCIO), rpc("GetSchema", _get)),
        HTTP: http(_path),
    },
    "cold read": {
        **dict.fromkeys((NATIVE, GRPCIO), rpc("GetSchema", _get, FRESH)),
        HTTP: http(_path, b"", FRESH),
    },
    "registration": {
        **dict.fromkeys((NATIVE, GRPCIO), register_over_grpc),
        HTTP: register_over_http,
    },
    "validation": {
        **dict.fromkeys((NATIVE, GRPCIO), rpc("ValidateData", _validate)),
        HTTP: http(lambda served: f"{_path(served)}/validate", _DATA),
    },
}


# What it costs


@dataclass(frozen=True)
class Profile:
    """threads: microseconds of each call by kind of thread, workers too. stacks: nanoseconds of each call by where they are spent, of
    the Python threads, by kind and frames. samples: of which these were made."""

    operation: str
    wire: str
    calls: int
    threads: Mapping[str, float]
    stacks: flames.Stacks
    samples: int

    @property
    def total_us(self) -> float:
        return sum(self.threads.values())


LOOP, THREADS, WORKERS = "event loop", "Python threads", "worker processes"


def threads(server: psutil.Process) -> dict[str, float]:
    """Processor seconds so far by kind of thread. A thread of Python has the name of the process, one of a library its own."""
    found: dict[str, float] = {WORKERS: 0.0}
    folder = Path(f"/proc/{server.pid}/task")
    own = (folder / str(server.pid) / "comm").read_text().strip()
    for task in server.threads():
        try:
            name = (folder / str(task.id) / "comm").read_text().strip()
        except FileNotFoundError:
            continue  # has ended since it was listed
        kind = LOOP if task.id == server.pid else THREADS if name == own else f"`{name}` (Rust)"
        found[kind] = found.get(kind, 0.0) + task.user_time + task.system_time
    below = server.cpu_times()
    found[WORKERS] = below.children_user + below.children_system
    found[WORKERS] += sum(sum(child.cpu_times()[:4]) for child in server.children(recursive=True))
    return found


def profile(operation: str, wire: str, seconds: float, rate: int) -> Profile:
    """Loads a server of its own, once to measure and once to look."""
    load = OPERATIONS[operation][wire]
    with rig.server(GRPC__ENGINE=WIRES[wire]) as server:
        served = Served(server, filled(server.port))
        load(served, WARM_UP_SECONDS)
        before = threads(server.process)
        calls = load(served, seconds)
        after = threads(server.process)
        each = {name: (after[name] - before.get(name, 0.0)) / calls * 1e6 for name in after}
        with looking(server.process.pid, seconds, rate) as stacks:
            load(served, seconds + 1)
    kinds = {name: us for name, us in each.items() if us > 0.05}
    return Profile(operation, wire, calls, kinds, spent(stacks, kinds), sum(stacks.values()))


def spent(stacks: flames.Stacks, kinds: Mapping[str, float]) -> flames.Stacks:
    """What the threads of each kind use, divided as their samples are. Kinds are the first frames."""
    found: dict[tuple[str, ...], int] = {}
    for kind in (LOOP, THREADS):
        mine = {stack: count for stack, count in stacks.items() if stack[0] == kind and not waits(stack)}
        samples = sum(mine.values())
        for stack, count in mine.items():
            found[stack] = round(kinds.get(kind, 0.0) * 1000 * count / samples)
    return found


def filled(port: int) -> str:
    """The id of one schema among a few."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = schema_registry_pb2_grpc.SchemaRegistryStub(channel)
        made = [stub.RegisterSchema(registration(f"load.s{number}", number)) for number in range(20)]
    return str(made[-1].schema_id)


@contextmanager
def looking(process: int, seconds: float, rate: int) -> Iterator[dict[tuple[str, ...], int]]:
    """Stacks of the process's Python threads while the block runs, below the kind of thread; there when it has ended."""
    program = shutil.which(
        "py-spy", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    )
    if program is None:
        raise SystemExit("py-spy is not installed: pip install 'llm-schema-registry[load]'")
    found: dict[tuple[str, ...], int] = {}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "stacks"
        command = [
            program,
            "record",
            "--pid",
            str(process),
            "--duration",
            f"{max(1, round(seconds))}",
            "--rate",
            str(rate),
        ]
        command += ["--format", "raw", "--full-filenames", "--threads", "--output", str(out)]
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        yield found
        said, _ = running.communicate()
        if running.returncode or not out.exists():
            raise SystemExit(f"py-spy could not look at the server (it needs the right to trace it):\n{said}")
        for stack, count in flames.read(out.read_text()).items():
            if len(stack) > 1:  # others are outside of Python
                kind = LOOP if stack[0].endswith(": MainThread") else THREADS
                short = (kind, *(shortened(frame) for frame in stack[1:]))
                found[short] = found.get(short, 0) + count


# The page


def section(made: Profile, picture: str) -> list[str]:
    """What one operation costs on one wire."""
    python_us = sum(made.stacks.values()) / 1000
    lines = [
        f"## {made.operation}, {made.wire}: {made.total_us:,.1f} us",
        "",
        f"{made.calls:,} calls; {made.samples:,} samples: [flame graph]({picture}).",
        "",
        "| where | us of a call |",
        "|---|---|",
    ]
    lines += [
        f"| {name} | {share * python_us:,.1f} |"
        for name, share in flames.own_time(made.stacks, layer).items()
        if share >= 0.005
    ]
    lines += [f"| {name} | {us:,.1f} |" for name, us in made.threads.items() if name not in (LOOP, THREADS)]
    lines += ["", "| function, its own time and what it does in C | us of a call |", "|---|---|"]
    tops = list(flames.own_time(made.stacks, function).items())[:TOP]
    lines += [f"| `{name}` | {share * python_us:,.1f} |" for name, share in tops]
    return [*lines, ""]


def overview(profiles: list[Profile]) -> list[str]:
    lines = [
        "| operation | wire | us of processor for each call | event loop | Python threads | Rust threads | workers |",
        "|---|---|---|---|---|---|---|",
    ]
    for made in profiles:
        rust = sum(us for name, us in made.threads.items() if name.endswith("(Rust)"))
        cells = (
            made.total_us,
            made.threads[LOOP],
            made.threads.get(THREADS, 0.0),
            rust,
            made.threads.get(WORKERS, 0.0),
        )
        lines.append(f"| {made.operation} | {made.wire} | " + " | ".join(f"{us:,.1f}" for us in cells) + " |")
    return [*lines, ""]


def main() -> None:
    parser = rig.parser(__doc__)
    parser.add_argument(
        "--seconds", type=float, default=5.0, help="of measuring, and again of looking (default 5)"
    )
    parser.add_argument("--rate", type=int, default=250, help="looks per second (default 250)")
    parser.add_argument(
        "--only", default="", help="only operations and wires whose names hold this, as in 'hot read, HTTP'"
    )
    given = parser.parse_args()
    wanted = [(name, wire) for name in OPERATIONS for wire in WIRES if given.only in f"{name}, {wire}"]
    if not wanted:
        parser.error(f"no operation has {given.only!r} in its name")
    head = rig.head("Where the processor time of a call goes", os.getloadavg()[0])
    page = given.markdown or ROOT / "loadtest/results/profiles.md"
    pictures = page.parent / "profiles"
    pictures.mkdir(parents=True, exist_ok=True)
    profiles: list[Profile] = []
    lines: list[str] = []
    for operation, wire in wanted:
        made = profile(operation, wire, given.seconds, given.rate)
        name = re.sub(r"\W+", "-", f"{operation} {wire}".lower())
        (pictures / f"{name}.svg").write_text(
            flames.flame_graph(f"{operation}, {wire}", made.stacks, "ns of a call")
        )
        print(f"{operation}, {wire}: {made.total_us:,.1f} us", file=sys.stderr, flush=True)
        profiles.append(made)
        lines += section(made, f"profiles/{name}.svg")
    rig.publish([*head, *overview(profiles), *lines], page)


if __name__ == "__main__":
    main()
