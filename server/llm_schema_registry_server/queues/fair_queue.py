"""A queue for something of which there is only so much, fair between callers by what their work has cost.

Each caller has its own line. What becomes free goes to the caller that has used least (start-time fair queueing: Goyal, Vin,
Cheng, "Start-time Fair Queueing", 1996; it shares as deficit round robin does, and needs to know no cost beforehand): a caller is
charged an estimate when it gets something, and the true cost when it gives it back. One that comes newly starts level with those
that wait, so that nobody saves up, and nobody pays for what it used while nobody else wanted it.

Dear work never fills everything: for each class of cost there is a bound on what that class and the dearer ones may hold together.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from types import TracebackType
from typing import Any, Self

from ..errors import LimitExceeded
from ..telemetry import names, tracing
from .caller import Caller

WAIT_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds of the classes in which waiting times are counted."""

# How long a task keeps its room is guessed from those before it, and in a rush each seems to take longer than it does: only when the
# guess is so many times too long is a caller refused before it has waited.
_CERTAIN = 4.0
_MARGIN_SECONDS = 0.05
"""So long before the deadline of its call a wait is given up: the caller then learns why, and not just that time is over."""
_FIRST_COST = 0.005
"""Seconds that the work of an unknown caller is taken to cost."""
_SHORTEST_RETRY, _LONGEST_RETRY = 0.1, 30.0
_MOST_IDLE_ACCOUNTS = 4096


class Cost(IntEnum):
    """What work is expected to cost."""

    CHEAP = 0
    USUAL = 1
    DEAR = 2


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """waiting: most who wait, in total. per_caller: most of one caller. wait_seconds: the longest wait."""

    waiting: int = 1000
    per_caller: int = 500
    wait_seconds: float = 10.0


@dataclass(slots=True)
class QueueStats:
    """waits: how many got something after a wait of each class of WAIT_BUCKETS, the last longer than all.

    refused: how many were refused, by why: `full`, `caller` (too many of the same), `wait` (too long).
    """

    waits: list[int] = field(default_factory=lambda: [0] * (len(WAIT_BUCKETS) + 1))
    waited_seconds: float = 0.0
    refused: dict[str, int] = field(default_factory=lambda: {"full": 0, "caller": 0, "wait": 0})

    @property
    def bounds(self) -> Sequence[float]:
        """WAIT_BUCKETS."""
        return WAIT_BUCKETS


@dataclass(eq=False, slots=True)
class _Account:
    """used: virtual time, in seconds of cost. usual: what its work costs, averaged. held: units. waiting: how many stand in its
    lines."""

    key: str
    used: float
    usual: float = _FIRST_COST
    held: int = 0
    lines: tuple[deque[_Waiter], ...] = field(default_factory=lambda: tuple(deque() for _ in Cost))
    listed: list[bool] = field(default_factory=lambda: [False for _ in Cost])
    waiting: int = 0


@dataclass(eq=False, slots=True)
class _Waiter:
    account: _Account
    cost: Cost
    units: int
    since: float
    granted: asyncio.Future[Ticket]


