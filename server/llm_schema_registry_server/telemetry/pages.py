"""The pages of series of several serving processes as one: as data that they hand to each other, and put together.

What counts is summed, also of processes that have ended, so that it never goes back; what is now is the sum, the largest or the smallest of
those that are there, as each family says (Family.across).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import orjson
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.samples import Exemplar, Sample

from .families import ALL

_COUNTS = frozenset({"counter", "histogram"})
_COMBINED: Mapping[str, Callable[[float, float], float]] = {
    "sum": lambda a, b: a + b,
    "max": max,
    "min": min,
}

Labels = tuple[tuple[str, str], ...]


class DamagedPage(ValueError):
    """Bytes that are no page."""


def dumped(families: Iterable[Metric]) -> bytes:
    """A page as another process, also one of another version, can read it."""
    return orjson.dumps([[f.name, f.type, f.documentation, [_plain(s) for s in f.samples]] for f in families])


def _plain(sample: Sample) -> list[Any]:
    plain = [sample.name, sample.labels, sample.value]
    if sample.exemplar is not None:
        plain.append([sample.exemplar.labels, sample.exemplar.value, sample.exemplar.timestamp])
    return plain


class MergedPage:
    """Pages that are added one by one; afterwards `families` are those of all."""

    def __init__(self) -> None:
        self._families: dict[str, _Merged] = {}

    def add(self, page: bytes, *, ended: bool = False) -> None:
        """A page that `dumped` made. ended: its process is gone, and only what it has counted counts. Raises DamagedPage, and then adds
        nothing."""
        try:
            read = [(*row[:3], [_sample(*plain) for plain in row[3]]) for row in orjson.loads(page)]
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise DamagedPage(f"not a page of series: {error}") from error
        for name, kind, meaning, samples in read:
            if ended and kind not in _COUNTS:
                continue
            merged = self._families.get(name)
            if merged is None:
                merged = self._families[name] = _Merged(name, kind, meaning)
            for labels, sample in samples:
                merged.add(labels, sample)

    def families(self) -> Iterator[Metric]:
        """The families of all pages."""
        return (merged.metric() for merged in self._families.values())


def _sample(name: str, labels: dict[str, str], value: float, exemplar: Any = None) -> tuple[Labels, Sample]:
    found = None if exemplar is None else Exemplar(*exemplar)
    # JSON has no NaN, which orjson writes as null.
    number = math.nan if value is None else float(value)
    return tuple(sorted(labels.items())), Sample(name, labels, number, None, found)


class _Merged:
    """One family."""

    def __init__(self, name: str, kind: str, meaning: str) -> None:
        self._name, self._kind, self._meaning = name, kind, meaning
        across = "sum" if kind in _COUNTS or name not in ALL else ALL[name].across
        self._combined = _COMBINED[across]
        self._samples: dict[tuple[str, Labels], Sample] = {}

    def add(self, labels: Labels, sample: Sample) -> None:
        have = self._samples.get((sample.name, labels))
        if have is not None:
            newest = max(
                (e for e in (have.exemplar, sample.exemplar) if e is not None),
                key=lambda exemplar: exemplar.timestamp or 0.0,
                default=None,
            )
            value = self._combined(have.value, sample.value)
            sample = Sample(sample.name, have.labels, value, None, newest)
        self._samples[sample.name, labels] = sample

    def metric(self) -> Metric:
        made = Metric(self._name, self._meaning, self._kind)
        made.samples = list(self._samples.values())
        return made


class PageRegistry(CollectorRegistry):
    """Families that are there already, for what writes pages of a registry."""

    def __init__(self, families: Iterable[Metric]) -> None:
        super().__init__()
        self._given = list(families)

    def collect(self) -> Iterator[Metric]:
        """All of them."""
        return iter(self._given)

    def restricted_registry(self, names: Iterable[str]) -> PageRegistry:  # type: ignore[override]
        """Those series alone that have one of these names."""
        wanted, found = frozenset(names), []
        for family in self._given:
            samples = [sample for sample in family.samples if sample.name in wanted]
            if samples:
                made = Metric(family.name, family.documentation, family.type)
                made.samples = samples
                found.append(made)
        return PageRegistry(found)
