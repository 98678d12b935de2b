"""SQLite: what is wrong with the file is said with its name and a way out; what was there before is still there."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from llm_schema_registry_server.errors import StorageDamaged, StorageUnavailable
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.storage.sqlite import SqliteStore
from llm_schema_registry_server.storage.values import Page, SchemaFilter
from tests.support.storage import change, content, insert, register, version

ROOT = Path(__file__).parents[2]
NOBODY = 65534


@asynccontextmanager
async def opened(file: Path, lock_seconds: float = 0.05) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(file, synchronous="normal", lock_seconds=lock_seconds)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def fill(file: Path, versions: int = 1) -> None:
    async with opened(file) as store:
        await insert(store, *(version(ordinal=n) for n in range(1, versions + 1)))


async def assert_refused(file: Path, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message) as caught:
        async with opened(file):
            raise AssertionError("must not open")
    assert str(file) in str(caught.value)


async def test_the_directory_is_made(tmp_path: Path) -> None:
    await fill(tmp_path / "a" / "b" / "registry.db")


async def test_everything_is_there_after_closing(tmp_path: Path) -> None:
    file = tmp_path / "registry.db"
    async with opened(file) as store:
        name = store.registry_id
        await insert(store, version())
    async with opened(file) as store, store.read() as tx:
        assert store.registry_id == name
        assert len(await tx.versions(Subject.parse("orders"))) == 1


@pytest.mark.parametrize(
    "junk", [b"not a database, but long enough to be read as a header " * 20, b"x" * 5000]
)
async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, junk: bytes) -> None:
    file = tmp_path / "registry.db"
    file.write_bytes(junk)

    await assert_refused(file, StorageDamaged, "is not a SQLite database")
    assert file.read_bytes() == junk


async def test_a_database_of_another_application_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.db"
    with sqlite3.connect(file) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()

    await assert_refused(file, StorageDamaged, "another application")


async def test_a_database_of_a_newer_server_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "registry.db"
    await fill(file)
    newer = sqlite3.connect(file)
    newer.execute("PRAGMA user_version = 999")
    newer.close()

    await assert_refused(file, StorageUnavailable, "newer server")


async def test_a_directory_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    await assert_refused(tmp_path, StorageUnavailable, "is a directory")


async def test_a_file_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StorageUnavailable, match="cannot be made"):
        async with opened(tmp_path / "file" / "registry.db"):
            raise AssertionError("must not open")


async def test_damage_in_the_middle_is_told_when_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "registry.db"
    await fill(file, 300)
    size = file.stat().st_size
    with file.open("r+b") as raw:
        raw.seek(4096 * 3)
        raw.write(b"\xa5" * (size - 4096 * 4))

    with pytest.raises(StorageDamaged, match=r"is damaged.*restore.*registry\.db"):
        async with opened(file) as store, store.read() as tx:
            await tx.scan_versions(SchemaFilter(), Page(1000))


async def test_a_cut_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "registry.db"
    await fill(file, 300)
    os.truncate(file, file.stat().st_size // 2)

    with pytest.raises(StorageDamaged, match=r"registry\.db"):
        async with opened(file) as store, store.read() as tx:
            await tx.scan_versions(SchemaFilter(), Page(1000))


async def test_a_row_that_spells_nothing_is_damage(tmp_path: Path) -> None:
    file = tmp_path / "registry.db"
    await fill(file)
    for column, value in (
        ("state", 99),
        ("about", "{"),
        ("version", "one"),
        ("origin", "{}"),
        ("created_at", 2**62),
    ):
        hand = sqlite3.connect(file)
        (before,) = hand.execute(f"SELECT {column} FROM versions").fetchone()
        hand.execute(f"UPDATE versions SET {column} = ?", (value,))
        hand.commit()

        async with opened(file) as store, store.read() as tx:
            with pytest.raises(StorageDamaged, match="table versions"):
                await tx.versions(Subject.parse("orders"))
        hand.execute(f"UPDATE versions SET {column} = ?", (before,))
        hand.commit()
        hand.close()


async def test_a_lock_held_by_another_process_is_told_and_over_when_it_is_released(tmp_path: Path) -> None:
    file = tmp_path / "registry.db"
    async with opened(file) as store:
        other = sqlite3.connect(file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageUnavailable, match="locked by another process"):
            await insert(store, version())
        async with store.read() as tx:
            assert await tx.count_versions(SchemaFilter()) == 0
        other.execute("ROLLBACK")
        other.close()
        await insert(store, version())


async def test_a_full_disk_undoes_the_write_and_later_ones_go_on(tmp_path: Path) -> None:
    file = tmp_path / "registry.db"
    async with opened(file) as store:
        await insert(store, version())
        writing = store._resources.sessions[0]  # the test's own way to a small disk
        (pages,) = writing.row("PRAGMA page_count")
        writing.run(f"PRAGMA max_page_count = {pages + 8}")

        for size in (300_000, 10_000_000):
            with pytest.raises(StorageUnavailable, match="no room to grow"):
                async with store.write() as tx:
                    await tx.put_content("large", content("x" * size))

        writing.run("PRAGMA max_page_count = 1000000")
        await insert(store, version(ordinal=2))
        async with store.read() as tx:
            assert len(await tx.versions(Subject.parse("orders"))) == 2
            assert await tx.contents(["large"]) == {}


async def test_a_full_disk_fails_the_whole_group_and_nobody_is_told_otherwise(tmp_path: Path) -> None:
    async with opened(tmp_path / "registry.db") as store:
        writing = store._resources.sessions[0]
        (pages,) = writing.row("PRAGMA page_count")
        writing.run(f"PRAGMA max_page_count = {pages + 30}")

        async def writes(number: int) -> None:
            async with store.write() as tx:
                await register(tx, f"s{number}", "x" * 20_000 + str(number))

        results = await asyncio.gather(*(writes(n) for n in range(30)), return_exceptions=True)

        told = {f"s{n}" for n, result in enumerate(results) if result is None}
        assert any(isinstance(result, StorageUnavailable) for result in results)
        async with store.read() as tx:
            there = await tx.subjects(page=Page(100))
        assert {str(s) for s in there} == told


async def test_a_file_that_is_removed_or_replaced_while_in_use_fails_writes(tmp_path: Path) -> None:
    file = tmp_path / "registry.db"
    async with opened(file) as store:
        file.rename(tmp_path / "moved.db")
        with pytest.raises(StorageUnavailable, match="is gone"):
            await insert(store, version())
        file.write_bytes(b"")
        with pytest.raises(StorageUnavailable, match="was replaced"):
            await insert(store, version())
        file.unlink()
        (tmp_path / "moved.db").rename(file)
        await insert(store, version())


@pytest.mark.parametrize(
    ("directory_mode", "file_mode", "message"),
    [(0o777, 0o444, "cannot be written"), (0o555, 0o666, "may not write")],
)
async def test_what_may_not_be_written_is_told(directory_mode: int, file_mode: int, message: str) -> None:
    with tempfile.TemporaryDirectory() as made:  # not tmp_path: others may not look into that
        file = Path(made) / "data" / "registry.db"
        await fill(file)
        file.chmod(file_mode)
        file.parent.chmod(directory_mode)
        file.parents[1].chmod(0o755)

        told = open_as_nobody(file)

        file.parent.chmod(0o755)
        assert "StorageUnavailable" in told
        assert str(file) in told
        assert message in told


def open_as_nobody(file: Path) -> str:
    """What opening the file says to a process without root's privileges (root ignores permissions)."""
    source = (
        "import asyncio, os, pathlib\n"
        "from llm_schema_registry_server.storage.sqlite import SqliteStore, migrate\n"
        "migrate.migrations()\n"  # loads what it needs while it still may
        f"os.getuid() == 0 and os.setuid({NOBODY})\n"
        f"asyncio.run(SqliteStore(pathlib.Path({str(file)!r})).open())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", source],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["engines", "server", "clients/python"])},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr


async def test_changes_survive_the_end_of_the_log_and_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "registry.db"
    async with opened(file) as store, store.write() as tx:
        newest = await tx.append_change(change())
        await tx.compact_changes(newest)
    async with opened(file) as store, store.write() as tx:
        assert await tx.change_bounds() == (newest, newest)
        assert await tx.append_change(change()) == newest + 1
