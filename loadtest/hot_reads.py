"""GetSchema of a schema that is in memory, on both gRPC engines and over HTTP, beside the empty handler of each engine; and with
credentials, beside the open server.

    python loadtest/hot_reads.py [--runs 5] [--seconds 3] [--markdown loadtest/results/hot-reads.md]
    python loadtest/hot_reads.py --connections 1000 [--markdown loadtest/results/connections.md]

The second form measures what many connections cost: the same rate is offered over a few and over so many of them, in turns.
Needs h2load (apt-get install nghttp2-client). Starts all servers itself, each in a process of its own, warms them up, and
then goes round: in every round each server is loaded once, ours next to its ceiling, so that both see the same machine. A
figure is the median of the rounds; the share of the ceiling is the median of the rounds' own shares. CPU is what the
server process used, by the system's account, divided by its answers: it hardly depends on what else the machine does.
Latency is measured open-loop: requests are offered at a fixed rate, whether earlier ones are answered or not.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import psutil
import rig
from google.protobuf.message import Message
from joserfc import jwt
from joserfc.jwk import OctKey

from llm_schema_registry.v1 import admin_pb2_grpc, credentials_pb2, schema_registry_pb2_grpc
from llm_schema_registry.v1 import schema_registry_pb2 as pb

ROOT = Path(__file__).resolve().parents[1]
PATH = "/schema_registry.v1.SchemaRegistry/GetSchema"
SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"id": {"type": "string"}, "amount": {"type": "number"}, "note": {"type": "string"}},
        "required": ["id", "amount"],
    }
).encode()
WARM_UP_SECONDS = 2.0
WITH_CREDENTIALS = {
    "AUTH__JWT__SECRET": "a secret of the load test, known to everybody",
    "AUTH__JWT__ISSUER": "loadtest",
    "AUTH__JWT__AUDIENCE": "registry",
    "AUTH__API_KEYS__ENABLED": "true",
    "RATE_LIMITS__READ__PER_SECOND": "1000000",
}
NOTE = """\
The ceiling is an empty handler as one would write it on that engine: for `native` a grpcio servicer on
pygrpc_native.aio, for HTTP an ASGI application on Granian. On `native` we can be above it, because a kept answer goes out
without a task of its own. With credentials (a token, an API key with a grant on `loadtest.*`; both are verified once and then known,
and every read is authorized and counted against a rate limit that it does not reach) a server is compared with the open one; so is the
server whose engine stands behind the front that bounds hostile clients, as it does on every address but loopback. When other work shares the processors, rates say more about the neighbours than about us:
compare the CPU per answer.
"""
OFFERED = 10_000
FEW, MANY_CONNECTIONS = 16, ("gRPC native", "gRPC native, behind the front", "HTTP/1.1")


@dataclass
class Subject:
    """One server under load, and what was measured of it round by round."""

    name: str
    wire: str
    process: psutil.Process
    load: list[str]
    beside: Subject | None = None
    """What it is compared with."""
    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Run:
    """One h2load: answers per second, CPU of the server in microseconds for each, latencies in milliseconds."""

    rate: float
    cpu_us: float
    latencies: list[float]


def h2load(subject: Subject, seconds: float, *, offered: int = 0, connections: int = 0) -> Run:
    """Loads the server; closed loop unless a rate is `offered`. Raises RuntimeError when any request failed."""
    many, connections = connections, connections or (16 if offered else 8)
    shape = ["-c", str(connections), "-m", "1" if offered or subject.wire == "http" else "16"]
    if subject.wire == "http" and not many:
        shape[1] = str(connections * 4)
    if offered:
        shape += ["--rps", str(offered / int(shape[1]))]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        command = ["h2load", "-D", f"{int(seconds * 1000)}ms", "-t", "1", *shape]
        if offered:
            command.append(f"--log-file={log}")
        before = sum(subject.process.cpu_times()[:2])
        out = subprocess.run([*command, *subject.load], capture_output=True, text=True, check=True).stdout
        used = sum(subject.process.cpu_times()[:2]) - before
        lines = log.read_text().splitlines() if offered else []
        latencies = [int(line.split("\t")[2]) / 1000 for line in lines]
    done, failed = (int(re.search(p, out)[1]) for p in (r"(\d+) succeeded", r"(\d+) failed"))  # type: ignore[index]
    good = int(re.search(r"status codes: (\d+) 2xx", out)[1])  # type: ignore[index]
    if failed or good < done or not done:
        raise RuntimeError(f"{subject.name}: {out}")
    return Run(done / seconds, used / done * 1e6, latencies)


@contextmanager
def process(*command: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process of ours, ended at the end."""
    path = os.pathsep.join(str(ROOT / part) for part in ("engines", "server", "clients/python"))
    running = subprocess.Popen(
        [sys.executable, *command],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path, **variables},
    )
    try:
        yield running
    finally:
        running.send_signal(signal.SIGTERM)
        try:
            running.wait(15)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


