"""A check against a long history: what it takes, and what everybody else notices of it.

    python loadtest/histories.py [main] [--many 1000] [--large 300] [--huge 10000] [--seconds 6] [--markdown loadtest/results/histories.md]

Servers of an earlier commit and of this tree on SQLite, asked one after the other. Each has subjects at level BACKWARD_TRANSITIVE: one
with `many` versions of 0.6 KB, one with `large` versions of 5.6 KB, one with `huge` of 0.6 KB (0: none). A caller registers the next
version, again and again; beside it others read computed answers and register new subjects at a fixed rate. Measured are the caller's
waits, the 95th percentile of the others' with and without it, and the stretches in which the event loop computed for more than 2 ms
(`logs.stall_seconds`, of a server of its own: to look costs time, too).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import growth
import rig
from two_commits import checked_out

from llm_schema_registry.v1 import config_pb2, config_pb2_grpc
from llm_schema_registry.v1 import schema_registry_pb2 as pb

PERIOD = 0.02
"""Seconds between two calls of each of the others."""
STALL = 0.002
"""Seconds of processor time of one stretch of the event loop from which on it is told."""
_numbers = count(10**6)


async def fill(port: int, subjects: Mapping[str, tuple[Callable[[int], bytes], int]]) -> None:
    async with rig.channel(port) as channel:
        stub = rig.stub(channel)
        for subject, (make, versions) in subjects.items():
            for number in range(versions):
                await register(stub, subject, make(number))
            level = config_pb2.Config(compatibility_level=pb.COMPATIBILITY_LEVEL_BACKWARD_TRANSITIVE)
            asked = config_pb2.SetConfigRequest(subject=subject, config=level)
            await config_pb2_grpc.ConfigServiceStub(channel).SetConfig(asked)
        await register(stub, "read", growth.small(0))


async def register(stub: Any, subject: str, content: bytes) -> None:
    await stub.RegisterSchema(
        pb.RegisterSchemaRequest(subject=subject, schema_content=content, schema_type=pb.SCHEMA_TYPE_JSON)
    )


async def paced(act: Callable[[], Awaitable[Any]], end: float) -> list[float]:
    """Seconds of calls that begin every PERIOD, whatever becomes of those before."""
    waits: list[float] = []

    async def one(due: float) -> None:
        await act()
        waits.append(time.perf_counter() - due)

    calls = []
    due = time.perf_counter()
    while due < end:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        calls.append(asyncio.create_task(one(due)))
        due += PERIOD
    await asyncio.gather(*calls)
    return waits


async def beside(
    port: int, heavy: Callable[[Any], Awaitable[None]] | None, seconds: float
) -> dict[str, list[float]]:
    """The seconds that each kind of call took."""
    async with rig.channel(port) as own, rig.channel(port) as others:
        stub, quick = rig.stub(own), rig.stub(others)
        end = time.perf_counter() + seconds
        waits: list[float] = []

        async def caller() -> None:
            while heavy is not None and time.perf_counter() < end:
                began = time.perf_counter()
                await heavy(stub)
                waits.append(time.perf_counter() - began)

        asked = pb.ListVersionsRequest(subject="read")
        reads, writes, _ = await asyncio.gather(
            paced(lambda: quick.ListVersions(asked), end),
            paced(lambda: register(quick, f"new.s{next(_numbers)}", growth.small(next(_numbers))), end),
            caller(),
        )
        return {"heavy": waits, "reads": reads, "writes": writes}


def stretches(log: Path) -> Iterator[tuple[float, str]]:
    """Processor seconds of stretches of the event loop, and where it stood."""
    for line in log.read_text().splitlines():
        if '"event_loop_stalled"' in line:
            told = json.loads(line)
            if told.get("processor_seconds", 0) >= STALL:
                yield told["processor_seconds"], told["code"]


def rows(name: str, tree: Path, options: argparse.Namespace) -> Iterator[str]:
    chosen: dict[str, tuple[Callable[[int], bytes], int]] = {
        "many": (growth.small, options.many),
        "large": (growth.large, options.large),
        "huge": (growth.small, options.huge),
    }
    subjects = {subject: found for subject, found in chosen.items() if found[1]}
    path = growth.python_path(tree)
    with rig.server(None, path) as server:
        asyncio.run(fill(server.port, subjects))
        quiet = asyncio.run(beside(server.port, None, options.seconds))
        alone = [f"{rig.percentile(quiet[kind], 0.95) * 1000:.1f}" for kind in ("reads", "writes")]
        yield f"| {name} | nobody | | | | {alone[0]} ms | {alone[1]} ms |"
        for subject, (make, versions) in subjects.items():

            async def heavy(stub: Any, subject: str = subject, make: Callable[[int], bytes] = make) -> None:
                await register(stub, subject, make(next(_numbers)))

            asyncio.run(beside(server.port, heavy, 0.1))
            used = sum(server.cpu())
            found = asyncio.run(beside(server.port, heavy, options.seconds))
            spent = (sum(server.cpu()) - used) / len(found["heavy"])
            waits = [rig.percentile(found["heavy"], p) * 1000 for p in (0.5, 0.95)]
            others = [rig.percentile(found[kind], 0.95) * 1000 for kind in ("reads", "writes")]
            yield (
                f"| {name} | {versions:,} versions of {len(make(10**6)) / 1000:.1f} kB | {waits[0]:.0f} ms | {waits[1]:.0f} ms | "
                f"{spent * 1000:.0f} ms | {others[0]:.1f} ms | {others[1]:.1f} ms |"
            )


def watched(name: str, tree: Path, options: argparse.Namespace) -> Iterator[str]:
    """The longest stretches of the event loop while versions are registered."""
    subjects: dict[str, tuple[Callable[[int], bytes], int]] = {
        "many": (growth.small, options.many),
        "large": (growth.large, options.large),
    }
    with tempfile.TemporaryDirectory() as home:
        log = Path(home) / "log"
        told = {"LOGS__STALL_SECONDS": str(STALL), "LOGS__LEVEL": "warning", "LOGS__FORMAT": "json"}
        with rig.server(log, growth.python_path(tree), **told) as server:
            asyncio.run(fill(server.port, subjects))
            log.write_text("")
            for subject, (make, _) in subjects.items():

                async def heavy(
                    stub: Any, subject: str = subject, make: Callable[[int], bytes] = make
                ) -> None:
                    await register(stub, subject, make(next(_numbers)))

                asyncio.run(beside(server.port, heavy, options.seconds))
        found = sorted(stretches(log), reverse=True)
        yield f"{name}: {len(found)} stretches of {STALL * 1000:.0f} ms or more of processor time"
        if found:
            yield f", the longest {found[0][0] * 1000:.1f} ms, the median {statistics.median(s for s, _ in found) * 1000:.1f} ms"
        yield ".\n"
        for code, times in Counter(code.split(" | ")[0] for _, code in found).most_common(6):
            yield f"* {times} times at `{code or 'not seen'}`\n"


def main() -> None:
    parser = rig.parser(__doc__)
    parser.add_argument("before", nargs="?", default="main", help="a commit")
    parser.add_argument("--many", type=int, default=1000)
    parser.add_argument("--large", type=int, default=300)
    parser.add_argument("--huge", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=6.0)
    options = parser.parse_args()
    lines = rig.head("Checks against long histories", os.getloadavg()[0])
    lines += [
        "| commit | who registers beside the others | p50 | p95 | processor for each | others' reads, p95 | others' registrations, p95 |",
        "|---|---|---|---|---|---|---|",
    ]
    with ExitStack() as stack:
        before = stack.enter_context(checked_out(options.before))
        trees = ((before.name, before.folder), ("this tree", rig.ROOT))
        for name, tree in trees:
            for row in rows(name, tree, options):
                print(row, flush=True)
                lines.append(row)
        lines.append("")
        for name, tree in trees:
            lines += "".join(watched(name, tree, options)).splitlines()
            lines.append("")
    rig.publish(lines, options.markdown)


if __name__ == "__main__":
    main()
