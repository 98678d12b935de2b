"""Every series that a server exports, on one page.

Names start with `schema_registry_`; durations are seconds, sizes bytes. A label never holds a subject, an id or
anything else that callers choose: the number of series is bounded by the number of RPCs, codes and components.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from ..model.health import ComponentStatus, HealthReport
from ..model.statistics import Statistics
from .loop_watch import LoopCollector, Waits
from .queues import Queue, QueueCollector
from .statistics import StatisticsCollector

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


BREAKER_OPEN = "breaker_open"


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
    """The series of one server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry

        # Calls: written by calls/guards/observe.py.
        self.calls = Counter(
            "schema_registry_calls_total",
            "Finished calls that passed all guards in full; schema_registry_answer_cache_hits_total counts the others.",
            ("method", "wire", "code"),
            registry=r,
        )
        self.call_seconds = Histogram(
            "schema_registry_call_seconds",
            "Duration of unary calls that passed all guards in full.",
            ("method", "wire"),
            buckets=_SECONDS,
            registry=r,
        )
        self.calls_in_flight = Gauge(
            "schema_registry_calls_in_flight", "Unary calls running now.", ("wire",), registry=r
        )
        self.streams_open = Gauge(
            "schema_registry_streams_open", "Streams open now.", ("method", "wire"), registry=r
        )

        # Parts below the calls: set by the composition root.
        self.revision = Gauge(
            "schema_registry_revision", "Sequence of the last change that this server has seen.", registry=r
        )
        self.build_info = Gauge(
            "schema_registry_build_info", "Always 1; the version is the label.", ("version",), registry=r
        )

        self.warming_seconds = Gauge(
            "schema_registry_warming_seconds", "How long warming took when the server started.", registry=r
        )
        self.warmed_schemas = Gauge(
            "schema_registry_warmed_schemas", "Versions that were loaded by then.", registry=r
        )

    def read_answered(self, read: Callable[[], Mapping[tuple[str, str], int]]) -> None:
        """Exports how many cached answers went out at once, by operation and face, read at each scrape."""
        self.registry.register(_AnsweredCollector(read))

    def read_answer_cache(self, read: Callable[[], AnswerCacheCounts]) -> None:
        """Exports the counters of the answer cache, read at each scrape."""
        self.registry.register(_HotCollector(read))

    def read_queues(self, read: Callable[[], Mapping[str, Queue]]) -> None:
        """Exports the queues by name, read at each scrape: how many wait, how long they waited, how many were refused and why."""
        self.registry.register(QueueCollector(read))

    def read_tiers(self, read: Callable[[], Mapping[str, Mapping[str, int]]]) -> None:
        """Exports look-ups by cache and outcome (`hit`, `miss`, ...), and the state of breakers (outcome `breaker_open`,
        0 or 1), read at each scrape."""
        self.registry.register(_TierCollector(read))

    def read_usage(self, read: Callable[[], UsageReadings]) -> None:
        """Exports how many counted uses were recorded or dropped, read at each scrape."""
        self.registry.register(_UsageCollector(read))

    def read_unreadable(self, read: Callable[[], Mapping[str, int]]) -> None:
        """Exports how often lists went on without a row that cannot be decoded, by table, read at each scrape."""
        self.registry.register(_UnreadableCollector(read))

    def read_unread(self, read: Callable[[], UnreadCounts]) -> None:
        """Exports what readers of streams leave unread, read at each scrape."""
        self.registry.register(_UnreadCollector(read))

    def read_loop(self, late: Waits, busy: Waits) -> None:
        """Exports how late the event loop came to its turns, read at each scrape."""
        self.registry.register(LoopCollector(late, busy))

    def read_statistics(self, read: Callable[[], Statistics | None]) -> None:
        """Exports the newest statistics of the registry that this server has read, at each scrape."""
        self.registry.register(StatisticsCollector(read))

    def read_components(self, read: Callable[[], Mapping[str, ComponentReading]]) -> None:
        """Exports the state of the components of the newest health report, at each scrape."""
        self.registry.register(_PartCollector(read))

    def page(self) -> bytes:
        """The exposition text, as /metrics answers it."""
        return generate_latest(self.registry)


