"""Steps that bring a storage to the schema of this server leave one line in the log, and nothing when there were none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from llm_schema_registry_server.storage.postgres import PostgresStore
from llm_schema_registry_server.storage.postgres import migrate as postgres_migrate
from llm_schema_registry_server.storage.sqlite import SqliteStore
from llm_schema_registry_server.storage.sqlite import migrate as sqlite_migrate
from llm_schema_registry_server.storage.store import Store
from tests.support.postgres import Postgres
from tests.unit.conftest import LogLines, log_lines

__all__ = ["log_lines"]


async def opened(store: Store) -> None:
    await store.open()
    await store.close()


async def test_sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log_lines: LogLines) -> None:
    file = tmp_path / "registry.db"
    steps = sqlite_migrate.migrations()
    with monkeypatch.context() as before:
        before.setattr("llm_schema_registry_server.storage.sqlite.store.migrations", lambda: steps[:5])
        await opened(SqliteStore(file))
    await opened(SqliteStore(file))
    await opened(SqliteStore(file))

    created, migrated = [line for line in log_lines() if line["level"] != "debug"]
    assert (created["event"], created["file"]) == ("storage_created", str(file))
    assert (created["schema_before"], created["schema_now"]) == (0, 5)
    assert (migrated["event"], migrated["level"], migrated["logger"]) == (
        "storage_migrated",
        "info",
        "storage.sqlite",
    )
    assert (migrated["schema_before"], migrated["schema_now"]) == (5, len(steps))
    assert migrated["steps"] == [f"{step.number:04} {step.name}" for step in steps[5:]]


async def test_postgres(postgres: Postgres, monkeypatch: pytest.MonkeyPatch, log_lines: LogLines) -> None:
    await postgres.ready()
    dsn = await postgres.create_database()
    steps = postgres_migrate.migrations()
    with monkeypatch.context() as before:
        before.setattr("llm_schema_registry_server.storage.postgres.store.migrations", lambda: steps[:10])
        await opened(PostgresStore(dsn))
    await opened(PostgresStore(dsn))
    await opened(PostgresStore(dsn))
    await postgres.drop_database(dsn)

    created, migrated = [line for line in log_lines() if line["level"] != "debug"]
    assert (created["event"], created["logger"]) == ("storage_created", "storage.postgres")
    assert (migrated["event"], migrated["steps"]) == (
        "storage_migrated",
        [f"{step.number:04} {step.name}" for step in steps[10:]],
    )
    assert dsn.rpartition("/")[2] in migrated["database"]


def test_commands_log_to_standard_error_and_answer_in_json(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "llm_schema_registry_server", "migrate"],
        env={
            "PYTHONPATH": ":".join(sys.path),
            "SCHEMA_REGISTRY_STORAGE__PATH": str(tmp_path / "registry.db"),
        },
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(done.stdout)["kind"] == "sqlite"
    assert [json.loads(line)["event"] for line in done.stderr.splitlines()] == ["storage_created"]
