"""Reads and validations with one serving process and with several (`server.workers`), side by side.

    python loadtest/workers.py [--runs 5] [--seconds 3] [--processes 2] [--markdown loadtest/results/workers.md]

Needs h2load (apt-get install nghttp2-client). Three servers run all the time: one process as it is on loopback, one process behind the front
that several have in any case, and several. In every round each is loaded once with the same calls over 64 connections, so that all see
the same machine; the load generator has two threads. The generator takes processor time from the servers where there are few cores. So its time is told
apart, by the system's account, and the figure that counts is how many answers a second of processor time of the servers makes: if it is
the same with several processes as with one, nothing is lost between them, and cores that are there add up. A figure is the median of the
rounds, and a ratio the median of the rounds' own ratios.
"""

from __future__ import annotations

import os
import re
import resource
import statistics
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import rig
from hot_reads import grpc_load, register

from llm_schema_registry.v1 import schema_registry_pb2 as pb

CONNECTIONS, STREAMS, THREADS = 64, 4, 2
WARM_UP_SECONDS = 1.5
VALIDATE = "/schema_registry.v1.SchemaRegistry/ValidateData"
DATA = b'{"id": "a-1", "amount": 12.5, "note": "hot"}'
FRONT = {"GRPC__FRONT": "on"}
NOTE = """\
How to read it. The last column is the figure that a busy machine spoils least: what a second of the servers' processor time makes with several processes,
beside what it makes with one. Near 1 nothing is lost between processes. Rates add up only where there are cores for them: with two, the load
generator takes its part of them, and whatever else runs takes more; a system that shares its time evenly between processes then gives two of ours
more than one.

What 16 cores will do is reckoned, not measured: the product of the answers per core-second and of the cores that are left to the servers. The reason is that
processes of one server share nothing that a read touches: each has its interpreter, loop, caches and sockets; the kernel chooses the process once for
each connection. Cached reads never ask the storage. So 16 cores should carry some 12 processes (one has an event loop that fills a core, and a thread for input
and output that uses a part of another; see the cores of one process in hot-reads.md), and answer some 12 times what one process does. Less where clients have
few connections, which spread unevenly, where the network's interrupts take cores, or where two "cores" are threads of one. What asks the storage ends
where that does: cold reads on PostgreSQL scale until it has no more to give, and writes do not scale with processes (writes-two-instances.md).
"""


@dataclass(frozen=True)
class Run:
    """One load: answers a second; seconds of processor time for each second, of the servers and of the generator."""

    rate: float
    server_cores: float
    generator_cores: float

    @property
    def per_core(self) -> float:
        """Answers that a second of the servers' processor time makes."""
        return self.rate / self.server_cores


@dataclass
class Case:
    """A server under one kind of load."""

    what: str
    which: str
    server: rig.Server
    load: Sequence[str]
    runs: list[Run] = field(default_factory=list)

    def run(self, seconds: float) -> Run:
        """Loads it. Raises RuntimeError when any request failed."""
        command = ["h2load", "-D", f"{int(seconds * 1000)}ms", "-t", str(THREADS), "-c", str(CONNECTIONS)]
        streams = "1" if "--h1" in self.load else str(STREAMS)
        before, generator = sum(self.server.cpu()), _generator()
        done = subprocess.run(
            [*command, "-m", streams, *self.load], capture_output=True, text=True, check=True
        )
        used, generated = sum(self.server.cpu()) - before, _generator() - generator
        found = [
            re.search(p, done.stdout)
            for p in (r"(\d+) succeeded", r"(\d+) failed", r"status codes: (\d+) 2xx")
        ]
        answered, failed, good = (int(match[1]) if match else -1 for match in found)
        if failed or good < answered or answered <= 0:
            raise RuntimeError(f"{self.what}, {self.which}: {done.stdout}")
        return Run(answered / seconds, used / seconds, generated / seconds)


