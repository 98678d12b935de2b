"""The protocols of caches, and their counters. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

K = TypeVar("K")
V = TypeVar("V")
K_contra = TypeVar("K_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class CacheStats:
    """Counts since the start (`hits`, `misses`, `evictions`) and what is held now; sizes in bytes. `limit` bounds
    this cache and those that it shares it with, together."""

    hits: int
    misses: int
    evictions: int
    entries: int
    size: int
    limit: int


class Cache(Protocol[K_contra, V]):
    """A bounded store of values that can be computed again. Its methods do not await; not shared between threads."""

    def get(self, key: K_contra) -> V | None:
        """The cached value of `key`, or None."""
        ...

    def put(self, key: K_contra, value: V) -> None:
        """Cache `value`, unless it is larger than the whole cache; the least recently used values are evicted."""
        ...

    def put_if_room(self, key: K_contra, value: V) -> None:
        """As `put`, unless something of this cache would have to be evicted for it."""
        ...

    def discard(self, key: K_contra) -> None:
        """Drop `key`; does nothing when it is not cached."""
        ...

    def clear(self) -> None:
        """Drop everything."""
        ...

    def stats(self) -> CacheStats: ...


class LowerTier(Protocol):
    """A slower cache below the memory, shared between instances: bytes by text.

    It is an optimisation: an implementation answers None, or does nothing, when its service is away.
    """

    async def get(self, key: str) -> bytes | None: ...

    async def put(self, key: str, value: bytes) -> None: ...

    async def get_all(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """Those that are there of some hundred keys, asked for together."""
        ...

    async def put_all(self, values: Mapping[str, bytes]) -> None:
        """Some hundred values, written together."""
        ...

    async def discard(self, key: str) -> None: ...
