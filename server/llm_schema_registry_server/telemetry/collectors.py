"""Families made of what parts of the server count by themselves, so that noting costs them nothing. Called at each scrape."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from prometheus_client.core import Metric

from . import families as f
from . import logs
from .cells import Histogram
from .family import Family

BREAKER_OPEN = "breaker_open"
_COUNT_TASKS_SECONDS = 5.0
"""Visiting all tasks takes the interpreter from the event loop for a moment."""


class AnswerCacheCounts(Protocol):
    """What calls/answer_cache.py counts."""

    @property
    def misses(self) -> int: ...
    @property
    def refused(self) -> int: ...
    @property
    def entries(self) -> int: ...
    @property
    def bytes(self) -> int: ...


class MemoryCounts(Protocol):
    """What caches/memory.py counts."""

    @property
    def evictions(self) -> int: ...
    @property
    def entries(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def limit(self) -> int: ...


class UnreadCounts(Protocol):
    """What transports/unread.py counts."""

    @property
    def held(self) -> int: ...
    @property
    def ended(self) -> int: ...


class UsageReadings(Protocol):
    """What registry/usage.py counts."""

    @property
    def recorded(self) -> int: ...
    @property
    def dropped(self) -> int: ...
    @property
    def waiting(self) -> int: ...


class ObservedReadings(Protocol):
    """What registry/observing.py reads."""

    @property
    def drops(self) -> int: ...
    @property
    def behind(self) -> int: ...
    @property
    def pending(self) -> int: ...


class FeedReadings(Protocol):
    """What registry/changes.py knows of itself."""

    @property
    def position(self) -> int: ...
    @property
    def offered(self) -> int: ...
    @property
    def subscribers(self) -> int: ...
    @property
    def trouble(self) -> str: ...


class PoolCounts(Protocol):
    """Connections of a pool."""

    @property
    def idle(self) -> int: ...
    @property
    def used(self) -> int: ...
    @property
    def most(self) -> int: ...


class ComponentCounts(Protocol):
    """A component of the health report."""

    @property
    def up(self) -> float: ...
    @property
    def facts(self) -> Mapping[str, float]: ...


def answer_cache(counts: AnswerCacheCounts) -> Iterable[Metric]:
    yield f.ANSWER_MISSES.one(counts.misses)
    yield f.ANSWERS_REFUSED.one(counts.refused)
    yield f.ANSWER_ENTRIES.one(counts.entries)
    yield f.ANSWER_BYTES.one(counts.bytes)


def tiers(read: Mapping[str, Mapping[str, int]]) -> Iterable[Metric]:
    lookups, breakers = f.LOOKUPS.counter(), f.BREAKER_OPEN.gauge()
    for cache, counts in read.items():
        for outcome, count in counts.items():
            if outcome == BREAKER_OPEN:
                breakers.add_metric((cache,), count)
            else:
                lookups.add_metric((cache, outcome), count)
    return lookups, breakers


def memories(read: Mapping[str, MemoryCounts]) -> Iterable[Metric]:
    entries, sizes, limits = f.CACHE_ENTRIES.gauge(), f.CACHE_BYTES.gauge(), f.CACHE_LIMIT.gauge()
    evictions = f.CACHE_EVICTIONS.counter()
    for cache, counts in read.items():
        entries.add_metric((cache,), counts.entries)
        sizes.add_metric((cache,), counts.size)
        limits.add_metric((cache,), counts.limit)
        evictions.add_metric((cache,), counts.evictions)
    return entries, sizes, limits, evictions


def counted(family: Family, counts: Mapping[str, float]) -> Iterable[Metric]:
    """Counters with one label."""
    made = family.counter()
    for label, count in counts.items():
        made.add_metric((label,), count)
    yield made


def gauged(family: Family, values: Mapping[str, float]) -> Iterable[Metric]:
    """Gauges with one label."""
    made = family.gauge()
    for label, value in values.items():
        made.add_metric((label,), value)
    yield made


def one_histogram(family: Family, cell: Histogram) -> Iterable[Metric]:
    """A histogram without labels."""
    made = family.histogram()
    cell.add_to(made, ())
    yield made


def unread(counts: UnreadCounts) -> Iterable[Metric]:
    yield f.UNREAD_BYTES.one(counts.held)
    yield f.UNREAD_STREAMS_ENDED.one(counts.ended)


def usage(counts: UsageReadings) -> Iterable[Metric]:
    yield from counted(f.USAGE, {"recorded": counts.recorded, "dropped": counts.dropped})
    yield f.USAGE_WAITING.one(counts.waiting)


def observed(read: ObservedReadings | None, *, watched: bool) -> Iterable[Metric]:
    """watched: whether the dialect watch is on."""
    if read is not None:
        yield f.CONFORMANCE_DROPS.one(read.drops)
        if watched:
            yield f.DIALECT_BEHIND.one(read.behind)
            yield f.DIALECT_PENDING.one(read.pending)


def components(read: Mapping[str, ComponentCounts]) -> Iterable[Metric]:
    up, facts = f.COMPONENT_UP.gauge(), f.COMPONENT_FACT.gauge()
    for component, part in read.items():
        up.add_metric((component,), part.up)
        for fact, value in part.facts.items():
            facts.add_metric((component, fact), value)
    return up, facts


def feed(read: FeedReadings) -> Iterable[Metric]:
    yield f.CHANGE_LAG.one(max(0, read.position - read.offered))
    yield f.SUBSCRIBERS.one(read.subscribers)
    yield f.CHANGE_LOG_READABLE.one(0 if read.trouble else 1)


_STATES = {"processes": "all", "busy": "busy", "slow": "slow"}
_EVENTS = ("started", "not_started", "crashed", "timed_out", "held_off")


def workers(facts: Mapping[str, str]) -> Iterable[Metric]:
    numbers = {name: float(value) for name, value in facts.items() if value.isdecimal()}
    yield from gauged(f.WORKERS, {_STATES[n]: v for n, v in numbers.items() if n in _STATES})
    yield from counted(f.WORKER_EVENTS, {n: v for n, v in numbers.items() if n in _EVENTS})


def pools(read: Mapping[str, PoolCounts]) -> Iterable[Metric]:
    count, most = f.DB_CONNECTIONS.gauge(), f.DB_CONNECTIONS_MAX.gauge()
    for pool, counts in read.items():
        count.add_metric((pool, "idle"), counts.idle)
        count.add_metric((pool, "used"), counts.used)
        most.add_metric((pool,), counts.most)
    return count, most


def log_lines() -> Iterable[Metric]:
    yield from counted(f.LOG_LINES, logs.written())
    yield f.LOG_LINES_LEFT_OUT.one(logs.left_out())


class LoopTasks:
    """Counts the tasks of an event loop, now and then."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Callable[[], float] = time.monotonic) -> None:
        self._loop, self._clock = loop, clock
        self._at, self._tasks = float("-inf"), 0

    def collect(self) -> Iterable[Metric]:
        now = self._clock()
        if now - self._at >= _COUNT_TASKS_SECONDS:
            try:
                self._tasks, self._at = len(asyncio.all_tasks(self._loop)), now
            except RuntimeError:  # they came and went too fast to be visited: the count before stays
                self._at = now
        yield f.TASKS.one(self._tasks)
        yield f.THREADS.one(threading.active_count())
