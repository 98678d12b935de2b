"""Micro-benchmarks of the back ends that need no service: in memory, and SQLite with commits that survive the process."""

from __future__ import annotations

import atexit
import hashlib
import itertools
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from .benchmark import Benchmark, Operation

SUBJECTS = 100
VERSIONS = 3
MEMORY, SQLITE = "memory", "SQLite"


@dataclass(frozen=True)
class Filled:
    """A store with SUBJECTS subjects of VERSIONS versions each, and the ids of the versions."""

    store: Any
    schema_ids: list[str]


_made: dict[str, Filled] = {}


async def filled(kind: str) -> Filled:
    """Made once in a process."""
    if kind not in _made:
        store = _new(kind)
        await store.open()
        ids = [await append(store, number % SUBJECTS) for number in range(SUBJECTS * VERSIONS)]
        _made[kind] = Filled(store, ids)
    return _made[kind]


def _new(kind: str) -> Any:
    if kind == MEMORY:
        from llm_schema_registry_server.storage.memory.store import MemoryStore

        return MemoryStore()
    from llm_schema_registry_server.storage.sqlite.store import SqliteStore

    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return SqliteStore(Path(folder) / "registry.db", synchronous="normal")


def subject(number: int) -> Any:
    from llm_schema_registry_server.model.subject import Subject

    return Subject.parse(f"bench.s{number}")


_contents = itertools.count()


async def append(store: Any, number: int) -> str:
    """What a registration asks of a store: how the subject stands, and a new version of it."""
    from entries import entry, schema

    content = schema(next(_contents))
    name, digest = subject(number), hashlib.sha256(content).hexdigest()
    found = await store.subject_snapshot(name, (f"subject:{name}", "context:.", "registry"), digest)
    version = await store.append(
        found.precondition, entry(name, found.precondition.next_ordinal, content, digest)
    )
    return str(version.schema_id)


Make = Callable[[Filled], Operation]


def version(made: Filled) -> Operation:
    return partial(made.store.version, made.schema_ids[7])


def latest(made: Filled) -> Operation:
    from llm_schema_registry_server.model.selector import Latest

    return partial(made.store.selected, subject(7), Latest())


def by_ordinal(made: Filled) -> Operation:
    from llm_schema_registry_server.model.selector import Ordinal

    return partial(made.store.selected, subject(7), Ordinal(2))


def snapshot(made: Filled) -> Operation:
    return partial(made.store.subject_snapshot, subject(7), ("registry",), "0" * 64)


def appended(made: Filled) -> Operation:
    numbers = itertools.count()
    return lambda: append(made.store, SUBJECTS + next(numbers) % 50)


def log_page(made: Filled) -> Operation:
    return partial(made.store.log_page, 10, 50)


def in_transaction(read: Callable[[Any], Awaitable[object]]) -> Make:
    """A read transaction with one read in it."""

    def make(made: Filled) -> Operation:
        async def operation() -> object:
            async with made.store.read() as tx:
                return await read(tx)

        return operation

    return make


async def nothing(tx: Any) -> object:
    return tx


def versions(tx: Any) -> Awaitable[object]:
    found: Awaitable[object] = tx.versions(subject(7))
    return found


def listed(tx: Any) -> Awaitable[object]:
    from llm_schema_registry_server.storage.values import Page, SchemaFilter

    found: Awaitable[object] = tx.scan_versions(SchemaFilter(subject_prefix="bench.s1"), Page(50))
    return found


def searched(tx: Any) -> Awaitable[object]:
    from llm_schema_registry_server.storage.values import RankedPage, SchemaFilter

    found: Awaitable[object] = tx.ranked_versions(SchemaFilter(text="s17"), RankedPage(20))
    return found


READS: dict[str, Make] = {
    "an empty transaction": in_transaction(nothing),
    "a version by id": version,
    "the latest version": latest,
    "a version by ordinal": by_ordinal,
    "the versions of a subject": in_transaction(versions),
    "50 versions by prefix": in_transaction(listed),
    "a search for one word": in_transaction(searched),
    "how a subject stands": snapshot,
    "50 changes": log_page,
    "a new version": appended,
}


def benchmarks() -> Iterator[Benchmark]:
    for kind in (MEMORY, SQLITE):
        for name, make in READS.items():
            yield Benchmark("store", f"{kind}, {name}", partial(_make, kind, make))


async def _make(kind: str, make: Make) -> Operation:
    return make(await filled(kind))
