"""Memory that several caches share: each may hold what the others leave, and whichever holds most makes room."""

from __future__ import annotations

from typing import Protocol

_LARGEST = 4
"""No value may take more than this part of a budget that is shared."""


class Holder(Protocol):
    """A cache that shares a budget."""

    @property
    def held(self) -> int:
        """Bytes that it counts for its entries."""
        ...

    def evict(self) -> None:
        """Drop the entry that was used least recently. There is one."""
        ...


class Budget:
    """Bounds the bytes that its caches hold together."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._caches: list[Holder] = []
        self._most = 0  # they hold no more than this: what they held when it was last counted, and all that was put in since

    def join(self, cache: Holder) -> None:
        self._caches.append(cache)

    @property
    def held(self) -> int:
        return sum(cache.held for cache in self._caches)

    @property
    def largest(self) -> int:
        """Bytes of the largest value that is cached."""
        return self.limit if len(self._caches) <= 1 else self.limit // _LARGEST

    def has_room(self, cache: Holder, size: int) -> bool:
        """Whether `cache` may take so much more without driving anything out of itself: what it is entitled to, or what the others leave."""
        return cache.held + size <= self.limit // len(self._caches) or self.held + size <= self.limit

    def settle(self, size: int) -> None:
        """Make room after a value of that size was put in."""
        self._most += size
        if self._most <= self.limit:
            return
        while (held := self.held) > self.limit:
            max(self._caches, key=lambda cache: cache.held).evict()
        self._most = held
