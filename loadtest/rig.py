"""What benchmarks of a whole installation share: databases, servers, schemas, figures. The database is that of the tests, with
durable commits."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import grpc
import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "engines"), str(ROOT / "server"), str(ROOT / "clients/python")]

from entries import entry as entry  # noqa: E402
from entries import schema as schema  # noqa: E402

from llm_schema_registry.v1 import schema_registry_pb2_grpc  # noqa: E402
from tests.support.postgres import Postgres  # noqa: E402


@dataclass(frozen=True)
class Server:
    """A running server. port: of gRPC; http, metrics: of those. started: seconds from exec until it took calls."""

    process: psutil.Process
    port: int
    started: float
    http: int = 0
    metrics: int = 0

    def forget_peak(self) -> None:
        """Measure `peak` anew."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    @property
    def peak(self) -> float:
        """Largest resident memory of the server's own process so far, in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

    @property
    def resident(self) -> float:
        """Resident memory of the server's own process in MiB, without its workers."""
        return float(self.process.memory_info().rss) / 2**20

    def cpu(self) -> tuple[float, float]:
        """Processor seconds of the server's own process and of its workers so far; those of workers that have ended too."""
        own = self.process.cpu_times()
        living = sum(sum(worker.cpu_times()[:4]) for worker in self.process.children(recursive=True))
        return own.user + own.system, own.children_user + own.children_system + living


@contextmanager
def server(
    log: Path | None = None, variables: Mapping[str, str] | None = None, /, **settings: str
) -> Iterator[Server]:
    """A server with these settings (SCHEMA_REGISTRY_* without the prefix) and other variables, ended at the end. log: where its log
    goes; else to the terminal."""
    with tempfile.TemporaryDirectory() as home, _appended(log) as output:
        ready = Path(home) / "ready.json"
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(
                str(ROOT / part) for part in ("engines", "server", "clients/python")
            ),
            "SCHEMA_REGISTRY_LOGS__LEVEL": "error",
            "SCHEMA_REGISTRY_STORAGE__PATH": f"{home}/registry.db",
            **{f"SCHEMA_REGISTRY_{part}__HOST": "127.0.0.1" for part in ("GRPC", "HTTP", "METRICS")},
            **{f"SCHEMA_REGISTRY_{part}__PORT": "0" for part in ("GRPC", "HTTP", "METRICS")},
            **{f"SCHEMA_REGISTRY_{name}": value for name, value in settings.items()},
            **(variables or {}),
        }
        command = [
            sys.executable,
            "-m",
            "llm_schema_registry_server",
            "serve",
            "--ready-file",
            str(ready),
        ]
        began = time.perf_counter()
        running = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        try:
            while not ready.exists():
                if running.poll() is not None:
                    raise SystemExit("the server did not start")
                time.sleep(0.002)
            started = time.perf_counter() - began
            ports = json.loads(ready.read_text())
            yield Server(psutil.Process(running.pid), ports["grpc"], started, ports["http"], ports["metrics"])
        finally:
            running.terminate()
            try:
                running.wait(30)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()


@contextmanager
def _appended(file: Path | None) -> Iterator[IO[bytes] | None]:
    if file is None:
        yield None
    else:
        with file.open("ab") as opened:
            yield opened


@contextmanager
def postgres_cluster() -> Iterator[Postgres]:
    """PostgreSQL with durable commits. max_wal_size: PostgreSQL's own; the small segments of the tests' template lower it to 64 MB,
    and a checkpoint every two seconds would be part of what is measured."""
    cluster = Postgres(fsync="on", shared_buffers="256MB", autovacuum="on", max_wal_size="1GB")
    cluster.start()
    try:
        asyncio.run(cluster.ready())
        yield cluster
    finally:
        cluster.remove()


@contextmanager
def postgres() -> Iterator[Callable[[], dict[str, str]]]:
    """A cluster with durable commits; each call makes an empty database and gives the settings that use it."""
    with postgres_cluster() as cluster:
        yield lambda: on(asyncio.run(cluster.create_database()))


def on(dsn: str) -> dict[str, str]:
    return {"STORAGE__KIND": "postgres", "STORAGE__POSTGRES__DSN": dsn}


async def calls(
    act: Callable[[int], Awaitable[Any]], count: int, at_a_time: int = 16
) -> tuple[float, list[float]]:
    """`act(0)` to `act(count - 1)`, so many at a time: calls per second, and the seconds of each."""
    numbers = iter(range(count))
    latencies: list[float] = []

    async def caller() -> None:
        for number in numbers:
            began = time.perf_counter()
            await act(number)
            latencies.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(at_a_time)))
    return count / (time.perf_counter() - began), latencies


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def channel(port: int) -> grpc.aio.Channel:
    """A connection of its own."""
    return grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=(("grpc.use_local_subchannel_pool", 1),))


def stub(at: grpc.aio.Channel) -> schema_registry_pb2_grpc.SchemaRegistryAsyncStub:
    """The calls over a connection; the generated class serves both kinds of channel."""
    return schema_registry_pb2_grpc.SchemaRegistryStub(at)


def parser(about: str | None) -> argparse.ArgumentParser:
    """Of the options of a benchmark whose module says this of itself."""
    made = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--markdown", type=Path, help="write the page here too")
    return made


def head(title: str, load: float) -> list[str]:
    """The first lines of a page: what was run, and where."""
    command = " ".join(["python", str(Path(sys.argv[0]).resolve().relative_to(ROOT)), *sys.argv[1:]])
    return [
        f"# {title}",
        "",
        f"`{command}`",
        "",
        f"{os.cpu_count()} processors shared with clients and databases, load average before the run {load:.1f}; "
        f"{python()}.",
        "",
    ]


def python() -> str:
    """Which Python runs: one that was compiled without profile-guided optimization, as by hand, is slower than a system's."""
    whose = " of the system" if sys.base_prefix == "/usr" else ""
    return f"Python {platform.python_version()}{whose}"


def publish(lines: Sequence[str], file: Path | None) -> None:
    """Print a page, and write it into the file that `--markdown` names."""
    page = "\n".join(lines) + "\n"
    print(page)
    if file is not None:
        file.write_text(page)
