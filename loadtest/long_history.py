"""BACKWARD_TRANSITIVE against 10,000 versions: what one registration takes, of a server that has just started and of one that is warm.

    python loadtest/long_history.py [before] [--versions 10000] [--sizes 0.6,2] [--storage sqlite,postgres] [--markdown loadtest/results/long-history.md]

This tree fills a storage through its server; then the earlier commit (default: main) and this tree each serve it, in turns, SQLite a copy of
it. A server that has just started is asked for a compatible version, then for two more, then for one that every version refuses. Measured are
the wait, the processor time of the server, its workers and the database, the server's largest resident memory, and the longest stretch of the
event loop, by its processor time (`logs.stall_seconds`, of a server of its own: to look costs time, too).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import growth
import grpc
import rig
from histories import register, stretches
from two_commits import checked_out

from llm_schema_registry.v1 import config_pb2, config_pb2_grpc
from llm_schema_registry.v1 import schema_registry_pb2 as pb

WARM = 2
STALL = "0.004"
_numbers = count(10**6)
Make = Callable[[int], bytes]


def made(kilobytes: float) -> Make:
    """Makes schemas of about so many kB."""
    prose = "What the field says."
    each = len(growth.described(0, 2, prose)) - len(growth.described(0, 1, prose))
    rest = len(growth.described(0, 0, prose))
    return partial(growth.described, fields=max(1, round((kilobytes * 1000 - rest) / each)), prose=prose)


def refused(content: bytes) -> bytes:
    """A schema that accepts nothing of what the others do."""
    found = json.loads(content)
    found["properties"]["field_0"] = {"type": "integer"}
    return json.dumps(found).encode()


async def fill(port: int, make: Make, versions: int) -> None:
    async with rig.channel(port) as channel:
        for number in range(versions):
            await register(rig.stub(channel), "long", make(number))
        level = config_pb2.Config(compatibility_level=pb.COMPATIBILITY_LEVEL_BACKWARD_TRANSITIVE)
        asked = config_pb2.SetConfigRequest(subject="long", config=level)
        await config_pb2_grpc.ConfigServiceStub(channel).SetConfig(asked)


async def figures(
    server: rig.Server, storage: growth.Storage, make: Make
) -> dict[str, tuple[float, float, float]]:
    """By kind: seconds of wait and of processor time, and the largest resident memory in MiB."""
    found: dict[str, list[tuple[float, float, float]]] = {"cold": [], "warm": [], "refused": []}
    async with rig.channel(server.port) as channel:
        for kind in ("cold", *["warm"] * WARM, "refused"):
            content = make(next(_numbers))
            used, began = sum(server.cpu()) + storage.used(), time.perf_counter()
            try:
                await register(rig.stub(channel), "long", refused(content) if kind == "refused" else content)
            except grpc.aio.AioRpcError as error:
                if kind != "refused" or error.code() not in (
                    grpc.StatusCode.FAILED_PRECONDITION,
                    grpc.StatusCode.DEADLINE_EXCEEDED,
                    grpc.StatusCode.RESOURCE_EXHAUSTED,
                ):
                    raise
                kind = f"refused ({error.code().name})"
            took = time.perf_counter() - began
            spent = sum(server.cpu()) + storage.used() - used
            found.setdefault(kind, []).append((took, spent, server.peak))
    return {
        kind: (
            statistics.median(one[0] for one in several),
            statistics.median(one[1] for one in several),
            several[-1][2],
        )
        for kind, several in found.items()
        if several
    }


def rows(name: str, tree: Path, label: str, make: Make, on: Callable[[], growth.Storage]) -> Iterator[str]:
    storage = on()
    with rig.server(None, growth.python_path(tree), **storage.settings) as server:
        found = asyncio.run(figures(server, storage, make))
    with tempfile.TemporaryDirectory() as home:
        log, storage = Path(home) / "log", on()
        told: Mapping[str, str] = {
            "LOGS__STALL_SECONDS": STALL,
            "LOGS__LEVEL": "warning",
            "LOGS__FORMAT": "json",
        }
        with rig.server(log, growth.python_path(tree), **storage.settings, **told) as server:
            asyncio.run(figures(server, storage, make))
        longest = max((seconds for seconds, _ in stretches(log)), default=0.0)
    for kind, (took, spent, peak) in found.items():
        yield (
            f"| {name} | {label} | {kind} | {took * 1000:,.0f} ms | {spent * 1000:,.0f} ms | {peak:.0f} MiB | {longest * 1000:.1f} ms |"
        )


def sqlite(make: Make, versions: int, home: Path) -> Callable[[], growth.Storage]:
    file = home / "filled.db"
    file.unlink(missing_ok=True)
    with rig.server(None, STORAGE__PATH=str(file), STORAGE__SYNCHRONOUS="normal") as server:
        asyncio.run(fill(server.port, make, versions))
    copies = count()

    def copy() -> growth.Storage:
        to = home / f"copy-{next(copies)}.db"
        shutil.copy(file, to)
        return growth.Storage({"STORAGE__PATH": str(to)})

    return copy


def postgres(make: Make, versions: int, cluster: Any) -> Callable[[], growth.Storage]:
    dsn = asyncio.run(cluster.create_database())
    with rig.server(None, **rig.on(dsn)) as server:
        asyncio.run(fill(server.port, make, versions))
    return lambda: growth.Storage(rig.on(dsn), cluster.cpu_seconds)


def main() -> None:
    parser: argparse.ArgumentParser = rig.parser(__doc__)
    parser.add_argument("before", nargs="?", default="main", help="a commit")
    parser.add_argument("--versions", type=int, default=10_000)
    parser.add_argument("--sizes", default="0.6,2", help="kB of a version")
    parser.add_argument("--storage", default="sqlite,postgres")
    options = parser.parse_args()
    lines = rig.head("BACKWARD_TRANSITIVE against a long history", os.getloadavg()[0])
    lines += [
        f"{options.versions:,} versions. The longest stretch is that of a second server, over all its registrations.",
        "",
        "| commit | history | registration | wait | processor | server, largest | longest stretch of the event loop |",
        "|---|---|---|---|---|---|---|",
    ]
    wanted = options.storage.split(",")
    with ExitStack() as stack:
        before = stack.enter_context(checked_out(options.before))
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cluster = stack.enter_context(rig.postgres_cluster()) if "postgres" in wanted else None
        for size in options.sizes.split(","):
            make = made(float(size))
            for storage in wanted:
                on = (
                    sqlite(make, options.versions, home)
                    if storage == "sqlite"
                    else postgres(make, options.versions, cluster)
                )
                for name, tree in ((before.name, before.folder), ("this tree", rig.ROOT)):
                    for row in rows(name, tree, f"{storage}, {len(make(0)) / 1000:.1f} kB", make, on):
                        print(row, flush=True)
                        lines.append(row)
    rig.publish(lines, options.markdown)


if __name__ == "__main__":
    main()
