"""Brings a database to the schema that this server knows: numbered SQL files, each in one transaction, under a lock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...errors import StorageUnavailable
from ...telemetry import logs
from ..migrations import Migration, log_applied, migrations_of
from .errors import translated

_LOG = logs.get("storage.postgres")
_LOCK = 0x4C535247  # "LSRG": one migration at a time in a database
_TABLE = (
    "CREATE TABLE IF NOT EXISTS migrations "
    "(number integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
)
# Databases of the first version lack the column; their steps are known to every server.
_COMPATIBLE = "ALTER TABLE migrations ADD COLUMN IF NOT EXISTS oldest integer"


def migrations() -> Sequence[Migration]:
    """The steps that come with the server, in order."""
    return migrations_of(__package__)


async def migrate(connection: Any, database: str, steps: Sequence[Migration], *, apply: bool) -> None:
    """Apply the steps that the database lacks; several servers may do so at once.

    Raises StorageUnavailable when it was written by a newer server, when it is not encoded in UTF-8, or when steps
    are missing and `apply` is false.
    """
    with translated(database):
        async with connection.transaction():  # a pooler may change servers between two of them
            encoding = await connection.fetchval("SHOW server_encoding")
        if encoding != "UTF8":
            raise StorageUnavailable(
                f"the database is encoded in {encoding}; create one with ENCODING 'UTF8'", inside=database
            )
        applied: list[Migration] = []
        while (step := await _step(connection, database, steps, apply)) is not None:
            applied.append(step)
    log_applied(_LOG, applied, database=database)


async def _step(connection: Any, database: str, steps: Sequence[Migration], apply: bool) -> Migration | None:
    """The next step, applied; None when there was none left."""
    step: Migration | None = None
    async with connection.transaction():
        await connection.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
        if not await connection.fetchval("SELECT to_regclass('migrations')"):
            if not apply:
                raise _behind(database)
            await connection.execute(_TABLE)
        done = await connection.fetchval("SELECT coalesce(max(number), 0) FROM migrations")
        if done > len(steps):
            await _refuse_foreign(connection, database, done, len(steps))
        if done >= len(steps):
            await connection.execute("SELECT align_sequences()")
            return step
        if not apply:
            raise _behind(database)
        step = steps[done]
        await connection.execute(step.sql)
        await connection.execute(_COMPATIBLE)
        await connection.execute(
            "INSERT INTO migrations (number, name, oldest) VALUES ($1, $2, $3)",
            step.number,
            step.name,
            step.oldest,
        )
    return step


async def _refuse_foreign(connection: Any, database: str, done: int, known: int) -> None:
    """Raise unless every step that this server does not know says that a server like this one goes on working."""
    oldest = await connection.fetchval(
        "SELECT max(coalesce(oldest, number)) FROM migrations WHERE number > $1", known
    )
    if oldest > known:
        raise StorageUnavailable(
            f"the database was written by a newer server (schema {done}, which servers that know {oldest} go on working "
            f"with; this server knows {known}); upgrade this server",
            inside=database,
        )


def _behind(database: str) -> StorageUnavailable:
    return StorageUnavailable(
        "the database lacks tables of this version; run `schema-registry-server migrate` or set storage.postgres.migrate",
        inside=database,
    )