class Ticket:
    """Something that was taken. Give it back once, with `release` or by leaving it as a context."""

    __slots__ = ("_charged", "_open", "_queue", "_settled", "_since", "account", "cost", "units")

    def __init__(
        self, queue: FairQueue, account: _Account, cost: Cost, units: int, charged: float, since: float
    ) -> None:
        self._queue, self.account, self.cost, self.units = queue, account, cost, units
        self._charged, self._since, self._open = charged, since, True
        self._settled: float | None = None

    def settle(self, seconds: float) -> None:
        """Say what the work has cost, when it is over before this can be given back."""
        self._settled = seconds

    def release(self, seconds: float | None = None) -> None:
        """Give it back. seconds: what the work has cost; what was settled, or else the time since it was taken, when not given.
        Again: does nothing."""
        if self._open:
            self._open = False
            spent = seconds if seconds is not None else self._settled
            self._queue._give_back(self, spent, self._charged, self._since)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class FairQueue:
    """room: units of which CHEAP work may hold all, USUAL and DEAR work together the second number, DEAR work the third.

    what: the things in messages, such as "schemas wait to be compiled". per_caller_units: most units that one caller may hold.
    setting: names the settings of the limits in messages. Belongs to one event loop.
    """

    def __init__(
        self,
        name: str,
        room: Sequence[int],
        limits: QueueLimits,
        *,
        what: str,
        setting: str,
        per_caller_units: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if len(room) != len(Cost) or list(room) != sorted(room, reverse=True):
            raise ValueError(f"room must be {len(Cost)} numbers, none greater than the one before: {room}")
        self.name, self.stats = name, QueueStats()
        self._room, self._limits, self._what, self._setting = tuple(room), limits, what, setting
        self._most_held = per_caller_units if per_caller_units is not None else room[0]
        self._clock = clock
        self._held = [0] * len(Cost)  # by work of this class or a dearer one
        self._waiting = 0
        self._now = 0.0  # virtual time: what the caller that was served last had used by then
        self._seconds = _FIRST_COST  # for how long something is kept, averaged
        self._accounts: dict[str, _Account] = {}
        self._heaps: tuple[list[tuple[float, int, _Account]], ...] = tuple([] for _ in Cost)
        self._numbers = itertools.count()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return self._waiting

    @property
    def held(self) -> int:
        """Units that are taken."""
        return self._held[0]

    @property
    def room(self) -> int:
        """Units that there are."""
        return self._room[0]

    def waiting_of(self, key: str) -> int:
        """How many of one caller wait."""
        account = self._accounts.get(key)
        return account.waiting if account is not None else 0

    def take_now(self, caller: Caller, cost: Cost = Cost.CHEAP, units: int = 1) -> Ticket | None:
        """Something, if there is room and nobody waits for it; None otherwise."""
        if not self._fits(cost, units):
            return None
        if self._waiting and any(self._head(Cost(c)) is not None for c in range(cost + 1)):
            return None
        account = self._account(caller)
        if not self._may_hold(account, units):
            return None
        return self._grant(account, cost, units, 0.0)

    async def take(self, caller: Caller, cost: Cost = Cost.CHEAP, units: int = 1) -> Ticket:
        """Something, once it is this caller's turn. Raises LimitExceeded, with when to try again, when too many wait, when one
        caller has too many waiting, or when the wait is or would be longer than the limit or the call's deadline."""
        ticket = self.take_now(caller, cost, units)
        if ticket is not None:
            return ticket
        patience = self._patience(caller)
        account = self._account(caller)
        try:
            self._admit(account, caller, patience)
        except LimitExceeded:
            self._forget(account)
            raise
        loop = asyncio.get_running_loop()
        waiter = _Waiter(account, cost, units, self._clock(), loop.create_future())
        account.lines[cost].append(waiter)
        account.waiting += 1
        self._waiting += 1
        self._list(account, cost)
        self._dispatch()
        timer = (
            loop.call_later(patience, self._give_up, waiter, patience) if math.isfinite(patience) else None
        )
        began = time.time_ns()
        try:
            ticket = await waiter.granted
            tracing.waited(f"queue {self.name}", began, {names.QUEUE: self.name})
            return ticket
        except asyncio.CancelledError:
            if waiter.granted.done() and not waiter.granted.cancelled():
                if waiter.granted.exception() is None:
                    waiter.granted.result().release(0.0)
            else:
                self._remove(waiter)
                self._dispatch()
            raise
        finally:
            if timer is not None:
                timer.cancel()
            self._forget(account)

    def retry_seconds(self) -> float:
        """When it is worth while to try again, as far as can be told."""
        turns = (self._waiting + 1) / max(1, self._room[0])
        return min(max(self._seconds * turns, _SHORTEST_RETRY), _LONGEST_RETRY)

    def refusal(self, why: str, message: str, **facts: str | int) -> LimitExceeded:
        """The error for a caller, counted."""
        self.stats.refused[why] += 1
        metadata: dict[str, Any] = {"queue": self.name, **facts}
        return LimitExceeded(message, retry_seconds=self.retry_seconds(), **metadata)

    # -- entering

    def _patience(self, caller: Caller) -> float:
        """Seconds that the caller may wait."""
        if not caller.key:
            return math.inf
        if caller.deadline is None:
            return self._limits.wait_seconds
        return min(self._limits.wait_seconds, caller.deadline - self._clock() - _MARGIN_SECONDS)

    def _admit(self, account: _Account, caller: Caller, patience: float) -> None:
        """Raises LimitExceeded when the caller need not begin to wait."""
        if not caller.key:
            return
        own = account.waiting
        if own >= self._limits.per_caller:
            raise self.refusal(
                "caller",
                f"{own} {self._what} for you already (setting queues.waiting_per_caller); try again later",
                limit=self._limits.per_caller,
            )
        if self._waiting >= self._limits.waiting and not self._make_place(own):
            raise self.refusal(
                "full",
                f"{self._waiting} {self._what} already (setting {self._setting}); try again later",
                limit=self._limits.waiting,
            )
        # All callers that wait get their turns alternately: our last one comes after as many rounds as we have waiting. A first
        # one always waits, for nobody knows what those before it cost.
        callers = sum(1 for _ in self._callers_waiting()) or 1
        expected = self._seconds * own * callers / max(1, self._room[0])
        if patience <= 0 or (own and expected > _CERTAIN * patience):
            raise self.refusal("wait", self._too_long(patience))

    def _make_place(self, own: int) -> bool:
        """Refuses the newest of the caller that has most waiting, if that is more than `own` + 1; whether it did."""
        longest = max(self._callers_waiting(), key=lambda account: account.waiting, default=None)
        if longest is None or not longest.key or longest.waiting <= own + 1:
            return False
        newest = max((line[-1] for line in longest.lines if line), key=lambda waiter: waiter.since)
        self._remove(newest)
        newest.granted.set_exception(
            self.refusal(
                "full",
                f"{self._limits.waiting} {self._what} already, most of them for you (setting {self._setting}); "
                "try again later",
                limit=self._limits.waiting,
            )
        )
        return True

    def _give_up(self, waiter: _Waiter, patience: float) -> None:
        if not waiter.granted.done():
            self._remove(waiter)
            waiter.granted.set_exception(self.refusal("wait", self._too_long(patience)))
            self._dispatch()

    def _too_long(self, patience: float) -> str:
        limit = "setting queues.wait_seconds" if patience >= self._limits.wait_seconds else "the deadline"
        return (
            f"{self._waiting} {self._what}, and it would not be your turn within {max(0.0, patience):.3g} s ({limit}); "
            "try again later"
        )

    def _remove(self, waiter: _Waiter) -> None:
        with suppress(ValueError):
            waiter.account.lines[waiter.cost].remove(waiter)
            waiter.account.waiting -= 1
            self._waiting -= 1

    # -- serving

    def _dispatch(self) -> None:
        """Gives what is free to those whose turn it is."""
        while self._waiting and (waiter := self._next()) is not None:
            waiter.account.lines[waiter.cost].popleft()
            waiter.account.waiting -= 1
            self._waiting -= 1
            waited = self._clock() - waiter.since
            waiter.granted.set_result(self._grant(waiter.account, waiter.cost, waiter.units, waited))

    def _next(self) -> _Waiter | None:
        """Of the first ones of each class for which there is room, the one whose caller has used least."""
        first: _Waiter | None = None
        for cost in Cost:
            waiter = self._head(cost)
            if waiter is None or not self._fits(cost, waiter.units):
                continue
            if first is None or waiter.account.used < first.account.used:
                first = waiter
        return first

    def _head(self, cost: Cost) -> _Waiter | None:
        """The waiter of this class whose caller has used least and may hold more."""
        heap = self._heaps[cost]
        while heap:
            used, _, account = heap[0]
            line = account.lines[cost]
            while line and line[0].granted.done():  # cancelled, and its task has not run since
                line.popleft()
                account.waiting -= 1
                self._waiting -= 1
            if not line or not self._may_hold(account, line[0].units):
                heapq.heappop(heap)
                account.listed[cost] = False
            elif used < account.used:  # it was charged meanwhile
                heapq.heapreplace(heap, (account.used, next(self._numbers), account))
            else:
                return line[0]
        return None

    def _list(self, account: _Account, cost: Cost) -> None:
        if account.lines[cost] and not account.listed[cost]:
            account.listed[cost] = True
            heapq.heappush(self._heaps[cost], (account.used, next(self._numbers), account))

    def _fits(self, cost: Cost, units: int) -> bool:
        for held, room in zip(self._held[: cost + 1], self._room, strict=False):
            if held + units > room:
                return False
        return True

    def _may_hold(self, account: _Account, units: int) -> bool:
        return not account.key or account.held + units <= self._most_held

    def _grant(self, account: _Account, cost: Cost, units: int, waited: float) -> Ticket:
        stats = self.stats
        if waited:
            stats.waits[bisect_left(WAIT_BUCKETS, waited)] += 1
            stats.waited_seconds += waited
        else:
            stats.waits[0] += 1
        for c in range(cost + 1):
            self._held[c] += units
        account.held += units
        if account.used > self._now:
            self._now = account.used
        account.used += account.usual
        return Ticket(self, account, cost, units, account.usual, self._clock())

    def _give_back(self, ticket: Ticket, seconds: float | None, charged: float, since: float) -> None:
        account, kept = ticket.account, self._clock() - since
        spent = kept if seconds is None else seconds
        account.used += spent - charged
        account.usual += (spent - account.usual) / 4
        self._seconds += (kept - self._seconds) / 16
        account.held -= ticket.units
        for c in range(ticket.cost + 1):
            self._held[c] -= ticket.units
        if self._waiting:
            for cost in Cost:
                self._list(account, cost)
            self._dispatch()
        self._forget(account)

    def _account(self, caller: Caller) -> _Account:
        account = self._accounts.get(caller.key)
        if account is None:
            account = self._accounts[caller.key] = _Account(caller.key, self._now)
        elif not account.held and not account.waiting:
            account.used = max(account.used, self._now)
        return account

    def _callers_waiting(self) -> Iterator[_Account]:
        return (account for account in self._accounts.values() if account.waiting)

    def _forget(self, account: _Account) -> None:
        """Forgets a caller that has nothing here and owes nothing; when many owe, all of them."""
        if account.held or account.waiting:
            return
        if account.used <= self._now:
            self._accounts.pop(account.key, None)
        elif len(self._accounts) > _MOST_IDLE_ACCOUNTS:
            self._accounts = {k: a for k, a in self._accounts.items() if a.held or a.waiting}


class Queues:
    """The queues of a server, for its metrics; `limits` are those of each unless it has its own."""

    def __init__(self, limits: QueueLimits | None = None) -> None:
        self.limits = limits or QueueLimits()
        self._queues: dict[str, FairQueue] = {}

    def add(self, queue: FairQueue) -> FairQueue:
        """Shows a queue, under its name."""
        self._queues[queue.name] = queue
        return queue

    def all(self) -> Mapping[str, FairQueue]:
        """The queues by name."""
        return self._queues
