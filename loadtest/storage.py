"""Registrations per second that a back end alone can take: the store calls of one registration, without parsing or wire.

    python loadtest/storage.py [--seconds 2] [--markdown loadtest/results/storage.md]

Each registration asks how the subject stands and appends content, version, change and five transitions, as
registry/register.py does. SQLite is measured with both settings of `storage.synchronous`, PostgreSQL
on a cluster of its own. Every figure is the median of five runs on a fresh store.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import rig
import uvloop

from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.storage.postgres import PostgresStore
from llm_schema_registry_server.storage.sqlite.store import SqliteStore
from llm_schema_registry_server.storage.store import Store

RUNS = 5
WRITERS = (1, 8, 32)


async def register(store: Store, number: int) -> None:
    """The store's part of one registration: a new content on one of 200 subjects."""
    subject = Subject.parse(f"load.s{number % 200}")
    content = f'{{"type":"object","title":"t{number}-{time.time_ns()}"}}'.encode()
    digest = hashlib.sha256(content).hexdigest()
    while True:  # until no other writer of the subject slips in
        subject_snapshot = await store.subject_snapshot(
            subject, (f"subject:{subject}", "context:.", "registry"), digest
        )
        entry = rig.entry(subject, subject_snapshot.precondition.next_ordinal, content, digest)
        if await store.append(subject_snapshot.precondition, entry) is not None:
            return


async def rate(store: Store, writers: int, seconds: float, start: int) -> float:
    """Registrations per second with this many writers at a time."""
    end = time.perf_counter() + seconds
    done = 0

    async def writer() -> None:
        nonlocal done
        while time.perf_counter() < end:
            done += 1
            await register(store, start + done)

    began = time.perf_counter()
    await asyncio.gather(*(writer() for _ in range(writers)))
    return done / (time.perf_counter() - began)


async def measure(make: Callable[[Path], Store], seconds: float) -> dict[int, list[float]]:
    rates: dict[int, list[float]] = {w: [] for w in WRITERS}
    with tempfile.TemporaryDirectory() as home:
        store = make(Path(home))
        await store.open()
        await rate(store, 8, 0.5, 0)  # warm-up
        for run in range(RUNS):
            for writers in WRITERS:
                rates[writers].append(await rate(store, writers, seconds, run * 10**6 + writers * 10**4))
        await store.close()
    return rates


def main() -> None:
    parser = rig.parser(__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    lines = [
        *rig.head("Storage", os.getloadavg()[0]),
        f"Registrations per second by the store alone, median of {RUNS} runs (lowest to highest).",
        "",
        "| back end | " + " | ".join(f"{w} writer{'s' if w > 1 else ''}" for w in WRITERS) + " |",
        "|---" * (len(WRITERS) + 1) + "|",
    ]
    with rig.postgres() as database:
        dsn = database()["STORAGE__POSTGRES__DSN"]
        makers: dict[str, Callable[[Path], Store]] = {
            "SQLite, `full`": lambda home: SqliteStore(home / "r.db", synchronous="full"),
            "SQLite, `normal`": lambda home: SqliteStore(home / "r.db", synchronous="normal"),
            "PostgreSQL, durable": lambda _: PostgresStore(dsn),
        }
        for name, make in makers.items():
            rates = uvloop.run(measure(make, options.seconds))
            cells = [f"{statistics.median(r):,.0f} ({min(r):,.0f} to {max(r):,.0f})" for r in rates.values()]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    rig.publish(lines, options.markdown)


if __name__ == "__main__":
    main()