@contextmanager
def registry(
    engine: str, folder: Path, **more: str
) -> Iterator[tuple[subprocess.Popen[str], dict[str, int]]]:
    """Our server on one engine, with its ports; `more` are settings, as variables without their prefix."""
    ready = folder / f"{engine}-{'-'.join(sorted(more))[:60]}.json"
    settings = {
        "SCHEMA_REGISTRY_GRPC__ENGINE": engine,
        "SCHEMA_REGISTRY_STORAGE__KIND": "memory",
        "SCHEMA_REGISTRY_LOGS__LEVEL": "warning",
        **{f"SCHEMA_REGISTRY_{part}__HOST": "127.0.0.1" for part in ("GRPC", "HTTP", "METRICS")},
        **{f"SCHEMA_REGISTRY_{part}__PORT": "0" for part in ("GRPC", "HTTP", "METRICS")},
        **{f"SCHEMA_REGISTRY_{name}": value for name, value in more.items()},
    }
    with process(
        "-m", "llm_schema_registry_server", "serve", "--ready-file", str(ready), **settings
    ) as running:
        while not ready.exists():
            if running.poll() is not None:
                raise RuntimeError("the server did not start")
            time.sleep(0.05)
        yield running, json.loads(ready.read_text())


def register(port: int, *credentials: tuple[str, str]) -> tuple[str, int]:
    """Registers the schema; its id and the size of the serialized answer that GetSchema gives."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = schema_registry_pb2_grpc.SchemaRegistryStub(channel)
        registered = stub.RegisterSchema(
            pb.RegisterSchemaRequest(
                subject="loadtest.orders", schema_content=SCHEMA, schema_type=pb.SCHEMA_TYPE_JSON
            ),
            metadata=credentials,
        )
        answer = stub.GetSchema(pb.GetSchemaRequest(schema_id=registered.schema_id), metadata=credentials)
        if answer.schema.schema_content != SCHEMA:
            raise RuntimeError("GetSchema does not answer with what was registered")
        return registered.schema_id, answer.ByteSize()


def api_key(port: int, *credentials: tuple[str, str]) -> str:
    """A key that may read the subjects of the load test."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = admin_pb2_grpc.AdminServiceStub(channel)
        request = credentials_pb2.CreateApiKeyRequest(
            name="loadtest", grants=[credentials_pb2.RoleGrant(role="reader", scope="loadtest.*")]
        )
        return str(stub.CreateApiKey(request, metadata=credentials).secret)


def token() -> str:
    """Of an administrator."""
    claims = {"sub": "loadtest", "iss": "loadtest", "aud": "registry", "roles": ["admin"]}
    key = OctKey.import_key(WITH_CREDENTIALS["AUTH__JWT__SECRET"])
    return jwt.encode({"alg": "HS256"}, {**claims, "exp": int(time.time()) + 86_400}, key)


