"""An index of subscribers by what they want, so that a change costs only those whom it concerns."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..errors import InvalidRequest
from ..model.change import Change, EventType
from ..model.pattern import is_pattern, matches

MOST_SUBJECTS = 100
MOST_PENDING = 1000
"""Changes that may wait for a subscriber; one that falls further behind reads them from the log instead."""


@dataclass(frozen=True, slots=True)
class ChangeFilter:
    """Which changes a subscriber wants: subjects by name or pattern, kinds of event; nothing given is everything."""

    names: frozenset[str]
    patterns: frozenset[str]
    kinds: frozenset[EventType]

    @classmethod
    def of(cls, subjects: Sequence[str], kinds: Sequence[EventType]) -> ChangeFilter:
        """Raises InvalidRequest for too many or impossible subjects."""
        if len(subjects) > MOST_SUBJECTS:
            raise InvalidRequest("subjects", f"has {len(subjects)} items; the limit is {MOST_SUBJECTS}")
        for i, subject in enumerate(subjects):
            if not subject or len(subject) > 255:
                raise InvalidRequest(f"subjects[{i}]", "must be 1 to 255 characters")
        return cls(
            frozenset(s for s in subjects if not is_pattern(s)),
            frozenset(s for s in subjects if is_pattern(s)),
            frozenset(kinds),
        )

    @property
    def everything(self) -> bool:
        return not self.names and not self.patterns

    def wants(self, change: Change) -> bool:
        if self.kinds and change.event_type not in self.kinds:
            return False
        if self.everything:
            return True
        if change.subject is None:
            return False
        name = str(change.subject)
        return name in self.names or any(matches(p, name) for p in self.patterns)


class Subscriber:
    """One reader of the feed. Invariant: while it is `live`, `pending` holds every wanted change after the last one
    that it took; otherwise it reads the log from its own place until it has caught up.

    `place`: between what it took last and this sequence there is nothing that it wants.
    """

    def __init__(self, interest: ChangeFilter) -> None:
        self.interest = interest
        self.pending: deque[Change] = deque()
        self.live = False
        self.place = 0
        self._waiter: asyncio.Future[None] | None = None

    def offer(self, change: Change) -> None:
        if not self.live:
            return
        if not self.pending:
            self.place = change.sequence - 1
        if len(self.pending) >= MOST_PENDING:
            self.lag()
        else:
            self.pending.append(change)
            self.wake()

    def lag(self) -> None:
        """Read the log from now on."""
        self.live = False
        self.pending.clear()
        self.wake()

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self, timeout: float | None) -> bool:
        """Wait to be woken; False when `timeout` seconds passed first."""
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout):
                await self._waiter
        except TimeoutError:
            return False
        finally:
            self._waiter = None
        return True


class SubscriberIndex:
    """The subscribers, found by what they want: by exact name, or by the literal beginning of a pattern."""

    def __init__(self) -> None:
        self._members: set[Subscriber] = set()
        self._everything: set[Subscriber] = set()
        self._by_name: dict[str, set[Subscriber]] = {}
        # literal beginning -> pattern -> subscribers
        self._by_prefix: dict[str, dict[str, set[Subscriber]]] = {}

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[Subscriber]:
        return iter(tuple(self._members))

    def add(self, subscriber: Subscriber) -> None:
        self._members.add(subscriber)
        if subscriber.interest.everything:
            self._everything.add(subscriber)
        for name in subscriber.interest.names:
            self._by_name.setdefault(name, set()).add(subscriber)
        for pattern in subscriber.interest.patterns:
            patterns = self._by_prefix.setdefault(_literal(pattern), {})
            patterns.setdefault(pattern, set()).add(subscriber)

    def remove(self, subscriber: Subscriber) -> None:
        self._members.discard(subscriber)
        self._everything.discard(subscriber)
        for name in subscriber.interest.names:
            members = self._by_name[name]
            members.discard(subscriber)
            if not members:
                del self._by_name[name]
        for pattern in subscriber.interest.patterns:
            prefix = _literal(pattern)
            patterns = self._by_prefix[prefix]
            patterns[pattern].discard(subscriber)
            if not patterns[pattern]:
                del patterns[pattern]
            if not patterns:
                del self._by_prefix[prefix]

    def offer(self, change: Change) -> None:
        """Hand a change to those who want it."""
        wanted = set(self._everything)
        if change.subject is not None and len(wanted) < len(self._members):
            name = str(change.subject)
            wanted |= self._by_name.get(name, set())
            for length in range(len(name) + 1):
                for pattern, members in self._by_prefix.get(name[:length], {}).items():
                    if matches(pattern, name):
                        wanted |= members
        for subscriber in wanted:
            if not subscriber.interest.kinds or change.event_type in subscriber.interest.kinds:
                subscriber.offer(change)


def _literal(pattern: str) -> str:
    """The part before the first wildcard."""
    return pattern[: min(i for i in (pattern.find("*"), pattern.find("?")) if i >= 0)]
