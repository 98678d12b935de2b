"""What a cold read of one content costs on each tier: the use case behind GetSchema, without the wire, one call at a time.

    python loadtest/cold_contents.py [--reads 300] [--markdown loadtest/results/cold-contents.md]

Starts PostgreSQL, Redis and an S3 API (moto, in Python: slower than a real one) of its own. Each line is a registry that has
read nothing yet and reads every version once; "Redis, warm" is one that comes after another has read them all. The kinds take
turns, so that noise of the machine falls on all of them.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import rig
import uvloop

from llm_schema_engines.formats.catalogue import EngineLimits, engines
from llm_schema_registry_server import settings
from llm_schema_registry_server.caches.cache import LowerTier
from llm_schema_registry_server.caches.redis import RedisTier
from llm_schema_registry_server.model.schema import SchemaVersion, StoredContent
from llm_schema_registry_server.registry.library import Library
from llm_schema_registry_server.registry.limits import RequestLimits
from llm_schema_registry_server.registry.reading import Reading
from llm_schema_registry_server.storage.blobs.s3 import S3Blobs
from llm_schema_registry_server.storage.postgres import PostgresStore
from llm_schema_registry_server.storage.store import Store
from llm_schema_registry_server.storage.wrappers.blobbed import blobbed_store
from llm_schema_registry_server.workers.inline import InlineWorkers
from tests.support.postgres import Postgres
from tests.support.redis import RedisServer
from tests.support.s3 import Bucket, S3Server
from tests.support.storage import version

ROUNDS = 3
THRESHOLD = 100_000
SIZES = {"1 KiB, in PostgreSQL": 1024, "200 KiB, in S3": 200 * 1024}


async def fill(store: Store, size: int, count: int) -> Sequence[SchemaVersion]:
    """`count` versions with contents of `size` bytes."""
    versions = []
    for number in range(1, count + 1):
        data = os.urandom(size // 2).hex().encode()
        digest = hashlib.sha256(data).hexdigest()
        made = version(f"load.{size}", number, identity=digest)
        made = replace(made, fingerprints=replace(made.fingerprints, content=digest))
        async with store.write() as tx:
            await tx.put_content(digest, StoredContent(data, digest, b"{}"))
            await tx.insert_version(made, ())
        versions.append(made)
    return versions


def fresh(store: Store, shared: LowerTier | None) -> Reading:
    """The reads of an instance that has just started."""
    known = engines(EngineLimits())
    library = Library(
        store, known, InlineWorkers(known), cache_bytes=1 << 30, most_references=64, shared=shared
    )
    limits = RequestLimits(
        schema_bytes=1 << 20, data_bytes=1 << 20, references=64, tags=50, metadata_bytes=10_000, page=1000
    )
    return Reading(store, library, limits)


async def timed(reading: Reading, versions: Sequence[SchemaVersion]) -> list[float]:
    """Milliseconds of each read."""
    took = []
    for each in versions:
        began = time.perf_counter()
        await reading.by_id(each.schema_id)
        took.append((time.perf_counter() - began) * 1000)
    return took


async def measure(reads: int, home: Path) -> list[str]:
    database, redis, s3 = Postgres(), RedisServer(home), S3Server(home)
    async with AsyncExitStack() as stack:
        stack.callback(database.remove)
        stack.callback(redis.kill)
        stack.callback(s3.stop)
        database.start()
        await asyncio.gather(database.ready(), redis.start(), s3.start())
        bucket = await stack.enter_async_context(Bucket(s3.endpoint))
        s3_options = settings.S3Settings.model_validate(
            {
                "bucket": bucket.name,
                "endpoint": s3.endpoint,
                "region": "us-east-1",
                "path_style": True,
                "access_key": "test",
                "secret_key": "test",
            }
        )
        store = blobbed_store(
            PostgresStore(await database.create_database()),
            S3Blobs(s3_options),
            threshold=THRESHOLD,
            memory_bytes=0,
        )
        await store.open()
        stack.push_async_callback(store.close)
        tier = RedisTier(settings.RedisSettings.model_validate({"url": redis.url}))
        stack.push_async_callback(tier.close)
        lines = []
        for name, size in SIZES.items():
            versions = await fill(store, size, reads)
            took: dict[str, list[float]] = {"no Redis": [], "Redis, empty": [], "Redis, warm": []}
            await timed(fresh(store, None), versions)  # warm-up of PostgreSQL and of the connections
            for _ in range(ROUNDS):
                with redis.client() as client:
                    client.flushall()
                took["no Redis"] += await timed(fresh(store, None), versions)
                took["Redis, empty"] += await timed(fresh(store, tier), versions)
                took["Redis, warm"] += await timed(fresh(store, tier), versions)
            reading = fresh(store, None)
            await timed(reading, versions)
            took["in memory (the row is still read)"] = await timed(reading, versions)
            lines += [f"| {name} | {kind} | {_cells(sample)} |" for kind, sample in took.items()]
        return lines


def _cells(sample: Sequence[float]) -> str:
    cuts = statistics.quantiles(sample, n=100)
    return f"{cuts[49]:.2f} | {cuts[98]:.2f}"


def main() -> None:
    parser = rig.parser(__doc__)
    parser.add_argument("--reads", type=int, default=300)
    options = parser.parse_args()
    head = rig.head("Cold reads of contents", os.getloadavg()[0])
    with tempfile.TemporaryDirectory() as home:
        rows = uvloop.run(measure(options.reads, Path(home)))
    lines = [
        *head,
        f"Milliseconds of one read at a time, {ROUNDS} rounds; everything on one machine, so that a round trip costs far less than "
        "between machines.",
        "",
        "| content | shared tier | p50 ms | p99 ms |",
        "|---|---|---|---|",
        *rows,
    ]
    rig.publish(lines, options.markdown)


if __name__ == "__main__":
    main()
