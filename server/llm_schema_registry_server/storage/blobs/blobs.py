"""The protocol of an object store: bytes under a key that contains their digest.

A key is `namespace/digest`: the registry that put the blob and the SHA-256 of its bytes. So a blob never changes, the
same bytes are stored once, registries that share a bucket never delete each other's blobs, and every read can be verified.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ...errors import StorageDamaged

_LONG = 256 * 1024
"""More bytes are hashed in a thread."""


@dataclass(frozen=True, slots=True)
class BlobRef:
    """A reference to a blob: `size` in bytes, `digest` in hexadecimal."""

    namespace: str
    digest: str
    size: int

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.digest}"


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A blob in the object store; `modified_at` is when it was last put."""

    key: str
    size: int
    modified_at: datetime


class Blobs(Protocol):
    """An object store. `open` before use, `close` after. All methods raise StorageUnavailable when it is away."""

    @property
    def broken(self) -> bool:
        """Whether the circuit breaker is open: it has failed repeatedly and is not asked for now."""
        ...

    async def open(self) -> None:
        """Prepare for use, without a request to the object store."""
        ...

    async def close(self) -> None: ...

    async def put(self, ref: BlobRef, data: bytes) -> None:
        """Store `data`; durable when this returns. The `modified_at` of a blob that is there already becomes now."""
        ...

    async def get(self, ref: BlobRef) -> bytes:
        """The bytes of a blob. Raises StorageDamaged, naming the key, when they are missing or not those put."""
        ...

    async def find(self, key: str) -> StoredBlob | None: ...

    async def delete(self, key: str) -> None:
        """Remove a blob; does nothing when it is not there."""
        ...

    def list(self, namespace: str) -> AsyncIterator[StoredBlob]:
        """Every blob of a namespace."""
        ...

    async def now(self) -> datetime:
        """The time by the clock that `modified_at` is read from."""
        ...

    async def probe(self) -> Mapping[str, str]:
        """Facts for the health report; raises StorageUnavailable with the reason when the object store cannot be used."""
        ...


def missing(place: str) -> StorageDamaged:
    return StorageDamaged(
        "a blob is missing; restore it from a backup or a version of the bucket", inside=place
    )


def not_ours(place: str, what: str) -> StorageDamaged:
    return StorageDamaged(f"a blob {what}; restore it from a backup or a version of the bucket", inside=place)


async def verified(place: str, ref: BlobRef, data: bytes) -> bytes:
    """`data`, when it has the size and digest of `ref`; raises StorageDamaged naming `place` otherwise."""
    if len(data) != ref.size:
        raise not_ours(place, f"has {len(data)} bytes instead of {ref.size}")
    if await digest_of(data) != ref.digest:
        raise not_ours(place, "does not have its digest")
    return data


async def digest_of(data: bytes) -> str:
    """The SHA-256 of `data` in hexadecimal; long data are hashed in a thread."""
    return _digest(data) if len(data) < _LONG else await asyncio.to_thread(_digest, data)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
