"""The tier that instances share, for tests of what stands above it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class Shelf:
    """A shared tier in a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def get(self, key: str) -> bytes | None:
        return self.kept.get(key)

    async def put(self, key: str, value: bytes) -> None:
        self.kept[key] = value

    async def get_all(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        return {key: self.kept[key] for key in keys if key in self.kept}

    async def put_all(self, values: Mapping[str, bytes]) -> None:
        self.kept.update(values)

    async def discard(self, key: str) -> None:
        self.kept.pop(key, None)
