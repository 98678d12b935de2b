"""StreamSchemaChanges: the changes from a place in the log on, filtered, in order, without gap or duplicate."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import cast

from ..errors import (
    InvalidRequest,
    RevisionCompacted,
    RevisionUnknown,
    ShuttingDown,
)
from ..model.change import Change, EventType, parse_revision
from ..storage.store import Store
from .changes import ChangeFeed
from .fairness import Turns
from .gathering import MOST_GATHER, MOST_TOGETHER, GatheringSubscriber, PushTogether, Together
from .subscribers import MOST_SUBJECTS, ChangeFilter, Push, Subscriber

EARLIEST = "earliest"
LEAST_HEARTBEAT, MOST_HEARTBEAT = 1.0, 86_400.0
MOST_KINDS = 100
"""Items of a list of kinds; more than there are kinds, since one may come twice."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Everything that the subscriber wants up to `sequence` has been sent."""

    sequence: int


class Subscribing:
    """Hands out the change log to subscribers, which may name `most_subjects` each."""

    def __init__(self, store: Store, feed: ChangeFeed, *, most_subjects: int = MOST_SUBJECTS) -> None:
        self._store, self._feed, self._most_subjects = store, feed, most_subjects

    def filter(self, subjects: Sequence[str], kinds: Sequence[EventType]) -> ChangeFilter:
        """What a subscriber asks for. Raises InvalidRequest for too many or impossible subjects."""
        return ChangeFilter.of(subjects, kinds, self._most_subjects)

    def gather(self, seconds: float) -> float:
        """For how long a subscriber lets changes be held back. Raises InvalidRequest."""
        if not 0 <= seconds <= MOST_GATHER:
            raise InvalidRequest("gather", f"must be 0 to {MOST_GATHER:g} s, for example 0.05s; 0 is off")
        return seconds

    def together(
        self,
        interest: ChangeFilter,
        from_revision: str,
        heartbeat: float | None,
        gather: float,
        push: PushTogether | None = None,
    ) -> AsyncGenerator[Together | Heartbeat, None]:
        """As the call, but several changes at a time: what happens within `gather` seconds after some were sent, and what is there at
        once."""
        found = self._follow(GatheringSubscriber(interest, gather, push), from_revision, heartbeat)
        return cast(AsyncGenerator[Together | Heartbeat, None], found)

    def __call__(
        self, interest: ChangeFilter, from_revision: str, heartbeat: float | None, push: Push | None = None
    ) -> AsyncGenerator[Change | Heartbeat, None]:
        """Yield a Heartbeat when the subscription is live, then changes without end. With `heartbeat` (seconds): also one whenever
        nothing was sent for that long. With `push`: a change that it takes while the caller waits for the next one is not
        yielded.

        Raises RevisionUnknown or RevisionCompacted at the start; RevisionCompacted also when a subscriber that lags is
        overtaken by what is forgotten; ShuttingDown at the end, which says where to resume.
        """
        found = self._follow(Subscriber(interest, push), from_revision, heartbeat)
        return cast(AsyncGenerator[Change | Heartbeat, None], found)

    async def _follow(
        self, subscriber: Subscriber, from_revision: str, heartbeat: float | None
    ) -> AsyncGenerator[Change | Together | Heartbeat, None]:
        """What both ways have in common; a subscriber that gathers is told changes together."""
        if heartbeat is not None and not LEAST_HEARTBEAT <= heartbeat <= MOST_HEARTBEAT:
            raise InvalidRequest(
                "heartbeat_interval", f"must be {LEAST_HEARTBEAT:g} to {MOST_HEARTBEAT:g} s, for example 30s"
            )
        position = await self._start(from_revision)
        turns = Turns()
        most = MOST_TOGETHER if isinstance(subscriber, GatheringSubscriber) else 0
        with self._feed.subscribe(subscriber):
            interest = subscriber.interest
            sent = time.monotonic()
            yield Heartbeat(position)
            while True:
                position = max(position, subscriber.place)
                changes = await self._next(subscriber, position)
                for start in range(0, len(changes), most) if most else ():
                    if self._feed.closing:
                        raise ShuttingDown(self._feed.revision(position))
                    part = changes[start : start + most]
                    if wanted := tuple(c for c in part if c.sequence > position and interest.wants(c)):
                        yield wanted
                        sent = time.monotonic()
                    position = max(position, part[-1].sequence)
                    await turns.pause_if_due()
                for change in () if most else changes:
                    if self._feed.closing:
                        raise ShuttingDown(self._feed.revision(position))
                    if change.sequence > position and interest.wants(change):
                        yield change
                        sent = time.monotonic()
                    elif turns.due:  # much of the log that it does not want
                        await turns.pause()
                    position = max(position, change.sequence)
                if not subscriber.live or subscriber.pending:
                    continue
                # Live and nothing pending: all that was wanted of what was offered to all has been sent.
                position = max(position, subscriber.place, subscriber.complete(self._feed.offered))
                sent = max(sent, subscriber.sent)
                if self._feed.closing:
                    raise ShuttingDown(self._feed.revision(position))
                left = None if heartbeat is None else max(0.0, sent + heartbeat - time.monotonic())
                if await subscriber.wait(left):
                    continue
                position = max(position, subscriber.place)
                if heartbeat is not None and time.monotonic() >= subscriber.sent + heartbeat:
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
            position = subscriber.place = max(position, subscriber.place, seen)
        if not changes and position >= self._feed.position:
            # Nothing was awaited since that check: from here on, changes become pending.
            subscriber.live, subscriber.place = True, position
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