def grpc_load(port: int, schema_id: str, folder: Path, *credentials: tuple[str, str]) -> list[str]:
    """h2load's arguments for one GetSchema call."""
    return call_load(port, PATH, pb.GetSchemaRequest(schema_id=schema_id), folder, *credentials)


def call_load(
    port: int, path: str, message: Message, folder: Path, *credentials: tuple[str, str]
) -> list[str]:
    """h2load's arguments for one call."""
    body = message.SerializeToString()
    data = folder / f"{port}-{path.rpartition('/')[2]}-{len(body)}.bin"
    data.write_bytes(b"\0" + len(body).to_bytes(4, "big") + body)
    named = (("content-type", "application/grpc"), ("te", "trailers"), *credentials)
    headers = [argument for name, value in named for argument in ("-H", f"{name}: {value}")]
    return ["-d", str(data), *headers, f"http://127.0.0.1:{port}{path}"]


def subjects(stack: ExitStack, folder: Path) -> list[Subject]:
    """Our servers and, right behind each, its ceiling."""
    found: list[Subject] = []

    def empty(engine: str, size: int) -> tuple[psutil.Process, int]:
        running = stack.enter_context(process(str(ROOT / "loadtest/empty_servers.py"), engine, str(size)))
        assert running.stdout is not None
        return psutil.Process(running.pid), int(running.stdout.readline())

    def with_credentials(opened: Subject) -> None:
        running, ports = stack.enter_context(registry("native", folder, **WITH_CREDENTIALS))
        ours, bearer = psutil.Process(running.pid), ("authorization", f"Bearer {token()}")
        schema_id, _ = register(ports["grpc"], bearer)
        key = "x-api-key", api_key(ports["grpc"], bearer)
        for name, credentials in (("a token", bearer), ("an API key", key)):
            load = grpc_load(ports["grpc"], schema_id, folder, credentials)
            add(f"gRPC native, {name}", "grpc", ours, load, opened)

    def add(
        name: str, wire: str, process: psutil.Process, load: list[str], beside: Subject | None
    ) -> Subject:
        found.append(Subject(name, wire, process, load, beside))
        return found[-1]

    for engine in ("native", "grpcio"):
        running, ports = stack.enter_context(registry(engine, folder))
        schema_id, size = register(ports["grpc"])
        ours = psutil.Process(running.pid)
        ceiling, port = empty(engine, size)
        beside = add(f"gRPC {engine}, empty", "grpc", ceiling, grpc_load(port, schema_id, folder), None)
        opened = add(f"gRPC {engine}", "grpc", ours, grpc_load(ports["grpc"], schema_id, folder), beside)
        running, ports_behind = stack.enter_context(registry(engine, folder, GRPC__FRONT="on"))
        schema_id_behind, _ = register(ports_behind["grpc"])
        load = grpc_load(ports_behind["grpc"], schema_id_behind, folder)
        add(f"gRPC {engine}, behind the front", "grpc", psutil.Process(running.pid), load, opened)
        if engine == "native":
            with_credentials(opened)
            ceiling, port = empty("http", size * 2)  # JSON with base64 and all names
            url = f"http://127.0.0.1:{port}/api/v1/schemas/x"
            beside = add("HTTP/1.1, empty", "http", ceiling, ["--h1", url], None)
            url = f"http://127.0.0.1:{ports['http']}/api/v1/schemas/{schema_id}"
            add("HTTP/1.1", "http", ours, ["--h1", url], beside)
    return found