class _AnsweredCollector(Collector):
    """Reads counts that the hot path keeps as plain integers, so that a call pays nothing for them."""

    def __init__(self, read: Callable[[], Mapping[tuple[str, str], int]]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        answered = CounterMetricFamily(
            "schema_registry_answer_cache_hits",
            "Calls answered at once from cached bytes.",
            labels=("method", "wire"),
        )
        for (operation, face), value in tuple(self._read().items()):
            answered.add_metric((operation, face), value)
        yield answered

    def describe(self) -> Iterable[Metric]:
        return ()


class _HotCollector(Collector):
    """Reads what the answer cache counts by itself."""

    def __init__(self, read: Callable[[], AnswerCacheCounts]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        counts = self._read()
        yield CounterMetricFamily(
            "schema_registry_answer_cache_misses", "Look-ups without an answer.", value=counts.misses
        )
        yield CounterMetricFamily(
            "schema_registry_answer_cache_refused",
            "Answers not cached: stale, too big, dependent on nothing.",
            value=counts.refused,
        )
        yield GaugeMetricFamily(
            "schema_registry_answer_cache_entries", "Answers cached now.", value=counts.entries
        )
        yield GaugeMetricFamily(
            "schema_registry_answer_cache_bytes", "Bytes of cached answers now.", value=counts.bytes
        )

    def describe(self) -> Iterable[Metric]:
        return ()


class _TierCollector(Collector):
    """Reads what the caches count by themselves."""

    def __init__(self, read: Callable[[], Mapping[str, Mapping[str, int]]]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        lookups = CounterMetricFamily(
            "schema_registry_cache_lookups", "Look-ups by cache and outcome.", labels=("cache", "outcome")
        )
        breakers = GaugeMetricFamily(
            "schema_registry_breaker_open",
            "1 while the service behind a tier is left alone because it failed repeatedly.",
            labels=("tier",),
        )
        for cache, counts in self._read().items():
            for outcome, count in counts.items():
                if outcome == BREAKER_OPEN:
                    breakers.add_metric((cache,), count)
                else:
                    lookups.add_metric((cache, outcome), count)
        yield lookups
        yield breakers

    def describe(self) -> Iterable[Metric]:
        return ()


class _UnreadableCollector(Collector):
    """What lists, searches and the change feed had to leave out."""

    def __init__(self, read: Callable[[], Mapping[str, int]]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        left_out = CounterMetricFamily(
            "schema_registry_unreadable_rows",
            "How often a list, a search, an export or the change feed went on without a row that cannot be read.",
            labels=("table",),
        )
        for table, count in self._read().items():
            left_out.add_metric((table,), count)
        yield left_out

    def describe(self) -> Iterable[Metric]:
        return ()


class _UnreadCollector(Collector):
    """Reads what waits for readers of streams."""

    def __init__(self, read: Callable[[], UnreadCounts]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        counts = self._read()
        yield GaugeMetricFamily(
            "schema_registry_unread_bytes", "Bytes that readers of streams have not taken.", value=counts.held
        )
        yield CounterMetricFamily(
            "schema_registry_unread_streams_ended",
            "Streams that were ended because their callers left too many bytes unread.",
            value=counts.ended,
        )

    def describe(self) -> Iterable[Metric]:
        return ()


class _UsageCollector(Collector):
    """Reads what the recorder of usage counts by itself."""

    def __init__(self, read: Callable[[], UsageReadings]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        counts = self._read()
        uses = CounterMetricFamily(
            "schema_registry_usage",
            "Reads and validations of schemas that were counted in the storage, or given up.",
            labels=("outcome",),
        )
        uses.add_metric(("recorded",), counts.recorded)
        uses.add_metric(("dropped",), counts.dropped)
        yield uses
        yield GaugeMetricFamily(
            "schema_registry_usage_waiting",
            "Schemas whose counts wait for the storage.",
            value=counts.waiting,
        )

    def describe(self) -> Iterable[Metric]:
        return ()


class _PartCollector(Collector):
    """The newest health report as series: which components are up, and each of their facts that is a number."""

    def __init__(self, read: Callable[[], Mapping[str, ComponentReading]]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        up = GaugeMetricFamily(
            "schema_registry_component_up",
            "1 when the component is UP, 0.5 DEGRADED, 0 DOWN.",
            labels=("component",),
        )
        facts = GaugeMetricFamily(
            "schema_registry_component_fact",
            "A number from the health report of a component: versions, bytes, busy workers, subscribers ...",
            labels=("component", "fact"),
        )
        for component, part in self._read().items():
            up.add_metric((component,), part.up)
            for fact, value in part.facts.items():
                facts.add_metric((component, fact), value)
        yield up
        yield facts

    def describe(self) -> Iterable[Metric]:
        return ()
