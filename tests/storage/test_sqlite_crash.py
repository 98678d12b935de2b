"""SQLite, real processes: what was acknowledged outlives a kill, nothing is there by half, several processes may write."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.storage.sqlite import SqliteStore
from llm_schema_registry_server.storage.store import Page, SchemaFilter, Store
from tests.support.storage import change, register

ROOT = Path(__file__).parents[2]


def start(file: Path, worker: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.sqlite_storm", str(file), worker],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["server", "clients/python", "."])},
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
    async with store.read() as tx:
        versions = await tx.scan_versions(SchemaFilter(), Page(1_000_000))
        changes = await tx.changes(0, 1_000_000)
        contents = await tx.contents([v.identity for v in versions])
        assert {v.schema_id for v in versions} == {c.schema_id for c in changes}
        assert [c.sequence for c in changes] == list(range(1, len(changes) + 1))
        assert all(v.identity in contents for v in versions)
        for subject in {v.subject for v in versions}:
            ordinals = [v.ordinal for v in versions if v.subject == subject]
            assert ordinals == list(range(1, len(ordinals) + 1))
    return {(str(v.subject), v.ordinal, v.identity) for v in versions}


@pytest.mark.parametrize("processes", [1, 2])
async def test_every_acknowledged_write_outlives_kill_9(tmp_path: Path, processes: int) -> None:
    file = tmp_path / "registry.db"
    told: set[tuple[str, int, str]] = set()
    for round_ in range(3):
        running = [start(file, f"{round_}-{n}") for n in range(processes)]
        for process in running:
            told.update(acknowledged(process, random.randint(1, 60)))
        store = SqliteStore(file)
        await store.open()
        try:
            assert told <= await assert_whole(store)
        finally:
            await store.close()


async def test_changes_of_another_process_wake_a_waiting_reader(tmp_path: Path) -> None:
    file = tmp_path / "registry.db"
    mine, theirs = SqliteStore(file), SqliteStore(file)  # two stores share nothing but the file
    await mine.open()
    await theirs.open()
    try:
        waiting = asyncio.create_task(mine.wait_for_change(0, 100))
        async with theirs.write() as tx:
            await tx.append_change(change())
        await waiting
        async with mine.read() as tx:
            assert len(await tx.changes(0, 10)) == 1
    finally:
        await mine.close()
        await theirs.close()


async def test_two_stores_on_one_file_take_turns(tmp_path: Path) -> None:
    stores = [SqliteStore(tmp_path / "registry.db", synchronous="normal") for _ in range(2)]
    await asyncio.gather(*(store.open() for store in stores))

    async def writes(store: Store, worker: int) -> None:
        for number in range(5):
            async with store.write() as tx:
                await register(tx, "orders", f"{worker} {number}")

    try:
        assert stores[0].registry_id == stores[1].registry_id
        await asyncio.gather(*(writes(stores[n % 2], n) for n in range(10)))
        async with stores[0].read() as tx:
            ordinals = [v.ordinal for v in await tx.versions(Subject.parse("orders"))]
        assert ordinals == list(range(1, 51))
    finally:
        for store in stores:
            await store.close()
