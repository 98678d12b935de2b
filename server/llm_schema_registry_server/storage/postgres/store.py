"""PostgresStore: a pool of connections and a watcher of the change log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncpg

from ...errors import ConcurrentUpdate, StorageUnavailable
from ...model.schema import SchemaVersion, StoredContent
from ...model.selector import Single
from ...model.subject import Subject
from ...queues.fair_queue import Queues
from ...telemetry.work import Pool
from .. import rows
from ..appending import hide_versions
from ..change_signal import ChangeSignal
from ..completion import run_to_completion
from ..read_queue import ReadQueue
from ..remembered import Remembered
from ..values import (
    Hiding,
    LogPage,
    NewVersion,
    Precondition,
    StampedVersions,
    SubjectSnapshot,
    VersionWithContent,
)
from ..vocabulary import Vocabulary
from . import appending, queries
from .appending import (
    AppendRequest,
    RetrySeparately,
    SnapshotRequest,
    append_parameters,
    outcome,
    outcomes,
    snapshot_parameters,
    snapshots,
)
from .batching import Batcher
from .errors import AWAY, CYCLE, POOLER, shown, translated
from .migrate import migrate, migrations
from .reading import (
    BIGGEST_INT64,
    PostgresReadTx,
    contents_of,
    log_page_of,
    stamped_of,
    version_with_content_of,
)
from .replica import Replica
from .session import FEW, Session, decoded
from .watch import Watcher
from .writing import PostgresWriteTx

T = TypeVar("T")

_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY{limits}; SELECT 1"  # the SELECT fixes what is seen
_LISTS = (
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL plan_cache_mode = force_custom_plan; "
    "SET LOCAL max_parallel_workers_per_gather = 0{limits}; SELECT 1"
)
"""For lists and searches: the best plan depends on how many rows a word or a prefix has; what takes milliseconds is not worth the start of
other processes, which many callers would take from each other."""
_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE{limits}"
_MODE = {"default_transaction_isolation": "read committed", "default_transaction_read_only": "off"}
"""For statements outside a transaction, whatever the defaults of the database or the user are."""
_LANES, _TOGETHER = 2, 64
"""For registrations and for versions by id: statements that run at a time, and most requests in each."""
_LARGE = 64 * 1024
"""A registration with more bytes of content is written by a statement of its own."""
_WAITING = "reads and writes wait for the storage"
_GRACE_SECONDS = 2.0
"""How much longer than the time limits of the database we wait for its answer, so that the error is the database's."""


@dataclass(frozen=True, slots=True)
class PostgresOptions:
    """How to use a database.

    pool_max: most connections, opened when needed and closed when idle for five minutes; one more listens for changes.
    connect_seconds: to open a connection or to get one of the pool.
    statement_seconds, lock_seconds, idle_seconds: the server's limits on one statement, on waiting for a lock, and on
    a transaction in which nothing happens.
    poll_seconds: how often to look for changes when no notification comes.
    migrate: whether `open` may bring the database to this server's schema.
    transaction_pooler: whether a pooler hands the connection to another client after each transaction (PgBouncer's
    transaction mode): then nothing outlives a transaction, and changes are polled.
    """

    pool_max: int = 10
    connect_seconds: float = 5.0
    statement_seconds: float = 10.0
    lock_seconds: float = 5.0
    idle_seconds: float = 30.0
    poll_seconds: float = 0.25
    migrate: bool = True
    transaction_pooler: bool = False


