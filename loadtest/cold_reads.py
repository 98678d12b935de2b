"""What a read costs by the tier that answers it: kept answers, this server's memory, Redis, the storage, the object store.

    python loadtest/cold_reads.py [--schemas 1000] [--markdown loadtest/results/cold_reads.md]

Every row is one pass over all schemas, each asked for once, sixteen at a time, on a server that was started for it; rows that say
"again" are the second pass on the same server. GetSchema never needs an engine, so Redis has no part in it; ValidateData needs the
parsed schema and CheckCompatibility two and their comparison, which Redis keeps. Storage, Redis and object store (moto, a Python server made for tests: the S3 rows
say how many steps there are, not how fast an object store is) run on the same machine.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rig

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.support.redis import RedisServer
from tests.support.s3 import Bucket, S3Server

DOCUMENT = b'{"field_0": "x"}'
NO_ANSWERS = {"CACHES__HOT_BYTES": "0"}


@dataclass(frozen=True)
class Pass:
    """One row: what is asked of which server, and how often over."""

    name: str
    rpc: str
    settings: Mapping[str, str]
    passes: int = 1


def requests(stub: Any, rpc: str, schema_ids: list[str]) -> Callable[[int], Awaitable[Any]]:
    if rpc == "GetSchema":
        return lambda n: stub.GetSchema(pb.GetSchemaRequest(schema_id=schema_ids[n]))
    if rpc == "CheckCompatibility":
        return lambda n: stub.CheckCompatibility(
            pb.CompatibilityCheckRequest(subject=f"load.s{n}", new_schema=rig.schema(n, fields=15))
        )
    return lambda n: stub.ValidateData(pb.ValidateDataRequest(schema_id=schema_ids[n], data=DOCUMENT))


async def register(port: int, count: int) -> list[str]:
    async with rig.channel(port) as channel:
        stub: Any = rig.stub(channel)
        made: dict[int, str] = {}

        async def one(number: int) -> None:
            request = pb.RegisterSchemaRequest(
                subject=f"load.s{number}",
                schema_content=rig.schema(number),
                schema_type=pb.SCHEMA_TYPE_JSON,
            )
            made[number] = (await stub.RegisterSchema(request)).schema_id

        await rig.calls(one, count)
    return [made[number] for number in range(count)]


async def read(port: int, wanted: Pass, schema_ids: list[str]) -> tuple[float, list[float]]:
    """The figures of the last pass."""
    async with rig.channel(port) as channel:
        stub: Any = rig.stub(channel)
        await stub.GetSchema(pb.GetSchemaRequest(schema_id=schema_ids[-1]))  # the connection is there
        act = requests(stub, wanted.rpc, schema_ids[:-1])
        for _ in range(wanted.passes - 1):
            await rig.calls(act, len(schema_ids) - 1)
        return await rig.calls(act, len(schema_ids) - 1)


def row(wanted: Pass, schema_ids: list[str]) -> str:
    with rig.server(**wanted.settings) as server:
        rate, latencies = asyncio.run(read(server.port, wanted, schema_ids))
    p50, p95 = (rig.percentile(latencies, share) * 1000 for share in (0.5, 0.95))
    return f"| {wanted.rpc} | {wanted.name} | {rate:,.0f} | {p50:.1f} ms | {p95:.1f} ms |"


def plan(
    sqlite: Mapping[str, str], postgres: Mapping[str, str], redis: Mapping[str, str], s3: Mapping[str, str]
) -> list[tuple[Mapping[str, str], list[Pass]]]:
    """For each storage, what is measured over its schemas."""
    return [
        (
            sqlite,
            [
                Pass("kept answer (again)", "GetSchema", sqlite, 2),
                Pass("SQLite", "GetSchema", sqlite),
                Pass("SQLite, compiled anew", "ValidateData", sqlite),
            ],
        ),
        (
            {**postgres, **redis},
            [
                Pass("PostgreSQL", "GetSchema", postgres),
                Pass("PostgreSQL, answers not kept (again)", "GetSchema", {**postgres, **NO_ANSWERS}, 2),
                Pass("memory (again)", "ValidateData", postgres, 2),
                Pass("PostgreSQL and Redis", "ValidateData", {**postgres, **redis}),
                Pass("PostgreSQL, compiled anew", "ValidateData", postgres),
                Pass("PostgreSQL and Redis", "CheckCompatibility", {**postgres, **redis}),
                Pass("PostgreSQL, compared anew", "CheckCompatibility", postgres),
            ],
        ),
        (
            s3,
            [
                Pass("SQLite, content from S3 (moto)", "GetSchema", s3),
                Pass("SQLite, content in memory (again)", "GetSchema", {**s3, **NO_ANSWERS}, 2),
            ],
        ),
    ]


def away(bucket: str, endpoint: str) -> dict[str, str]:
    """Every content in the object store."""
    return {
        "BLOBS__KIND": "s3",
        "BLOBS__THRESHOLD": "500",
        "BLOBS__S3__BUCKET": bucket,
        "BLOBS__S3__ENDPOINT": endpoint,
        "BLOBS__S3__REGION": "us-east-1",
        "BLOBS__S3__PATH_STYLE": "true",
        "BLOBS__S3__ACCESS_KEY": "test",
        "BLOBS__S3__SECRET_KEY": "test",
        "BLOBS__S3__TIMEOUT_SECONDS": "30",
    }


async def new_bucket(endpoint: str) -> str:
    async with Bucket(endpoint) as bucket:
        return bucket.name


def main() -> None:
    parser = rig.parser(__doc__)
    parser.add_argument("--schemas", type=int, default=1000)
    options = parser.parse_args()
    lines = [
        *rig.head("Reads by tier", os.getloadavg()[0]),
        "| call | answered from | calls/s | p50 | p95 |",
        "|---|---|---|---|---|",
    ]
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        database = stack.enter_context(rig.postgres())
        redis, objects = RedisServer(home), S3Server(home)
        stack.callback(redis.kill)
        asyncio.run(redis.start())
        stack.callback(objects.stop)
        asyncio.run(objects.start())
        bucket = asyncio.run(new_bucket(objects.endpoint))
        for filled, passes in plan(
            {"STORAGE__PATH": str(home / "one.db")},
            database(),
            {"CACHES__REDIS__URL": redis.url},
            {"STORAGE__PATH": str(home / "two.db"), **away(bucket, objects.endpoint)},
        ):
            with rig.server(**filled) as server:
                schema_ids = asyncio.run(register(server.port, options.schemas + 1))
                if "CACHES__REDIS__URL" in filled:
                    for rpc in ("ValidateData", "CheckCompatibility"):
                        asyncio.run(read(server.port, Pass("", rpc, filled), schema_ids))
            lines += [row(wanted, schema_ids) for wanted in passes]
    lines += [
        "",
        f"{options.schemas:,} JSON Schemas of about a kilobyte, one client process with one connection, which takes its share of the "
        "machine: `hot_reads.md` says what kept answers can do.",
    ]
    rig.publish(lines, options.markdown)


if __name__ == "__main__":
    main()
