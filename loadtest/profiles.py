"""Where the processor time of a call goes: flame graphs of hot reads, cold reads, registrations and validations on each wire.

    python loadtest/profiles.py [--only "hot read"] [--seconds 5] [--markdown loadtest/results/profiles.md]

`make profile` runs it. Each operation is loaded twice on a server of its own on SQLite: once to see what a call costs, by the system's
account of every thread of the server and of its workers, and once more while py-spy looks at its threads --rate times a second. What a
thread costs is divided as its samples are; threads that never run Python (those of the wires' libraries) are told apart, since py-spy
cannot see into them. Where a thread has more samples than it had the processor, those where it waits are dropped. A sample counts for the innermost frame that belongs to a layer; time in C counts for
the function of Python that called it. Needs h2load (apt-get install nghttp2-client) and py-spy (the extra `load`).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import psutil
import rig
from loads import flames
from loads.layers import OUTSIDE, function, layer, shortened, waits
from profiled_calls import OPERATIONS, WIRES, Served, registration
from rig import ROOT

from llm_schema_registry.v1 import schema_registry_pb2_grpc

TOP = 8
"""Functions that are listed of each operation."""
WARM_UP_SECONDS = 1.0


@dataclass(frozen=True)
class Profile:
    """threads: microseconds of each call by kind of thread, workers too. stacks: nanoseconds of each call by where they are spent, of
    threads that run Python, by kind and frames. samples: of which these were made."""

    operation: str
    wire: str
    calls: int
    threads: Mapping[str, float]
    stacks: flames.Stacks
    samples: int

    @property
    def total_us(self) -> float:
        return sum(self.threads.values())


LOOP, THREADS, WORKERS = "event loop", "other threads with Python", "worker processes"
Samples = dict[tuple[int, tuple[str, ...]], int]
"""By the system's number of a thread and the frames there."""


@dataclass(frozen=True)
class Used:
    """Processor seconds so far: of each thread by its number, of the workers; and the names of the threads."""

    threads: Mapping[int, float]
    names: Mapping[int, str]
    workers: float


def used(server: psutil.Process) -> Used:
    seconds, names = {}, {}
    for task in server.threads():
        try:
            names[task.id] = Path(f"/proc/{server.pid}/task/{task.id}/comm").read_text().strip()
        except FileNotFoundError:
            continue  # has ended since it was listed
        seconds[task.id] = task.user_time + task.system_time
    below = server.cpu_times()
    workers = below.children_user + below.children_system
    workers += sum(sum(child.cpu_times()[:4]) for child in server.children(recursive=True))
    return Used(seconds, names, workers)


def prefer(server: psutil.Process) -> None:
    """Lets nothing else have the processor while the server wants it, where this user may say so: a sample is then taken where it works, and
    not where it waits for its turn, which is mostly at calls of the system."""
    if os.geteuid() == 0:
        for task in server.threads():
            os.setpriority(os.PRIO_PROCESS, task.id, -15)


def profile(operation: str, wire: str, seconds: float, rate: int) -> Profile:
    """Loads a server of its own, once to measure and once to look."""
    load = OPERATIONS[operation][wire]
    with rig.server(GRPC__ENGINE=WIRES[wire]) as server:
        served = Served(server, filled(server.port))
        prefer(server.process)
        load(served, WARM_UP_SECONDS)
        before = used(server.process)
        calls = load(served, seconds)
        after = used(server.process)
        began = time.monotonic()
        with looking(server.process.pid, seconds, rate) as samples:
            load(served, seconds + 1)
            busy, took = used(server.process).threads, time.monotonic() - began
    working = {number: (s - after.threads.get(number, 0.0)) / took for number, s in busy.items()}
    samples = without_waits(samples, {number: share * seconds * rate for number, share in working.items()})
    each = {
        number: (s - before.threads.get(number, 0.0)) / calls * 1e6 for number, s in after.threads.items()
    }
    kinds = {LOOP: each[server.process.pid]}
    python = {number for number, stack in samples if stack != (OUTSIDE,)}
    for number, us in each.items():
        if number != server.process.pid:
            own = after.names[number] == after.names[server.process.pid]
            whose = "without a name" if own else f"`{after.names[number]}`"
            kind = THREADS if number in python else f"threads of a library, {whose}"
            kinds[kind] = kinds.get(kind, 0.0) + us
    kinds[WORKERS] = (after.workers - before.workers) / calls * 1e6
    stacks = spent(samples, {number: each.get(number, 0.0) for number in python}, server.process.pid)
    shown = {name: us for name, us in kinds.items() if us > 0.05}
    return Profile(operation, wire, calls, shown, stacks, sum(samples.values()))


