"""One connection inside one transaction, with the driver's errors translated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import asyncpg

from ...errors import StorageUnavailable
from .errors import AWAY, CONFUSED, translated

T = TypeVar("T")
Connection = Any
"""asyncpg's Connection or the proxy that its pool hands out; the package has no types."""


class Session:
    """A connection of the pool while a transaction has it. `database` names it in messages."""

    def __init__(self, connection: Connection, database: str) -> None:
        self.connection = connection
        self.database = database
        self.committed = False
        self._hung = False

    async def row(self, sql: str, *parameters: Any) -> Any:
        """The first row, or None."""
        with self._answering():
            return await self.connection.fetchrow(sql, *parameters)

    async def value(self, sql: str, *parameters: Any) -> Any:
        """The first cell of the first row, or None."""
        with self._answering():
            return await self.connection.fetchval(sql, *parameters)

    async def rows(
        self, sql: str, parameters: list[Any], decode: Callable[[Any], T], *, patience: float | None = None
    ) -> list[T]:
        """All rows. patience: seconds to wait for them, if other than what the connection was opened with."""
        with self._answering():
            found = await self.connection.fetch(sql, *parameters, timeout=patience)
        return [decode(row) for row in found]

    async def run(self, sql: str, *parameters: Any) -> str:
        """Execute one statement, or several without parameters; answers with the last one's tag."""
        with self._answering():
            return str(await self.connection.execute(sql, *parameters))

    async def commit(self) -> None:
        """Raises StorageUnavailable when it did not commit, or when that cannot be known."""
        tag = await self.run("COMMIT")
        if tag != "COMMIT":  # PostgreSQL answers ROLLBACK when a statement had failed
            raise StorageUnavailable(f"PostgreSQL at {self.database} undid the transaction; retry")
        self.committed = True

    async def rollback(self) -> None:
        """Undo the transaction; a connection that is gone has nothing to undo."""
        if self.lost:
            return
        try:
            await self.connection.execute("ROLLBACK")
        except AWAY:
            self.give_up()

    @property
    def lost(self) -> bool:
        """Whether the connection is closed; asyncpg takes such a one out of our hands."""
        try:
            return bool(self.connection.is_closed())
        except asyncpg.InterfaceError:
            return True

    @property
    def died(self) -> bool:
        """Whether the connection is closed, and not because we did not want to wait any longer."""
        return self.lost and not self._hung

    def give_up(self) -> None:
        """Close the connection at once; the server undoes what it left."""
        if not self.lost:
            self.connection.terminate()

    @contextmanager
    def _answering(self) -> Iterator[None]:
        with translated(self.database):
            try:
                yield
            except (TimeoutError, CONFUSED) as error:
                self._hung = isinstance(error, TimeoutError)
                self.give_up()  # a server that does not answer will not answer a ROLLBACK either
                raise
