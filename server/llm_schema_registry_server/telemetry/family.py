"""What a family of series is, and the list of all of them, which `families` fills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from .names import label

PREFIX = "schema_registry_"
Across = Literal["sum", "max", "min"]


@dataclass(frozen=True, slots=True)
class Family:
    """One family. `name` is what PromQL asks for: of a counter with `_total`, of a histogram without `_bucket` and the like.

    `area` groups it on the page of documentation; `optional` says with which setting it is there, "" when always. `across` says what a
    gauge is of several serving processes together (telemetry/pages.py); what counts is always the sum.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    meaning: str
    labels: tuple[str, ...]
    area: str
    optional: str = ""
    across: Across = "sum"

    @property
    def unit(self) -> str:
        """What it is measured in; "" for a number of things."""
        bare = self.name.removesuffix("_total")
        for unit in ("seconds", "bytes"):
            if bare.endswith(f"_{unit}"):
                return unit
        return ""

    def counter(self) -> CounterMetricFamily:
        """An empty family for a scrape."""
        assert self.kind == "counter", self.name
        return CounterMetricFamily(self.name.removesuffix("_total"), self.meaning, labels=self.labels)

    def gauge(self) -> GaugeMetricFamily:
        """An empty family for a scrape."""
        assert self.kind == "gauge", self.name
        return GaugeMetricFamily(self.name, self.meaning, labels=self.labels)

    def histogram(self) -> HistogramMetricFamily:
        """An empty family for a scrape."""
        assert self.kind == "histogram", self.name
        return HistogramMetricFamily(self.name, self.meaning, labels=self.labels)

    def one(self, value: float) -> CounterMetricFamily | GaugeMetricFamily:
        """The family with its only series; for one without labels."""
        made = self.counter() if self.kind == "counter" else self.gauge()
        made.add_metric((), value)
        return made


ALL: dict[str, Family] = {}
"""Every family by name, in the order of the page."""

_area = ""


def in_area(area: str) -> None:
    """The families that are made from now on belong to this part of the page."""
    global _area
    _area = area


def family(
    kind: Literal["counter", "gauge", "histogram"],
    name: str,
    meaning: str,
    labels: Sequence[str] = (),
    optional: str = "",
    across: Across = "sum",
) -> Family:
    """A new family, by its whole name."""
    assert name not in ALL, name
    made = ALL[name] = Family(name, kind, meaning, tuple(label(n) for n in labels), _area, optional, across)
    return made


def counter(name: str, meaning: str, *labels: str, optional: str = "") -> Family:
    """A new counter, by its name without the prefix."""
    return family("counter", f"{PREFIX}{name}", meaning, labels, optional)


def gauge(name: str, meaning: str, *labels: str, optional: str = "", across: Across = "sum") -> Family:
    """A new gauge, by its name without the prefix."""
    return family("gauge", f"{PREFIX}{name}", meaning, labels, optional, across)


def histogram(name: str, meaning: str, *labels: str, optional: str = "") -> Family:
    """A new histogram, by its name without the prefix."""
    return family("histogram", f"{PREFIX}{name}", meaning, labels, optional)
