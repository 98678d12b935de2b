"""What a cache offers, and what it tells about itself. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar

K = TypeVar("K")
V = TypeVar("V")
K_contra = TypeVar("K_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class CacheStats:
    """Counts since the start (`hits`, `misses`, `evictions`) and what is held now; sizes in bytes."""

    hits: int
    misses: int
    evictions: int
    entries: int
    size: int
    limit: int


class Cache(Protocol[K_contra, V]):
    """A bounded store of values that can be computed again. Never awaits; not shared between threads."""

    def get(self, key: K_contra) -> V | None:
        """The value kept for `key`, or None."""
        ...

    def put(self, key: K_contra, value: V) -> None:
        """Keep `value`, unless it alone is larger than the cache; the least recently used values make room."""
        ...

    def discard(self, key: K_contra) -> None:
        """Forget `key`; does nothing when it is not there."""
        ...

    def clear(self) -> None:
        """Forget everything."""
        ...

    def stats(self) -> CacheStats: ...


class LowerTier(Protocol):
    """A slower cache below the memory, shared between instances: bytes by text.

    It is an optimisation: an implementation answers None, or does nothing, when its service is away.
    """

    async def get(self, key: str) -> bytes | None: ...

    async def put(self, key: str, value: bytes) -> None: ...

    async def discard(self, key: str) -> None: ...