def _generator() -> float:
    """Processor seconds of all load generators so far; servers run on, and are not among them."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def servers(processes: int, engine: str) -> Iterator[Mapping[str, rig.Server]]:
    """Those that are compared."""
    settings: dict[str, dict[str, str]] = {
        "1 process, no front": {},
        "1 process": FRONT,
        f"{processes} processes": {"SERVER__WORKERS": str(processes)},
    }
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(rig.server(GRPC__ENGINE=engine, WORKERS__PROCESSES="1", **more))
            for name, more in settings.items()
        }


def cases(running: Mapping[str, rig.Server], engine: str, folder: Path) -> list[Case]:
    """The loads of each server, kind by kind."""
    found: dict[str, list[Case]] = {}
    for which, server in running.items():
        schema_id, _ = register(server.port)
        reads = grpc_load(server.port, schema_id, folder)
        found.setdefault(f"GetSchema, gRPC ({engine})", []).append(Case("", which, server, reads))
        if engine == "native":
            found.setdefault("ValidateData, gRPC (native)", []).append(
                Case("", which, server, _validation(server.port, schema_id, folder))
            )
            url = f"http://127.0.0.1:{server.http}/api/v1/schemas/{schema_id}"
            if which != "1 process":  # the front before gRPC is none before HTTP
                found.setdefault("GetSchema, HTTP/1.1", []).append(Case("", which, server, ["--h1", url]))
    for what, group in found.items():
        for case in group:
            case.what = what
    return [case for group in found.values() for case in group]


def _validation(port: int, schema_id: str, folder: Path) -> list[str]:
    """h2load's arguments for one ValidateData call, which is not answered from a cache."""
    message = pb.ValidateDataRequest(schema_id=schema_id, data=DATA).SerializeToString()
    body = folder / f"{port}-validation.bin"
    body.write_bytes(b"\0" + len(message).to_bytes(4, "big") + message)
    headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
    return ["-d", str(body), *headers, f"http://127.0.0.1:{port}{VALIDATE}"]


def measured(processes: int, runs: int, seconds: float) -> list[Case]:
    """All cases with their runs; the servers of one engine at a time."""
    found = []
    for engine in ("native", "grpcio"):
        with tempfile.TemporaryDirectory() as folder, servers(processes, engine) as running:
            here = cases(running, engine, Path(folder))
            for case in here:
                case.run(WARM_UP_SECONDS)
            for _ in range(runs):
                for case in here:
                    case.runs.append(case.run(seconds))
            found += here
    return found


def table(found: Sequence[Case], processes: int) -> list[str]:
    """What was measured, and what several processes are to one."""
    lines = [
        "| what | which | answers/s, median (lowest to highest) | cores: servers | cores: generator | "
        f"answers per core-second of the servers | {processes} processes to this: answers/s | ... per core-second |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for case in found:
        several = next(c for c in found if c.what == case.what and c.which == f"{processes} processes")
        rates = [run.rate for run in case.runs]
        ratios = ["", ""]
        if several is not case:
            pairs = list(zip(several.runs, case.runs, strict=True))
            ratios = [
                f"{statistics.median(a.rate / b.rate for a, b in pairs):.2f}",
                f"{statistics.median(a.per_core / b.per_core for a, b in pairs):.2f}",
            ]
        cells = [
            case.what,
            case.which,
            f"{statistics.median(rates):,.0f} ({min(rates):,.0f} to {max(rates):,.0f})",
            f"{statistics.median(run.server_cores for run in case.runs):.2f}",
            f"{statistics.median(run.generator_cores for run in case.runs):.2f}",
            f"{statistics.median(run.per_core for run in case.runs):,.0f}",
            *ratios,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def main() -> None:
    parser = rig.parser(__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    lines = table(measured(asked.processes, asked.runs, asked.seconds), asked.processes)
    rig.publish([*rig.head("Several serving processes", load), *lines, "", NOTE], asked.markdown)


if __name__ == "__main__":
    main()
