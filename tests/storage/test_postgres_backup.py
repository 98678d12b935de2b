"""scripts/backup: a registry comes back as it was at a moment, and gives nothing that is forgotten a second meaning."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from llm_schema_registry_server.model.schema import SchemaVersion
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.storage.postgres import PostgresStore
from tests.support.postgres import Postgres, skip_where_missing, unprivileged
from tests.support.processes import run
from tests.support.storage import change, register
from tests.support.waiting import until

SCRIPTS = Path(__file__).parents[2] / "scripts" / "backup"


@pytest.fixture
def archived() -> Iterator[Postgres]:
    """A server that archives its log, with the scripts in its own directory (it may not be allowed to read ours)."""
    skip_where_missing()
    home = run().directory("backup")
    server = Postgres(
        home, archive_mode="on", archive_command=f"sh {home}/scripts/archive-wal %p {home}/wal/%f"
    )
    shutil.copytree(SCRIPTS, home / "scripts")
    server.run("mkdir", str(home / "wal"))
    server.start()
    yield server
    server.remove()


@pytest.fixture
def restored() -> Iterator[Postgres]:
    """A server without a data directory."""
    server = Postgres(made=True)
    yield server
    server.remove()


def script(server: Postgres, name: str, *arguments: object) -> None:
    server.run("sh", str(server.home / "scripts" / name), *map(str, arguments))


async def write(store: PostgresStore, *texts: str) -> tuple[list[SchemaVersion], int]:
    """Register contents in two contexts; answers with the versions and the greatest revision."""
    made = []
    for text in texts:
        async with store.write() as tx:
            made += [await register(tx, subject, text) for subject in ("orders", ":.ctx:orders")]
    async with store.write() as tx:
        return made, await tx.append_change(change())


async def archived_all(server: Postgres) -> None:
    """Return when everything written so far is in the archive."""
    connection = await asyncpg.connect(server.dsn())
    segment = await connection.fetchval("SELECT pg_walfile_name(pg_switch_wal())")

    async def there() -> bool:
        return (server.home / "wal" / segment).exists()

    await until(there)
    await connection.close()


async def test_a_registry_is_restored_to_a_moment(archived: Postgres, restored: Postgres) -> None:
    await archived.ready()
    store = PostgresStore(archived.dsn())
    await store.open()
    first, _ = await write(store, "before the backup")
    script(archived, "base", archived.dsn(), archived.home / "base")
    second, _ = await write(store, "after it", "and acknowledged")
    await archived.execute("SELECT pg_create_restore_point('before the accident')")
    lost, last_seen = await write(store, "the accident", "and more")
    await archived_all(archived)
    name = store.registry_id
    await store.close()

    script(
        archived, "restore", archived.home / "base", archived.home / "wal", archived.home / "again",
        "recovery_target_name=before the accident",
    )  # fmt: skip
    shutil.move(archived.home / "again", restored.data)
    user = unprivileged()
    if user is not None:
        restored.home.chmod(0o755)
    restored.start()
    await restored.writable()
    restored.run(
        "psql", restored.dsn(), "-v", "ON_ERROR_STOP=1", "--single-transaction", "-f",
        str(archived.home / "scripts" / "after-restore.sql"),
    )  # fmt: skip

    again = PostgresStore(restored.dsn())
    await again.open()
    assert again.registry_id == name
    async with again.read() as tx:
        for subject in ("orders", ":.ctx:orders"):
            kept = [v for v in first + second if str(v.subject) == subject]
            assert await tx.versions(Subject.parse(subject)) == kept
        assert set(await tx.contents([v.identity for v in first + second])) == {
            v.identity for v in first + second
        }
        oldest, newest = await tx.change_bounds()
        assert await tx.changes(0, 100) == []
    assert oldest == newest > last_seen  # whoever comes with a revision from before is told to start again
    new, revision = await write(again, "something else")
    assert revision > oldest
    given = {(v.subject.context, v.global_id) for v in first + second + lost}
    assert not given & {(v.subject.context, v.global_id) for v in new}
    await again.close()


async def test_a_dump_comes_back_elsewhere(archived: Postgres) -> None:
    await archived.ready()
    store = PostgresStore(await archived.create_database())
    await store.open()
    kept, last_seen = await write(store, "kept")
    script(archived, "dump", store._dsn, archived.home / "dump")
    await write(store, "lost")
    await store.close()

    target = await archived.create_database()
    archived.run("pg_restore", "--exit-on-error", f"--dbname={target}", str(archived.home / "dump"))
    after = str(archived.home / "scripts" / "after-restore.sql")
    archived.run("psql", target, "-v", "ON_ERROR_STOP=1", "--single-transaction", "-f", after)

    again = PostgresStore(target)
    await again.open()
    async with again.read() as tx:
        assert await tx.versions(Subject.parse("orders")) == kept[:1]
    assert (await write(again, "new"))[1] > last_seen
    await again.close()


def test_a_segment_is_never_written_over(archived: Postgres) -> None:
    segment, kept = archived.home / "segment", archived.home / "wal" / "kept"
    segment.write_text("one")
    for _ in range(2):
        script(archived, "archive-wal", segment, kept)
    segment.write_text("two")
    with pytest.raises(subprocess.CalledProcessError):
        script(archived, "archive-wal", segment, kept)
    assert kept.read_text() == "one"