class PostgresStore:
    """A registry in the database that `dsn` names; see store.Store for the meaning of each method."""

    def __init__(
        self,
        dsn: str,
        options: PostgresOptions | None = None,
        replica_dsn: str = "",
        queues: Queues | None = None,
    ) -> None:
        options = options or PostgresOptions()
        self._dsn = dsn
        self._options = options
        self._database = shown(dsn)
        limits = {
            "statement_timeout": options.statement_seconds,
            "lock_timeout": options.lock_seconds,
            "idle_in_transaction_session_timeout": options.idle_seconds,
        }
        self._limits = {name: str(int(seconds * 1000)) for name, seconds in limits.items()} | {"jit": "off"}
        local = "".join(f"; SET LOCAL {name} = {value}" for name, value in self._limits.items())
        self._begin = {
            sql: sql.format(limits=local if options.transaction_pooler else "")
            for sql in (_READ, _LISTS, _WRITE)
        }
        self._signal = ChangeSignal()
        self._remembered = Remembered()
        self._watcher = Watcher(
            self._signal,
            self._connect,
            listen=not options.transaction_pooler,
            poll_seconds=options.poll_seconds,
        )
        self._replica = Replica(replica_dsn) if replica_dsn else None
        # Half of the connections are for everything else; a replica's are for lists only.
        lists = options.pool_max if replica_dsn else max(1, options.pool_max // 2)
        self._lists = ReadQueue("lists", lists, lists, queues)
        most, together = options.pool_max, 3 * _LANES * _TOGETHER
        self._connections = ReadQueue("connections", most, most, queues, _WAITING)
        self._statements = ReadQueue("statements", together, together, queues, _WAITING)
        self._vocabulary = Vocabulary()
        self._appended = 0  # the newest change of our own
        shared: dict[str, Any] = {"lanes": _LANES, "most": _TOGETHER, "common": StorageUnavailable}
        self._versions = Batcher(self._read_versions, name="read versions", **shared)
        self._snapshots = Batcher(self._read_snapshots, name="read subject snapshots", **shared)
        self._appends = Batcher(
            self._append,
            name="append versions",
            **shared,
            conflict_key=lambda request: request.entry.version.subject,
        )
        self._pool: Any = None
        self._registry_id = ""

    @property
    def registry_id(self) -> str:
        return self._registry_id

    async def open(self) -> None:
        with translated(self._database):
            connection = await self._connect()
            try:
                await self._refuse_hidden_pooler(connection)
                await migrate(connection, self._database, migrations(), apply=self._options.migrate)
                async with connection.transaction():
                    self._registry_id = await connection.fetchval(queries.REGISTRY_ID)
                    final, _ = await connection.fetchrow(queries.PROGRESS)
            finally:
                await connection.close(timeout=self._options.connect_seconds)
            self._pool = await asyncpg.create_pool(
                self._dsn,
                min_size=0,  # else asyncpg reconnects by itself and logs each failure with its stack
                **self._pooling(),
            )
            if self._replica is not None:
                await self._replica.open(**self._pooling())
        self._signal.advance(final)
        self._watcher.start()

    async def close(self) -> None:
        await self._watcher.stop()
        pools = [self._pool, self._replica.pool if self._replica else None]
        self._pool = None
        for pool in filter(None, pools):
            try:
                async with asyncio.timeout(self._options.connect_seconds):
                    await pool.close()
            except TimeoutError:
                pool.terminate()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[PostgresReadTx]:
        async with self._connections.callers_turn(), self._session(_READ) as session:
            yield PostgresReadTx(session)

    @asynccontextmanager
    async def read_elsewhere(self) -> AsyncIterator[PostgresReadTx]:
        async with self._lists.turn(lists=True), self._read_lists() as tx:
            yield tx

    @asynccontextmanager
    async def _read_lists(self) -> AsyncIterator[PostgresReadTx]:
        replica = self._replica
        session = None if replica is None else await self._caught_up(replica)
        if replica is None or session is None:
            async with self._session(_LISTS) as session:
                yield PostgresReadTx(session, self._remembered)
            return
        try:
            yield PostgresReadTx(session, self._remembered)
        finally:
            await run_to_completion(_release(replica.pool, session))

    @asynccontextmanager
    async def write(self) -> AsyncIterator[PostgresWriteTx]:
        async with self._connections.callers_turn(), self._session(_WRITE) as session:
            tx = PostgresWriteTx(session, self._vocabulary)
            yield tx
            words = await tx.finish()
            await run_to_completion(session.commit())
        self._vocabulary.committed(words)
        if tx.appended:
            self._committed(tx.appended)

    def pools(self) -> Mapping[str, Pool]:
        pools = {"postgres": self._pool, "postgres_replica": self._replica.pool if self._replica else None}
        return {
            name: Pool(pool.get_idle_size(), pool.get_size() - pool.get_idle_size(), pool.get_max_size())
            for name, pool in pools.items()
            if pool is not None
        }

    def repairing(self) -> AbstractAsyncContextManager[PostgresWriteTx]:
        return self.write()

    def dump(self) -> AbstractAsyncContextManager[PostgresReadTx]:
        return self.read()

    @asynccontextmanager
    async def restore(self) -> AsyncIterator[PostgresWriteTx]:
        async with self.write() as tx:
            await tx.begin_restore()
            yield tx
        async with self.read() as reading:
            self._registry_id = await reading.registry_id()

    async def version(self, schema_id: str) -> VersionWithContent | None:
        async with self._statements.callers_turn():
            return await self._versions(schema_id)

    async def selected(self, subject: Subject, selector: Single) -> VersionWithContent | None:
        name, parameters = rows.selected_by(selector)
        return version_with_content_of(
            await self._statement(_READ, queries.SELECTED_WITH_CONTENT[name], str(subject), *parameters)
        )

    async def versions_since(self, subject: Subject, revision: int) -> StampedVersions:
        found = await self._statement(_READ, queries.STAMPED_SINCE, str(subject), revision, FEW + 1)
        if len(found) <= FEW:
            return stamped_of(found)
        async with self.read() as tx:
            return StampedVersions(
                await tx.subject_stamp(subject), await tx.versions_since(subject, revision)
            )

    async def contents(self, identities: Collection[str]) -> Mapping[str, StoredContent]:
        found = await self._statement(_READ, queries.CONTENTS, list(identities))
        return contents_of(found, self._database)

    async def log_page(self, after: int, limit: int) -> LogPage:
        found = await self._statement(_READ, queries.LOG_PAGE, min(after, BIGGEST_INT64), limit)
        page = await decoded(found, log_page_of)
        self._signal.advance(page.last)  # a replica that lacks what the log has told is behind
        return page

    async def subject_snapshot(
        self, subject: Subject, scopes: Sequence[str], identity: str
    ) -> SubjectSnapshot:
        async with self._statements.callers_turn():
            return await self._snapshots(SnapshotRequest(subject, scopes, identity))

    async def append(self, precondition: Precondition, entry: NewVersion) -> SchemaVersion | None:
        asked = AppendRequest(precondition, entry)
        if entry.targets or entry.size > _LARGE:  # COMMIT may refuse it, or it may take long
            return await self._append_separately(asked)
        async with self._statements.callers_turn():
            made = await self._appends(asked)
        return await self._append_separately(asked) if made is RetrySeparately.RETRY else made

    async def hide(self, precondition: Precondition, hiding: Hiding) -> int | None:
        return await hide_versions(self, precondition, hiding)

    async def wait_for_change(self, after: int, timeout: float) -> None:
        await self._signal.wait(after, timeout)

    async def ping(self) -> Mapping[str, str]:
        async with self.read() as tx:
            server, hidden, oldest = await tx.facts()
            _, newest = await tx.change_bounds()
        pool = self._pool
        return {
            "kind": "postgres",
            "database": self._database,
            "server": server,
            "newest_sequence": str(newest),
            "connections": f"{pool.get_size()} of {pool.get_max_size()}, {pool.get_idle_size()} idle",
            "oldest_transaction_seconds": str(oldest),
            **({"hidden_sessions": str(hidden)} if hidden else {}),
            **({"replica": self._replica.state} if self._replica else {}),
            **({"watcher": self._watcher.last_error} if self._watcher.last_error else {}),
        }

    async def _read_versions(self, schema_ids: Sequence[str]) -> Sequence[VersionWithContent | None]:
        found = await self._autocommit(_READ, queries.VERSIONS_WITH_CONTENT, list(schema_ids))
        by_id = {row[0]: row for row in found}
        return [version_with_content_of([by_id[i]] if i in by_id else []) for i in schema_ids]

    async def _read_snapshots(self, requests: Sequence[SnapshotRequest]) -> Sequence[SubjectSnapshot]:
        return snapshots(
            requests, await self._autocommit(_READ, appending.SNAPSHOTS, *snapshot_parameters(requests))
        )

    async def _append(
        self, appends: Sequence[AppendRequest]
    ) -> Sequence[SchemaVersion | RetrySeparately | None]:
        # Idempotent: when it is repeated, the precondition no longer holds.
        given, words = append_parameters(appends, self._vocabulary, wait=False)
        made = outcomes(appends, await self._autocommit(_WRITE, appending.APPEND, *given))
        self._have_appended(made, words)
        return made

    async def _append_separately(self, asked: AppendRequest) -> SchemaVersion | None:
        given, words = append_parameters([asked], self._vocabulary, wait=True)
        try:
            made = outcome(asked, await run_to_completion(self._statement(_WRITE, appending.APPEND, *given)))
        except ConcurrentUpdate as error:
            if error.metadata.get("sqlstate") == CYCLE:
                return None
            raise
        self._have_appended([made], words)
        return made

    def _have_appended(
        self, made: Sequence[SchemaVersion | RetrySeparately | None], words: Sequence[str]
    ) -> None:
        revisions = [version.revision for version in made if isinstance(version, SchemaVersion)]
        if revisions:
            self._vocabulary.committed(words)
            self._committed(max(revisions))

    def _committed(self, sequence: int) -> None:
        """Note that this store has committed changes up to `sequence`."""
        self._appended = max(self._appended, sequence)
        self._watcher.committed()

    async def _statement(self, begin: str, sql: str, *parameters: Any) -> list[Any]:
        """As `_autocommit`, when it is the caller's turn."""
        async with self._connections.callers_turn():
            return await self._autocommit(begin, sql, *parameters)

    async def _autocommit(self, begin: str, sql: str, *parameters: Any) -> list[Any]:
        """The rows of one statement that is a transaction of its own. begin: how to begin it where a pooler needs that.

        It is repeated when its connection was dead, and so must be idempotent.
        """
        if self._options.transaction_pooler:  # our limits are set in transactions that we begin
            async with self._session(begin) as session:
                found = await session.rows(sql, list(parameters), tuple)
                await run_to_completion(session.commit())
            return found

        async def ask(session: Session) -> list[Any]:
            session.committed = (
                True  # when it answers, its transaction has ended: there is nothing to roll back
            )
            return await session.rows(sql, list(parameters), tuple)

        pool = self._opened()
        session, found = await self._acquire(pool, self._database, ask)
        await run_to_completion(_release(pool, session))
        return found

    @asynccontextmanager
    async def _session(self, begin: str) -> AsyncIterator[Session]:
        """A connection in a transaction, which is rolled back at the end unless it was committed."""
        pool = self._opened()
        session = await self._transaction_on(pool, self._begin[begin])
        try:
            yield session
        finally:
            await run_to_completion(_release(pool, session))

    def _opened(self) -> Any:
        if self._pool is None:
            raise StorageUnavailable("the storage is not open", inside=self._database)
        return self._pool

    async def _caught_up(self, replica: Replica) -> Session | None:
        """A transaction on the replica; None when it is away or lacks changes that this server knows of."""
        if replica.paused:
            return None
        needed = max(self._signal.newest, self._appended)
        try:
            session = await self._transaction_on(replica.pool, self._begin[_LISTS], replica.database)
        except StorageUnavailable as error:
            replica.failed(error)
            return None
        behind = True
        try:
            behind = not await session.value(queries.REPLAYED, needed, self._registry_id)
        except StorageUnavailable as error:
            replica.failed(error)
        else:
            replica.answered(behind=behind)
        finally:
            if behind:
                await run_to_completion(_release(replica.pool, session))
        return None if behind else session

    async def _transaction_on(self, pool: Any, begin: str, database: str = "") -> Session:
        """A connection of the pool with a transaction begun."""
        session, _ = await self._acquire(pool, database or self._database, lambda session: session.run(begin))
        return session

    async def _acquire(
        self, pool: Any, database: str, ask: Callable[[Session], Awaitable[T]]
    ) -> tuple[Session, T]:
        """A connection of the pool, and its answer to the first statement; a connection that had died unnoticed is replaced."""
        for attempts_left in range(self._options.pool_max, -1, -1):
            with translated(database):
                connection = await pool.acquire(timeout=self._options.connect_seconds)
            session = Session(connection, database)
            answered = False
            try:
                found = await ask(session)
                answered = True
                return session, found
            except StorageUnavailable:
                if not (session.died and attempts_left):
                    raise
            finally:
                if not answered:
                    await run_to_completion(_release(pool, session))
        raise AssertionError("the last attempt returns or raises")

    async def _refuse_hidden_pooler(self, connection: Any) -> None:
        """Raise StorageUnavailable when a connection lacks the limits that we set: a pooler shares it between clients."""
        if self._options.transaction_pooler:
            return
        limit = await connection.fetchval(queries.STATEMENT_LIMIT)
        if limit != self._limits["statement_timeout"]:
            raise StorageUnavailable(
                f"PostgreSQL does not apply the limits of our connections (statement_timeout is {limit} ms); {POOLER}",
                inside=self._database,
            )

    async def _connect(self) -> Any:
        return await asyncpg.connect(self._dsn, **self._connecting())

    def _pooling(self) -> dict[str, Any]:
        return {"max_size": self._options.pool_max, "reset": _no_reset, **self._connecting()}

    def _connecting(self) -> dict[str, Any]:
        pooler = self._options.transaction_pooler
        return {
            "timeout": self._options.connect_seconds,
            "command_timeout": self._options.statement_seconds + _GRACE_SECONDS,
            "statement_cache_size": 0 if pooler else 200,
            "server_settings": {}
            if pooler
            else {"application_name": "schema-registry", **_MODE, **self._limits},
        }


async def _release(pool: Any, session: Session) -> None:
    try:
        if not session.committed:
            await session.rollback()
    finally:
        try:
            await pool.release(session.connection)
        except AWAY:
            session.terminate()  # it died while it was released; how its transaction ended is known already


async def _no_reset(connection: Any) -> None:
    """Called when a connection returns to the pool; there is nothing to reset, for all we set is local to a transaction."""
