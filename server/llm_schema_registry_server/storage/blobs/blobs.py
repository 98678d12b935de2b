"""What an object store offers: bytes under a key that says what they are.

A key is `namespace/digest`: the registry that put the blob and the SHA-256 of its bytes. So a blob never changes, the
same bytes are kept once, two registries in one bucket never own each other's blobs, and whoever reads can verify.
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
"""Bytes from which hashing is left to a thread."""


@dataclass(frozen=True, slots=True)
class BlobRef:
    """A blob as its owner knows it: `size` in bytes, `digest` in hexadecimal."""

    namespace: str
    digest: str
    size: int

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.digest}"


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A blob as the object store knows it; `modified_at` is when it was put last."""

    key: str
    size: int
    modified_at: datetime


class Blobs(Protocol):
    """An object store. `open` before use, `close` after. All methods raise StorageUnavailable when it is away."""

    @property
    def broken(self) -> bool:
        """Whether it has failed so often of late that it is left alone for now."""
        ...

    async def open(self) -> None:
        """Make ready; an object store that is away does not matter yet."""
        ...

    async def close(self) -> None: ...

    async def put(self, ref: BlobRef, data: bytes) -> None:
        """Keep `data`, durably when this returns. A blob that is there already counts as put now."""
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
        """Facts for the health report; raises StorageUnavailable with the reason when the object store is of no use."""
        ...


def missing(place: str) -> StorageDamaged:
    return StorageDamaged(
        f"the blob {place!r} is missing; restore it from a backup or a version of the bucket", key=place
    )


def not_ours(place: str, what: str) -> StorageDamaged:
    return StorageDamaged(
        f"the blob {place!r} {what}; restore it from a backup or a version of the bucket", key=place
    )


async def verified(place: str, ref: BlobRef, data: bytes) -> bytes:
    """`data`, when it is what was put; raises StorageDamaged naming `place` otherwise."""
    if len(data) != ref.size:
        raise not_ours(place, f"has {len(data)} bytes instead of {ref.size}")
    if await digest_of(data) != ref.digest:
        raise not_ours(place, "does not have its digest")
    return data


async def digest_of(data: bytes) -> str:
    """The SHA-256 of `data` in hexadecimal; a thread computes it when that takes a while."""
    return _digest(data) if len(data) < _LONG else await asyncio.to_thread(_digest, data)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
