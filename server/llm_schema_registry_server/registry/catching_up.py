"""Subscribers whose wire had no room for a change: all are tried again together, for a while, before their tasks are woken."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from .fairness import Turns
from .subscribers import Offered, Subscriber

S = TypeVar("S", bound=Subscriber)
What = TypeVar("What")

PATIENCE_SECONDS = 2.0
"""Whoever took nothing for so long is left to its own task, which ends it when it is stalled."""
_PAUSE, _LONGEST_PAUSE = 0.002, 0.032
_SHARE = 4  # of the time of the loop a fifth at most is spent with it
_PIECE = 16
"""Subscribers between two looks at the clock: each takes some microseconds when something is sent to it."""


class CatchingUp:
    """A wire takes one message of a stream at a time, and has room again within a millisecond when its reader is fast. To wake a task for
    each of a thousand streams takes longer than that."""

    def __init__(self) -> None:
        self._behind: dict[Subscriber, float] = {}  # since when it has taken nothing
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._behind)

    def add(self, subscriber: Subscriber) -> None:
        """Tries soon, and sees to it that its task is woken when that does not help."""
        self._behind.setdefault(subscriber, time.monotonic())
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="change feed: subscribers behind")

    async def hand_out(
        self, subscribers: Sequence[S], offer: Callable[[S, What, float], Offered], what: What, turns: Turns
    ) -> None:
        """Offers the same to each of them, while others have their turns; tries again where there was no room. offer: a method of theirs."""
        for start in range(0, len(subscribers), _PIECE):
            now = time.monotonic()
            for subscriber in subscribers[start : start + _PIECE]:
                offered = offer(subscriber, what, now)
                if offered is Offered.WOKEN:
                    turns.woke()
                elif offered is Offered.BEHIND:
                    self.add(subscriber)
            await turns.pause_if_due()

    async def stop(self) -> None:
        """Tries no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        turns, pause = Turns(), _PAUSE
        while self._behind:
            await asyncio.sleep(pause)
            behind, self._behind = self._behind, {}
            began = now = time.monotonic()
            paced = False
            for number, (subscriber, since) in enumerate(behind.items(), start=1):
                if paced:  # the rest has its turn after a pause
                    self._behind[subscriber] = now
                    continue
                sent, paced = subscriber.catch_up(now)
                if sent or paced:
                    since = now
                if subscriber.pending and subscriber.waits:
                    if subscriber.pushes and now - since < PATIENCE_SECONDS:
                        self._behind[subscriber] = since
                    elif subscriber.wake():
                        turns.woke()
                if number % _PIECE == 0:
                    await turns.pause_if_due()
                    now = time.monotonic()
            least = _PAUSE if paced or len(self._behind) < len(behind) else 2 * pause
            pause = min(max(least, _SHARE * (now - began)), _LONGEST_PAUSE)
