"""How long a server takes to start, and its memory then and after reads, by the number of versions it keeps.

    python loadtest/startup.py [--versions 10000 100000] [--starts 3] [--markdown loadtest/results/startup.md]

Fills a SQLite file through the store, four versions a subject, and copies its rows into a PostgreSQL of its own. Start-up is from
exec until calls are taken; memory is that of the server's own process. Figures are medians of several starts; the reads are
GetSchema of 5,000 versions spread over all.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sqlite3
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import rig

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.storage.appending import append_version
from llm_schema_registry_server.storage.postgres import PostgresStore
from llm_schema_registry_server.storage.sqlite.store import SqliteStore
from llm_schema_registry_server.storage.store import WriteTx

BATCH = 1000
READS = 5000
TABLES = ("subjects", "global_ids", "contents", "versions", "transitions", "changes")


async def fill(path: Path, versions: int) -> None:
    """A SQLite file with so many versions."""
    store = SqliteStore(path, synchronous="normal")
    await store.open()
    for start in range(0, versions, BATCH):
        async with store.write() as tx:
            for number in range(start, min(start + BATCH, versions)):
                await put(tx, number)
    await store.close()


async def put(tx: WriteTx, number: int) -> None:
    subject, content = Subject.parse(f"load.s{number // 4}"), rig.schema(number)
    await append_version(tx, rig.entry(subject, number % 4 + 1, content, hashlib.sha256(content).hexdigest()))


async def copy(path: Path, dsn: str) -> None:
    """The rows of the file into an empty database; words for searches stay behind."""
    store = PostgresStore(dsn)
    await store.open()
    await store.close()
    connection = await asyncpg.connect(dsn)
    with closing(sqlite3.connect(path)) as file:
        for table in TABLES:
            there = {
                r[0]
                for r in await connection.fetch(
                    "SELECT column_name FROM information_schema.columns WHERE table_name = $1", table
                )
            }
            columns = [c[1] for c in file.execute(f"PRAGMA table_info({table})") if c[1] in there]
            rows: list[tuple[Any, ...]] = file.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall()
            await connection.copy_records_to_table(table, records=rows, columns=columns)
    await connection.execute("ANALYZE")
    await connection.close()


def ids(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as file:
        found = [row[0] for row in file.execute("SELECT schema_id FROM versions ORDER BY id")]
    return found[:: max(1, len(found) // READS)][:READS]


async def read(port: int, schema_ids: list[str]) -> None:
    async with rig.channel(port) as channel:
        stub: Any = rig.stub(channel)
        await rig.calls(
            lambda n: stub.GetSchema(pb.GetSchemaRequest(schema_id=schema_ids[n])), len(schema_ids)
        )


def measure(schema_ids: list[str], starts: int, **settings: str) -> str:
    """Cells of the table: start-up, memory, memory after reads."""
    figures = []
    for _ in range(starts):
        with rig.server(**settings) as server:
            before = server.resident
            asyncio.run(read(server.port, schema_ids))
            figures.append((server.started, before, server.resident))
    started, before, after = (statistics.median(column) for column in zip(*figures, strict=True))
    slowest = max(row[0] for row in figures)
    return f"{started:.2f} s ({slowest:.2f} s) | {before:.0f} MiB | {after:.0f} MiB"


@contextmanager
def filled(versions: int) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "registry.db"
        asyncio.run(fill(path, versions))
        yield path


def main() -> None:
    parser = rig.parser(__doc__)
    parser.add_argument("--versions", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--starts", type=int, default=3)
    options = parser.parse_args()
    lines = [
        *rig.head("Start-up", os.getloadavg()[0]),
        "| storage | versions | start-up, median (slowest) | memory after it | memory after reads |",
        "|---|---|---|---|---|",
    ]
    with rig.postgres() as database, tempfile.TemporaryDirectory() as home:
        fresh = Path(home) / "fresh.db"
        lines.append(f"| SQLite, new file | 0 | {measure([], options.starts, STORAGE__PATH=str(fresh))} |")
        for versions in options.versions:
            with filled(versions) as path:
                known, on_postgres = ids(path), database()
                asyncio.run(copy(path, on_postgres["STORAGE__POSTGRES__DSN"]))
                lines.append(
                    f"| SQLite | {versions:,} | {measure(known, options.starts, STORAGE__PATH=str(path))} |"
                )
                lines.append(
                    f"| PostgreSQL | {versions:,} | {measure(known, options.starts, **on_postgres)} |"
                )
    lines += [
        "",
        f"Reads: GetSchema of up to {READS:,} versions spread over all, 16 at a time; their answers (about a kilobyte each) stay "
        "in memory up to `caches.answers_bytes`. The two worker processes are not counted.",
    ]
    rig.publish(lines, options.markdown)


if __name__ == "__main__":
    main()
