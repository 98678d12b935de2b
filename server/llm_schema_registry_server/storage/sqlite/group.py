"""Write transactions one after another on one session, several of them sharing one COMMIT.

Each transaction is a savepoint. When its block ends and others are waiting, the next one runs in the same database
transaction, and one COMMIT (one fsync) makes them all durable: they share the cost of the disk, and none is acknowledged
before it. A transaction that fails rolls back its own savepoint and nothing else.

Invariant: when a group is open and nobody holds the lock, a committer task is waiting for the lock.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from ...errors import RegistryError, StorageUnavailable
from ...model.timestamps import Clock
from ..change_signal import ChangeSignal
from ..completion import run_to_completion
from ..vocabulary import Vocabulary
from ..waking import in_turns
from .session import Session
from .watching import FileWatch
from .writing import SqliteWriteTx

MOST = 128
"""Most transactions that share one COMMIT: it bounds how long the first of them waits."""


class WriteGroup:
    """Transactions that become durable together. `done` has a result when they are, an exception when they are not."""

    def __init__(self) -> None:
        self.members = 0
        self.newest_change = 0
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
        self._lock = asyncio.Lock()
        self._waiting = 0
        self._group: WriteGroup | None = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[SqliteWriteTx]:
        self._waiting += 1
        try:
            await self._lock.acquire()
        finally:
            self._waiting -= 1
        try:
            group = await self._join()
            tx = SqliteWriteTx(self._session, self._vocabulary, self._clock)
            try:
                yield tx
                self._session.run("RELEASE member")
            except BaseException:
                self._undo(group)
                raise
            group.members += 1
            group.newest_change = max(group.newest_change, tx.appended)
            if self._waiting == 0 or group.members >= MOST:
                await run_to_completion(self._commit(group))
            elif group.committer is None:
                group.committer = asyncio.create_task(self._commit_when_free(group))
        finally:
            self._lock.release()
        await group.durable()
        self._vocabulary.committed(tx.new_words)

    async def idle(self) -> None:
        """Return when all earlier transactions are committed or rolled back."""
        async with self._lock:
            if self._group is not None:
                await self._commit(self._group)

    async def _join(self) -> WriteGroup:
        if self._group is None:
            await self._session.begin("BEGIN IMMEDIATE", self._lock_seconds)
            self._group = WriteGroup()
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
        if group.members == 0:
            self._group = None
            self._session.rollback()

    async def _commit_when_free(self, group: WriteGroup) -> None:
        async with self._lock:
            if not group.done.done():
                await run_to_completion(self._commit(group))

    async def _commit(self, group: WriteGroup) -> None:
        try:
            await self._session.in_thread(self._commit_in_thread)
        except RegistryError as error:
            self._fail(group, error)
            return
        self._group = None
        self._watch.wrote()
        self._signal.advance(group.newest_change)
        group.done.set_result(None)

    def _commit_in_thread(self) -> None:
        self._watch.check()
        self._session.raw.execute("COMMIT")

    def _fail(self, group: WriteGroup, error: RegistryError) -> None:
        self._group = None
        group.done.set_exception(error)
        self._session.rollback()
