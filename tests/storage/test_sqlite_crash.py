"""SQLite, real processes: what was acknowledged outlives a kill, nothing is there by half, several processes may write."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.storage.sqlite import SqliteStore
from llm_schema_registry_server.storage.store import Store
from tests.support.storage import change, register
from tests.support.storm import acknowledged, assert_whole, start


@pytest.mark.parametrize("processes", [1, 2])
async def test_every_acknowledged_write_outlives_kill_9(tmp_path: Path, processes: int) -> None:
    file = tmp_path / "registry.db"
    told: set[tuple[str, int, str]] = set()
    for round_ in range(3):
        running = [start(str(file), f"{round_}-{n}") for n in range(processes)]
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
