"""How long a list of many schemas takes on each engine of gRPC, in turns, and beside another tree.

    python loadtest/lists.py [--schemas 1000,10000] [--rounds 7] [--before TREE] [--markdown loadtest/results/lists.md]

A server for each engine on SQLite, with as many schemas of about 1 KB as the largest size; TREE is a checkout of an earlier commit, whose
server is asked in the same rounds. A list is read in pages of 1,000 over one connection. The time is what the caller waited until
the last schema, the median of the rounds; processor time is the server's.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import rig

from llm_schema_registry.v1 import schema_registry_pb2 as pb

PAGE = 1000


async def fill(port: int, count: int) -> None:
    async with rig.channel(port) as channel:
        stub: Any = rig.stub(channel)

        async def register(number: int) -> None:
            content = rig.schema(number) + b" " * 600
            await stub.RegisterSchema(
                pb.RegisterSchemaRequest(
                    subject=f"lists.s{number}", schema_content=content, schema_type=pb.SCHEMA_TYPE_JSON
                )
            )

        await rig.calls(register, count)


async def read(port: int, count: int) -> float:
    """Seconds for so many schemas."""
    async with rig.channel(port) as channel:
        stub: Any = rig.stub(channel)
        await stub.ListSubjects(pb.ListSubjectsRequest(limit=1))
        began, had = time.perf_counter(), 0
        while had < count:
            async for _ in stub.ListSchemas(pb.ListSchemasRequest(limit=min(PAGE, count), offset=had)):
                had += 1
        return time.perf_counter() - began


def main() -> None:
    parser = rig.parser(__doc__)
    parser.add_argument("--schemas", default="1000,10000")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--before", type=Path, help="a checkout of an earlier commit")
    options = parser.parse_args()
    sizes = sorted(int(size) for size in options.schemas.split(","))
    head = rig.head("Lists", os.getloadavg()[0])
    trees = {**({"before": options.before} if options.before else {}), "now": rig.ROOT}
    found: dict[tuple[str, str, int], list[tuple[float, float]]] = {}
    with ExitStack() as stack:
        servers = {}
        for when, tree in trees.items():
            path = os.pathsep.join(str(tree / part) for part in ("engines", "server", "clients/python"))
            for engine in ("native", "grpcio"):
                variables = {"PYTHONPATH": path}
                servers[engine, when] = stack.enter_context(rig.server(None, variables, GRPC__ENGINE=engine))
        for server in servers.values():
            asyncio.run(fill(server.port, sizes[-1]))
        for size in sizes:
            for _ in range(options.rounds):
                for (engine, when), server in servers.items():
                    before = server.cpu()[0]
                    waited = asyncio.run(read(server.port, size))
                    found.setdefault((engine, when, size), []).append((waited, server.cpu()[0] - before))
    lines = [
        *head,
        "| schemas | engine | | time | of grpcio's, by round | processor time |",
        "|---|---|---|---|---|---|",
    ]
    for (engine, when, size), measured in found.items():
        beside = found["grpcio", when, size]
        share = statistics.median(a / b for (a, _), (b, _) in zip(measured, beside, strict=True))
        waited, used = (statistics.median(figure[n] for figure in measured) * 1000 for n in (0, 1))
        lines.append(f"| {size:,} | {engine} | {when} | {waited:.0f} ms | {share:.2f} | {used:.0f} ms |")
    rig.publish(lines, options.markdown)


if __name__ == "__main__":
    main()
