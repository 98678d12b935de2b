"""The second, optional set of names: those that Confluent's own dashboards for its schema registry ask for (`schema-registry-cluster`
of confluentinc/jmx-monitoring-stacks, for its JMX exporter and for its Kubernetes operator), so that a team that moves here keeps its panels.

Rates and quantiles are ready-made there: here they are taken between two scrapes that are at least WINDOW_SECONDS apart.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate

from prometheus_client.core import Metric

from ..model.statistics import Statistics
from . import families as f
from .calls import Calls
from .cells import SECONDS
from .collectors import gauged
from .http_requests import HttpRequests

WINDOW_SECONDS = 30.0
_MOST_READINGS = 1000
_TYPES = {"JSON_SCHEMA": "json"}


class ConfluentNames:
    """Makes the families of one server. statistics: the newest, None as long as there are none."""

    def __init__(
        self,
        calls: Calls,
        requests: HttpRequests,
        statistics: Callable[[], Statistics | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._calls, self._requests, self._statistics, self._clock = calls, requests, statistics, clock
        nothing = (0,) * (len(SECONDS) + 1)
        self._readings: deque[tuple[float, tuple[int, ...]]] = deque([(clock(), nothing)], _MOST_READINGS)

    def collect(self) -> Iterable[Metric]:
        """The families for a scrape."""
        yield from self._kept()
        failed = good = 0
        durations = [0] * (len(SECONDS) + 1)
        for (_, _, status), cell in self._requests.items():
            counts = tuple(cell.counts)
            durations = [a + b for a, b in zip(durations, counts, strict=True)]
            if status >= 400:
                failed += sum(counts)
            else:
                good += sum(counts)
        yield f.K_SUCCESS.one(good)
        yield f.K_FAILURE.one(failed)
        seconds, news = self._since_before(tuple(durations))
        yield f.K_RATE.one(sum(news) / seconds)
        yield f.K_LATENCY.one(1000 * quantile(0.99, news))
        running = sum(series.running for _, series in self._calls.items())
        yield f.K_CONNECTIONS.one(running)
        yield f.K_ACTIVE.one(running)
        yield f.K_ROLE.one(1)

    def _kept(self) -> Iterable[Metric]:
        s = self._statistics()
        if s is None:
            return
        by_type = {_TYPES.get(k.name, k.name.lower()): n for k, n in s.by_type.items()}
        yield f.K_REGISTERED.one(sum(by_type.values()) + s.deleted_versions)
        yield f.K_DELETED.one(s.deleted_versions)
        yield from gauged(f.K_CREATED, by_type)
        yield from gauged(f.K_SCHEMAS_DELETED, {"all": s.deleted_versions})

    def _since_before(self, now: tuple[int, ...]) -> tuple[float, Sequence[int]]:
        """How long ago the newest reading was that is old enough, and what has been added since."""
        at = self._clock()
        while len(self._readings) > 1 and at - self._readings[1][0] >= WINDOW_SECONDS:
            self._readings.popleft()
        then, before = self._readings[0]
        self._readings.append((at, now))
        return max(at - then, 1e-3), [a - b for a, b in zip(now, before, strict=True)]


def quantile(q: float, counts: Sequence[int]) -> float:
    """The upper bound of the class in which the quantile lies; 0 for nothing, the last bound for what is above all."""
    total = sum(counts)
    if not total:
        return 0.0
    place = bisect_left(list(accumulate(counts)), q * total)
    return SECONDS[min(place, len(SECONDS) - 1)]
