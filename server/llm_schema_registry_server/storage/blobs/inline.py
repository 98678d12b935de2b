"""No object store: everything stays in the storage."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

from ...errors import StorageUnavailable
from .blobs import BlobRef, StoredBlob


class InlineBlobs:
    """Stores nothing; raises StorageUnavailable for contents that were moved to an object store earlier."""

    @property
    def broken(self) -> bool:
        return False

    async def open(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do."""

    async def put(self, ref: BlobRef, data: bytes) -> None:
        raise _absent(ref)

    async def get(self, ref: BlobRef) -> bytes:
        raise _absent(ref)

    async def find(self, key: str) -> StoredBlob | None:
        return None

    async def delete(self, key: str) -> None:
        """Nothing to do."""

    async def list(self, namespace: str) -> AsyncIterator[StoredBlob]:
        nothing: tuple[StoredBlob, ...] = ()
        for blob in nothing:
            yield blob

    async def now(self) -> datetime:
        return datetime.now(UTC)

    async def probe(self) -> Mapping[str, str]:
        return {"kind": "inline"}


def _absent(ref: BlobRef) -> StorageUnavailable:
    return StorageUnavailable(
        f"the blob {ref.key!r} belongs into an object store, and none is configured (blobs.kind is `inline`); "
        "set blobs.kind and blobs.s3 as they were when it was stored",
        key=ref.key,
    )
