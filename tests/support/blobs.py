"""An object store in a dictionary, with the faults that a test asks for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta

from llm_schema_registry_server.errors import StorageUnavailable
from llm_schema_registry_server.storage.blobs.blobs import BlobRef, StoredBlob, missing, verified

NOW = datetime(2026, 5, 1, tzinfo=UTC)


class MemoryBlobs:
    """See blobs.Blobs. `clock` is its time; `away` makes it unavailable; reads wait until `answers` is set; `gets` and `puts`
    count requests."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[bytes, datetime]] = {}
        self.clock = NOW
        self.away = False
        self.answers = asyncio.Event()
        self.answers.set()
        self.gets = self.puts = 0

    @property
    def broken(self) -> bool:
        return False

    async def open(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do."""

    async def put(self, ref: BlobRef, data: bytes) -> None:
        self._refuse_away()
        self.puts += 1
        self.kept[ref.key] = data, self.clock

    async def get(self, ref: BlobRef) -> bytes:
        self._refuse_away()
        self.gets += 1
        await self.answers.wait()
        if ref.key not in self.kept:
            raise missing(ref.key)
        return await verified(ref.key, ref, self.kept[ref.key][0])

    async def find(self, key: str) -> StoredBlob | None:
        self._refuse_away()
        if key not in self.kept:
            return None
        data, at = self.kept[key]
        return StoredBlob(key, len(data), at)

    async def delete(self, key: str) -> None:
        self._refuse_away()
        self.kept.pop(key, None)

    async def list(self, namespace: str) -> AsyncIterator[StoredBlob]:
        self._refuse_away()
        for key, (data, at) in sorted(self.kept.items()):
            if key.startswith(f"{namespace}/"):
                yield StoredBlob(key, len(data), at)

    async def now(self) -> datetime:
        return self.clock

    async def probe(self) -> Mapping[str, str]:
        self._refuse_away()
        return {"kind": "memory"}

    def damage(self, key: str, data: bytes) -> None:
        self.kept[key] = data, self.kept[key][1]

    def pass_time(self, time: timedelta) -> None:
        self.clock += time

    def _refuse_away(self) -> None:
        if self.away:
            raise StorageUnavailable("the object store is away")
