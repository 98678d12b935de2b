"""A least-recently-used cache in this process's memory, bounded by bytes."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic

from .budget import Budget
from .cache import CacheStats, K, V

OVERHEAD = 240
"""Bytes that one entry costs besides its key and its value: links, dictionary slot, a tuple and two integers; measured."""


def key_size(key: object) -> int:
    """Bytes of a key: a text, a tuple of them, or a small value object."""
    if isinstance(key, tuple):
        return sys.getsizeof(key) + sum(map(key_size, key))
    return sys.getsizeof(key)


class MemoryCache(Generic[K, V]):
    """`size` estimates what a value occupies in bytes; `limit` bounds the sum over all entries, or is what this cache shares with others.

    Values must be immutable: every caller gets the same object.
    """

    def __init__(self, limit: int | Budget, size: Callable[[V], int]) -> None:
        self._budget = Budget(limit) if isinstance(limit, int) else limit
        self._budget.join(self)
        self._size = size
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()  # the least recently used first
        self._held = 0
        self._hits = self._misses = self._evictions = 0

    @property
    def held(self) -> int:
        """Bytes that its entries count."""
        return self._held

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
        size = self._counted(key, value)
        if size > self._budget.largest:
            return
        self._entries[key] = value, size
        self._held += size
        self._budget.settle(size)

    def put_if_room(self, key: K, value: V) -> None:
        """As `put`, unless something of this cache would have to be evicted for it."""
        if self._budget.has_room(self, self._counted(key, value)):
            self.put(key, value)

    def evict(self) -> None:
        """Drop the entry that was used least recently."""
        _, (_, freed) = self._entries.popitem(last=False)
        self._held -= freed
        self._evictions += 1

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
            limit=self._budget.limit,
        )

    def _counted(self, key: K, value: V) -> int:
        return OVERHEAD + key_size(key) + self._size(value)
