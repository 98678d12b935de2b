"""One connection inside one transaction, with the driver's errors translated."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import asyncpg

from ...errors import StorageUnavailable
from ...telemetry import tracing
from .errors import AWAY, CONFUSED, translated

T = TypeVar("T")
R = TypeVar("R")
FEW = 256
"""Rows that are decoded in the event loop: some 15 us each."""
Connection = Any
"""asyncpg's Connection or the proxy that its pool hands out; the package has no types."""


async def decoded(found: Sequence[Any], decode: Callable[[Sequence[Any]], R]) -> R:
    """What `decode` makes of rows; of more than FEW in a thread, for the event loop would have no turn meanwhile."""
    return decode(found) if len(found) <= FEW else await asyncio.to_thread(decode, found)


class Session:
    """A connection of the pool while a transaction has it. `database` names it in messages."""

    def __init__(self, connection: Connection, database: str) -> None:
        self.connection = connection
        self.database = database
        self.committed = False
        self._timed_out = False

    async def row(self, sql: str, *parameters: Any) -> Any:
        """The first row, or None."""
        with self._answering(sql):
            return await self.connection.fetchrow(sql, *parameters)

    async def value(self, sql: str, *parameters: Any) -> Any:
        """The first cell of the first row, or None."""
        with self._answering(sql):
            return await self.connection.fetchval(sql, *parameters)

    async def rows(
        self, sql: str, parameters: list[Any], decode: Callable[[Any], T], *, timeout: float | None = None
    ) -> list[T]:
        """All rows. timeout: seconds to wait for them, if not those that the connection was opened with."""
        with self._answering(sql):
            found = await self.connection.fetch(sql, *parameters, timeout=timeout)
        return await decoded(found, lambda rows: [decode(row) for row in rows])

    async def run(self, sql: str, *parameters: Any) -> str:
        """Execute one statement, or several without parameters; answers with the last one's tag."""
        with self._answering(sql):
            return str(await self.connection.execute(sql, *parameters))

    async def commit(self) -> None:
        """Raises StorageUnavailable when it did not commit, or when that cannot be known."""
        tag = await self.run("COMMIT")
        if tag != "COMMIT":  # PostgreSQL answers ROLLBACK when a statement had failed
            raise StorageUnavailable("PostgreSQL undid the transaction; retry", inside=self.database)
        self.committed = True

    async def rollback(self) -> None:
        """Roll the transaction back; does nothing when the connection is gone."""
        if self.lost:
            return
        try:
            await self.connection.execute("ROLLBACK")
        except AWAY:
            self.terminate()

    @property
    def lost(self) -> bool:
        """Whether the connection is closed; asyncpg's proxy then raises instead of answering."""
        try:
            return bool(self.connection.is_closed())
        except asyncpg.InterfaceError:
            return True

    @property
    def died(self) -> bool:
        """Whether the connection is closed, for another reason than that we gave up waiting."""
        return self.lost and not self._timed_out

    def terminate(self) -> None:
        """Close the connection at once; the database rolls back what it left."""
        if not self.lost:
            self.connection.terminate()

    @contextmanager
    def _answering(self, sql: str) -> Iterator[None]:
        with tracing.statement("postgresql", sql), translated(self.database):
            try:
                yield
            except (TimeoutError, CONFUSED) as error:
                self._timed_out = isinstance(error, TimeoutError)
                self.terminate()  # a server that does not answer will not answer a ROLLBACK either
                raise
