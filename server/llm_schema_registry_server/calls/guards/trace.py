"""A span for each call that is traced: because its caller traces it, within reason, or else by chance."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from types import TracebackType

from ...telemetry import names, tracing
from ...telemetry.budget import LogBudget
from ...telemetry.tracing import Backend, Kind, Span, Value
from ..call import OK, Call
from ..guard import NOTIFIED, Guard, Rank

_MOST_RESOURCES = 3
_MOST_NAME = 256


class Trace:
    """Outside all others, so that what they log and wait for is in the span.

    backend: makes the spans. share: of the calls whose callers say nothing, so many are traced. per_second: most calls in a second
    that are traced because their callers ask for it; they decide by a header, and a span costs more than a cached answer.
    """

    rank, on_cached = Rank.OBSERVE, NOTIFIED

    def __init__(
        self,
        backend: Backend,
        *,
        share: float,
        per_second: int,
        chance: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._backend, self._share, self._chance = backend, share, chance
        self._asked_for = LogBudget(per_second, clock)

    def __call__(self, call: Call) -> Guard:
        parent = self._parent(call)
        return Guard(call) if parent is None else _Traced(call, self._start(call, parent))

    def answered(self, call: Call) -> None:
        """The span of an answer that went out at once, made when it is over."""
        parent = self._parent(call)
        if parent is not None:
            now = time.time_ns()
            took = int((time.perf_counter() - call.began) * 1e9)
            span = self._start(call, parent, now - took)
            if call.kept:
                span.set({names.CACHED_ANSWER: True})
            finish(span, call)
            span.end(now)

    def turned_away(self, call: Call, error: BaseException) -> None:
        """The span of a call that its face has refused."""
        self.answered(call)

    def _parent(self, call: Call) -> str | None:
        """The caller's traceparent, "" for a trace that begins here; None when the call is not traced."""
        parent = tracing.incoming(call.metadata) if tracing.TRACEPARENT in call.metadata else ""
        if parent:
            wanted = tracing.is_sampled(parent) and self._asked_for.take("") is not None
            return parent if wanted else None
        return "" if self._chance() < self._share else None

    def _start(self, call: Call, parent: str, start_ns: int | None = None) -> Span:
        method = call.operation.id.removeprefix("/")
        attributes: dict[str, Value] = {
            names.RPC_METHOD: method,
            names.REQUEST_ID: call.request_id,
            names.CLIENT_ADDRESS: call.peer.address,
        }
        name = method
        if call.route is not None:
            verb, route = call.route
            name = f"{verb} {route}"
            attributes |= {names.HTTP_REQUEST_METHOD: verb, names.HTTP_ROUTE: route}
        else:
            attributes[names.RPC_SYSTEM_NAME] = call.face
        state = call.metadata.get(tracing.TRACESTATE, "") if parent else ""
        span = self._backend.start(name, Kind.SERVER, parent, attributes, start_ns, tracestate=state)
        call.traceparent = span.traceparent
        call.own_metadata += ((tracing.TRACERESPONSE, span.traceparent),)
        return span


class _Traced(Guard):
    __slots__ = ("_span",)

    def __init__(self, call: Call, span: Span) -> None:
        super().__init__(call)
        self._span = span

    async def __aenter__(self) -> None:
        tracing.set_current(self._span)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        finish(self._span, self.call)
        self._span.end()
        tracing.set_current(None)


def finish(span: Span, call: Call) -> None:
    """Says how a call has ended."""
    touched = [r.name[:_MOST_NAME] for r in call.resources[:_MOST_RESOURCES]]
    if touched:
        span.set({names.SUBJECT: ", ".join(touched)})
    outcome = call.outcome or OK
    if call.route is None:
        span.set({names.RPC_RESPONSE_STATUS_CODE: outcome.code})
    if outcome != OK:
        if outcome.reason:
            span.set({names.REASON: outcome.reason})
        span.fail(outcome.code)
