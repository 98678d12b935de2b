"""How long a server takes to be ready with and without warming, and what its first readers notice of it.

    python loadtest/warming.py [--schemas 10000] [--reads 20000] [--markdown loadtest/results/warming.md]

Fills a SQLite file through the store, four versions a subject, copies its rows into a PostgreSQL of its own, and counts uses of every
version there, a few of them read much and most of them little (the k-th one 1/k as often as the first). Each row is a server that
was started anew: seconds from exec until it takes calls and until its health report says that it is not UNHEALTHY; then GetSchema
over gRPC, sixteen at a time, of versions drawn with those same chances. Hits are calls that were answered from kept bytes.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import re
import socket
import sqlite3
import tempfile
import time
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import rig
import startup
from google.protobuf import empty_pb2

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry_server.model.usage import Uses
from llm_schema_registry_server.storage.postgres import PostgresStore
from llm_schema_registry_server.storage.sqlite.store import SqliteStore
from llm_schema_registry_server.storage.store import Store
from tests.support.waiting import until

COLD = {"CACHES__WARM_SCHEMAS": "0"}
UNHEALTHY = pb.HealthCheckResponse.STATUS_UNHEALTHY


@dataclass(frozen=True)
class Start:
    """One server: seconds until it took calls and until it was ready, MiB then; share of hits, seconds of the reads."""

    listens: float
    ready: float
    resident: float
    hits: float
    latencies: Sequence[float]


def drawn(ids: Sequence[str], count: int) -> list[str]:
    """Ids as readers ask for them; the same ones each time."""
    weights = list(itertools.accumulate(1 / (n + 1) for n in range(len(ids))))
    return random.Random(7).choices(ids, cum_weights=weights, k=count)


async def count_uses(store: Store, ids: Sequence[str]) -> None:
    await store.open()
    for first in range(0, len(ids), 500):
        batch = {
            schema_id: Uses(1 + len(ids) // (first + n + 1))
            for n, schema_id in enumerate(ids[first : first + 500])
        }
        async with store.write() as tx:
            await tx.record_usage(batch, datetime.now(UTC))
    await store.close()


async def measure(settings: Mapping[str, str], asked: Sequence[str]) -> Start:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with rig.server(METRICS__PORT=str(port), **settings) as server:
        listening = time.perf_counter()
        async with rig.channel(server.port) as channel:
            stub: Any = rig.stub(channel)

            async def is_ready() -> bool:
                return bool((await stub.HealthCheck(empty_pb2.Empty())).status != UNHEALTHY)

            await until(is_ready)
            ready = server.started + time.perf_counter() - listening
            resident = server.resident
            _, latencies = await rig.calls(
                lambda n: stub.GetSchema(pb.GetSchemaRequest(schema_id=asked[n])), len(asked)
            )
        return Start(
            server.started, ready, resident, await asyncio.to_thread(hits, port) / len(asked), latencies
        )


def hits(port: int) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as page:
        text = page.read().decode()
    return sum(
        float(v)
        for v in re.findall(r"^schema_registry_answer_cache_hits_total\S* (\S+)$", text, re.MULTILINE)
    )


def row(name: str, start: Start) -> str:
    milliseconds = ", ".join(f"{1000 * rig.percentile(start.latencies, s):.1f} ms" for s in (0.5, 0.95, 0.99))
    return (
        f"| {name} | {start.listens:.2f} s | {start.ready:.2f} s | {start.resident:.0f} MiB | {start.hits:.1%} "
        f"| {milliseconds} |"
    )


def main() -> None:
    parser = rig.parser(__doc__)
    parser.add_argument("--schemas", type=int, default=10_000)
    parser.add_argument("--reads", type=int, default=20_000)
    asked = parser.parse_args()
    lines = rig.head("Warming", os.getloadavg()[0])
    lines += [
        f"{asked.schemas:,} versions that were used, then {asked.reads:,} reads.",
        "",
        "| storage, server | takes calls | ready | memory when ready | hits of the first reads | their latency: p50, p95, p99 |",
        "|---|---|---|---|---|---|",
    ]
    with ExitStack() as stack:
        path = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "registry.db"
        asyncio.run(startup.fill(path, asked.schemas))
        postgres = stack.enter_context(rig.postgres())()
        dsn = postgres["STORAGE__POSTGRES__DSN"]
        asyncio.run(startup.copy(path, dsn))
        with closing(sqlite3.connect(path)) as file:
            ids = [found[0] for found in file.execute("SELECT schema_id FROM versions ORDER BY id")]
        random.Random(3).shuffle(ids)
        reads = drawn(ids, asked.reads)
        asyncio.run(count_uses(SqliteStore(path), ids))
        asyncio.run(count_uses(PostgresStore(dsn), ids))
        for name, settings in (("SQLite", {"STORAGE__PATH": str(path)}), ("PostgreSQL", postgres)):
            for kind, more in (("cold", COLD), ("warmed", {})):
                lines.append(
                    row(
                        f"{name}, {kind}",
                        asyncio.run(measure({**settings, "USAGE__FLUSH_SECONDS": "0", **more}, reads)),
                    )
                )
    rig.publish(lines, asked.markdown)


if __name__ == "__main__":
    main()
