"""Who follows the change feed: what a subscriber wants, and what waits for it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from ..errors import InvalidRequest
from ..model.change import Change, EventType
from ..model.pattern import Glob, is_pattern
from ..model.pushed import Pushed

MOST_SUBJECTS = 100
MOST_PENDING = 1000
"""Changes that may wait for a subscriber; one that falls further behind reads them from the log instead."""


@dataclass(frozen=True, slots=True)
class ChangeFilter:
    """Which changes a subscriber wants: subjects by name or pattern, kinds of event; nothing given is everything."""

    names: frozenset[str]
    patterns: frozenset[str]
    kinds: frozenset[EventType]
    globs: tuple[Glob, ...] = field(init=False, compare=False, repr=False)
    """The patterns, ready for use."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "globs", tuple(map(Glob, sorted(self.patterns))))

    @classmethod
    def of(
        cls, subjects: Sequence[str], kinds: Sequence[EventType], most: int = MOST_SUBJECTS
    ) -> ChangeFilter:
        """Raises InvalidRequest for more subjects than `most` (the same one twice counts twice) or impossible ones."""
        if len(subjects) > most:
            raise InvalidRequest(
                "subjects",
                f"has {len(subjects)} items; the limit is {most} (setting changes.subjects_per_stream). "
                "Use a pattern (`orders.*`), or leave subjects out and choose among the events",
            )
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
        if change.hidden:
            return False
        if self.kinds and change.event_type not in self.kinds:
            return False
        if self.everything:
            return True
        if change.subject is None:
            return False
        name = str(change.subject)
        return name in self.names or any(glob.matches(name) for glob in self.globs)


Push = Callable[[Change], Pushed]
"""Sends a change at once, without the subscriber's task."""


class Offered(Enum):
    """What became of a change that was offered to a subscriber."""

    DONE = "sent, not wanted, or added to what waits for its task anyway"
    WOKEN = "its task was woken for it"
    BEHIND = "its wire had no room for it: `catch_up` tries again"


_SENT, _DONE = Pushed.SENT, Offered.DONE


class Subscriber:
    """One reader of the feed. Invariant: while it is `live`, `pending` holds every wanted change after the last one
    that it took; otherwise it reads the log from its own place until it has caught up.

    What is pending while its task waits had no room in the wire, for a moment or because its reader is slow: `catch_up` sends it,
    or else the task is woken to wait for the reader.

    `place`: between what it took last and this sequence there is nothing that it wants. `push` sends changes while the
    subscriber waits, without waking it; `sent` is the point of time.monotonic() when one was sent last.
    """

    __slots__ = ("_waiter", "interest", "live", "pending", "place", "push", "sent")

    def __init__(self, interest: ChangeFilter, push: Push | None = None) -> None:
        self.interest, self.push = interest, push
        self.pending: deque[Change] = deque()
        self.live = False
        self.place = 0
        self.sent = 0.0
        self._waiter: asyncio.Future[None] | None = None

    def offer(self, change: Change, now: float) -> Offered:
        """Hand over a change that it wants. `now` is a point of time.monotonic()."""
        sequence, waiter, push = change.sequence, self._waiter, self.push
        if not self.live or sequence <= self.place:
            return Offered.DONE
        waits = waiter is not None and not waiter.done()
        if not self.pending:
            if waits and push is not None:
                try:
                    pushed = push(change)
                except Exception:
                    pushed = self._unfit()
                if pushed is _SENT:  # first: a thousand times for each change
                    self.place, self.sent = sequence, now
                    return _DONE
                if pushed is Pushed.NOTHING:
                    self.place = sequence
                    return Offered.DONE
                waits = pushed is not Pushed.UNFIT
            self.place = sequence - 1
        if len(self.pending) >= MOST_PENDING:
            return Offered.WOKEN if self.lag() else Offered.DONE
        self.pending.append(change)
        if waits and self.push is not None:
            return Offered.BEHIND
        return Offered.WOKEN if self.wake() else Offered.DONE

    @property
    def pushes(self) -> bool:
        """Whether changes are sent to it while its task waits."""
        return self.push is not None

    def complete(self, offered: int) -> int:
        """Up to which sequence it has been handed all that it wants while it is live, where all have been offered what there is up to `offered`."""
        return offered

    @property
    def waits(self) -> bool:
        """Whether its task waits to be woken."""
        return self._waiter is not None and not self._waiter.done()

    def catch_up(self, now: float) -> tuple[int, bool]:
        """Tries again to send what had no room in the wire, while its task waits: how many were sent, and whether it is time for a
        pause (Pushed.PACED)."""
        pending, before, pushed = self.pending, len(self.pending), Pushed.NOTHING
        while pending and self.waits and self.push is not None:
            change = pending[0]
            pushed = self._pushed(change)
            if pushed is Pushed.UNFIT:
                self.wake()
            if pushed is not Pushed.SENT and pushed is not Pushed.NOTHING:
                break
            pending.popleft()
            self.place = change.sequence
            if pushed is Pushed.SENT:
                self.sent = now
        return before - len(pending), pushed is Pushed.PACED

    def lag(self) -> bool:
        """Read the log from now on; True when its task was woken."""
        self.live = False
        self.pending.clear()
        return self.wake()

    def wake(self) -> bool:
        """True when its task was waiting, and goes on."""
        if self._waiter is None or self._waiter.done():
            return False
        self._waiter.set_result(None)
        return True

    def _pushed(self, change: Change) -> Pushed:
        assert self.push is not None
        try:
            return self.push(change)
        except Exception:
            return self._unfit()

    def _unfit(self) -> Pushed:
        """A change cannot be pushed: the subscriber's own task meets what was raised again, and ends with it."""
        self.push = None
        return Pushed.UNFIT

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
