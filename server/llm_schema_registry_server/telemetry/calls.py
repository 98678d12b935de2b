"""The series of calls. They are noted as plain numbers, once for each call, and all families are made of them at a scrape: an answer
that is cached is counted like any other, and costs the path of cached reads less than a microsecond."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.samples import Exemplar

from . import families as f
from .cells import SECONDS, Histogram, add_histogram

GRPC = "grpc"
OK = "OK"


class CallSeries:
    """What is known of one operation in one face. `ok` are the calls that went well, `cached` of them those that were answered at
    once from cached bytes, `running` how many run now."""

    __slots__ = ("by_code", "cached", "ok", "running", "streams")

    def __init__(self, streams: bool) -> None:
        self.streams = streams
        self.ok = Histogram()
        self.by_code = {OK: self.ok}
        self.cached = 0
        self.running = 0

    def ended(self, code: str, seconds: float, traceparent: str = "") -> None:
        """Notes a call that has ended with this code."""
        cell = self.by_code.get(code)
        if cell is None:
            cell = self.by_code[code] = Histogram()
        cell.observe(seconds, traceparent)

    @property
    def calls(self) -> int:
        """How many have ended."""
        return sum(cell.count for cell in tuple(self.by_code.values()))


class Calls:
    """The series by method and wire, which both are known from the start and no caller chooses."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, str], CallSeries] = {}

    def of(self, method: str, wire: str, *, streams: bool = False) -> CallSeries:
        """The series of one operation in one face."""
        series = self._series.get((method, wire))
        if series is None:
            series = self._series[method, wire] = CallSeries(streams)
        return series

    def items(self) -> Iterator[tuple[tuple[str, str], CallSeries]]:
        """All of them, with method and wire."""
        return iter(tuple(self._series.items()))

    def collect(self) -> Iterable[Metric]:
        """The families for a scrape."""
        calls, seconds, rpc = f.CALLS.counter(), f.CALL_SECONDS.histogram(), f.RPC_DURATION.histogram()
        cached, in_flight, streams = f.ANSWERED.counter(), f.CALLS_IN_FLIGHT.gauge(), f.STREAMS_OPEN.gauge()
        running: dict[str, int] = {}
        for (method, wire), series in self.items():
            _add(calls, seconds, rpc, method, wire, series)
            if series.streams:
                streams.add_metric((method, wire), series.running)
            else:
                running[wire] = running.get(wire, 0) + series.running
                cached.add_metric((method, wire), series.cached)
        for wire, count in running.items():
            in_flight.add_metric((wire,), count)
        return calls, seconds, rpc, cached, in_flight, streams


def _add(
    calls: CounterMetricFamily,
    seconds: HistogramMetricFamily,
    rpc: HistogramMetricFamily,
    method: str,
    wire: str,
    series: CallSeries,
) -> None:
    together, total = [0] * (len(SECONDS) + 1), 0.0
    exemplars: dict[int, Exemplar] = {}
    for code, cell in tuple(series.by_code.items()):
        counts = tuple(cell.counts)
        calls.add_metric((method, wire, code), sum(counts))
        together = [a + b for a, b in zip(together, counts, strict=True)]
        total += cell.sum
        exemplars |= cell.exemplars
        if wire == GRPC and any(counts):
            labels = (GRPC, method.removeprefix("/"), code, "" if code == OK else code)
            add_histogram(rpc, labels, SECONDS, counts, cell.sum, cell.exemplars)
    if not series.streams:
        add_histogram(seconds, (method, wire), SECONDS, together, total, exemplars)
