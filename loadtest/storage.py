"""Registrations per second that a back end alone can take: the store calls of one registration, without parsing or wire.

    python loadtest/storage.py [--seconds 2] [--dsn postgresql://...] [--markdown loadtest/results/storage.md]

Each registration asks how the subject stands and appends content, version, change and five transitions, as
registry/register.py does. SQLite is measured with both settings of `storage.synchronous`; PostgreSQL
when a DSN names an empty database. Every figure is the median of five runs on a fresh store.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from llm_schema_registry_server.model.compatibility import ChangeClass, CompatibilityLevel
from llm_schema_registry_server.model.lifecycle import SchemaState
from llm_schema_registry_server.model.principal import Actor, Principal
from llm_schema_registry_server.model.schema import Fingerprints, SchemaType, SchemaVersion, StoredContent
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.model.version import SemanticVersion
from llm_schema_registry_server.registry.ids import new_schema_id
from llm_schema_registry_server.registry.register import creation, steps_to
from llm_schema_registry_server.storage.sqlite.store import SqliteStore
from llm_schema_registry_server.storage.store import Entry, Store

RUNS = 5
WRITERS = (1, 8, 32)
BY = Actor(Principal("load"))


async def register(store: Store, number: int) -> None:
    """The store's part of one registration: a new content on one of 200 subjects."""
    subject = Subject.parse(f"load.s{number % 200}")
    content = f'{{"type":"object","title":"t{number}-{time.time_ns()}"}}'.encode()
    digest = hashlib.sha256(content).hexdigest()
    while True:  # until no other writer of the subject slips in
        standing = await store.standing(subject, (f"subject:{subject}", "context:.", "registry"), digest)
        version = new_version(subject, standing.grounds.next_ordinal, digest, len(content))
        entry = Entry(
            version,
            StoredContent(content, digest, content),
            ("title",),
            creation(version, BY),
            steps_to(version, BY),
        )
        if await store.append(standing.grounds, entry) is not None:
            return


def new_version(subject: Subject, ordinal: int, digest: str, size: int) -> SchemaVersion:
    now = datetime.now(UTC)
    return SchemaVersion(
        schema_id=new_schema_id(),
        global_id=0,
        identity=digest,
        subject=subject,
        ordinal=ordinal,
        version=SemanticVersion(1, ordinal, 0),
        schema_type=SchemaType.JSON,
        fingerprints=Fingerprints(digest, digest, digest),
        references=(),
        size=size,
        level=CompatibilityLevel.BACKWARD,
        state=SchemaState.ACTIVE,
        change_class=ChangeClass.COMPATIBLE,
        description=None,
        tags=("load",),
        metadata={"team": "load"},
        options={},
        created_at=now,
        updated_at=now,
        created_by="load",
        revision=0,
    )


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
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--dsn", help="an empty PostgreSQL database to measure too")
    parser.add_argument("--markdown", type=Path, help="write the page here too")
    options = parser.parse_args()
    makers: dict[str, Callable[[Path], Store]] = {
        "SQLite, `full`": lambda home: SqliteStore(home / "r.db", synchronous="full"),
        "SQLite, `normal`": lambda home: SqliteStore(home / "r.db", synchronous="normal"),
    }
    if options.dsn:
        from llm_schema_registry_server.storage.postgres import PostgresOptions, PostgresStore

        makers["PostgreSQL, durable"] = lambda _: PostgresStore(options.dsn, PostgresOptions())
    lines = [
        "# Storage",
        "",
        f"`python loadtest/storage.py --seconds {options.seconds:g}{' --dsn ...' if options.dsn else ''}`",
        "",
        f"{os.cpu_count()} processors, load average before the run {os.getloadavg()[0]:.1f}, Python {platform.python_version()}; "
        f"registrations per second by the store alone, median of {RUNS} runs (lowest to highest).",
        "",
        "| back end | " + " | ".join(f"{w} writer{'s' if w > 1 else ''}" for w in WRITERS) + " |",
        "|---" * (len(WRITERS) + 1) + "|",
    ]
    for name, make in makers.items():
        rates = uvloop.run(measure(make, options.seconds))
        cells = [f"{statistics.median(r):,.0f} ({min(r):,.0f} to {max(r):,.0f})" for r in rates.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    page = "\n".join(lines) + "\n"
    print(page)
    if options.markdown:
        options.markdown.write_text(page)


if __name__ == "__main__":
    main()
