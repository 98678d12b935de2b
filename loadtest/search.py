"""What SearchSchemas costs over ten thousand subjects, by what is asked.

    python loadtest/search.py [--subjects 10000] [--seconds 4] [--callers 4] [--markdown loadtest/results/search.md]

Every subject has a description, tags, metadata and ten to twenty fields; every fifth has three versions. The store is filled
directly, then a server is started on it and asked through gRPC: by one caller, then by several at once, each of whom waits for its
answer. No question is asked twice in a row: the callers go through all words of a kind. A page has the default length, 50 schemas with their contents.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import random
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count, cycle
from pathlib import Path

import asyncpg
import rig

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2_grpc
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.storage.appending import append_version
from llm_schema_registry_server.storage.postgres import PostgresStore
from llm_schema_registry_server.storage.sqlite import SqliteStore
from llm_schema_registry_server.storage.store import Store
from llm_schema_registry_server.storage.values import NewVersion


def _words(text: str) -> list[str]:
    return text.split()


TEAMS = _words(
    "billing checkout search identity catalog shipping support fraud growth ledger pricing returns inventory "
    "media messaging notifications onboarding partners payroll platform recommendations reviews risk sales tax "
    "telemetry"
)
THINGS = _words(
    "order invoice payment refund customer account session message prompt answer document chunk embedding ticket "
    "shipment parcel address product price coupon cart subscription plan contract user role permission device "
    "event report metric alert incident feature label dataset annotation evaluation completion tool conversation "
    "transcript summary citation passage query result click impression campaign lead deal vendor warehouse stock "
    "supplier route driver vehicle booking reservation review rating comment post image video article"
)
KINDS = _words("Created Updated Deleted Request Response Command Snapshot Row Record Input")
FIELDS = _words(
    "id status amount currency createdAt updatedAt customer_id email phone country city postalCode line_items "
    "quantity unitPrice discount tax total locale language model temperature max_tokens role content score "
    "confidence reason source target tenant trace_id parentId version name title description url checksum size "
    "mime_type tags attributes startedAt finishedAt retryCount priority owner region channel device_type "
    "userAgent sessionToken consent"
)
PROSE = _words(
    "what the service sends when a of changes for downstream consumers and analytics carries personal data "
    "retained thirty days emitted once per attempt never reordered partitioned by key validated before storage "
    "used in training evaluation of language models produced nightly replaces legacy feed contains only "
    "aggregated numbers"
)
TAGS = _words(
    "pii gold silver bronze public internal llm training eval streaming batch deprecated-soon finance gdpr"
)
SCHEMA = "https://json-schema.org/draft/2020-12/schema"
BATCH = 200


def entries(subjects: int) -> Iterator[NewVersion]:
    """Every version of a registry, the same in each run."""
    chance = random.Random(7)
    for number in range(subjects):
        thing, kind = chance.choice(THINGS), chance.choice(KINDS)
        subject = Subject.parse(f"{chance.choice(TEAMS)}.{thing}.{thing.title()}{kind}{number}")
        for ordinal in range(1, 4 if number % 5 == 0 else 2):
            yield _entry(subject, ordinal, thing, chance)


def _entry(subject: Subject, ordinal: int, thing: str, chance: random.Random) -> NewVersion:
    fields = chance.sample(FIELDS, chance.randint(10, 20))
    prose = " ".join(chance.choices(PROSE, k=20))
    properties = {
        name: {"type": "string", "description": " ".join(chance.choices(PROSE, k=8))} for name in fields
    }
    schema = {"$schema": SCHEMA, "title": str(subject), "type": "object", "properties": properties}
    content = json.dumps(schema).encode()
    made = rig.entry(subject, ordinal, content, hashlib.sha256(content).hexdigest())
    version = replace(
        made.version,
        description=f"A schema: the {thing} {prose} {subject.name[-4:]}",
        tags=tuple(sorted(chance.sample(TAGS, 3))),
        metadata={"team": subject.name.partition(".")[0], "tier": str(chance.randint(1, 3))},
    )
    return replace(made, version=version, names=(str(subject), *fields))


async def fill(store: Store, subjects: int) -> None:
    await store.open()
    waiting = entries(subjects)
    while batch := [entry for entry, _ in zip(waiting, range(BATCH), strict=False)]:
        async with store.write() as tx:
            for entry in batch:
                await append_version(tx, entry)
    await store.close()


@dataclass(frozen=True)
class Kind:
    """One row: what is asked, over and over."""

    name: str
    asked: Sequence[pb.SearchSchemasRequest]
    follows: bool = False
    """Whether the second page is what counts."""


def kinds(subjects: int) -> list[Kind]:
    numbers = random.Random(11).sample(range(subjects), 50)
    pairs = list(zip(THINGS, cycle(TEAMS), strict=False))
    return [
        Kind("one word, one subject", [pb.SearchSchemasRequest(query=f"{n:04}") for n in numbers]),
        Kind("one word of many subjects", [pb.SearchSchemasRequest(query=thing) for thing in THINGS]),
        Kind("two words", [pb.SearchSchemasRequest(query=f"{thing} {team}") for thing, team in pairs]),
        Kind("the beginning of a word", [pb.SearchSchemasRequest(query=thing[:4]) for thing in THINGS]),
        Kind(
            "word, tag and metadata",
            [pb.SearchSchemasRequest(query=t, tags=["pii"], metadata_filters={"tier": "1"}) for t in THINGS],
        ),
        Kind(
            "word, latest versions only",
            [pb.SearchSchemasRequest(query=t, latest_only=True) for t in THINGS],
        ),
        Kind(
            "pattern, no words",
            [pb.SearchSchemasRequest(subject_pattern=f"{team}.{thing}.*") for thing, team in pairs],
        ),
        Kind(
            "pattern that begins with a wildcard",
            [pb.SearchSchemasRequest(subject_pattern=f"*{thing}*") for thing in THINGS],
        ),
        Kind("second page", [pb.SearchSchemasRequest(query=thing) for thing in THINGS], follows=True),
        Kind(
            "a word with a typo, nothing found",
            [pb.SearchSchemasRequest(query=t[:2] + "x" + t[3:]) for t in THINGS if len(t) > 6],
        ),
        Kind(
            "a word of two thirds of all versions",
            [pb.SearchSchemasRequest(query=t) for t in ("name", "role")],
        ),
        Kind("a word of all versions", [pb.SearchSchemasRequest(query=t) for t in ("schema", "sch", "a")]),
    ]


async def measure(port: int, kind: Kind, callers: int, seconds: float) -> tuple[float, list[float]]:
    """Calls per second, and the seconds of each."""
    async with rig.channel(port) as channel:
        stub = rig.stub(channel)
        asked = list(kind.asked)
        if kind.follows:
            asked = [await _second(stub, request) for request in asked]
        latencies: list[float] = []
        numbers = count()
        end = time.perf_counter() + seconds

        async def caller() -> None:
            while time.perf_counter() < end:
                request = asked[next(numbers) % len(asked)]
                began = time.perf_counter()
                await stub.SearchSchemas(request)
                latencies.append(time.perf_counter() - began)

        for request in asked[:10]:
            await stub.SearchSchemas(request)
        began = time.perf_counter()
        end = began + seconds
        await asyncio.gather(*(caller() for _ in range(callers)))
        return len(latencies) / (time.perf_counter() - began), latencies


async def _second(
    stub: schema_registry_pb2_grpc.SchemaRegistryAsyncStub, request: pb.SearchSchemasRequest
) -> pb.SearchSchemasRequest:
    first = await stub.SearchSchemas(request)
    following = pb.SearchSchemasRequest()
    following.CopyFrom(request)
    following.page_token = first.next_page_token
    return following


async def hits(port: int, kind: Kind) -> str:
    """How many versions the questions find, from the least to the most."""
    async with rig.channel(port) as channel:
        stub = rig.stub(channel)
        found = [(await stub.SearchSchemas(request)).total_count for request in kind.asked]
    return f"{min(found):,} to {max(found):,}" if min(found) < max(found) else f"{found[0]:,}"


def rows(name: str, settings: dict[str, str], options: argparse.Namespace) -> Iterable[str]:
    with rig.server(**settings) as server:
        for kind in kinds(options.subjects):
            found = asyncio.run(hits(server.port, kind))
            _, alone = asyncio.run(measure(server.port, kind, 1, options.seconds))
            rate, beside = asyncio.run(measure(server.port, kind, options.callers, options.seconds))
            cells = [f"{rig.percentile(t, p) * 1000:.1f} ms" for t in (alone, beside) for p in (0.5, 0.95)]
            yield f"| {name} | {kind.name} | {found} | {' | '.join(cells)} | {rate:,.0f} |"


async def analyze(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


def main() -> None:
    parser = rig.parser(__doc__)
    parser.add_argument("--subjects", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--callers", type=int, default=4)
    options = parser.parse_args()
    lines = [
        *rig.head("Searches", os.getloadavg()[0]),
        f"| storage | asked | hits | alone, p50 | p95 | {options.callers} callers, p50 | p95 | calls/s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as home, rig.postgres() as database:
        postgres = database()
        dsn = postgres["STORAGE__POSTGRES__DSN"]
        path = Path(home) / "registry.db"
        asyncio.run(fill(PostgresStore(dsn), options.subjects))
        asyncio.run(analyze(dsn))
        asyncio.run(fill(SqliteStore(path, synchronous="normal"), options.subjects))
        lines += chain(
            rows("PostgreSQL", postgres, options), rows("SQLite", {"STORAGE__PATH": str(path)}, options)
        )
    versions = sum(1 for _ in entries(options.subjects))
    lines += [
        "",
        f"{options.subjects:,} subjects, {versions:,} versions, {options.callers} callers, one connection. "
        "With a load above the number of processors others were at work too, and the figures are upper bounds.",
    ]
    rig.publish(lines, options.markdown)


if __name__ == "__main__":
    main()
