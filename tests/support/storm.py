"""Processes that register versions as fast as they can and print each one that was acknowledged; made to be killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from llm_schema_registry_server.storage.postgres import PostgresStore
from llm_schema_registry_server.storage.sqlite import SqliteStore
from llm_schema_registry_server.storage.store import Store
from llm_schema_registry_server.storage.values import Page, SchemaFilter
from llm_schema_registry_server.telemetry import logs
from tests.support.processes import run
from tests.support.storage import changes_so_far, register

ROOT = Path(__file__).parents[2]


def store_of(place: str) -> Store:
    """The store in a file, or in the database of a DSN."""
    return PostgresStore(place) if "://" in place else SqliteStore(Path(place), synchronous="full")


async def storm(store: Store, worker: str) -> None:
    await store.open()

    async def writes(task: int) -> None:
        number = 0
        while True:
            subject, text = f"{worker}-{task % 3}", f"{worker} {task} {number}"
            async with store.write() as tx:
                made = await register(tx, subject, text)
            sys.stdout.write(
                f"{subject} {made.ordinal} {made.identity}\n"
            )  # one write call: never half a line
            sys.stdout.flush()
            number += 1

    await asyncio.gather(*(writes(task) for task in range(6)))


def start(place: str, worker: str) -> subprocess.Popen[str]:
    """A process of this module."""
    return run().spawn(
        [sys.executable, "-m", "tests.support.storm", place, worker],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["engines", "server", "clients/python", "."])},
        stdout=subprocess.PIPE,
        text=True,
    )


def acknowledged(process: subprocess.Popen[str], enough: int) -> list[tuple[str, int, str]]:
    """Kill the process in its storm once `enough` writes were acknowledged; answers all that were."""
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(enough)]
    process.send_signal(signal.SIGKILL)
    lines += process.stdout.readlines()
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    whole = [line.split() for line in lines if line.endswith("\n")]
    return [(subject, int(ordinal), identity) for subject, ordinal, identity in whole]


async def assert_whole(store: Store) -> set[tuple[str, int, str]]:
    """Every version has its content, its change and its number; ordinals are dense. Answers what is there."""
    changes = await changes_so_far(store)
    async with store.read() as tx:
        versions = await tx.scan_versions(SchemaFilter(), Page(1_000_000))
        contents = await tx.contents([v.identity for v in versions])
        assert sorted(v.schema_id for v in versions) == sorted(c.schema_id for c in changes)
        assert all(v.identity in contents for v in versions)
        for subject in {v.subject for v in versions}:
            ordinals = [v.ordinal for v in versions if v.subject == subject]
            assert ordinals == list(range(1, len(ordinals) + 1))
            assert [c.ordinal for c in changes if c.subject == subject] == ordinals
    return {(str(v.subject), v.ordinal, v.identity) for v in versions}


if __name__ == "__main__":
    logs.configure()  # to standard error: standard output has the acknowledged versions
    asyncio.run(storm(store_of(sys.argv[1]), sys.argv[2]))
