"""SqliteStore: one writing session, a few reading ones, one file."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal

from ...errors import RegistryError, StorageDamaged, StorageUnavailable
from ...model.subject import Subject
from ...model.timestamps import Clock, wall_clock
from ...queues.fair_queue import Queues
from ...telemetry.work import Pool
from ..appending import TransactionBackedStore
from ..change_signal import ChangeSignal
from ..read_queue import ReadQueue
from ..remembered import Remembered
from ..store import ReadTx
from ..values import LogPage, Precondition, SubjectSnapshot
from . import queries
from .errors import is_busy, translated
from .group import MOST, Writer
from .migrate import migrate, migrations
from .reading import SqliteReadTx
from .session import Session
from .watching import FileWatch
from .writing import SqliteWriteTx

POLL_SECONDS = 0.25
"""How often to look for changes that another process has written to the file."""


@dataclass(slots=True)
class _Opened:
    """What exists between open and close."""

    registry_id: str
    threads: ThreadPoolExecutor
    writer: Writer
    watch: FileWatch
    sessions: tuple[Session, ...]
    idle_readers: asyncio.LifoQueue[Session]


class _Reading(AbstractAsyncContextManager[SqliteReadTx]):
    """A read transaction on one of the readers, in its turn."""

    # Classes, for each call takes such a one: what contextlib makes of a generator costs more.
    __slots__ = ("_idle", "_lock_seconds", "_session", "_turn")

    def __init__(
        self,
        turn: AbstractAsyncContextManager[None],
        idle: asyncio.LifoQueue[Session],
        lock_seconds: float,
    ) -> None:
        self._turn, self._idle, self._lock_seconds = turn, idle, lock_seconds

    async def __aenter__(self) -> SqliteReadTx:
        await self._turn.__aenter__()
        self._session = session = self._idle.get_nowait()  # there is one for each turn
        try:
            await session.begin("BEGIN", self._lock_seconds)
            session.row(queries.REGISTRY_ID)  # the first SELECT fixes what the transaction sees
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        return SqliteReadTx(session)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._session.rollback()
        finally:
            self._idle.put_nowait(self._session)
            await self._turn.__aexit__(kind, error, trace)


class _Writing(AbstractAsyncContextManager[SqliteWriteTx]):
    """A write transaction, in its turn."""

    __slots__ = ("_transaction", "_turn")

    def __init__(
        self, turn: AbstractAsyncContextManager[None], transaction: AbstractAsyncContextManager[SqliteWriteTx]
    ) -> None:
        self._turn, self._transaction = turn, transaction

    async def __aenter__(self) -> SqliteWriteTx:
        await self._turn.__aenter__()
        try:
            return await self._transaction.__aenter__()
        except BaseException as error:
            await self._turn.__aexit__(type(error), error, error.__traceback__)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._transaction.__aexit__(kind, error, trace)
        finally:
            await self._turn.__aexit__(kind, error, trace)


class SqliteStore(TransactionBackedStore):
    """A registry in the file `path`; see store.Store for the meaning of each method.

    synchronous: `full` survives a power failure, `normal` only the death of the process.
    lock_seconds: how long to wait for another process that holds the file's lock.
    readers: how many read transactions may be open at once; more wait for their turn. list_readers: how many of them may be
    lists and searches. queues: where the queue for them is shown. clock: dates leases and cursors.
    poll_seconds: how often to look for changes that another process has written to the file.
    """

    def __init__(
        self,
        path: Path,
        *,
        synchronous: Literal["full", "normal"] = "full",
        lock_seconds: float = 5.0,
        readers: int = 4,
        list_readers: int = 2,
        queues: Queues | None = None,
        clock: Clock = wall_clock,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._path, self._clock, self._poll = path, clock, poll_seconds
        self._synchronous = synchronous
        self._lock_seconds = lock_seconds
        self._readers = readers
        self._turns = ReadQueue("readers", readers, list_readers, queues)
        # While one group of writes is committed, the next one gathers.
        self._writes = ReadQueue("writes", 2 * MOST, 2 * MOST, queues, "writes wait for the storage")
        self._signal = ChangeSignal()
        self._polled_at = 0.0
        self._opened: _Opened | None = None

    @property
    def registry_id(self) -> str:
        return self._resources.registry_id

    async def open(self) -> None:
        threads = ThreadPoolExecutor(self._readers + 1, thread_name_prefix="sqlite")
        loop = asyncio.get_running_loop()
        try:
            raw = await loop.run_in_executor(threads, self._connect_all)
        except BaseException:
            threads.shutdown(wait=False)
            raise
        remembered = Remembered()
        writing, *reading = (
            Session(connection, self._path, threads, interruptible=number > 0, remembered=remembered)
            for number, connection in enumerate(raw)
        )
        idle: asyncio.LifoQueue[Session] = asyncio.LifoQueue()
        for session in reading:
            idle.put_nowait(session)
        registry_id = writing.row(queries.REGISTRY_ID)[0]  # this opens the write-ahead log
        watch = FileWatch(self._path)
        for session in (writing, *reading):
            session.tell(watch.note)
        self._opened = _Opened(
            registry_id=registry_id,
            threads=threads,
            writer=Writer(writing, self._signal, watch, self._lock_seconds, self._clock),
            watch=watch,
            sessions=(writing, *reading),
            idle_readers=idle,
        )
        await self._look_for_changes()

    async def close(self) -> None:
        opened, self._opened = self._opened, None
        if opened is None:
            return
        await opened.writer.idle()
        for session in opened.sessions:
            await session.in_thread(session.raw.close)
        opened.threads.shutdown(wait=True)

    def read_elsewhere(self) -> AbstractAsyncContextManager[SqliteReadTx]:
        return self._read(lists=True)

    def read(self) -> AbstractAsyncContextManager[SqliteReadTx]:
        return self._read(lists=False)

    def _read(self, *, lists: bool) -> AbstractAsyncContextManager[SqliteReadTx]:
        return _Reading(self._turns.turn(lists=lists), self._resources.idle_readers, self._lock_seconds)

    def write(self) -> AbstractAsyncContextManager[SqliteWriteTx]:
        return _Writing(self._writes.callers_turn(), self._resources.writer.transaction())

    async def log_page(self, after: int, limit: int) -> LogPage:
        return self._resources.writer.recent.page(after, limit) or await super().log_page(after, limit)

    async def subject_snapshot(
        self, subject: Subject, scopes: Sequence[str], identity: str
    ) -> SubjectSnapshot:
        if len(scopes) < len(queries.PRECONDITIONS_AND_SAME):
            idle = self._resources.idle_readers
            async with self._turns.turn(lists=False):
                session = idle.get_nowait()  # there is one for each turn
                try:  # one statement sees one state, and needs no transaction
                    found = SqliteReadTx(session).precondition_unless(subject, scopes, identity)
                finally:
                    idle.put_nowait(session)
            if found is not None:
                return SubjectSnapshot.of(found, ())
        return await super().subject_snapshot(subject, scopes, identity)

    async def _precondition(self, tx: ReadTx, subject: Subject, scopes: Sequence[str]) -> Precondition:
        if isinstance(tx, SqliteReadTx) and len(scopes) < len(queries.PRECONDITIONS):
            return tx.precondition(subject, scopes)
        return await super()._precondition(tx, subject, scopes)

    def pools(self) -> Mapping[str, Pool]:
        if self._opened is None:
            return {}
        idle = self._opened.idle_readers.qsize()
        return {"sqlite_readers": Pool(idle, self._readers - idle, self._readers)}

    def repairing(self) -> AbstractAsyncContextManager[SqliteWriteTx]:
        return self.write()

    def dump(self) -> AbstractAsyncContextManager[SqliteReadTx]:
        return self._read(lists=True)

    @asynccontextmanager
    async def restore(self) -> AsyncIterator[SqliteWriteTx]:
        async with self.write() as tx:
            yield tx
        async with self.read() as reading:
            self._resources.registry_id = await reading.registry_id()

    async def wait_for_change(self, after: int, timeout: float) -> None:
        self._resources.writer.recent.read(after)
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout
        while not await self._signal.wait(after, min(self._poll, end - loop.time())) and loop.time() < end:
            if loop.time() >= self._polled_at + self._poll:
                self._polled_at = loop.time()
                await self._look_for_changes()

    async def _look_for_changes(self) -> None:
        async with self.read() as tx:
            self._signal.advance((await tx.change_bounds())[1])

    async def ping(self) -> Mapping[str, str]:
        watch = self._resources.watch
        watch.check()
        if isinstance(watch.trouble, StorageDamaged):
            await self._check_pages(watch, watch.trouble)
        watch.check_room()
        if watch.write_due:
            async with self.write() as writing:
                await writing.probe()
        async with self.read() as tx:
            subjects, versions, deleted, size = await tx.counts()
            _, newest = await tx.change_bounds()
        return {
            "kind": "sqlite",
            "file": str(self._path),
            "bytes": str(size),
            "subjects": str(subjects),
            "versions": str(versions),
            "deleted_versions": str(deleted),
            "newest_sequence": str(newest),
            "sqlite": sqlite3.sqlite_version,
        }

    async def _check_pages(self, watch: FileWatch, trouble: StorageDamaged) -> None:
        """Raise what was found damaged unless all pages are readable now."""
        async with self.read() as tx:
            if not await tx.is_sound():
                raise trouble
        if watch.trouble is trouble:
            watch.trouble = None

    @property
    def _resources(self) -> _Opened:
        if self._opened is None:
            raise StorageUnavailable("the storage is not open", inside=str(self._path))
        return self._opened

    def _connect_all(self) -> list[sqlite3.Connection]:
        """The writing connection, then the reading ones; migrates the file on the way."""
        connections: list[sqlite3.Connection] = []
        try:
            with translated(self._path):
                _make_directory(self._path)
                writing = self._connect(connections)
                migrate(writing, self._path, migrations())
                for _ in range(self._readers):
                    self._connect(connections).execute("PRAGMA query_only = ON")
                for connection in connections:
                    connection.execute(
                        "PRAGMA busy_timeout = 0"
                    )  # from here on, Session.begin waits, not SQLite
        except (sqlite3.Error, RegistryError):
            for connection in connections:
                connection.close()
            raise
        return connections

    def _connect(self, connections: list[sqlite3.Connection]) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=self._lock_seconds, isolation_level=None, check_same_thread=False
        )
        connections.append(connection)
        if self._switch_to_wal(connection) != "wal":
            raise StorageUnavailable(
                "the database file cannot be opened in WAL mode (its file system lacks shared memory?); put it on a local "
                "disk",
                inside=str(self._path),
            )
        for pragma in (
            f"synchronous = {self._synchronous}",
            "foreign_keys = ON",
            "temp_store = MEMORY",
            "cache_size = -16384",
            "journal_size_limit = 67108864",
        ):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def _switch_to_wal(self, connection: sqlite3.Connection) -> str:
        """The journal mode after asking for WAL. When two processes make one new file, SQLite does not wait here."""
        end = time.monotonic() + self._lock_seconds
        while True:
            try:
                return str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
            except sqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() >= end:
                    raise
                time.sleep(0.005)


def _make_directory(path: Path) -> None:
    directory = path.parent
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageUnavailable(
            "the directory of the database cannot be made; create it or name another file in storage.path",
            inside=f"{directory}: {error.strerror}",
        ) from error
    if path.is_dir() or not os.access(directory, os.W_OK):
        why = "is a directory" if path.is_dir() else "lies in a directory that the server may not write"
        raise StorageUnavailable(
            f"the database file {why}; name another file in storage.path", inside=str(path)
        )
