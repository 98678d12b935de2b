"""A PostgreSQL database in which counting waits until the test lets it go on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from .waiting import until

_LOCK = 4711
# Not a wait for the lock: that would end after lock_seconds.
_GATE = f"""
CREATE FUNCTION gate() RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    WHILE NOT pg_try_advisory_lock_shared({_LOCK}) LOOP PERFORM pg_sleep(0.01); END LOOP;
    RETURN pg_advisory_unlock_shared({_LOCK});
END $$;
"""
_AT_THE_GATE = "FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%subject_versions%' AND datname = current_database() AND pid <> pg_backend_pid()"


class Gate:
    """The way of all who read `subject_versions`, which has to have a row."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    async def waiting(self) -> int:
        """How many wait at it."""
        return int(await self.connection.fetchval(f"SELECT count(*) {_AT_THE_GATE}"))

    async def reached(self) -> None:
        """Return when somebody waits at it."""

        async def some() -> bool:
            return await self.waiting() > 0

        await until(some)

    async def transaction_ids(self) -> list[int]:
        """Those of the transactions that wait at it and have one."""
        found = await self.connection.fetch(f"SELECT backend_xid::text {_AT_THE_GATE}")
        return [int(row[0]) for row in found if row[0] is not None]

    async def open(self) -> None:
        await self.connection.execute(f"SELECT pg_advisory_unlock({_LOCK})")


@asynccontextmanager
async def closed_gate(dsn: str) -> AsyncIterator[Gate]:
    """A gate that nobody passes before it is opened, at the latest at the end of the block."""
    connection = await asyncpg.connect(dsn)
    plain = await connection.fetchval("SELECT pg_get_viewdef('subject_versions')")
    try:
        await connection.execute(_GATE)
        await connection.execute(
            f"CREATE OR REPLACE VIEW subject_versions AS SELECT v.* FROM ({plain.rstrip('; ')}) v WHERE gate()"
        )
        await connection.execute(f"SELECT pg_advisory_lock({_LOCK})")
        yield Gate(connection)
    finally:
        await connection.execute("SELECT pg_advisory_unlock_all()")
        await connection.execute(f"CREATE OR REPLACE VIEW subject_versions AS {plain}; DROP FUNCTION gate()")
        await connection.close()
