"""Two commits side by side: the same calls to a server of each, in turns, and what they cost.

    python loadtest/two_commits.py f372221 [HEAD] [--rounds 9] [--seconds 2] [--only NAME] [--markdown loadtest/results/two-commits.md]

Each commit is checked out in a folder of its own and served by the same Python and the same packages. In every round each server is
loaded once, in alternating order, so that both see the same machine. A ratio is the first commit's cost by the second's, of one
round; the median of the rounds is shown, with the lowest and the highest. Above 1: the second commit is the better one. The cost
is the processor time of the server and of its workers for each answer, by the system's account: it hardly depends on what else the
machine does. The ratio of the rates stands beside it. Needs h2load (apt-get install nghttp2-client).
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import psutil
import rig
import uvloop
from google.protobuf.message import Message

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2_grpc

SERVICE = "/schema_registry.v1.SchemaRegistry/"
PARTS = ("engines", "server", "clients/python")
SUBJECTS = 500
SUBSCRIBERS = 200
WRITERS = 32
NATIVE, GRPCIO = "native", "grpcio"


@dataclass
class Tree:
    """One commit: where it is checked out, and its servers by engine."""

    name: str
    folder: Path
    servers: dict[str, Running] = field(default_factory=dict)


@dataclass(frozen=True)
class Running:
    process: psutil.Process
    grpc: int
    http: int
    schema_id: str = ""

    def cpu(self) -> float:
        """Processor seconds so far, workers included."""
        own = self.process.cpu_times()
        living = sum(sum(worker.cpu_times()[:4]) for worker in self.process.children(recursive=True))
        return own.user + own.system + own.children_user + own.children_system + living


@dataclass(frozen=True)
class Cost:
    rate: float
    """Answers per second."""
    cpu_us: float
    """Processor time of the server for each, in microseconds."""


Load = Callable[[Running, float, Path], int]
"""Loads a server for so many seconds; how many answers came."""


@contextmanager
def checked_out(commit: str) -> Iterator[Tree]:
    """A commit in a folder of its own, removed at the end."""
    named = subprocess.run(
        ["git", "-C", rig.ROOT, "rev-parse", "--short", commit], capture_output=True, text=True, check=True
    ).stdout.strip()
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.Popen(["git", "-C", rig.ROOT, "archive", commit], stdout=subprocess.PIPE)
        subprocess.run(["tar", "-x", "-C", folder], stdin=archive.stdout, check=True)
        if archive.wait():
            raise SystemExit(f"no commit {commit}")
        yield Tree(named, Path(folder))


@contextmanager
def serving(tree: Tree, engine: str) -> Iterator[Running]:
    """A server of this commit on SQLite."""
    with tempfile.TemporaryDirectory() as home:
        ready = Path(home) / "ready.json"
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(str(tree.folder / part) for part in PARTS),
            "SCHEMA_REGISTRY_GRPC__ENGINE": engine,
            "SCHEMA_REGISTRY_LOGS__LEVEL": "error",
            "SCHEMA_REGISTRY_STORAGE__PATH": f"{home}/registry.db",
            **{f"SCHEMA_REGISTRY_{part}__HOST": "127.0.0.1" for part in ("GRPC", "HTTP", "METRICS")},
            **{f"SCHEMA_REGISTRY_{part}__PORT": "0" for part in ("GRPC", "HTTP", "METRICS")},
        }
        command = [sys.executable, "-m", "llm_schema_registry_server", "serve", "--ready-file", str(ready)]
        running = subprocess.Popen(command, env=environment, cwd=tree.folder)
        try:
            while not ready.exists():
                if running.poll() is not None:
                    raise SystemExit(f"the server of {tree.name} did not start")
                time.sleep(0.05)
            ports = json.loads(ready.read_text())
            yield Running(psutil.Process(running.pid), ports["grpc"], ports["http"], fill(ports["grpc"]))
        finally:
            running.terminate()
            try:
                running.wait(15)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()


def fill(port: int) -> str:
    """Registers what the calls ask for; the id of the last schema."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = schema_registry_pb2_grpc.SchemaRegistryStub(channel)
        for number in range(SUBJECTS):
            registered = stub.RegisterSchema(registration(f"load.s{number}", number))
    return str(registered.schema_id)


