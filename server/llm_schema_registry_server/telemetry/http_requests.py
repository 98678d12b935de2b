"""The series of requests over HTTP, by the route that they found: what has no route counts under an empty one."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from prometheus_client.core import Metric

from . import families as f
from .cells import BYTES, Histogram, Labels
from .names import OTHER_METHOD

LEFT = 499
"""The status of a request whose client left before its answer (as nginx has it; it never goes out)."""

_VERBS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})
NO_ROUTE = ""


class _Cell:
    __slots__ = ("received", "seconds", "sent")

    def __init__(self) -> None:
        self.seconds, self.sent, self.received = Histogram(), Histogram(BYTES), Histogram(BYTES)


class HttpRequests:
    """What was asked over HTTP. Labels are verbs and routes that are known, and statuses."""

    def __init__(self) -> None:
        self._cells: dict[tuple[str, str, int], _Cell] = {}

    def seen(
        self,
        verb: str,
        route: str,
        status: int,
        began: float,
        *,
        received: int = 0,
        sent: int | None = None,
        traceparent: str = "",
    ) -> None:
        """Notes a request that has ended. began: a point of time.perf_counter(). received: bytes of its body. sent: bytes of the
        answer, None for a stream."""
        cell = self._cells.get((verb, route, status))
        if cell is None:
            cell = self._cell(verb, route, status)
        cell.seconds.observe(time.perf_counter() - began, traceparent)
        if sent is not None:
            cell.sent.observe(sent)
        if received:
            cell.received.observe(received)

    def _cell(self, verb: str, route: str, status: int) -> _Cell:
        key = (verb if verb in _VERBS else OTHER_METHOD, route, status)
        return self._cells.setdefault(key, _Cell())

    def items(self) -> Iterator[tuple[tuple[str, str, int], Histogram]]:
        """Durations by verb, route and status."""
        return ((key, cell.seconds) for key, cell in tuple(self._cells.items()))

    def collect(self) -> Iterable[Metric]:
        """The families for a scrape."""
        seconds = f.HTTP_DURATION.histogram()
        received, sent = f.HTTP_REQUEST_BYTES.histogram(), f.HTTP_RESPONSE_BYTES.histogram()
        bodies: dict[Labels, tuple[Histogram, Histogram]] = {}
        for (verb, route, status), cell in tuple(self._cells.items()):
            error = str(status) if status >= 500 or status == LEFT else ""
            cell.seconds.add_to(seconds, (verb, route, str(status), error))
            taken, given = bodies.setdefault((verb, route), (Histogram(BYTES), Histogram(BYTES)))
            _add(taken, cell.received)
            _add(given, cell.sent)
        for labels, (taken, given) in bodies.items():
            taken.add_to(received, labels)
            given.add_to(sent, labels)
        return seconds, received, sent


def _add(to: Histogram, more: Histogram) -> None:
    to.counts = [a + b for a, b in zip(to.counts, more.counts, strict=True)]
    to.sum += more.sum
