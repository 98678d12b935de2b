"""A least-recently-used cache in this process's memory, bounded by bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic

from .cache import CacheStats, K, V

OVERHEAD = 200
"""Bytes that one entry costs besides its value: key, links, dictionary slot (an estimate)."""


class MemoryCache(Generic[K, V]):
    """`size` estimates what a value occupies in bytes; `limit` bounds the sum over all entries.

    Values must be immutable: every caller gets the same object.
    """

    def __init__(self, limit: int, size: Callable[[V], int]) -> None:
        self._limit, self._size = limit, size
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()  # the least recently used first
        self._held = 0
        self._hits = self._misses = self._evictions = 0

    def get(self, key: K) -> V | None:
        entry = self._entries.get(key)
        if entry is None:
            self._misses += 1
            return None
        self._hits += 1
        self._entries.move_to_end(key)
        return entry[0]

    def peek(self, key: K) -> V | None:
        """As `get`, without counting as a use."""
        entry = self._entries.get(key)
        return None if entry is None else entry[0]

    def put(self, key: K, value: V) -> None:
        self.discard(key)
        size = OVERHEAD + self._size(value)
        if size > self._limit:
            return
        self._entries[key] = value, size
        self._held += size
        while self._held > self._limit:
            _, (_, freed) = self._entries.popitem(last=False)
            self._held -= freed
            self._evictions += 1

    def put_if_room(self, key: K, value: V) -> None:
        """As `put`, unless something would have to be evicted for it."""
        if self._held + OVERHEAD + self._size(value) <= self._limit:
            self.put(key, value)

    def discard(self, key: K) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._held -= entry[1]

    def clear(self) -> None:
        self._entries.clear()
        self._held = 0

    def stats(self) -> CacheStats:
        return CacheStats(
            hits=self._hits,
            misses=self._misses,
            evictions=self._evictions,
            entries=len(self._entries),
            size=self._held,
            limit=self._limit,
        )
