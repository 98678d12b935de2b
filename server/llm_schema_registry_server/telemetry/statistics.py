"""What the registry holds, as series. All servers of a store export the same numbers: take the maximum, not the sum."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ..model.statistics import Statistics


class StatisticsCollector(Collector):
    """Series of the newest statistics; none as long as there are none."""

    def __init__(self, read: Callable[[], Statistics | None]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        s = self._read()
        if s is None:
            return
        yield _gauge("subjects", "Subjects with a live version.", s.subjects)
        yield _labelled(
            "versions", "Live versions by state.", "state", {k.name: n for k, n in s.by_state.items()}
        )
        yield _labelled(
            "versions_by_type", "Live versions by type.", "type", {k.name: n for k, n in s.by_type.items()}
        )
        yield _gauge("versions_deleted", "Softly deleted versions.", s.deleted_versions)
        yield _gauge("contents", "Distinct contents.", s.contents.count)
        yield _labelled(
            "content_bytes",
            "Bytes of distinct contents as they were sent, by where they are.",
            "where",
            {
                "storage": s.contents.size - s.contents.elsewhere,
                "object_store": s.contents.elsewhere,
            },
        )
        yield _gauge("log_changes", "Changes in the change log.", s.log.changes)
        yield _gauge(
            "statistics_timestamp_seconds",
            "When these were counted, in seconds since 1970; their age is time() minus this.",
            s.at.timestamp(),
        )

    def describe(self) -> Iterable[Metric]:
        return ()


def _gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"schema_registry_{name}", meaning, value=value)


def _labelled(name: str, meaning: str, label: str, values: dict[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"schema_registry_{name}", meaning, labels=(label,))
    for value, count in values.items():
        family.add_metric((value,), count)
    return family
