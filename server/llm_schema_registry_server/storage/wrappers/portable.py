"""A registry with an object store, to be moved: contents are read out of it and put into it on the way."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from ..blobs.blobs import Blobs
from ..portable import DumpTx, PortableStore, RestoreTx
from .blobbed import BlobbedReadTx, BlobbedStore, BlobbedWriteTx, BlobMemory
from .forwarding import Mapped, forwarding


class BlobbedDumpTx(BlobbedReadTx, DumpTx):
    """See portable.DumpTx for the meaning of each method."""

    def __init__(self, inner: DumpTx, memory: BlobMemory) -> None:
        super().__init__(inner, memory)


class BlobbedRestoreTx(BlobbedWriteTx, RestoreTx):
    """See portable.RestoreTx for the meaning of each method. Blobs belong to the registry that is restored."""

    def __init__(self, inner: RestoreTx, memory: BlobMemory, namespace: str) -> None:
        super().__init__(inner, memory, namespace)
        self._restoring = inner

    async def restore_registry_id(self, registry_id: str) -> None:
        self._namespace = registry_id
        await self._restoring.restore_registry_id(registry_id)


blobbed_dump_tx = forwarding(BlobbedDumpTx)
blobbed_restore_tx = forwarding(BlobbedRestoreTx)


class PortableBlobbedStore(BlobbedStore, PortableStore):
    """A BlobbedStore that can be moved. `portable_blobbed_store` makes one."""

    def __init__(
        self, inner: PortableStore, blobs: Blobs, *, threshold: int | None, memory_bytes: int
    ) -> None:
        super().__init__(inner, blobs, threshold=threshold, memory_bytes=memory_bytes)
        self._portable = inner

    def dump(self) -> AbstractAsyncContextManager[DumpTx]:
        return Mapped(self._portable.dump(), lambda tx: blobbed_dump_tx(tx, self._memory))

    def restore(self) -> AbstractAsyncContextManager[RestoreTx]:
        return Mapped(
            self._portable.restore(), lambda tx: blobbed_restore_tx(tx, self._memory, self.registry_id)
        )


portable_blobbed_store = forwarding(PortableBlobbedStore)