def registration(subject: str, number: int) -> pb.RegisterSchemaRequest:
    return pb.RegisterSchemaRequest(
        subject=subject, schema_content=rig.schema(number), schema_type=pb.SCHEMA_TYPE_JSON
    )


def grpc_calls(method: str, request: Callable[[Running], Message]) -> Load:
    """One unary call again and again, over 8 connections with 16 streams each."""

    def load(server: Running, seconds: float, folder: Path) -> int:
        message = request(server).SerializeToString()
        data = folder / "request.bin"
        data.write_bytes(b"\0" + len(message).to_bytes(4, "big") + message)
        headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
        url = f"http://127.0.0.1:{server.grpc}{SERVICE}{method}"
        return h2load(seconds, ["-c", "8", "-m", "16", "-d", str(data), *headers, url])

    return load


def http_reads(server: Running, seconds: float, folder: Path) -> int:
    """GET of a schema over HTTP/1.1, 32 connections."""
    url = f"http://127.0.0.1:{server.http}/api/v1/schemas/{server.schema_id}"
    return h2load(seconds, ["-c", "32", "-m", "1", "--h1", url])


def http_validations(server: Running, seconds: float, folder: Path) -> int:
    """POST of data to validate over HTTP/1.1, 32 connections."""
    data = folder / "data.json"
    data.write_text(json.dumps({"data": base64.b64encode(_DATA).decode()}))
    url = f"http://127.0.0.1:{server.http}/api/v1/schemas/{server.schema_id}/validate"
    headers = ["-H", "content-type: application/json"]
    return h2load(seconds, ["-c", "32", "-m", "1", "--h1", "-d", str(data), *headers, url])


def h2load(seconds: float, arguments: list[str]) -> int:
    """Answers that came. Raises RuntimeError when a request failed on HTTP's level."""
    command = ["h2load", "-D", f"{int(seconds * 1000)}ms", "-t", "1", *arguments]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    done, failed, good = (
        int(re.search(pattern, out)[1])  # type: ignore[index]
        for pattern in (r"(\d+) succeeded", r"(\d+) failed", r"status codes: (\d+) 2xx")
    )
    if failed or good < done or not done:
        raise RuntimeError(out)
    return done


_next = iter(range(10**6, 10**9))


def writes(server: Running, seconds: float, folder: Path) -> int:
    """Registrations of new subjects, 32 callers."""

    async def run() -> int:
        done = 0
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc}") as channel:
            stub = schema_registry_pb2_grpc.SchemaRegistryStub(channel)
            end = time.monotonic() + seconds

            async def writer() -> None:
                nonlocal done
                while time.monotonic() < end:
                    number = next(_next)
                    await stub.RegisterSchema(registration(f"write.s{number}", number))
                    done += 1

            await asyncio.gather(*(writer() for _ in range(WRITERS)))
        return done

    return uvloop.run(run())


def fan_out(server: Running, seconds: float, folder: Path) -> int:
    """Registrations, one after the other, each told to 200 subscribers; counts what arrived there."""

    async def run() -> int:
        arrived = 0
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc}") as channel:
            stub = schema_registry_pb2_grpc.SchemaRegistryStub(channel)

            async def subscriber() -> None:
                nonlocal arrived
                async for _ in stub.StreamSchemaChanges(pb.StreamRequest()):
                    arrived += 1

            tasks = [asyncio.create_task(subscriber()) for _ in range(SUBSCRIBERS)]
            await asyncio.sleep(0.5)
            sent, end = 0, time.monotonic() + seconds
            while time.monotonic() < end:
                number = next(_next)
                await stub.RegisterSchema(registration(f"fan.s{number}", number))
                sent += 1
            with suppress(TimeoutError):
                async with asyncio.timeout(10):
                    while arrived < sent * SUBSCRIBERS:  # noqa: ASYNC110 - the streams count, nobody signals
                        await asyncio.sleep(0.01)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return arrived

    return uvloop.run(run())


_DATA = b'{"field_0": "a", "field_1": "b"}'


