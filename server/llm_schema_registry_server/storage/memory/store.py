"""MemoryStore: one writer at a time, and any number of readers, which see committed writes only."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from ...errors import StorageUnavailable
from ...model.timestamps import Clock, wall_clock
from ...telemetry.work import Pool
from ..appending import TransactionBackedStore
from ..change_signal import ChangeSignal
from .reading import REGISTRY_ID, MemoryReadTx
from .tables import Tables
from .writing import MemoryWriteTx


class MemoryStore(TransactionBackedStore):
    """A registry that lives as long as its process; see store.Store for the meaning of each method. clock: dates leases and cursors."""

    def __init__(self, clock: Clock = wall_clock) -> None:
        self._clock = clock
        self._tables = Tables()
        self._tables.texts[REGISTRY_ID] = secrets.token_hex(4)
        # Open read transactions on self._tables; while there are any, a commit replaces it by a copy.
        self._readers = 0
        self._write_lock = asyncio.Lock()
        self._signal = ChangeSignal()
        self._open = False

    @property
    def registry_id(self) -> str:
        return self._tables.texts.get(REGISTRY_ID) or ""

    async def open(self) -> None:
        self._open = True

    async def close(self) -> None:
        self._open = False

    @asynccontextmanager
    async def read(self) -> AsyncIterator[MemoryReadTx]:
        self._refuse_closed()
        tables = self._tables
        self._readers += 1
        try:
            yield MemoryReadTx(tables)
        finally:
            if tables is self._tables:
                self._readers -= 1

    def read_elsewhere(self) -> AbstractAsyncContextManager[MemoryReadTx]:
        return self.read()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[MemoryWriteTx]:
        async with self._write_lock:
            self._refuse_closed()
            draft = self._tables.draft()
            tx = MemoryWriteTx(draft, self._clock)
            yield tx
            if self._readers:
                self._tables, self._readers = self._tables.copy(), 0
            self._tables.merge(draft)
            self._signal.advance(tx.appended)

    def pools(self) -> Mapping[str, Pool]:
        return {}

    def dump(self) -> AbstractAsyncContextManager[MemoryReadTx]:
        return self.read()

    def restore(self) -> AbstractAsyncContextManager[MemoryWriteTx]:
        return self.write()

    async def wait_for_change(self, after: int, timeout: float) -> None:
        await self._signal.wait(after, timeout)

    async def ping(self) -> Mapping[str, str]:
        self._refuse_closed()
        versions = list(self._tables.versions.values())
        live = [version for version in versions if version.live]
        return {
            "kind": "memory",
            "subjects": str(len({version.subject for version in live})),
            "versions": str(len(live)),
            "deleted_versions": str(len(versions) - len(live)),
            "newest_sequence": str(self._signal.newest),
        }

    def _refuse_closed(self) -> None:
        if not self._open:
            raise StorageUnavailable("the memory store is not open")
