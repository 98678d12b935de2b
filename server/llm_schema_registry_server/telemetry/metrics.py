"""Every series that a server exports, on one page. What they mean is in `families`; what callers cause is noted as plain numbers
(`cells`, `calls`, `http_requests`, `work`), and parts that count by themselves are read at each scrape (`collectors`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from ..model.health import ComponentStatus, HealthReport
from ..model.statistics import Statistics
from . import collectors as c
from . import families as f
from .calls import Calls
from .cells import Counts, Histogram
from .family import Family
from .http_requests import HttpRequests
from .loop_watch import Waits, collect_loop
from .queues import Queue, collect_queues
from .statistics import collect_statistics
from .tls import Fronted, collect_tls
from .work import Operations, Work

BREAKER_OPEN = c.BREAKER_OPEN


@dataclass(frozen=True, slots=True)
class ComponentReading:
    """A component of the health report: 1 for UP, 0.5 for DEGRADED, 0 for DOWN; and its facts that are numbers."""

    up: float
    facts: Mapping[str, float]


_UP = {ComponentStatus.UP: 1.0, ComponentStatus.DEGRADED: 0.5, ComponentStatus.DOWN: 0.0}


def components_of(report: HealthReport | None) -> Mapping[str, ComponentReading]:
    """The components of a report."""
    components = report.components if report is not None else {}
    return {
        name: ComponentReading(
            _UP[c.status], {fact: float(v) for fact, v in c.details.items() if v.isdecimal()}
        )
        for name, c in components.items()
    }


class Metrics:
    """The series of one server, in a registry of their own. `calls`, `requests`, `work`, `operations`, `changes` and `change_delay`
    are where parts note what happens."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.calls, self.requests = Calls(), HttpRequests()
        self.work, self.operations = Work(), Operations()
        self.changes, self.change_delay = Counts(f.CHANGES), Histogram()
        for part in (self.calls, self.requests, self.work, self.operations, self.changes):
            self.read(part.collect)
        self.read(lambda: c.one_histogram(f.CHANGE_DELAY, self.change_delay))
        self.read(c.log_lines)
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)

        self.revision = self._gauge(f.REVISION)
        self.build_info = self._gauge(f.BUILD_INFO)
        self.warming_seconds = self._gauge(f.WARMING_SECONDS)
        self.warmed_schemas = self._gauge(f.WARMED_SCHEMAS)

    def _gauge(self, family: Family) -> Gauge:
        return Gauge(family.name, family.meaning, family.labels, registry=self.registry)

    def read(self, collect: Callable[[], Iterable[Metric]]) -> None:
        """Exports the families that `collect` makes, at each scrape; in a thread of its own."""
        self.registry.register(_Reading(collect))

    def read_answer_cache(self, read: Callable[[], c.AnswerCacheCounts]) -> None:
        """Exports the counters of the answer cache."""
        self.read(lambda: c.answer_cache(read()))

    def read_queues(self, read: Callable[[], Mapping[str, Queue]]) -> None:
        """Exports the queues by name: how many wait, how long they waited, how many were refused and why."""
        self.read(lambda: collect_queues(read()))

    def read_tiers(self, read: Callable[[], Mapping[str, Mapping[str, int]]]) -> None:
        """Exports look-ups by cache and outcome (`hit`, `miss`, ...), and the state of breakers (outcome `breaker_open`,
        0 or 1)."""
        self.read(lambda: c.tiers(read()))

    def read_memories(self, read: Callable[[], Mapping[str, c.MemoryCounts]]) -> None:
        """Exports what caches hold in memory, by name."""
        self.read(lambda: c.memories(read()))

    def read_usage(self, read: Callable[[], c.UsageReadings]) -> None:
        """Exports how many counted uses were recorded or dropped."""
        self.read(lambda: c.usage(read()))

    def read_observed(self, read: Callable[[], c.ObservedReadings | None], *, watched: bool) -> None:
        """Exports numbers of the store that this server has read. watched: whether the dialect watch is on."""
        self.read(lambda: c.observed(read(), watched=watched))

    def read_unreadable(self, read: Callable[[], Mapping[str, int]]) -> None:
        """Exports how often lists went on without a row that cannot be decoded, by table."""
        self.read(lambda: c.counted(f.UNREADABLE, read()))

    def read_unread(self, read: Callable[[], c.UnreadCounts]) -> None:
        """Exports what readers of streams leave unread."""
        self.read(lambda: c.unread(read()))

    def read_tls(self, read: Callable[[], Sequence[Fronted]]) -> None:
        """Exports handshakes and connections of listeners that speak TLS."""
        self.read(lambda: collect_tls(read()))

    def read_loop(self, late: Waits, busy: Waits) -> None:
        """Exports how late the event loop came to its turns."""
        self.read(lambda: collect_loop(late, busy))

    def read_statistics(self, read: Callable[[], Statistics | None]) -> None:
        """Exports the newest statistics of the registry that this server has read."""
        self.read(lambda: collect_statistics(read()))

    def read_components(self, read: Callable[[], Mapping[str, ComponentReading]]) -> None:
        """Exports the state of the components of the newest health report."""
        self.read(lambda: c.components(read()))

    def read_feed(self, read: Callable[[], c.FeedReadings]) -> None:
        """Exports how far the change feed is behind, and who reads it."""
        self.read(lambda: c.feed(read()))

    def read_workers(self, read: Callable[[], Mapping[str, str]]) -> None:
        """Exports the facts of the worker processes."""
        self.read(lambda: c.workers(read()))

    def read_pools(self, read: Callable[[], Mapping[str, c.PoolCounts]]) -> None:
        """Exports connections by pool."""
        self.read(lambda: c.pools(read()))

    def page(self) -> bytes:
        """The exposition text, as /metrics answers it."""
        return generate_latest(self.registry)


class _Reading(Collector):
    """Families that are made when they are asked for."""

    def __init__(self, collect: Callable[[], Iterable[Metric]]) -> None:
        self._collect = collect

    def collect(self) -> Iterable[Metric]:
        return self._collect()

    def describe(self) -> Iterable[Metric]:
        return ()
