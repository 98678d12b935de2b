"""What forgetting old changes costs the writers beside it, and how long it takes.

    python loadtest/compaction.py [--changes 100000] [--rounds 3] [--markdown loadtest/results/compaction.md]

On a PostgreSQL with durable commits, through the store alone: registrations per second of eight writers without it and, in the
same round, beside a sweep over a hundred thousand old changes. A step is the transaction that forgets up to 500 of them.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
import rig
import storage
import uvloop

from llm_schema_registry_server.registry.retention import PAUSE_SECONDS, Retention, RetentionPolicy
from llm_schema_registry_server.storage.postgres import PostgresStore

SECONDS = 3.0
OLD = (
    "INSERT INTO changes SELECT $1::bigint + n, 1, 's', 'i', 'v', 1, 0, "
    '\'{"actor": "", "correlation_id": "", "metadata": {}}\' FROM generate_series(1, $2) n'
)
BOUND = "SELECT value::bigint FROM meta WHERE key = 'compacted'"


@dataclass(frozen=True)
class Round:
    """Registrations per second without and beside a sweep; the seconds of the sweep and of each of its steps."""

    alone: float
    beside: float
    seconds: float
    steps: list[float]


async def sweep(store: PostgresStore) -> tuple[float, list[float]]:
    """Forget all that is older than a day: the seconds in all, and of each step without the pause after it."""
    steps: list[float] = []
    began = last = time.perf_counter()
    async for _ in Retention(
        store, RetentionPolicy(age=timedelta(days=1)), lambda: datetime.now(UTC)
    ).sweep():
        steps.append(time.perf_counter() - last - (PAUSE_SECONDS if steps else 0))
        last = time.perf_counter()
    return time.perf_counter() - began, steps


async def measure(dsn: str, changes: int, rounds: int) -> list[Round]:
    store = PostgresStore(dsn)
    await store.open()
    connection = await asyncpg.connect(dsn)
    await storage.rate(store, 8, 1.0, 0)  # warm-up
    done = []
    for number in range(1, rounds + 1):
        alone = await storage.rate(store, 8, SECONDS, number * 10**6)
        await connection.execute(OLD, await connection.fetchval(BOUND), changes)
        sweeping = asyncio.create_task(sweep(store))
        beside = await storage.rate(store, 8, SECONDS, number * 10**6 + 500_000)
        done.append(Round(alone, beside, *await sweeping))
    await connection.close()
    await store.close()
    return done


def main() -> None:
    parser = rig.parser(__doc__)
    parser.add_argument("--changes", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    lines = rig.head("Forgetting old changes", os.getloadavg()[0])
    with rig.postgres() as database:
        dsn = database()["STORAGE__POSTGRES__DSN"]
        rounds = uvloop.run(measure(dsn, options.changes, options.rounds))
    steps = [step * 1000 for each in rounds for step in each.steps]
    alone, beside = (
        statistics.median(column) for column in zip(*((r.alone, r.beside) for r in rounds), strict=True)
    )
    lines += [
        "| | |",
        "|---|---|",
        f"| registrations/s, eight writers | {alone:,.0f} |",
        f"| beside a sweep | {beside:,.0f} |",
        f"| forgetting {options.changes:,} changes, pauses included | {statistics.median(r.seconds for r in rounds):.1f} s |",
        f"| one step: p50, p99 | {rig.percentile(steps, 0.5):.1f} ms, {rig.percentile(steps, 0.99):.1f} ms |",
        "",
        f"Medians of {options.rounds} rounds.",
    ]
    rig.publish(lines, options.markdown)


if __name__ == "__main__":
    main()
