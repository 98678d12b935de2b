"""An LRU cache of values computed from schema sources, one for each thread. Pure."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from ..engine import SchemaSource, walk_references

T = TypeVar("T")


class SourceCache(threading.local, Generic[T]):
    """An LRU cache of `make(source)`, by content, references and options: a check in both directions, or against many
    versions, opens each schema once. Bounded by entries and by bytes of content. Each thread has its own."""

    def __init__(self, make: Callable[[SchemaSource], T], *, max_entries: int, max_bytes: int) -> None:
        self._make = make
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._bytes = 0
        self._values: OrderedDict[Hashable, tuple[int, T]] = OrderedDict()

    def __call__(self, source: SchemaSource) -> T:
        key = _key(source)
        known = self._values.get(key)
        if known is None:
            made = self._make(source)
            self._store(key, source, made)
            return made
        self._values.move_to_end(key)
        return known[1]

    def put(self, source: SchemaSource, make: Callable[[], T]) -> None:
        """Cache the value of this `make`, which must return what the cache's own would."""
        key = _key(source)
        if key not in self._values and source.size <= self._max_bytes:
            self._store(key, source, make())

    def _store(self, key: Hashable, source: SchemaSource, made: T) -> None:
        size = source.size
        if size > self._max_bytes:
            return
        self._values[key] = (size, made)
        self._bytes += size
        while len(self._values) > self._max_entries or self._bytes > self._max_bytes:
            self._bytes -= self._values.popitem(last=False)[1][0]


def _key(source: SchemaSource) -> Hashable:
    references = [(item.name, item.identity) for item in walk_references(source.references)]
    return source.content, tuple(references), tuple(sorted(source.options.items()))
