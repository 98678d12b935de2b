"""What a live cache holds: versions by subject and selector, until a change of the subject or their age ends it. Pure."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cachetools import LRUCache

from .results import SchemaInfo

OVERHEAD = 1024
"""Bytes counted for an entry beside its content."""

MOST_CHANGED = 10_000
"""Subjects whose last change is remembered one by one."""

UNREACHABLE_SECONDS = 1.0
"""For so long nobody asks a server again that could not be reached, where an older answer may be given out."""

Key = tuple[str, str]
"""A subject and a selector."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """When a read began: what it brings is not kept when its subject changed meanwhile. `revision`: the newest change that
    was heard of, which the answer must know; "" when there is none."""

    subject: str
    epoch: int
    revision: str


@dataclass(frozen=True, slots=True)
class _Entry:
    schema: SchemaInfo
    read_at: float


def qualified(subject: str) -> str:
    """The one spelling of a subject's name, in which changes tell of it: `:.:orders` is `orders`."""
    return subject.removeprefix(":.:")


class CachedVersions:
    """The versions that were asked for. Safe to share between threads.

    An entry stands while the watch does; while it is away, for `ttl` seconds from when it was read, and for `stale_if_error`
    seconds more when the server cannot be reached (RFC 5861, section 4).
    """

    def __init__(
        self,
        subjects: Sequence[str],
        ttl: float,
        capacity: int,
        clock: Callable[[], float] = time.monotonic,
        *,
        stale_if_error: float = 0.0,
    ) -> None:
        self._patterns = [_pattern(subject) for subject in subjects]
        self._subjects = tuple(subjects)
        self._ttl, self._capacity, self._clock = ttl, capacity, clock
        self._stale_if_error = stale_if_error
        self._away_since = clock()
        self._unreachable_until = -1.0
        self._entries: LRUCache[Key, _Entry] = LRUCache(
            capacity, getsizeof=lambda entry: OVERHEAD + len(entry.schema.content)
        )
        self._epoch = 0
        self._changed: dict[str, int] = {}  # subject -> epoch of its last change
        self._forgotten = 0  # epoch up to which any subject may have changed
        self._revision = ""
        self._lock = threading.Lock()
        self._watching = False

    def get(self, subject: str, selector: str) -> SchemaInfo | None:
        """The version, if it is known and may still be given out."""
        with self._lock:
            entry = self._entries.get((subject, selector))
            if entry is None:
                return None
            if self._watching or self._young(entry):
                return entry.schema
            return (
                entry.schema if self._clock() < self._unreachable_until and self._tolerable(entry) else None
            )

    def unreachable(self, subject: str, selector: str) -> SchemaInfo | None:
        """The version that may be given out although the server could not be asked; for a second `get` gives such ones too, so
        that not every caller waits for the same failure."""
        with self._lock:
            self._unreachable_until = self._clock() + UNREACHABLE_SECONDS
            entry = self._entries.get((subject, selector))
            return entry.schema if entry is not None and self._tolerable(entry) else None

    @property
    def watching(self) -> bool:
        """Whether the watch stands, so that every change is heard of."""
        return self._watching

    def away(self) -> float:
        """Seconds since the watch stood, or since there are versions when it never did; 0.0 while it stands."""
        return 0.0 if self._watching else self._clock() - self._away_since

    def stands(self, watching: bool) -> None:
        """The watch stands again, or is away. It goes on where it broke, so that what was kept hears of every change; but
        what is too old to be given out while the watch is away is not given out before those changes arrive either."""
        with self._lock:
            if watching and not self._watching:
                for key in [key for key, entry in self._entries.items() if not self._young(entry)]:
                    del self._entries[key]
            if self._watching and not watching:
                self._away_since = self._clock()
            self._watching = watching

    def _tolerable(self, entry: _Entry) -> bool:
        return self._clock() - entry.read_at <= self._ttl + self._stale_if_error

    def _young(self, entry: _Entry) -> bool:
        return self._clock() - entry.read_at <= self._ttl

    def reading(self, subject: str) -> Ticket:
        """To be called before a read. Raises ValueError for a subject that is not watched."""
        if self._patterns and not any(pattern.fullmatch(subject) for pattern in self._patterns):
            raise ValueError(f"subject {subject!r} is not among the cached ones: {', '.join(self._subjects)}")
        with self._lock:
            return Ticket(subject, self._epoch, self._revision)

    def put(self, ticket: Ticket, selector: str, schema: SchemaInfo) -> None:
        """Keep what a read brought, unless its subject changed since the read began."""
        with self._lock:
            if ticket.epoch < max(self._changed.get(ticket.subject, 0), self._forgotten):
                return
            if OVERHEAD + len(schema.content) <= self._capacity:
                self._entries[ticket.subject, selector] = _Entry(schema, self._clock())

    def changed(self, subject: str, revision: str) -> list[str]:
        """Drop what is known of a subject; the selectors that were in use."""
        with self._lock:
            self._epoch += 1
            self._revision = revision or self._revision
            if len(self._changed) >= MOST_CHANGED:
                self._changed.clear()
                self._forgotten = self._epoch
            self._changed[subject] = self._epoch
            dropped = [key for key in self._entries if key[0] == subject]
            for key in dropped:
                del self._entries[key]
        return [selector for _, selector in dropped]

    def clear(self) -> None:
        """Drop everything: changes may have been missed."""
        with self._lock:
            self._epoch += 1
            self._forgotten = self._epoch
            self._entries.clear()
            self._changed.clear()
            self._revision = ""

    def __len__(self) -> int:
        return len(self._entries)


def _pattern(text: str) -> re.Pattern[str]:
    """`*` stands for any characters, `?` for one, as in the server's subscriptions."""
    special = {"*": ".*", "?": "."}
    return re.compile("".join(special.get(c) or re.escape(c) for c in text), re.DOTALL)