def without_waits(samples: Samples, most: Mapping[int, float]) -> Samples:
    """A thread cannot work in more samples than it had the processor: those above `most` were taken where it waits, and are left out."""
    left = dict(samples)
    for number, limit in most.items():
        mine = {key: count for key, count in samples.items() if key[0] == number}
        waiting = {key: count for key, count in mine.items() if waits(key[1])}
        excess = min(max(0.0, sum(mine.values()) - limit), float(sum(waiting.values())))
        for key, count in waiting.items():
            left[key] = round(count * (1 - excess / sum(waiting.values())))
    return left


def spent(samples: Samples, each: Mapping[int, float], main: int) -> flames.Stacks:
    """What each of these threads uses (microseconds), divided as its samples are; in nanoseconds."""
    found: dict[tuple[str, ...], int] = {}
    for number, us in each.items():
        mine = {stack: count for (whose, stack), count in samples.items() if whose == number}
        whole = sum(mine.values()) or 1
        for stack, count in mine.items():
            below = (LOOP if number == main else THREADS, *stack)
            found[below] = found.get(below, 0) + round(us * 1000 * count / whole)
    return found


def filled(port: int) -> str:
    """The id of one schema among a few."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = schema_registry_pb2_grpc.SchemaRegistryStub(channel)
        made = [stub.RegisterSchema(registration(f"load.s{number}", number)) for number in range(20)]
    return str(made[-1].schema_id)


@contextmanager
def looking(process: int, seconds: float, rate: int) -> Iterator[Samples]:
    """Samples of the process's threads while the block runs; there when it has ended."""
    places = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    program = shutil.which("py-spy", path=places)
    if program is None:
        raise SystemExit("py-spy is not installed: pip install 'llm-schema-registry[load]'")
    found: Samples = {}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "stacks"
        command = [program, "record", "--pid", str(process), "--duration", str(max(1, round(seconds)))]
        command += [
            "--rate",
            str(rate),
            "--format",
            "raw",
            "--full-filenames",
            "--threads",
            "--output",
            str(out),
        ]
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        yield found
        said, _ = running.communicate()
        if running.returncode or not out.exists():
            raise SystemExit(f"py-spy could not look at the server (it needs the right to trace it):\n{said}")
        for stack, count in flames.read(out.read_text()).items():
            thread = re.match(r"thread \((\d+)\)", stack[0]) if stack else None
            if thread is not None:
                frames = tuple(shortened(frame) for frame in stack[1:]) or (OUTSIDE,)
                key = int(thread[1]), frames
                found[key] = found.get(key, 0) + count


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
    kinds = (LOOP, THREADS, "threads of libraries", WORKERS)
    lines = [
        f"| operation | wire | us of processor for each call | {' | '.join(kinds)} |",
        "|---" * (3 + len(kinds)) + "|",
    ]
    for made in profiles:
        cells = {kind: made.threads.get(kind, 0.0) for kind in kinds}
        cells["threads of libraries"] = made.total_us - sum(cells.values())
        lines.append(
            f"| {made.operation} | {made.wire} | {made.total_us:,.1f} | "
            + " | ".join(f"{us:,.1f}" for us in cells.values())
            + " |"
        )
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
