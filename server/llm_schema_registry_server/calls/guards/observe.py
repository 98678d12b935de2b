"""What operators see of a call: its counters, its duration, and one log line when it failed."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType

from prometheus_client import Gauge

from ...errors import Code, RegistryError, ShuttingDown
from ...telemetry import logs
from ...telemetry.budget import LogBudget
from ...telemetry.metrics import Metrics
from ..call import Call
from ..guard import Guard

OK = "OK"
LINES_PER_SECOND = 20
"""Of failed calls, for each method and reason; the counters count all of them."""

_LOG = logs.get("calls")
# Faults of the server, as opposed to those of the caller.
_SERIOUS = frozenset({Code.UNKNOWN, Code.INTERNAL, Code.DATA_LOSS, Code.UNAVAILABLE})


def code_of(error: BaseException | None) -> str:
    """The name of the google.rpc code that the caller will see for what a call ended with."""
    if error is None:
        return OK
    if isinstance(error, RegistryError):
        return error.code.name
    if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
        return Code.CANCELLED.name
    return Code.INTERNAL.name


class Observe:
    """The outermost guard, so that it sees what every other one raises."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._budget = LogBudget(LINES_PER_SECOND)

    def __call__(self, call: Call) -> Guard:
        return _Observed(call, self._metrics, self._budget)


class _Observed(Guard):
    __slots__ = ("_began", "_budget", "_metrics")

    def __init__(self, call: Call, metrics: Metrics, budget: LogBudget) -> None:
        super().__init__(call)
        self._metrics = metrics
        self._budget = budget

    async def __aenter__(self) -> None:
        self._began = time.perf_counter()
        self._running().inc()
        logs.bind_request(self.call.request_id)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        call, metrics = self.call, self._metrics
        seconds = time.perf_counter() - self._began
        self._running().dec()
        metrics.calls.labels(call.method.path, call.wire, code_of(error)).inc()
        if not call.method.streams:
            metrics.call_seconds.labels(call.method.path, call.wire).observe(seconds)
        # An unexpected error is logged with its stack where it becomes an answer (calls/failure.py).
        if not isinstance(error, RegistryError):
            return
        left_out = self._budget.take((call.method.path, error.reason))
        if left_out is not None:
            expected = error.code not in _SERIOUS or isinstance(error, ShuttingDown)
            log = _LOG.info if expected else _LOG.error
            log(
                "call_failed",
                method=call.method.name,
                wire=call.wire,
                code=error.code.name,
                reason=error.reason,
                error=error.message,
                principal=call.principal.name,
                peer=call.peer,
                seconds=round(seconds, 6),
                request_id=call.request_id,
                **({"left_out_before": left_out} if left_out else {}),
            )

    def _running(self) -> Gauge:
        call = self.call
        if call.method.streams:
            return self._metrics.streams_open.labels(call.method.path, call.wire)
        return self._metrics.calls_in_flight.labels(call.wire)
