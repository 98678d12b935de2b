"""A registry with an object store, to be moved: contents are read out of it and put into it on the way."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from ...model.change import Change
from ...model.config import Config
from ..blobs.blobs import Blobs
from ..portable import DumpTx, PortableStore, RestoreTx
from .blobbed import BlobbedReadTx, BlobbedStore, BlobbedWriteTx, BlobMemory
from .forwarding import Mapped


class BlobbedDumpTx(BlobbedReadTx):
    """See portable.DumpTx for the meaning of each method."""

    def __init__(self, inner: DumpTx, shelf: BlobMemory) -> None:
        super().__init__(inner, shelf)
        self._dumping = inner

    async def names(self, schema_id: str) -> Sequence[str]:
        return await self._dumping.names(schema_id)

    async def configs(self, after: str, limit: int) -> Sequence[tuple[str, Config]]:
        return await self._dumping.configs(after, limit)

    async def global_ids(self, after: tuple[str, int], limit: int) -> Sequence[tuple[str, int, str]]:
        return await self._dumping.global_ids(after, limit)

    async def ordinals(self, after: str, limit: int) -> Sequence[tuple[str, int]]:
        return await self._dumping.ordinals(after, limit)


class BlobbedRestoreTx(BlobbedWriteTx):
    """See portable.RestoreTx for the meaning of each method. Blobs belong to the registry that is restored."""

    def __init__(self, inner: RestoreTx, shelf: BlobMemory, namespace: str) -> None:
        super().__init__(inner, shelf, namespace)
        self._restoring = inner

    async def restore_registry_id(self, registry_id: str) -> None:
        self._namespace = registry_id
        await self._restoring.restore_registry_id(registry_id)

    async def restore_global_id(self, context: str, global_id: int, identity: str) -> None:
        await self._restoring.restore_global_id(context, global_id, identity)

    async def restore_ordinal(self, subject: str, last: int) -> None:
        await self._restoring.restore_ordinal(subject, last)

    async def restore_change(self, change: Change) -> None:
        await self._restoring.restore_change(change)

    async def finish_restore(self, oldest: int) -> None:
        await self._restoring.finish_restore(oldest)


class PortableBlobbedStore(BlobbedStore):
    """A BlobbedStore that can be moved."""

    def __init__(
        self, inner: PortableStore, blobs: Blobs, *, threshold: int | None, memory_bytes: int
    ) -> None:
        super().__init__(inner, blobs, threshold=threshold, memory_bytes=memory_bytes)
        self._portable = inner

    def dump(self) -> AbstractAsyncContextManager[BlobbedDumpTx]:
        return Mapped(self._portable.dump(), lambda tx: BlobbedDumpTx(tx, self._shelf))

    def restore(self) -> AbstractAsyncContextManager[BlobbedRestoreTx]:
        return Mapped(
            self._portable.restore(), lambda tx: BlobbedRestoreTx(tx, self._shelf, self.registry_id)
        )
