"""StreamSchemaChanges: the changes from a place in the log on, filtered, in order, without gap or duplicate."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from ..errors import (
    InvalidRequest,
    RevisionCompacted,
    RevisionUnknown,
    ShuttingDown,
)
from ..model.change import Change, parse_revision
from ..storage.store import Store
from .changes import ChangeFeed
from .subscribers import ChangeFilter, Subscriber

EARLIEST = "earliest"
LEAST_HEARTBEAT = 1.0


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Everything that the subscriber wants up to `sequence` has been sent."""

    sequence: int


class Subscribing:
    """Hands out the change log to subscribers."""

    def __init__(self, store: Store, feed: ChangeFeed) -> None:
        self._store, self._feed = store, feed

    async def __call__(
        self, interest: ChangeFilter, from_revision: str, heartbeat: float | None
    ) -> AsyncGenerator[Change | Heartbeat, None]:
        """Yield a Heartbeat when the subscription is live, then changes without end. With `heartbeat` (seconds): also one whenever
        nothing was sent for that long.

        Raises RevisionUnknown or RevisionCompacted at the start; RevisionCompacted also when a subscriber that lags is
        overtaken by what is forgotten; ShuttingDown at the end, which says where to resume.
        """
        if heartbeat is not None and heartbeat < LEAST_HEARTBEAT:
            raise InvalidRequest("heartbeat_interval", f"must be at least {LEAST_HEARTBEAT:g} s")
        position = await self._start(from_revision)
        with self._feed.subscribe(interest) as subscriber:
            sent = time.monotonic()
            yield Heartbeat(position)
            while True:
                position = max(position, subscriber.place)
                for change in await self._next(subscriber, position):
                    if self._feed.closing:
                        raise ShuttingDown(self._feed.revision(position))
                    if change.sequence > position and interest.wants(change):
                        yield change
                        sent = time.monotonic()
                    position = max(position, change.sequence)
                if not subscriber.live or subscriber.pending:
                    continue
                # Live and nothing pending: all that was wanted up to the feed's own position has been sent.
                position = max(position, self._feed.position)
                if self._feed.closing:
                    raise ShuttingDown(self._feed.revision(position))
                left = None if heartbeat is None else max(0.0, sent + heartbeat - time.monotonic())
                if not await subscriber.wait(left):
                    yield Heartbeat(position)
                    sent = time.monotonic()

    async def _next(self, subscriber: Subscriber, position: int) -> Sequence[Change]:
        """What is pending for a live subscriber; what follows `position` in the log for one that lags."""
        if subscriber.live:
            pending = tuple(subscriber.pending)
            subscriber.pending.clear()
            return pending
        seen = self._feed.position
        changes = await self._feed.after(position)
        if not changes:  # what lies between, if anything, cannot be decoded
            subscriber.place = max(subscriber.place, seen)
        if not changes and max(position, seen) >= self._feed.position:
            subscriber.live = (
                True  # nothing was awaited since that check: from here on, changes become pending
            )
        return changes

    async def _start(self, from_revision: str) -> int:
        async with self._store.read() as tx:
            oldest, newest = await tx.change_bounds()
        if from_revision == EARLIEST:
            return oldest
        if not from_revision:
            return newest
        sequence = parse_revision(self._store.registry_id, from_revision)
        if sequence > newest:
            raise RevisionUnknown(
                "from_revision",
                f"{from_revision!r} lies after the newest change, {self._feed.revision(newest)!r}; "
                "was the registry restored from an older backup?",
            )
        if sequence < oldest and not self._feed.remembers(sequence):
            raise RevisionCompacted(from_revision, self._feed.revision(oldest))
        return sequence
