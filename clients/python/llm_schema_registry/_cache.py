"""The contents of versions, by id. A content never changes, so an entry is never stale; it only gives way to others."""

from __future__ import annotations

import threading

from cachetools import LRUCache

from .results import SchemaContent, SchemaInfo

OVERHEAD = 1024
"""Bytes counted for an entry beside its content."""


class ContentCache:
    """Least recently used contents within a number of bytes. Safe to share between threads."""

    def __init__(self, capacity: int) -> None:
        self._entries: LRUCache[str, SchemaContent] = LRUCache(
            capacity, getsizeof=lambda entry: OVERHEAD + len(entry.content)
        )
        self._lock = threading.Lock()

    def get(self, schema_id: str) -> SchemaContent | None:
        with self._lock:
            return self._entries.get(schema_id)

    def keep(self, schema: SchemaInfo) -> SchemaContent:
        """Remember the immutable part of a version, unless it is larger than the whole cache."""
        entry = schema.immutable()
        with self._lock:
            if OVERHEAD + len(entry.content) <= self._entries.maxsize:
                self._entries[entry.id] = entry
        return entry
