"""One connection to the file, used from the event loop without blocking it for long.

Point look-ups and small writes take microseconds and run directly in the loop: a hop to a thread costs more, and on a
busy loop it also waits for the interpreter's switch interval. Whatever may take long (COMMIT with its fsync, scans,
long lists, large values) runs in a thread.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from ...errors import RegistryError
from ...telemetry import tracing
from ..completion import run_to_completion
from ..remembered import Remembered
from .errors import is_busy, is_no_text, translated

T = TypeVar("T")

_SYSTEM = "sqlite"

FEW = 64
"""Rows fetched in the loop; the rest is fetched in a thread."""


class Session:
    """A connection with its thread pool; `interruptible` ones stop a running query when its caller is cancelled. remembered: by all
    connections to the file."""

    def __init__(
        self,
        raw: sqlite3.Connection,
        file: Path,
        threads: Executor,
        *,
        interruptible: bool,
        remembered: Remembered | None = None,
    ) -> None:
        self.raw = raw
        self.file = file
        self._threads = threads
        self._interruptible = interruptible
        self._translated = translated(file)
        self.remembered = Remembered() if remembered is None else remembered
        self.before_lists: Callable[[], None] = _nothing
        """Called before `ordered` and `search` run, in the same thread: writes what they may have to see."""

    def tell(self, note: Callable[[RegistryError], None]) -> None:
        """Call `note` with every failure to read or write the file from now on."""
        self._translated = translated(self.file, note)

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Execute a small statement in the loop."""
        if tracing.current() is not None:
            with tracing.statement(_SYSTEM, sql), self._translated:
                return self.raw.execute(sql, parameters)
        try:  # without contexts: a registration has a dozen of these
            return self.raw.execute(sql, parameters)
        except sqlite3.Error as error:
            self._translated.fail(error)
            raise

    def run_each(self, sql: str, parameters: Sequence[Sequence[Any]]) -> None:
        """Execute a small statement in the loop once with each of these parameters: half of what one statement costs that takes them
        apart from JSON."""
        with tracing.statement(_SYSTEM, sql), self._translated:
            self.raw.executemany(sql, parameters)

    def row(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """The first row of a point look-up, or None."""
        if tracing.current() is not None:
            with tracing.statement(_SYSTEM, sql), self._translated:
                return self._row(sql, parameters)
        try:
            return self._row(sql, parameters)
        except sqlite3.Error as error:
            self._translated.fail(error)
            raise

    def _row(self, sql: str, parameters: Sequence[Any]) -> Any:
        try:
            return self.raw.execute(sql, parameters).fetchone()
        except sqlite3.OperationalError as error:
            self._take_bytes(error)
        return self.raw.execute(sql, parameters).fetchone()

    async def ordered(self, sql: str, parameters: Sequence[Any], decode: Callable[[Any], T]) -> list[T]:
        """All rows of a query that an index answers in order; a long tail is fetched in a thread."""
        with tracing.statement(_SYSTEM, sql):
            try:
                return await self._ordered(sql, parameters, decode)
            except sqlite3.OperationalError as error:
                self._take_bytes(error)
            return await self._ordered(sql, parameters, decode)

    async def _ordered(self, sql: str, parameters: Sequence[Any], decode: Callable[[Any], T]) -> list[T]:
        with self._translated:
            self.before_lists()
            cursor = self.raw.execute(sql, parameters)
        # Closed whatever happens: an open one keeps the connection at the state of the file that its transaction saw, also
        # after the rollback, and the traceback of an error keeps it open.
        with closing(cursor):
            with self._translated:
                head = [decode(row) for row in cursor.fetchmany(FEW)]
            if len(head) < FEW:
                return head
            return head + await self.in_thread(lambda: [decode(row) for row in cursor.fetchall()])

    async def search(self, sql: str, parameters: Sequence[Any], decode: Callable[[Any], T]) -> list[T]:
        """All rows of a query that may take long, in a thread from the start."""

        def rows() -> list[T]:
            self.before_lists()
            with closing(self.raw.execute(sql, parameters)) as cursor:
                return [decode(row) for row in cursor]

        with tracing.statement(_SYSTEM, sql):
            try:
                return await self.in_thread(rows)
            except sqlite3.OperationalError as error:
                self._take_bytes(error)
            return await self.in_thread(rows)

    def _take_bytes(self, error: sqlite3.OperationalError) -> None:
        """A cell of text that is no UTF-8 is read as bytes from now on, so that what decodes its row refuses this row only.
        Raises other errors. Not from the start: Python is called for each text then."""
        if not is_no_text(error):
            raise error
        self.raw.text_factory = _text_or_bytes

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Do `work` in a thread. When the caller is cancelled, wait until the thread is done with the connection."""

        def translated_work() -> T:
            with self._translated:
                return work()

        loop = asyncio.get_running_loop()
        on_cancel = self.raw.interrupt if self._interruptible else None
        return await run_to_completion(loop.run_in_executor(self._threads, translated_work), on_cancel)

    async def begin(self, statement: str, seconds: float) -> None:
        """Begin a transaction, waiting up to `seconds` for the lock of another process."""
        loop = asyncio.get_running_loop()
        end, pause = loop.time() + seconds, 0.001
        while True:
            try:
                self.raw.execute(statement)
                return
            except sqlite3.OperationalError as error:
                if not is_busy(error) or loop.time() >= end:
                    with self._translated:
                        raise
            await asyncio.sleep(pause)
            pause = min(pause * 2, 0.02)

    def rollback(self) -> None:
        """Roll the open transaction back; does nothing when SQLite has done so already."""
        if self.raw.in_transaction:
            self.run("ROLLBACK")


def _nothing() -> None:
    """What comes before a list where nothing waits to be written."""


def _text_or_bytes(cell: bytes) -> str | bytes:
    try:
        return cell.decode()
    except UnicodeDecodeError:
        return cell
