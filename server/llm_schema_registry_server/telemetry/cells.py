"""Histograms and counters as plain numbers, which cost a fraction of a microsecond to note and are made into series at a scrape.

Each belongs to the thread that notes; another one may read it at any time, and then sees each list as it was at one moment.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.samples import Exemplar

from .family import Family

Labels = tuple[str, ...]

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the classes of durations: those of the semantic conventions, and those of our objectives (5, 10 and 25 ms)."""
BYTES = (128.0, 1024.0, 8192.0, 65536.0, 524288.0, 4194304.0, 33554432.0)
"""Upper bounds of the classes of sizes."""

MOST_SERIES = 2000
"""Label sets of one family; what would be more is noted under OTHER. No family has values that callers choose, and none comes near."""
OTHER = "other"


class Histogram:
    """The observations of one label set: how many of each class (the last: above all bounds), and their sum."""

    __slots__ = ("bounds", "counts", "exemplars", "sum")

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0
        self.exemplars: dict[int, Exemplar] = {}

    def observe(self, value: float, traceparent: str = "") -> None:
        """Notes one. traceparent: the span in which it was measured (W3C Trace Context), which the series then names."""
        place = bisect_left(self.bounds, value)
        self.counts[place] += 1
        self.sum += value
        if traceparent:
            _, trace_id, span_id, _ = traceparent.split("-")
            self.exemplars[place] = Exemplar({"trace_id": trace_id, "span_id": span_id}, value, time.time())

    @property
    def count(self) -> int:
        """How many were noted."""
        return sum(self.counts)

    def add_to(self, family: HistogramMetricFamily, labels: Labels) -> None:
        """Adds its series to a family."""
        add_histogram(family, labels, self.bounds, tuple(self.counts), self.sum, self.exemplars)


def add_histogram(
    family: HistogramMetricFamily,
    labels: Labels,
    bounds: Sequence[float],
    counts: Sequence[int],
    total: float,
    exemplars: dict[int, Exemplar] | None = None,
) -> None:
    """Adds the series of classes and their sum to a family. counts: of each class, not cumulated."""
    exemplars = exemplars or {}
    edges = (*map(_edge, bounds), "+Inf")
    buckets: list[tuple[str, float] | tuple[str, float, Exemplar]] = []
    for place, (edge, cumulated) in enumerate(zip(edges, accumulate(counts), strict=True)):
        exemplar = exemplars.get(place)
        buckets.append((edge, cumulated) if exemplar is None else (edge, cumulated, exemplar))
    family.add_metric(labels, buckets, total)


def _edge(bound: float) -> str:
    return str(float(bound))


class Histograms:
    """The histograms of a family by labels."""

    def __init__(self, family: Family, bounds: Sequence[float] = SECONDS) -> None:
        self.family = family
        self._bounds = bounds
        self._cells: dict[Labels, Histogram] = {}

    def of(self, *labels: str) -> Histogram:
        """The histogram of a label set."""
        cell = self._cells.get(labels)
        if cell is None:
            if len(self._cells) >= MOST_SERIES:
                labels = (OTHER,) * len(labels)
            cell = self._cells.setdefault(labels, Histogram(self._bounds))
        return cell

    def items(self) -> Iterator[tuple[Labels, Histogram]]:
        """What was noted, by labels."""
        return iter(tuple(self._cells.items()))

    def collect(self) -> Iterable[Metric]:
        """The family for a scrape."""
        made = self.family.histogram()
        for labels, cell in self.items():
            cell.add_to(made, labels)
        yield made


class Counts:
    """The counters of a family by labels."""

    def __init__(self, family: Family) -> None:
        self.family = family
        self._cells: dict[Labels, float] = {}

    def add(self, *labels: str, by: float = 1) -> None:
        """Counts one, or `by`."""
        have = self._cells.get(labels)
        if have is None:
            if len(self._cells) >= MOST_SERIES:
                labels = (OTHER,) * len(labels)
            have = self._cells.get(labels, 0)
        self._cells[labels] = have + by

    def items(self) -> Iterator[tuple[Labels, float]]:
        """What was counted, by labels."""
        return iter(tuple(self._cells.items()))

    def total(self) -> float:
        """All of it."""
        return sum(count for _, count in self.items())

    def collect(self) -> Iterable[Metric]:
        """The family for a scrape."""
        made: CounterMetricFamily = self.family.counter()
        for labels, count in self.items():
            made.add_metric(labels, count)
        yield made
