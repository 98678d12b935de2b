"""What operators see of a call: its counters, its duration, and one log line when it failed."""

from __future__ import annotations

import time
from collections.abc import Iterable
from types import TracebackType

from prometheus_client import Counter, Gauge, Histogram

from ...errors import Code, RegistryError, ShuttingDown
from ...telemetry import logs
from ...telemetry.budget import LogBudget
from ...telemetry.metrics import Metrics
from ..call import Call
from ..guard import NOTIFIED, Guard, Rank

LINES_PER_SECOND = 20
"""Of failed calls, for each operation and reason; the counters count all of them."""

_LOG = logs.get("calls")
# Faults of the server, as opposed to those of the caller.
_SERIOUS = frozenset({Code.UNKNOWN, Code.INTERNAL, Code.DATA_LOSS, Code.UNAVAILABLE})


class Observe:
    """The outermost guard, so that it sees what every other one raises, and every cached answer.

    `answered` names the operations and faces whose cached answers have a series from the start, at 0.
    """

    rank, on_cached = Rank.OBSERVE, NOTIFIED

    def __init__(self, metrics: Metrics, answered: Iterable[tuple[str, str]] = ()) -> None:
        self._metrics = metrics
        self._budget = LogBudget(LINES_PER_SECOND)
        self._series: dict[tuple[str, str], _Series] = {}
        self._answered = dict.fromkeys(answered, 0)
        metrics.read_answered(lambda: self._answered)

    def __call__(self, call: Call) -> Guard:
        key = (call.operation.id, call.face)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = _Series(self._metrics, call)
        return _Observed(call, series, self._budget)

    def answered(self, call: Call) -> None:
        """Counts a cached answer that went out at once, in a plain integer that is exported at each scrape. What else is
        to be known of every call (its duration) belongs here too, at the price of the hot path."""
        key = (call.operation.id, call.face)
        try:
            self._answered[key] += 1
        except KeyError:
            self._answered[key] = 1


class _Series:
    """The series of one operation in one face, looked up once: labels cost more than counting."""

    def __init__(self, metrics: Metrics, call: Call) -> None:
        labels = (call.operation.id, call.face)
        self._calls = metrics.calls
        self._labels = labels
        self._by_code: dict[str, Counter] = {}
        self.running: Gauge
        self.seconds: Histogram | None
        if call.operation.streams:
            self.running, self.seconds = metrics.streams_open.labels(*labels), None
        else:
            self.running = metrics.calls_in_flight.labels(call.face)
            self.seconds = metrics.call_seconds.labels(*labels)

    def finished(self, code: str) -> Counter:
        """Counts calls that ended with this code."""
        counter = self._by_code.get(code)
        if counter is None:
            counter = self._by_code[code] = self._calls.labels(*self._labels, code)
        return counter


class _Observed(Guard):
    __slots__ = ("_began", "_budget", "_series")

    def __init__(self, call: Call, series: _Series, budget: LogBudget) -> None:
        super().__init__(call)
        self._series = series
        self._budget = budget

    async def __aenter__(self) -> None:
        self._began = time.perf_counter()
        self._series.running.inc()
        logs.bind_request(self.call.request_id)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        series = self._series
        seconds = time.perf_counter() - self._began
        series.running.dec()
        outcome = self.call.outcome
        assert outcome is not None  # the pipeline notes it before it leaves any guard
        series.finished(outcome.code).inc()
        if series.seconds is not None:
            series.seconds.observe(seconds)
        # An unexpected error is logged with its stack where it becomes an answer (calls/failure.py).
        if isinstance(error, RegistryError):
            self._log(error, seconds)

    def _log(self, error: RegistryError, seconds: float) -> None:
        call = self.call
        left_out = self._budget.take((call.operation.id, error.reason))
        if left_out is None:
            return
        expected = error.code not in _SERIOUS or isinstance(error, ShuttingDown)
        log = _LOG.info if expected else _LOG.error
        log(
            "call_failed",
            method=call.operation.name,
            wire=call.face,
            code=error.code.name,
            reason=error.reason,
            error=str(error),
            principal=call.principal.name,
            peer=str(call.peer),
            seconds=round(seconds, 6),
            request_id=call.request_id,
            **({"left_out_before": left_out} if left_out else {}),
        )
