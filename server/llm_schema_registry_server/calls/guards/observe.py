"""What operators see of a call: its counters, its duration, one log line when it failed, and of some or all a line of the access log."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType

from ...errors import Code, RegistryError, ShuttingDown
from ...telemetry import logs, tracing
from ...telemetry.budget import LogBudget
from ...telemetry.calls import OK, CallSeries
from ...telemetry.metrics import Metrics
from ..call import Call
from ..guard import NOTIFIED, Guard, Rank

LINES_PER_SECOND = 20
"""Of failed calls, for each operation and reason; the counters count all of them."""

_LOG, _ACCESS = logs.get("calls"), logs.get("access")
# Faults of the server, as opposed to those of the caller.
_SERIOUS = frozenset({Code.UNKNOWN, Code.INTERNAL, Code.DATA_LOSS, Code.UNAVAILABLE})


@dataclass(slots=True)
class AccessLog:
    """Writes a line for every `every`-th call, failed ones always; 0: none."""

    every: int = 0
    _next: int = 0

    @classmethod
    def sampled(cls, share: float) -> AccessLog:
        """One that writes this share of the calls, at most all."""
        return cls(round(1 / share) if share > 0 else 0)

    def wants(self, ok: bool) -> bool:
        """Whether the call that has ended now has a line."""
        if not self.every:
            return False
        self._next += 1
        if self._next >= self.every:
            self._next = 0
            return True
        return not ok

    def write(self, call: Call, seconds: float, *, cached: bool) -> None:
        """Writes the line."""
        outcome = call.outcome
        _ACCESS.info(
            "call",
            method=call.operation.name,
            wire=call.face,
            code=outcome.code if outcome else "",
            **({"reason": outcome.reason} if outcome and outcome.reason else {}),
            principal=call.principal.name,
            peer=str(call.peer),
            seconds=round(seconds, 6),
            request_id=call.request_id,
            **({"cached": True} if cached else {}),
            **logs.trace_of(call.traceparent or tracing.incoming(call.metadata)),
        )


class Observe:
    """The outermost guard, so that it sees what every other one raises, and every cached answer.

    `answered` names the operations and faces whose cached answers have a series from the start, at 0.
    """

    rank, on_cached = Rank.OBSERVE, NOTIFIED

    def __init__(
        self,
        metrics: Metrics,
        answered: Iterable[tuple[str, str]] = (),
        access: AccessLog | None = None,
    ) -> None:
        self._calls = metrics.calls
        self._budget = LogBudget(LINES_PER_SECOND)
        self._access = access or AccessLog()
        self._series = {key: self._calls.of(*key) for key in answered}

    def __call__(self, call: Call) -> Guard:
        return _Observed(call, self._of(call), self)

    def _of(self, call: Call) -> CallSeries:
        key = (call.operation.id, call.face)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = self._calls.of(*key, streams=call.operation.streams)
        return series

    def answered(self, call: Call) -> None:
        """Notes an answer that went out at once. On the hot path: all of it is plain numbers."""
        try:
            series = self._series[call.operation.id, call.face]
        except KeyError:
            series = self._of(call)
        if call.kept:
            series.cached += 1
        seconds = time.perf_counter() - call.began
        series.ok.observe(seconds, call.traceparent)
        if self._access.every and self._access.wants(True):
            self._access.write(call, seconds, cached=call.kept)

    def turned_away(self, call: Call, error: BaseException) -> None:
        """Notes a call that its face has refused before any guard."""
        self.ended(call, self._of(call), error)

    def ended(self, call: Call, series: CallSeries, error: BaseException | None) -> None:
        """Notes a call that has ended."""
        seconds = time.perf_counter() - call.began
        outcome = call.outcome
        assert outcome is not None  # the pipeline notes it before it leaves any guard
        series.ended(outcome.code, seconds, call.traceparent)
        # An unexpected error is logged with its stack where it becomes an answer (calls/failure.py).
        if isinstance(error, RegistryError):
            self._log(call, error, seconds)
        if self._access.wants(outcome.code == OK):
            self._access.write(call, seconds, cached=False)

    def _log(self, call: Call, error: RegistryError, seconds: float) -> None:
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
            principal=call.principal.label,
            peer=str(call.peer),
            seconds=round(seconds, 6),
            request_id=call.request_id,
            **({"left_out_before": left_out} if left_out else {}),
        )


class _Observed(Guard):
    __slots__ = ("_observe", "_series")

    def __init__(self, call: Call, series: CallSeries, observe: Observe) -> None:
        super().__init__(call)
        self._series, self._observe = series, observe

    async def __aenter__(self) -> None:
        self._series.running += 1
        call = self.call
        logs.bind_request(call.request_id, call.traceparent or tracing.incoming(call.metadata))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._series.running -= 1
        self._observe.ended(self.call, self._series, error)
