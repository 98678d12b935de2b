"""Load on a server with its stores, by Locust users whose every answer is checked: one report with tables and pictures.

    python loadtest/load.py [--scenarios reads,storm] [--wires grpc,http] [--shape sustained] [--runs 5] [--seconds 20]

`make load` runs it; each option can be given there as a variable (LOAD_SCENARIOS=reads LOAD_SECONDS=5). Each scenario has a server and an
empty database of its own, filled with schemas of all three types. A run is `--warm-up` seconds of load that are not measured and
`--seconds` that are, half of them in a closed loop (each user calls again when it has its answer) and half in an open one, which offers
`--offered` of the closed loop's rate whatever becomes of earlier calls. Wires take turns, run by run. Figures are medians of the runs,
with the lowest and the highest. Before all that, the same users load a server that only answers: the ceiling of the generator.

The exit code is 1 when any answer was wrong, a subscriber was not told of a change, more than --errors-percent of the calls got no answer,
or (--shape soak) memory grew by more than --memory-mib after the first third.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import rig
import uvloop
from loads import corpus, report, scenarios
from loads.plan import CLOSED, OPEN, VARIABLE, Plan
from loads.records import Record
from loads.report import Measured
from loads.shapes import SHAPES
from rig import ROOT

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.support.redis import RedisServer

CEILING = "ceiling"
SCENARIOS = tuple(name for name in scenarios.SCENARIOS if name != CEILING)
WIRES = ("grpc", "http")
LEAST_RATE = 5.0
"""Calls per second that the open loop offers at least."""


@dataclass(frozen=True)
class Target:
    """A server under load: its ports by wire, the processes to watch, the URL of its metrics, and what it holds."""

    ports: Mapping[str, int]
    processes: Mapping[str, int]
    metrics: str
    entries: tuple[corpus.Entry, ...]


class Load:
    """All runs of one invocation."""

    def __init__(self, given: argparse.Namespace, folder: Path) -> None:
        self._given, self._folder = given, folder
        self._runs = 0

    def scenario(self, name: str, target: Target) -> list[Measured]:
        """Every run of one scenario, wires in turns."""
        parts = [
            Measured(name, scenarios.SCENARIOS[name].about, wire)
            for wire in self._given.wires
            if wire in target.ports
        ]
        loops = (CLOSED,) if name == CEILING else (CLOSED, OPEN)
        for number in range(self._given.runs):
            for part in parts:
                for loop in loops:
                    self._run(part, loop, target, number, self._given.seconds / len(loops))
        return parts

    def _run(self, part: Measured, loop: str, target: Target, number: int, seconds: float) -> None:
        if loop == OPEN:
            closed = statistics.median(record.rate for record in part.closed)
            part.rate = self._given.rate or max(LEAST_RATE, closed * self._given.offered)
        record = self._record(part, loop, target, seconds)
        (part.closed if loop == CLOSED else part.open).append(record)
        rate = f"{record.rate:,.0f} answers/s" + (f" of {part.rate:,.0f} offered" if loop == OPEN else "")
        busy = record.processor["generator"] / record.seconds / self._given.generators
        print(
            f"{part.scenario:13} {part.wire} {loop:6} run {number + 1}: {rate}, {report.quantiles(record.latencies())}, "
            f"generator at {busy:.0%}, errors {sum(record.errors.values())}, wrong {record.wrong_count}",
            flush=True,
        )
        for text in record.wrong:
            print(f"  WRONG {text}", flush=True)

    def _record(self, part: Measured, loop: str, target: Target, seconds: float) -> Record:
        """One run, made by all generators at once."""
        given = self._given
        self._runs += 1
        processes, results = [], []
        for number in range(given.generators):
            name = f"r{self._runs}g{number}"
            results.append(self._folder / f"{name}.json")
            plan = Plan(
                scenario=part.scenario,
                wire=part.wire,
                host="127.0.0.1",
                port=target.ports[part.wire],
                loop=loop,
                seconds=seconds,
                warm_up=given.warm_up,
                users=max(1, given.users // given.generators),
                rate=part.rate / given.generators,
                shape=given.shape,
                zipf=given.zipf,
                seed=given.seed + self._runs * 100 + number,
                subscribers=given.subscribers // given.generators,
                run=name,
                result=str(results[-1]),
                processes=target.processes,
                metrics=target.metrics,
                corpus=target.entries,
            )
            processes.append(start_generator(plan, self._folder / f"{name}-plan.json"))
        for process in processes:
            out, _ = process.communicate()
            if process.returncode not in (0, 1) or not all(result.exists() for result in results):
                raise SystemExit(f"a generator ended with {process.returncode}:\n{out}")
        records = [Record.read(result) for result in results]
        if not all(record.seconds for record in records):
            raise SystemExit(f"a generator has measured nothing:\n{out}")
        return report.merged(records)


def start_generator(plan: Plan, file: Path) -> subprocess.Popen[str]:
    """A Locust process that does what the plan says; its exit code is 1 when an answer was wrong."""
    plan.write(file)
    path = [ROOT / part for part in ("loadtest", "engines", "clients/python")]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, path)),
        VARIABLE: str(file),
        "LOCUST_SKIP_URLLIB3_PATCH": "1",
        "GRPC_VERBOSITY": "ERROR",
    }
    locustfile = str(ROOT / "loadtest/locust/locustfile.py")
    command = [sys.executable, "-m", "locust", "-f", locustfile, "--headless", "--only-summary"]
    command += ["--loglevel", "WARNING", "--stop-timeout", "30", "--exit-code-on-error", "0"]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


# Servers and stores


@contextmanager
def stores(kind: str) -> Iterator[tuple[Mapping[str, int], Any]]:
    """Process ids of the stores by name, and what gives the settings of a server on an empty one."""
    if kind == "sqlite":
        yield {}, dict[str, str]
        return
    with rig.postgres_cluster() as cluster, tempfile.TemporaryDirectory() as home:
        redis = RedisServer(Path(home))
        asyncio.run(redis.start())
        try:

            def settings() -> dict[str, str]:
                numbers[0] += 1
                prefix = f"load-{numbers[0]}"
                mine = {"CACHES__REDIS__URL": redis.url, "CACHES__REDIS__PREFIX": prefix}
                return {**rig.on(asyncio.run(cluster.create_database())), **mine}

            numbers = [0]
            (postmaster,) = (int(line) for line in (cluster.data / "postmaster.pid").read_text().split()[:1])
            yield {"database": postmaster, "redis": _listening(redis.port)}, settings
        finally:
            redis.kill()


def _listening(port: int) -> int:
    """The process of ours that listens on this port."""
    for process in psutil.Process().children(recursive=True):
        for connection in process.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                return process.pid
    raise RuntimeError(f"nothing listens on port {port}")


@contextmanager
def target(
    kind: str, settings: Mapping[str, str], beside: Mapping[str, int], schemas: int
) -> Iterator[Target]:
    """A server on empty stores, filled with so many subjects."""
    with rig.server(**settings, GRPC__ENGINE=kind) as server:
        entries = uvloop.run(fill(server.port, schemas))
        processes = {"server": server.process.pid, **beside}
        metrics = f"http://127.0.0.1:{server.metrics}/metrics"
        yield Target({"grpc": server.port, "http": server.http}, processes, metrics, entries)


async def fill(port: int, subjects: int) -> tuple[corpus.Entry, ...]:
    """Registers the corpus; its entries with their ids."""
    async with rig.channel(port) as channel:
        stub = rig.stub(channel)
        wanted = list(corpus.without_ids(subjects))
        made: dict[int, corpus.Entry] = {}

        async def register(start: int, number: int) -> None:
            entry = wanted[start + number]
            request = pb.RegisterSchemaRequest(
                subject=entry.subject,
                schema_content=entry.content.encode(),
                schema_type=pb.SchemaType.Value(f"SCHEMA_TYPE_{entry.schema_type}"),
            )
            answer = await stub.RegisterSchema(request, timeout=60)
            if answer.ordinal != entry.ordinal:
                raise RuntimeError(f"version {entry.ordinal} of {entry.subject} became {answer.ordinal}")
            made[start + number] = replace(entry, schema_id=answer.schema_id)

        for start in range(0, len(wanted), subjects):  # version after version
            await rig.calls(partial(register, start), subjects)
    return tuple(made[number] for number in sorted(made))


@contextmanager
def empty_servers(entry: corpus.Entry, wires: Sequence[str], folder: Path) -> Iterator[Target]:
    """Servers that answer every read with this entry."""
    version = pb.SchemaInfo(
        id=entry.schema_id,
        subject=entry.subject,
        ordinal=entry.ordinal,
        schema_content=entry.content.encode(),
    )
    shown = (
        f'{{"schema": {{"id": "{entry.schema_id}", "subject": "{entry.subject}", "ordinal": {entry.ordinal}, '
        f'"schema_content": "{corpus.encoded(entry.content)}"}}}}'
    )
    answers = {
        "grpc": ("native", pb.GetSchemaResponse(schema=version).SerializeToString()),
        "http": ("http", shown.encode()),
    }
    with ExitStack() as stack:
        ports = {}
        for wire in wires:
            engine, answer = answers[wire]
            file = folder / f"{wire}-answer"
            file.write_bytes(answer)
            command = [sys.executable, str(ROOT / "loadtest/empty_servers.py"), engine, str(file)]
            running = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
            stack.callback(running.kill)
            assert running.stdout is not None
            ports[wire] = int(running.stdout.readline())
        yield Target(ports, {}, "", (entry,))


# From the command line to the page


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Each option also as the variable LOAD_..., as `make load` has it."""

    def names(known: Sequence[str]) -> Any:
        def read(text: str) -> list[str]:
            found = [name.strip() for name in text.split(",") if name.strip()]
            if not found or set(found) - set(known):
                raise argparse.ArgumentTypeError(f"{text!r} is not a list of: {', '.join(known)}")
            return found

        return read

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )

    def add(name: str, default: object, help: str, **more: Any) -> None:
        variable = f"LOAD_{name.upper().replace('-', '_')}"
        given = os.environ.get(variable)
        more.setdefault("type", type(default))
        if given and given not in more.get("choices", [given]):  # argparse does not look at defaults
            parser.error(f"{variable} is {given!r}; use one of {', '.join(more['choices'])}")
        parser.add_argument(f"--{name}", default=given or default, help=f"{help} ({variable})", **more)

    add("scenarios", ",".join(SCENARIOS), f"of {', '.join(SCENARIOS)}", type=names(SCENARIOS))
    add("wires", ",".join(WIRES), "grpc, http or both", type=names(WIRES))
    add("shape", "sustained", "how the load changes within a run", choices=list(SHAPES))
    add("runs", 5, "runs of each scenario on each wire; 1 of a soak unless given")
    add("seconds", 20.0, "that a run is measured, both loops together")
    add("warm-up", 2.0, "seconds of load before each loop is measured")
    add("users", 16, "of the closed loop at full load")
    add("offered", 0.5, "share of the closed loop's rate that the open loop offers at full load")
    add("rate", 0.0, "calls per second that the open loop offers, instead of a share")
    add("generators", 1, "processes that make load at once")
    add("stores", "production", "production: PostgreSQL with durable commits and Redis; or sqlite", choices=["production", "sqlite"])  # fmt: skip
    add("engine", "native", "of gRPC", choices=["native", "grpcio"])
    add("schemas", 1000, "subjects of two versions each that the server holds before")
    add("zipf", 1.1, "exponent of the choice of schemas")
    add("subscribers", 50, "of the scenario watch; a tenth of them in day")
    add("memory-mib", 100.0, "by which memory may grow in a soak after its first third")
    add("errors-percent", 1.0, "of the calls of a scenario that may get no answer, but an error")
    add("seed", 1, "of all random choices")
    add("results", str(ROOT / "loadtest/results"), "folder of load.md and load/*.svg", type=Path)
    read = parser.parse_args(arguments)
    for name in ("runs", "seconds", "users", "generators", "schemas", "offered"):
        if getattr(read, name) <= 0:
            parser.error(f"--{name} is {getattr(read, name)}; it must be above 0")
    return read


