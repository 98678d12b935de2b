"""A store whose contents are encrypted in the store inside it, and in that one's object store."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from ...caches.cache import CacheStats
from ...model.schema import SchemaVersion, StoredContent
from ...model.selector import Single
from ...model.subject import Subject
from ..encryption.envelope import Envelope
from ..portable import DumpTx, PortableStore, RestoreTx
from ..store import ReadTx, Store, WriteTx
from ..values import NewVersion, Precondition, VersionWithContent
from .blobbed import BlobbedStore
from .forwarding import Mapped, forwarding


class EncryptedReadTx(ReadTx):
    """See store.ReadTx for the meaning of each method."""

    def __init__(self, inner: ReadTx, envelope: Envelope) -> None:
        self._inner, self._envelope = inner, envelope

    async def contents(self, identities: Collection[str]) -> Mapping[str, StoredContent]:
        return await _opened(self._envelope, await self._inner.contents(identities))


class EncryptedWriteTx(WriteTx):
    """See store.WriteTx for the meaning of each method."""

    def __init__(self, inner: WriteTx, envelope: Envelope) -> None:
        self._inner, self._envelope = inner, envelope

    async def contents(self, identities: Collection[str]) -> Mapping[str, StoredContent]:
        return await _opened(self._envelope, await self._inner.contents(identities))

    async def put_content(self, identity: str, content: StoredContent) -> None:
        await self._inner.put_content(identity, await self._envelope.seal(content))

    async def replace_content(self, identity: str, content: StoredContent) -> None:
        await self._inner.replace_content(identity, await self._envelope.seal(content))


class EncryptedDumpTx(EncryptedReadTx, DumpTx):
    """See portable.DumpTx for the meaning of each method."""

    def __init__(self, inner: DumpTx, envelope: Envelope) -> None:
        super().__init__(inner, envelope)


class EncryptedRestoreTx(EncryptedWriteTx, RestoreTx):
    """See portable.RestoreTx for the meaning of each method."""

    def __init__(self, inner: RestoreTx, envelope: Envelope) -> None:
        super().__init__(inner, envelope)


encrypted_read_tx = forwarding(EncryptedReadTx)
encrypted_write_tx = forwarding(EncryptedWriteTx)
encrypted_dump_tx = forwarding(EncryptedDumpTx)
encrypted_restore_tx = forwarding(EncryptedRestoreTx)


class EncryptedStore(Store):
    """See store.Store for the meaning of each method. `encrypted_store` makes one.

    Contents are encrypted before they reach `inner`, so that its rows, its object store and its memory hold ciphertexts. What is beside
    contents is not encrypted: subjects, versions, descriptions, tags, metadata, and the names in schemas, which searches find.
    """

    def __init__(self, inner: BlobbedStore, envelope: Envelope) -> None:
        self._inner, self._envelope = inner, envelope

    async def open(self) -> None:
        await self._envelope.keys.open()
        try:
            await self._inner.open()
        except BaseException:
            await self._envelope.keys.close()
            raise

    async def close(self) -> None:
        try:
            await self._inner.close()
        finally:
            await self._envelope.keys.close()

    async def stage(self, content: StoredContent) -> None:
        """See BlobbedStore: what is staged is what will be put."""
        await self._inner.stage(await self._envelope.seal(content))

    def stats(self) -> CacheStats:
        """See BlobbedStore."""
        return self._inner.stats()

    def fetched(self) -> Mapping[str, int]:
        """See BlobbedStore."""
        return self._inner.fetched()

    def read(self) -> AbstractAsyncContextManager[ReadTx]:
        return Mapped(self._inner.read(), lambda tx: encrypted_read_tx(tx, self._envelope))

    def read_elsewhere(self) -> AbstractAsyncContextManager[ReadTx]:
        return Mapped(self._inner.read_elsewhere(), lambda tx: encrypted_read_tx(tx, self._envelope))

    def write(self) -> AbstractAsyncContextManager[WriteTx]:
        return Mapped(self._inner.write(), lambda tx: encrypted_write_tx(tx, self._envelope))

    async def version(self, schema_id: str) -> VersionWithContent | None:
        return await self._with_opened(await self._inner.version(schema_id))

    async def selected(self, subject: Subject, selector: Single) -> VersionWithContent | None:
        return await self._with_opened(await self._inner.selected(subject, selector))

    async def contents(self, identities: Collection[str]) -> Mapping[str, StoredContent]:
        return await _opened(self._envelope, await self._inner.contents(identities))

    async def append(self, precondition: Precondition, entry: NewVersion) -> SchemaVersion | None:
        sealed = await self._envelope.seal(entry.content)
        return await self._inner.append(precondition, replace(entry, content=sealed))

    async def _with_opened(self, found: VersionWithContent | None) -> VersionWithContent | None:
        if found is None or found.content is None:
            return found
        return VersionWithContent(found.version, await self._envelope.open(found.content))


class PortableEncryptedStore(EncryptedStore, PortableStore):
    """An EncryptedStore that can be moved: what is exported is not encrypted. `portable_encrypted_store` makes one."""

    def __init__(self, inner: BlobbedStore, portable: PortableStore, envelope: Envelope) -> None:
        """portable: `inner` once more, as what can be moved."""
        super().__init__(inner, envelope)
        self._portable = portable

    def dump(self) -> AbstractAsyncContextManager[DumpTx]:
        return Mapped(self._portable.dump(), lambda tx: encrypted_dump_tx(tx, self._envelope))

    def restore(self) -> AbstractAsyncContextManager[RestoreTx]:
        return Mapped(self._portable.restore(), lambda tx: encrypted_restore_tx(tx, self._envelope))


encrypted_store = forwarding(EncryptedStore)
portable_encrypted_store = forwarding(PortableEncryptedStore)


async def _opened(envelope: Envelope, stored: Mapping[str, StoredContent]) -> Mapping[str, StoredContent]:
    return {identity: await envelope.open(content) for identity, content in stored.items()}