def _get(server: Running) -> Message:
    return pb.GetSchemaRequest(schema_id=server.schema_id)


def _validate(server: Running) -> Message:
    return pb.ValidateDataRequest(schema_id=server.schema_id, data=_DATA)


CALLS: dict[str, tuple[str, Load]] = {
    "GetSchema, cached, native": (NATIVE, grpc_calls("GetSchema", _get)),
    "GetSchema, cached, grpcio": (GRPCIO, grpc_calls("GetSchema", _get)),
    "GET of a schema, cached, HTTP": (NATIVE, http_reads),
    "ValidateData, HTTP": (NATIVE, http_validations),
    "ListVersions (from the store), native": (
        NATIVE,
        grpc_calls("ListVersions", lambda _: pb.ListVersionsRequest(subject="load.s1")),
    ),
    "ValidateData, native": (NATIVE, grpc_calls("ValidateData", _validate)),
    "SearchSchemas, a word of one subject, native": (
        NATIVE,
        grpc_calls("SearchSchemas", lambda _: pb.SearchSchemasRequest(query="t77")),
    ),
    "SearchSchemas, a word of all subjects, native": (
        NATIVE,
        grpc_calls("SearchSchemas", lambda _: pb.SearchSchemasRequest(query="field")),
    ),
    "RegisterSchema, new subjects, native": (NATIVE, writes),
    "events to 200 subscribers, native": (NATIVE, fan_out),
}


def cost(load: Load, server: Running, seconds: float, folder: Path) -> Cost:
    before, began = server.cpu(), time.perf_counter()
    answers = load(server, seconds, folder)
    took = time.perf_counter() - began
    return Cost(answers / took, (server.cpu() - before) / answers * 1e6)


def compare(trees: tuple[Tree, Tree], load: Load, engine: str, asked: argparse.Namespace) -> str:
    """The cells of one line of the table."""
    first, second = (tree.servers[engine] for tree in trees)
    rounds: list[tuple[Cost, Cost]] = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(asked.rounds + 1):
            if number % 2:
                after = cost(load, second, asked.seconds, Path(folder))
                before = cost(load, first, asked.seconds, Path(folder))
            else:
                before = cost(load, first, asked.seconds, Path(folder))
                after = cost(load, second, asked.seconds, Path(folder))
            if number:  # the first one warms both up
                rounds.append((before, after))
    cpu = [before.cpu_us / after.cpu_us for before, after in rounds]
    rate = [after.rate / before.rate for before, after in rounds]
    used = [statistics.median(pair[side].cpu_us for pair in rounds) for side in (0, 1)]
    return (
        f"{used[0]:,.1f} us | {used[1]:,.1f} us | {statistics.median(cpu):.2f} ({min(cpu):.2f} to {max(cpu):.2f}) | "
        f"{statistics.median(rate):.2f} ({min(rate):.2f} to {max(rate):.2f})"
    )


def main() -> None:
    parser = rig.parser(__doc__)
    parser.add_argument("first", help="a commit")
    parser.add_argument(
        "second", nargs="?", default="HEAD", help="the commit to compare it with (default HEAD)"
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--only", default="", help="only calls whose name holds this")
    asked = parser.parse_args()
    with ExitStack() as stack:
        trees = (
            stack.enter_context(checked_out(asked.first)),
            stack.enter_context(checked_out(asked.second)),
        )
        chosen = {name: call for name, call in CALLS.items() if asked.only in name}
        lines = [
            *rig.head(f"{trees[0].name} beside {trees[1].name}", os.getloadavg()[0]),
            f"| call | CPU, {trees[0].name} | CPU, {trees[1].name} | ratio of the CPU | ratio of the rate |",
            "|---|---|---|---|---|",
        ]
        for engine in sorted({engine for engine, _ in chosen.values()}):
            for tree in trees:
                tree.servers[engine] = stack.enter_context(serving(tree, engine))
        for name, (engine, load) in chosen.items():
            line = f"| {name} | {compare(trees, load, engine, asked)} |"
            print(line, flush=True)
            lines.append(line)
        lines += ["", "Above 1: the second commit is the better one."]
    rig.publish(lines, asked.markdown)


if __name__ == "__main__":
    main()