def machine() -> str:
    """The processors and the memory of this machine."""
    model = next(
        (line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")),
        "processors of an unknown kind",
    )  # fmt: skip
    return f"{os.cpu_count()} × {model}, {psutil.virtual_memory().total / 2**30:.0f} GiB"


def main() -> None:
    given = options()
    if given.shape == "soak" and "LOAD_RUNS" not in os.environ and "--runs" not in sys.argv:
        given.runs = 1
    head = [*rig.head("Load", os.getloadavg()[0]), *conditions(given)]
    everything: list[list[Measured]] = []
    ceilings: dict[str, Measured] = {}
    file: Path = given.results / "load.md"
    file.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        load = Load(given, folder)
        beside, settings = stack.enter_context(stores(given.stores))
        for name in given.scenarios:
            with target(given.engine, settings(), beside, given.schemas) as under:
                if not ceilings:
                    with empty_servers(under.entries[0], given.wires, folder) as empty:
                        ceilings = {part.wire: part for part in load.scenario(CEILING, empty)}
                everything.append(load.scenario(name, under))
            report.draw(everything[-1], given.results / "load")
            # After each scenario, so that a run that is ended early leaves what it has measured.
            file.write_text("\n".join([*head, *page(given, everything, ceilings)]) + "\n")
    print(file.read_text())
    sys.exit(bool(failures(given, everything, ceilings)))


def failures(
    given: argparse.Namespace, everything: Sequence[Sequence[Measured]], ceilings: Mapping[str, Measured]
) -> list[str]:
    """Why the exit code is 1."""
    parts = [part for scenario in everything for part in scenario]
    found = [text for part in [*ceilings.values(), *parts] for text in part.wrong]
    found += report.unanswered(parts, given.errors_percent)
    return found + (report.grown(parts, given.memory_mib) if given.shape == "soak" else [])


def page(
    given: argparse.Namespace, everything: Sequence[Sequence[Measured]], ceilings: Mapping[str, Measured]
) -> list[str]:
    """The lines of the report below its head."""
    reads = {part.wire: part for scenario in everything for part in scenario if part.scenario == "reads"}
    broken = failures(given, everything, ceilings)
    parts = [part for scenario in everything for part in scenario]
    return [
        *(
            line
            for scenario in everything
            for line in report.scenario_lines(scenario, "load", given.generators)
        ),
        *report.ceiling_lines(ceilings, reads, given.generators),
        *(["**Failed**:", "", *(f"* {text}" for text in broken)] if broken else [verdict(parts)]),
    ]


def conditions(given: argparse.Namespace) -> list[str]:
    """What all runs had in common."""
    where = "PostgreSQL with durable commits and Redis" if given.stores == "production" else "SQLite"
    return [
        f"{machine()}. Server, stores and {given.generators} generator(s) share them.",
        "",
        f"On {where}; gRPC on the {given.engine} engine; {given.schemas:,} subjects with two versions each, of all three types; shape "
        f"`{given.shape}`; {given.users} users of the closed loop; {given.runs} runs of {given.seconds / 2:g} s closed and "
        f"{given.seconds / 2:g} s open, each after {given.warm_up:g} s of warm-up. Every answer was compared with the right one.",
        "",
    ]


def verdict(everything: Sequence[Measured]) -> str:
    answers = sum(record.done for part in everything for record in part.records)
    return f"{answers:,} answers were checked while measuring; none was wrong."


if __name__ == "__main__":
    main()
