"""Brings a database file to the schema that this server knows: numbered SQL files, each in one transaction.

The number of the last one applied is `PRAGMA user_version`; `application_id` tells our files from others.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...errors import StorageDamaged, StorageUnavailable
from ...telemetry import logs
from ..migrations import Migration, log_applied, migrations_of
from ..ranking import title_of
from ..rows import subject_of

_LOG = logs.get("storage.sqlite")
APPLICATION_ID = 0x4C535247  # "LSRG"
_OLDEST_SQLITE = (3, 37, 0)  # STRICT tables


def migrations() -> Sequence[Migration]:
    """The steps that come with the server, in order."""
    return migrations_of(__package__)


def migrate(connection: sqlite3.Connection, file: Path, steps: Sequence[Migration]) -> None:
    """Apply the steps that `file` lacks; several processes may do so at once.

    Raises StorageDamaged when the file belongs to another application and StorageUnavailable when it was written by
    a newer server.
    """
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise StorageUnavailable(
            f"SQLite {sqlite3.sqlite_version} is too old; Python must be linked with 3.37 or newer"
        )
    connection.create_function("title_of", 2, _title_of)  # for step 3
    applied: list[Migration] = []
    while True:
        connection.execute("BEGIN IMMEDIATE")  # whoever comes second waits here and finds the step applied
        try:
            done = _check(connection, file, steps)
            if done == len(steps):
                # SQLite opens a read-only file without a word; this write finds out now instead of later.
                connection.execute(f"PRAGMA user_version = {done}")
                connection.execute("COMMIT")
                log_applied(_LOG, applied, file=str(file))
                return
            step = steps[done]
            for statement in _statements(step.sql):
                connection.execute(statement)
            if done == 0:
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute("INSERT INTO meta VALUES ('registry_id', ?)", (secrets.token_hex(4),))
            connection.execute(f"PRAGMA user_version = {step.number}")
            connection.execute("COMMIT")
            applied.append(step)
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")


def _title_of(subject: str, about: str) -> str:
    return title_of(subject_of(subject), tuple(json.loads(about)["tags"]))


def _check(connection: sqlite3.Connection, file: Path, steps: Sequence[Migration]) -> int:
    """How many steps the file has seen."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (done,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application != APPLICATION_ID and (tables or application):
        raise StorageDamaged(
            "the database file belongs to another application; name another file in storage.path",
            inside=str(file),
        )
    if done > len(steps):
        raise StorageUnavailable(
            f"the database file was written by a newer server (schema {done}, this server knows {len(steps)}); upgrade "
            "this server or restore a backup made before the upgrade",
            inside=str(file),
        )
    return int(done)


def _statements(sql: str) -> Iterator[str]:
    # Not executescript: it commits first, and a step must be applied whole or not at all.
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
