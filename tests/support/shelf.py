"""The tier that instances share, for tests of what stands above it."""

from __future__ import annotations


class Shelf:
    """A shared tier in a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def get(self, key: str) -> bytes | None:
        return self.kept.get(key)

    async def put(self, key: str, value: bytes) -> None:
        self.kept[key] = value

    async def discard(self, key: str) -> None:
        self.kept.pop(key, None)
