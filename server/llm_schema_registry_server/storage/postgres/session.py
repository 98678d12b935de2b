"""One connection inside one transaction, with the driver's errors translated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from ...errors import StorageUnavailable
from .errors import AWAY, translated

T = TypeVar("T")
Connection = Any
"""asyncpg's Connection or the proxy that its pool hands out; the package has no types."""


class Session:
    """A connection of the pool while a transaction has it. `database` names it in messages."""

    def __init__(self, connection: Connection, database: str) -> None:
        self._connection = connection
        self.database = database
        self.committed = False

    async def row(self, sql: str, *parameters: Any) -> Any:
        """The first row, or None."""
        with self._answering():
            return await self._connection.fetchrow(sql, *parameters)

    async def value(self, sql: str, *parameters: Any) -> Any:
        """The first cell of the first row, or None."""
        with self._answering():
            return await self._connection.fetchval(sql, *parameters)

    async def rows(self, sql: str, parameters: list[Any], decode: Callable[[Any], T]) -> list[T]:
        with self._answering():
            found = await self._connection.fetch(sql, *parameters)
        return [decode(row) for row in found]

    async def run(self, sql: str, *parameters: Any) -> str:
        """Execute one statement, or several without parameters; answers with the last one's tag."""
        with self._answering():
            return str(await self._connection.execute(sql, *parameters))

    async def commit(self) -> None:
        """Raises StorageUnavailable when it did not commit, or when that cannot be known."""
        tag = await self.run("COMMIT")
        if tag != "COMMIT":  # PostgreSQL answers ROLLBACK when a statement had failed
            raise StorageUnavailable(f"PostgreSQL at {self.database} undid the transaction; retry")
        self.committed = True

    async def rollback(self) -> None:
        """Undo the transaction; a connection that is gone has nothing to undo."""
        if not self._connection.is_closed():
            try:
                await self._connection.execute("ROLLBACK")
            except AWAY:
                self._connection.terminate()  # the server undoes what a lost connection left

    @contextmanager
    def _answering(self) -> Iterator[None]:
        with translated(self.database):
            try:
                yield
            except TimeoutError:
                self._connection.terminate()  # a server that does not answer will not answer a ROLLBACK either
                raise
