"""SQLite: a ping fails, with the reason, while reading or writing does, and is well again afterwards."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from llm_schema_registry_server.errors import StorageDamaged, StorageUnavailable
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.storage.sqlite import SqliteStore
from llm_schema_registry_server.storage.sqlite.watching import PROBE_SECONDS, FileWatch
from llm_schema_registry_server.storage.values import Page, SchemaFilter
from tests.support.disks import small_disk
from tests.support.storage import content, register

SUBJECT = Subject.parse("orders")


@asynccontextmanager
async def opened(directory: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(directory / "registry.db", synchronous="normal", lock_seconds=0.1)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def add(store: SqliteStore, text: str = "{}") -> None:
    async with store.write() as tx:
        await register(tx, "orders", text)


async def add_many(store: SqliteStore) -> None:
    for number in range(100):
        await add(store, f'{{"{number}": "{"x" * 20_000}"}}')


async def test_a_full_disk_is_told_while_it_is_full() -> None:
    with small_disk(4) as disk:
        if disk is None:
            pytest.skip("mounting a file system needs root")
        async with opened(disk) as store:
            await add(store)
            await store.ping()
            ballast = disk / "ballast"
            with ballast.open("wb", buffering=0) as file, suppress(OSError):
                while file.write(bytes(64 * 1024)):
                    pass
            with pytest.raises(StorageUnavailable):
                await add_many(store)

            with pytest.raises(StorageUnavailable, match="free space"):
                await store.ping()

            ballast.unlink()
            await store.ping()
            await add(store, '{"after": 1}')


async def test_a_database_that_is_removed_is_told_until_it_is_back(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await add(store)
        file = tmp_path / "registry.db"
        file.rename(tmp_path / "elsewhere")

        with pytest.raises(StorageUnavailable, match="is gone"):
            await store.ping()
        with pytest.raises(StorageUnavailable, match="is gone"):
            await add(store)

        (tmp_path / "elsewhere").rename(file)
        await store.ping()
        await add(store)


async def test_a_database_that_is_replaced_is_told(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await add(store)
        (tmp_path / "other").write_bytes((tmp_path / "registry.db").read_bytes())
        (tmp_path / "other").replace(tmp_path / "registry.db")

        with pytest.raises(StorageUnavailable, match="was replaced"):
            await store.ping()


async def test_a_removed_write_ahead_log_is_told_and_nothing_of_it_is_lost(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await add(store, '{"before": 1}')
        (tmp_path / "registry.db-wal").unlink()

        with pytest.raises(StorageUnavailable, match=r"write-ahead log is gone.*SIGTERM"):
            await store.ping()
        with pytest.raises(StorageUnavailable, match="write-ahead log"):
            await add(store, '{"after": 1}')

    async with opened(tmp_path) as store:
        await store.ping()
        async with store.read() as tx:
            (version,) = await tx.versions(SUBJECT)
            found = await tx.contents([version.identity])
    assert found[version.identity] == content('{"before": 1}')


async def test_damaged_pages_are_told_once_they_were_met(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        for number in range(300):
            await add(store, f'{{"{number}": "{"x" * 2000}"}}')
    file = tmp_path / "registry.db"
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'versions'").fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    connection.close()
    with file.open("r+b") as raw:
        raw.seek((root - 1) * size)
        sound = raw.read(size)
        raw.seek((root - 1) * size)
        raw.write(os.urandom(size))

    async with opened(tmp_path) as store:
        with pytest.raises(StorageDamaged):
            async with store.read() as tx:
                await tx.scan_versions(SchemaFilter(), Page(1000))
        for _ in range(2):
            with pytest.raises(StorageDamaged):
                await store.ping()

    with file.open("r+b") as raw:
        raw.seek((root - 1) * size)
        raw.write(sound)
    async with opened(tmp_path) as store:
        await store.ping()


async def test_writing_is_tried_when_nothing_was_written_for_long(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    now = 0.0
    watch = FileWatch(file, timer=lambda: now)

    assert not watch.write_due
    now = PROBE_SECONDS
    assert watch.write_due
    watch.wrote()
    assert not watch.write_due
    watch.note(StorageUnavailable("full"))
    assert watch.write_due
    watch.wrote()
    assert watch.trouble is None
