"""How long a changed profile takes until every owner of an affected schema knows, with 10,000 registered schemas.

    python loadtest/dialect_watch.py [--schemas 10000] [--share 0.2 1] [--markdown loadtest/results/dialect-watch.md]

Half of the schemas have a `minLength` in them. Version 2 of a profile of our own refuses that: from PutProfile on, the events of a
subscriber are counted until all have come, and the list of verdicts is compared with what is affected. On SQLite, durable commits;
the versions are put into the database before the server starts.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import rig

from llm_schema_engines.providers.reading import shipped
from llm_schema_registry import EventType, SchemaRegistry
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.registry.verdicts import Progress
from llm_schema_registry_server.storage import appending
from llm_schema_registry_server.storage.sqlite import SqliteStore
from tests.support.profiles import REJECTED, profile

OWN = "measured"


def schema(number: int) -> bytes:
    """A closed object of 14 properties; of every second one, a text has a least length."""
    texts = {f"field_{n}": {"type": "string", "description": f"Field {n} of {number}."} for n in range(14)}
    if number % 2:
        texts["field_7"]["minLength"] = 2  # type: ignore[assignment]
    return json.dumps(
        {"type": "object", "properties": texts, "required": list(texts), "additionalProperties": False}
    ).encode()


def wait_until(done: Callable[[], bool], every: float = 0.2) -> float:
    """The seconds until it is so."""
    began = time.perf_counter()
    while not done():
        time.sleep(every)
    return time.perf_counter() - began


async def fill(file: Path, count: int) -> set[str]:
    """A database with so many versions, all judged by the built-in profiles as far as a server knows; the ids of the affected ones."""
    store = SqliteStore(file)
    await store.open()
    affected: set[str] = set()
    for first in range(0, count, 500):
        async with store.write() as tx:
            for number in range(first, min(first + 500, count)):
                content = schema(number)
                made = rig.entry(
                    Subject.parse(f"s.{number}"), 1, content, hashlib.sha256(content).hexdigest()
                )
                stored = await appending.append_version(tx, made)
                if number % 2:
                    affected.add(stored.schema_id)
    async with store.write() as tx:
        newest = (await tx.change_bounds())[1]
        judged = {name: one.version for name, one in shipped().items()}
        await tx.set_profile_watch(Progress(newest, judged).text())
    await store.close()
    return affected


def measure(count: int, share: float) -> list[str]:
    with tempfile.TemporaryDirectory() as home:
        file = Path(home) / "registry.db"
        affected = asyncio.run(fill(file, count))
        settings = {"STORAGE__PATH": str(file), "LOGS__LEVEL": "error", "CACHES__WARM_SCHEMAS": "0"}
        settings |= {"PROVIDERS__WATCH_SECONDS": "1", "PROVIDERS__WATCH_SHARE": str(share)}
        with (
            rig.server(None, **settings) as server,
            SchemaRegistry(f"127.0.0.1:{server.port}") as registry,
        ):
            return measured(server, registry, affected, share)


def measured(server: rig.Server, registry: SchemaRegistry, affected: set[str], share: float) -> list[str]:
    began = time.perf_counter()
    registry.put_profile(OWN, profile(OWN, 1))
    wait_until(lambda: registry.list_profile_verdicts(OWN, limit=1).complete)
    judged = time.perf_counter() - began
    told: list[str] = []
    last = [0.0]

    def listen() -> None:
        with closing(registry.watch(event_types=[EventType.PROFILE_VERDICT_CHANGED])) as changes:
            for change in changes:
                told.append(change.schema_id)
                last[0] = time.perf_counter()
                if len(told) >= len(affected):
                    return

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    time.sleep(1)  # it listens
    before = server.cpu()
    began = time.perf_counter()
    registry.put_profile(OWN, profile(OWN, 2, minLength=REJECTED))
    wait_until(lambda: registry.list_profile_verdicts(OWN, limit=1).complete)
    complete = time.perf_counter() - began
    listener.join(60)
    cpu = sum(server.cpu()) - sum(before)
    listed = {v.schema_id for v in registry.iter_profile_verdicts(OWN, "REFUSED", limit=1000)}
    time.sleep(3)  # more would have come by then
    right = set(told) == affected == listed and len(told) == len(affected)
    return [
        f"| {share:g} | {judged:.0f} s | {last[0] - began:.1f} s | {complete:.1f} s | {cpu:.1f} s | "
        f"{len(told):,} of {len(affected):,}{'' if right else ', WRONG'} | {len(listed):,} |"
    ]


def main() -> None:
    parser = rig.parser(__doc__)
    parser.add_argument("--schemas", type=int, default=10_000)
    parser.add_argument("--share", type=float, nargs="+", default=[0.2, 1.0])
    options = parser.parse_args()
    lines = rig.head("Dialect watch", os.getloadavg()[0])
    lines += [
        f"{options.schemas:,} schemas of 14 properties; version 2 of a profile refuses half of them.",
        "",
        "| `watch_share` | first verdicts of a new profile after | all told after | all judged after | "
        "processor time | events | listed as REFUSED |",
        "|---|---|---|---|---|---|---|",
    ]
    for share in options.share:
        lines += measure(options.schemas, share)
    rig.publish(lines, options.markdown)


if __name__ == "__main__":
    main()
