"""The series of the queues in which callers wait."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector


class Counts(Protocol):
    """What a queue counts: see queues/fair_queue.py, QueueStats."""

    @property
    def waits(self) -> Sequence[int]: ...
    @property
    def waited_seconds(self) -> float: ...
    @property
    def refused(self) -> Mapping[str, int]: ...
    @property
    def bounds(self) -> Sequence[float]: ...


class Queue(Protocol):
    """A queue as it is now."""

    @property
    def waiting(self) -> int: ...
    @property
    def held(self) -> int: ...
    @property
    def stats(self) -> Counts: ...


class QueueCollector(Collector):
    """Reads what the queues count by themselves. Labels are the names of queues and reasons, which callers do not choose."""

    def __init__(self, read: Callable[[], Mapping[str, Queue]]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        waiting = GaugeMetricFamily(
            "schema_registry_queue_waiting", "Calls that wait now.", labels=("queue",)
        )
        held = GaugeMetricFamily(
            "schema_registry_queue_held",
            "What is in use now of that which callers wait for: processes, readers, bytes.",
            labels=("queue",),
        )
        waits = HistogramMetricFamily(
            "schema_registry_queue_wait_seconds",
            "How long those waited who got what they waited for.",
            labels=("queue",),
        )
        refused = CounterMetricFamily(
            "schema_registry_queue_refused",
            "Calls refused: full, too many of one caller, or too long a wait.",
            labels=("queue", "why"),
        )
        for name, queue in self._read().items():
            stats = queue.stats
            waiting.add_metric((name,), queue.waiting)
            held.add_metric((name,), queue.held)
            bounds = [*map(str, stats.bounds), "+Inf"]
            buckets = list(zip(bounds, itertools.accumulate(stats.waits), strict=True))
            waits.add_metric((name,), buckets, stats.waited_seconds)
            for why, count in stats.refused.items():
                refused.add_metric((name, why), count)
        yield from (waiting, held, waits, refused)

    def describe(self) -> Iterable[Metric]:
        return ()
