"""What a group of transactions writes to the index of words, written in one go before they are committed together.

FTS5 writes what it holds as a part of its index whenever a savepoint begins or ends: with one savepoint for each registration that would
be a part for each, to be merged with others later.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

MOST_BYTES = 4 * 1024 * 1024
"""Characters of statements that wait; a group that has more is committed."""


class PendingWords:
    """The statements of a group, in order. One transaction of the group at a time adds to them, and is `kept` or `undone`."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self._raw = raw
        self._statements: list[tuple[str, Sequence[Any]]] = []
        self._kept = self._ran = 0
        self.size = 0

    def add(self, sql: str, parameters: Sequence[Any]) -> None:
        """A statement that changes the index, and reads nothing."""
        self._statements.append((sql, parameters))
        self.size += sum(len(value) for value in parameters if isinstance(value, str))

    def run(self) -> None:
        """Runs what waits, in whatever thread has the connection. A transaction that reads the index does so before. Raises
        sqlite3.Error."""
        for sql, parameters in self._statements[self._ran :]:
            self._raw.execute(sql, parameters)
        self._ran = len(self._statements)

    def kept(self) -> None:
        """The transaction has ended well."""
        del self._statements[: self._ran]
        self._ran, self._kept = 0, len(self._statements)

    def undone(self) -> None:
        """The transaction was rolled back, and with it whatever has run in it, for others too: that is to run again."""
        del self._statements[self._kept :]
        self._ran = 0