def measure(runs: int, seconds: float) -> str:
    """Everything, as a table in Markdown."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        tested = subjects(stack, folder)
        for subject in tested:
            h2load(subject, WARM_UP_SECONDS)
        for _ in range(runs):
            for subject in tested:
                run = h2load(subject, seconds)
                subject.rates.append(run.rate)
                subject.cpu.append(run.cpu_us)
        lines = [
            "| what | answers/s, median (lowest to highest) | share | server CPU per answer | "
            f"latency at {OFFERED:,}/s offered: p50, p95, p99 |",
            "|---|---|---|---|---|",
        ]
        for subject in tested:
            offered, share = None, ""
            if subject.beside is not None:
                pairs = zip(subject.rates, subject.beside.rates, strict=True)
                share = f"{statistics.median(a / b for a, b in pairs):.0%} of {subject.beside.name}"
                if "grpcio" not in subject.name:
                    offered = h2load(subject, seconds, offered=OFFERED)
            lines.append(row(subject, share, offered))
        return "\n".join(lines)


def over_many(connections: int, runs: int, seconds: float) -> str:
    """The same rate over a few connections and over many, as a table in Markdown."""
    lines = [
        f"| {OFFERED:,}/s offered to | connections | answered | p50, p95, p99 | server CPU per answer | beside few | MiB resident before, with them |",
        "|---|---|---|---|---|---|---|",
    ]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ours = [s for s in subjects(stack, folder) if s.name in MANY_CONNECTIONS]
        for subject in ours:
            h2load(subject, WARM_UP_SECONDS)
            found: dict[int, list[Run]] = {FEW: [], connections: []}
            before = subject.process.memory_info().rss
            peak = 0
            for _ in range(runs):
                for count, measured in found.items():
                    measured.append(h2load(subject, seconds, offered=OFFERED, connections=count))
                peak = max(peak, subject.process.memory_info().rss)
            shares = [b.cpu_us / a.cpu_us for a, b in zip(found[FEW], found[connections], strict=True)]
            for count, measured in found.items():
                cuts = [statistics.quantiles(run.latencies, n=100) for run in measured]
                waits = ", ".join(f"{statistics.median(c[p - 1] for c in cuts):.2f} ms" for p in (50, 95, 99))
                rate, cpu = (
                    statistics.median(getattr(run, name) for run in measured) for name in ("rate", "cpu_us")
                )
                share = f"{statistics.median(shares):.2f}" if count == connections else ""
                memory = f"{before / 2**20:.0f}, {peak / 2**20:.0f}" if count == connections else ""
                lines.append(
                    f"| {subject.name} | {count:,} | {rate:,.0f}/s | {waits} | {cpu:.1f} us | {share} | {memory} |"
                )
    return "\n".join(lines)


def row(subject: Subject, share: str, offered: Run | None) -> str:
    """One line of the table."""
    rate = f"{statistics.median(subject.rates):,.0f} ({min(subject.rates):,.0f} to {max(subject.rates):,.0f})"
    cpu = f"{statistics.median(subject.cpu):.1f} us"
    latency = ""
    if offered is not None:
        cuts = statistics.quantiles(offered.latencies, n=100)
        latency = (
            ", ".join(f"{cuts[p - 1]:.2f} ms" for p in (50, 95, 99)) + f" ({offered.rate:,.0f}/s answered)"
        )
    return f"| {subject.name} | {rate} | {share} | {cpu} | {latency} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--connections", type=int, default=0, help="measure what so many connections cost")
    parser.add_argument("--markdown", type=Path)
    asked = parser.parse_args()
    load_before = os.getloadavg()[0]
    many = asked.connections
    table = over_many(many, asked.runs, asked.seconds) if many else measure(asked.runs, asked.seconds)
    more = f" --connections {many}" if many else ""
    page = (
        f"# {'Hot reads over many connections' if many else 'Hot reads'}\n\n"
        f"`python loadtest/hot_reads.py --runs {asked.runs} --seconds {asked.seconds:g}{more}`\n\n"
        f"{os.cpu_count()} processors shared with the load generator, load average before the run {load_before:.1f}; "
        f"{rig.python()}, grpcio {grpc.__version__}\n\n{table}\n\n{'' if many else NOTE}"
    )
    print(page)
    if asked.markdown is not None:
        asked.markdown.write_text(page)


if __name__ == "__main__":
    main()
