"""Resident memory of a server with 10,000 schemas that are registered, read over both wires, compared and validated.

    python loadtest/memory.py [before] [--schemas 10000] [--settings CACHES__TOTAL_BYTES=67108864] [--markdown loadtest/results/memory.md]

Servers of an earlier commit (default: main) and of this tree on SQLite, one after the other, each filled by this program: `schemas` JSON Schemas of
1 KB, one on each subject. After each kind of work the resident memory of the server's own process and of its workers is noted, and what its caches
count (the metrics). settings: of a second server of this tree, which shows that one of them bounds all. The bar is 500 MiB.
"""

from __future__ import annotations

import asyncio
import os
import re
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack

import growth
import grpc
import httpx
import rig
from two_commits import checked_out

from llm_schema_registry.v1 import schema_registry_pb2 as pb

AT_A_TIME = 4
_CACHE_BYTES = re.compile(
    r'^schema_registry_(?:cache_bytes\{cache="(\w+)"\}|(answer_cache_bytes)) (\S+)$', re.MULTILINE
)


def content(number: int) -> bytes:
    return rig.schema(number)


async def work(server: rig.Server, schemas: int) -> list[tuple[str, float, float]]:
    """What was done, and the MiB of the server and of its workers after it."""
    noted: list[tuple[str, float, float]] = []
    ids: list[str] = [""] * schemas

    def note(kind: str) -> None:
        workers = sum(one.memory_full_info().uss for one in server.process.children(recursive=True))
        noted.append((kind, server.resident, workers / 2**20))

    note("after the start")
    async with (
        rig.channel(server.port) as channel,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.http}", timeout=60) as http,
    ):
        stub = rig.stub(channel)

        async def register(n: int) -> None:
            asked = pb.RegisterSchemaRequest(
                subject=f"s{n}", schema_content=content(n), schema_type=pb.SCHEMA_TYPE_JSON
            )
            ids[n] = (await stub.RegisterSchema(asked)).schema_id

        async def over_http(path: str) -> None:
            (await http.get(path)).raise_for_status()

        async def check(n: int) -> None:
            later = rig.schema(n, 15)
            asked = pb.CompatibilityCheckRequest(subject=f"s{n}", new_schema=later)
            while True:
                try:
                    await stub.CheckCompatibility(asked)
                    return
                except grpc.aio.AioRpcError as error:  # a busy machine
                    if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                        raise

        async def validate(n: int) -> None:
            asked = pb.ValidateDataRequest(schema_id=ids[n], data=b'{"field_0":"x"}')
            await stub.ValidateData(asked)

        kinds: list[tuple[str, Callable[[int], Awaitable[object]]]] = [
            ("registered", register),
            ("read by id, gRPC", lambda n: stub.GetSchema(pb.GetSchemaRequest(schema_id=ids[n]))),
            (
                "read the latest, gRPC",
                lambda n: stub.GetLatestVersion(pb.GetLatestVersionRequest(subject=f"s{n}")),
            ),
            ("read by id, HTTP", lambda n: over_http(f"/api/v1/schemas/{ids[n]}")),
            ("read the latest, HTTP", lambda n: over_http(f"/api/v1/subjects/s{n}/versions/latest")),
            ("compared", check),
            ("validated", validate),
        ]
        for kind, act in kinds:
            await rig.calls(act, schemas, AT_A_TIME)
            note(kind)
    return noted


def counted(server: rig.Server) -> tuple[float, str]:
    """MiB that the caches count, and those of each."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.metrics}/metrics") as answer:
        page = answer.read().decode()
    found = {name or "answers": float(value) / 2**20 for name, _, value in _CACHE_BYTES.findall(page)}
    each = ", ".join(f"{name} {size:.1f}" for name, size in sorted(found.items()) if size >= 0.1)
    return sum(found.values()), each


def table(name: str, path: dict[str, str], schemas: int, settings: dict[str, str]) -> Iterator[str]:
    with rig.server(None, path, STORAGE__SYNCHRONOUS="normal", **settings) as server:
        for kind, own, workers in asyncio.run(work(server, schemas)):
            yield f"| {name} | {kind} | {own:.0f} MiB | {workers:.0f} MiB | {own + workers:.0f} MiB |"
        whole, each = counted(server)
        yield f"| {name} | at the end, the caches count {whole:.0f} MiB: {each} | | | largest {server.peak:.0f} MiB |"


def main() -> None:
    parser = rig.parser(__doc__)
    parser.add_argument("before", nargs="?", default="main", help="a commit")
    parser.add_argument("--schemas", type=int, default=10_000)
    parser.add_argument("--settings", default="CACHES__TOTAL_BYTES=67108864", help="NAME=VALUE,NAME=VALUE")
    options = parser.parse_args()
    lines = rig.head(f"Memory with {options.schemas:,} schemas", os.getloadavg()[0])
    lines += ["| server | | own process | workers (their own pages) | together |", "|---|---|---|---|---|"]
    given = dict(pair.split("=", 1) for pair in options.settings.split(",") if pair)
    with ExitStack() as stack:
        before = stack.enter_context(checked_out(options.before))
        servers: list[tuple[str, dict[str, str], dict[str, str]]] = [
            (before.name, growth.python_path(before.folder), {}),
            ("this tree", growth.python_path(rig.ROOT), {}),
        ]
        if given:
            servers.append((f"this tree, {options.settings}", growth.python_path(rig.ROOT), given))
        for name, path, settings in servers:
            for row in table(name, path, options.schemas, settings):
                print(row, flush=True)
                lines.append(row)
    rig.publish(lines, options.markdown)


if __name__ == "__main__":
    main()
