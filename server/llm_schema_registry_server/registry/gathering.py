"""Changes that go out together: subscribers that ask for it take what happens within a time in one message.

Subscribers that want the same and hold back for the same time have one beat. What they want is noted once for all of them, and goes out
to all of them as one range, whose message is made and written once. A change after a time of silence goes out at once.
"""

from __future__ import annotations

import heapq
import itertools
import math
import time
from collections.abc import Callable, Sequence
from itertools import islice

from ..model.change import Change
from ..model.pushed import Pushed
from .catching_up import CatchingUp
from .fairness import Turns
from .subscribers import MOST_PENDING, ChangeFilter, Offered, Subscriber

MOST_GATHER = 5.0
"""Seconds that a change may be held back at most: readers count on seeing changes within seconds, and a heartbeat may be as far apart."""
MOST_TOGETHER = 100
"""Changes in one message. What a message costs by itself is shared by then; and so many are made and written within a millisecond."""

_SENT, _DONE = Pushed.SENT, Offered.DONE
_LATE_SECONDS = 0.005

Together = tuple[Change, ...]
"""Changes for one message or more, in order; at least one."""
PushTogether = Callable[[Together], tuple[Pushed, int]]
"""Sends the first of these changes in one message, without the subscriber's task. How many of them are dealt with: sent, or not to be."""


class Gathered:
    """What the subscribers of one group wait for together, and when it is due.

    `waiting` came since the last beat; `leaving` is on its way to the members at the moment. `due` is a point of the clock; None while nothing waits.
    """

    __slots__ = ("due", "last", "leaving", "members", "seconds", "waiting")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.members: dict[GatheringSubscriber, None] = {}
        self.waiting: list[Change] = []
        self.leaving: Together = ()
        self.last = -math.inf
        self.due: float | None = None

    def complete(self, offered: int) -> int:
        """Up to which sequence every live member has been handed all that it wants, where others have been up to `offered`."""
        held: Sequence[Change] = self.leaving or self.waiting
        return held[0].sequence - 1 if held else offered


class GatheringSubscriber(Subscriber):
    """A subscriber that takes changes together. `gathered` is what it shares with those that want the same. While it is live, what it
    wants and has not taken is in `pending`, and behind that in `gathered`."""

    __slots__ = ("gathered", "push_together")

    def __init__(
        self, interest: ChangeFilter, seconds: float, push_together: PushTogether | None = None
    ) -> None:
        super().__init__(interest)
        self.gathered = Gathered(seconds)
        self.push_together = push_together

    @property
    def pushes(self) -> bool:
        return self.push_together is not None

    def complete(self, offered: int) -> int:
        return self.gathered.complete(offered)

    def offer_all(self, changes: Together, now: float) -> Offered:
        """Hand over changes that it wants. `now` is a point of time.monotonic()."""
        place, waiter, push = self.place, self._waiter, self.push_together
        if not self.live or changes[-1].sequence <= place:
            return _DONE
        if changes[0].sequence <= place:
            changes = tuple(change for change in changes if change.sequence > place)
        waits = waiter is not None and not waiter.done()
        if not self.pending:
            if waits and push is not None:
                pushed, taken = self._push_first(push, changes, now)
                if taken == len(changes):  # a thousand times for each range
                    return _DONE
                changes = changes[taken:]
                waits = pushed is not Pushed.UNFIT
            self.place = changes[0].sequence - 1
        if len(self.pending) + len(changes) > MOST_PENDING:
            return Offered.WOKEN if self.lag() else Offered.DONE
        self.pending.extend(changes)
        if waits and self.push_together is not None:
            return Offered.BEHIND
        return Offered.WOKEN if self.wake() else Offered.DONE

    def catch_up(self, now: float) -> tuple[int, bool]:
        pending, before, pushed = self.pending, len(self.pending), Pushed.NOTHING
        while pending and self.waits and self.push_together is not None:
            first = tuple(islice(pending, MOST_TOGETHER))
            pushed, taken = self._push_first(self.push_together, first, now)
            for _ in range(taken):
                pending.popleft()
            if pushed is Pushed.UNFIT:
                self.wake()
            if not taken:
                break
        return before - len(pending), pushed is Pushed.PACED

    def _push_first(self, push: PushTogether, changes: Together, now: float) -> tuple[Pushed, int]:
        """Sends the first of these changes, as many as one message takes."""
        try:
            pushed, taken = push(changes)
        except Exception:
            # The subscriber's own task meets what was raised again, and ends with it.
            self.push_together = None
            return Pushed.UNFIT, 0
        if taken:
            self.place = changes[taken - 1].sequence
            if pushed is _SENT:
                self.sent = now
        return pushed, taken


class Beats:
    """When what is gathered goes out: at once after a time of silence; within the time of the subscribers after what was sent last; and
    sooner when there is enough for a message. `clock` is time.monotonic()."""

    def __init__(self, behind: CatchingUp, clock: Callable[[], float] = time.monotonic) -> None:
        self._behind, self._clock = behind, clock
        self._due: list[tuple[float, int, Gathered]] = []  # the first first; some are done with
        self._numbers = itertools.count()

    def note(self, gathered: Gathered, change: Change) -> None:
        """A change that the members want, after all that were noted before."""
        gathered.waiting.append(change)
        if len(gathered.waiting) == 1:
            self._set(gathered, max(self._clock(), gathered.last + gathered.seconds))
        elif len(gathered.waiting) == MOST_TOGETHER:
            self._set(gathered, self._clock())

    def seconds(self) -> float | None:
        """How long until something is due; None while nothing waits."""
        return max(0.0, self._due[0][0] - self._clock()) if self._due else None

    def late(self) -> bool:
        """Whether something has been due for long."""
        return bool(self._due) and self._due[0][0] <= self._clock() - _LATE_SECONDS

    async def serve(self, turns: Turns) -> None:
        """Hands out what is due now, while others have their turns."""
        now = self._clock()
        while self._due and self._due[0][0] <= now:
            due, _, gathered = heapq.heappop(self._due)
            if gathered.due == due:
                await self._send(gathered, turns)

    def forget(self, gathered: Gathered) -> None:
        """The members read for themselves what was noted for them, or have left."""
        gathered.waiting, gathered.due = [], None

    def _set(self, gathered: Gathered, due: float) -> None:
        gathered.due = due
        heapq.heappush(self._due, (due, next(self._numbers), gathered))

    async def _send(self, gathered: Gathered, turns: Turns) -> None:
        changes = gathered.leaving = tuple(gathered.waiting)
        gathered.waiting, gathered.due, gathered.last = [], None, self._clock()
        members = tuple(gathered.members)
        await self._behind.hand_out(members, GatheringSubscriber.offer_all, changes, turns)
        gathered.leaving = ()
