"""A least-recently-used cache in this process's memory, bounded by bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic

from cachetools import LRUCache

from .cache import CacheStats, K, V

OVERHEAD = 200
"""Bytes that one entry costs besides its value: key, links, dictionary slot (an estimate)."""


class MemoryCache(Generic[K, V]):
    """`size` estimates what a value occupies in bytes; `limit` bounds the sum over all entries.

    Values must be immutable: every caller gets the same object.
    """

    def __init__(self, limit: int, size: Callable[[V], int]) -> None:
        self._size = size
        self._values: _Counting[K, V] = _Counting(limit, lambda value: OVERHEAD + size(value))
        self._hits = self._misses = 0

    def get(self, key: K) -> V | None:
        value = self._values.get(key)
        if value is None:
            self._misses += 1
        else:
            self._hits += 1
        return value

    def peek(self, key: K) -> V | None:
        """As `get`, without counting as a use."""
        return self._values.get(key)

    def put(self, key: K, value: V) -> None:
        self._values.pop(key, None)
        if OVERHEAD + self._size(value) <= self._values.maxsize:
            self._values[key] = value

    def discard(self, key: K) -> None:
        self._values.pop(key, None)

    def clear(self) -> None:
        self._values.clear()

    def stats(self) -> CacheStats:
        return CacheStats(
            hits=self._hits,
            misses=self._misses,
            evictions=self._values.evictions,
            entries=len(self._values),
            size=int(self._values.currsize),
            limit=int(self._values.maxsize),
        )


class _Counting(LRUCache[K, V]):
    """An LRUCache that counts what it pushed out; clear() and pop() do not count."""

    evictions = 0

    def popitem(self) -> tuple[K, V]:
        self.evictions += 1
        return super().popitem()

    def clear(self) -> None:
        for key in list(self):
            del self[key]
