"""Write transactions one after another on one session, several of them sharing one COMMIT.

Each transaction is a savepoint. When its block ends, those that are waiting and those that come in the same turn of the event loop run in
the same database transaction, and one COMMIT (one fsync) makes them all durable: they share the cost of the disk, and none is
acknowledged before it. A transaction that fails rolls back its own savepoint and nothing else.

Invariant: when a group is open and nobody holds the lock, a committer task is waiting for the lock.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from functools import partial
from types import TracebackType

from ...errors import RegistryError, StorageUnavailable
from ...model.timestamps import Clock
from ..change_signal import ChangeSignal
from ..completion import run_to_completion
from ..vocabulary import Vocabulary
from ..waking import in_turns
from .pending_words import MOST_BYTES, PendingWords
from .recent_changes import RecentChanges, Row
from .session import Session
from .watching import FileWatch
from .writing import SqliteWriteTx

MOST = 128
"""Most transactions that share one COMMIT: it bounds how long the first of them waits."""


class WriteGroup:
    """Transactions that become durable together. `done` has a result when they are, an exception when they are not."""

    def __init__(self, words: PendingWords) -> None:
        self.words = words
        self.members = 0
        self.newest_change = 0
        self.changes: list[Row] = []
        self.appends_only = True
        """Whether `changes` are all that its members have done to the log."""
        self.committer: asyncio.Task[None] | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting: list[asyncio.Future[None]] = []
        self.done.add_done_callback(self._wake)

    async def durable(self) -> None:
        """Waits until its transactions are; raises what they failed with. Those who wait go on a few at a time."""
        if self.done.done():
            self.done.result()
            return
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        await waiting

    def _wake(self, done: asyncio.Future[None]) -> None:
        error = done.exception()
        in_turns([partial(_tell, waiting, error) for waiting in self._waiting])


def _tell(waiting: asyncio.Future[None], error: BaseException | None) -> None:
    if waiting.done():  # cancelled
        return
    if error is None:
        waiting.set_result(None)
    else:
        waiting.set_exception(error)


class Writer:
    """Runs write transactions one after another, in the order in which they were asked for."""

    def __init__(
        self, session: Session, signal: ChangeSignal, watch: FileWatch, lock_seconds: float, clock: Clock
    ) -> None:
        self._session = session
        self._clock = clock
        self._signal = signal
        self._watch = watch
        self._lock_seconds = lock_seconds
        self._vocabulary = Vocabulary()
        self.recent = RecentChanges()
        self._lock = asyncio.Lock()
        self._group: WriteGroup | None = None

    def transaction(self) -> AbstractAsyncContextManager[SqliteWriteTx]:
        """A transaction, begun when those before it have ended; it is durable when the block has been left."""
        return _Transaction(self)

    async def enter(self) -> tuple[WriteGroup, SqliteWriteTx]:
        """Takes the lock and begins a member of the group that is open, or of a new one."""
        await self._lock.acquire()
        try:
            group = await self._join()
            return group, SqliteWriteTx(self._session, self._vocabulary, group.words, self._clock)
        except BaseException:
            self._lock.release()
            raise

    async def leave(self, group: WriteGroup, tx: SqliteWriteTx) -> None:
        """Ends a member that went well, gives the lock away, and waits until it is durable."""
        try:
            try:
                self._session.run("RELEASE member")
            except BaseException:
                self._undo(group)
                raise
            group.words.kept()
            group.members += 1
            group.newest_change = max(group.newest_change, tx.appended)
            group.changes += tx.change_rows
            group.appends_only = group.appends_only and tx.appends_only
            if group.members >= MOST or group.words.size >= MOST_BYTES:
                await run_to_completion(self._commit(group))
            elif group.committer is None:
                group.committer = asyncio.create_task(self._commit_when_free(group))
        finally:
            self._lock.release()
        await group.durable()
        self._vocabulary.committed(tx.new_words)

    def give_up(self, group: WriteGroup) -> None:
        """Undoes a member that failed, and gives the lock away."""
        try:
            self._undo(group)
        finally:
            self._lock.release()

    async def idle(self) -> None:
        """Return when all earlier transactions are committed or rolled back."""
        async with self._lock:
            if self._group is not None:
                await self._commit(self._group)

    async def _join(self) -> WriteGroup:
        if self._group is None:
            await self._session.begin("BEGIN IMMEDIATE", self._lock_seconds)
            self._group = WriteGroup(PendingWords(self._session.raw))
        try:
            self._session.run("SAVEPOINT member")
        except RegistryError as error:
            self._fail(self._group, error)
            raise
        return self._group

    def _undo(self, group: WriteGroup) -> None:
        """Roll the current transaction back. When SQLite rolled back the whole group, its members fail, too."""
        if (
            not self._session.raw.in_transaction
        ):  # SQLite itself rolled everything back: disk full, input/output error
            self._fail(
                group, StorageUnavailable("a write failed and was undone", inside=str(self._session.file))
            )
            return
        try:
            self._session.run("ROLLBACK TO member")
            self._session.run("RELEASE member")
        except RegistryError as error:
            self._fail(group, error)
            raise
        group.words.undone()
        if group.members == 0:
            self._group = None
            self._session.rollback()

    async def _commit_when_free(self, group: WriteGroup) -> None:
        async with self._lock:
            if not group.done.done():
                await run_to_completion(self._commit(group))

    async def _commit(self, group: WriteGroup) -> None:
        try:
            await self._session.in_thread(partial(self._commit_in_thread, group))
        except RegistryError as error:
            self._fail(group, error)
            return
        self._group = None
        self._watch.wrote()
        if group.appends_only:
            self.recent.committed(group.changes)
        else:
            self.recent.forget()
        self._signal.advance(group.newest_change)
        group.done.set_result(None)

    def _commit_in_thread(self, group: WriteGroup) -> None:
        self._watch.check()
        group.words.run()
        self._session.raw.execute("COMMIT")

    def _fail(self, group: WriteGroup, error: RegistryError) -> None:
        self._group = None
        group.done.set_exception(error)
        self._session.rollback()


class _Transaction(AbstractAsyncContextManager[SqliteWriteTx]):
    # A class, for each write takes one: what contextlib makes of a generator costs more.
    __slots__ = ("_group", "_tx", "_writer")

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def __aenter__(self) -> SqliteWriteTx:
        self._group, self._tx = await self._writer.enter()
        return self._tx

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            await self._writer.leave(self._group, self._tx)
        else:
            self._writer.give_up(self._group)
