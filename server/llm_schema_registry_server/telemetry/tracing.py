"""Spans of the work for one call, with or without a tracing library: this module knows none (telemetry/otel.py has the one).

A call is traced when its caller asks for it or by chance (`calls/guards/trace.py`); what is done for it then finds the span of the
call as the current one, and makes its own under it. Without a current span `span` costs a look-up. Spans hold no contents, no values
of statements and no credentials.

The current span is set and set back, not reset with tokens: handlers of streams are generators, which may end in another context.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from enum import Enum
from types import TracebackType
from typing import Protocol

from . import names

Value = str | int | float | bool
Attributes = Mapping[str, Value]

TRACEPARENT, TRACESTATE, TRACERESPONSE = "traceparent", "tracestate", "traceresponse"
"""Headers and metadata of W3C Trace Context; the last one is of its level 2 (3.4)."""

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_SAMPLED = 1
MOST_TEXT = 1000
"""Characters of the text of a statement in a span."""
LEAST_WAIT_NS = 1_000_000
"""A wait of at least so many nanoseconds has a span."""


class Kind(Enum):
    """Kinds of spans."""

    INTERNAL = "INTERNAL"
    SERVER = "SERVER"
    CLIENT = "CLIENT"


class Span(Protocol):
    """A span that is recorded."""

    @property
    def traceparent(self) -> str:
        """Its place in a trace, as W3C Trace Context has it (version 00)."""
        ...

    def set(self, attributes: Attributes) -> None:
        """Adds attributes."""
        ...

    def fail(self, error_type: str, message: str = "") -> None:
        """Says that what it spans has failed."""
        ...

    def end(self, end_ns: int | None = None) -> None:
        """Ends it, now or at a time in nanoseconds since 1970."""
        ...


class Backend(Protocol):
    """Makes spans."""

    def start(
        self,
        name: str,
        kind: Kind,
        parent: Span | str,
        attributes: Attributes,
        start_ns: int | None = None,
        *,
        tracestate: str = "",
        links: Sequence[Span] = (),
    ) -> Span:
        """A span. parent: a span of this process, the traceparent of another one, or "" for the first of a trace."""
        ...


_backend: Backend | None = None
_CURRENT: ContextVar[Span | None] = ContextVar("span", default=None)


def install(backend: Backend | None) -> None:
    """Makes this the backend of the process; None: nothing is traced any more."""
    global _backend
    _backend = backend


def backend() -> Backend | None:
    """The backend of the process, if anything is traced."""
    return _backend


def current() -> Span | None:
    """The span of the running asyncio task, None when it works for no call that is traced."""
    return _CURRENT.get()


def set_current(span: Span | None) -> None:
    """Makes it the span of the running asyncio task and of those that it starts from now on."""
    _CURRENT.set(span)


def traceparent() -> str:
    """That of the current span, "" without one."""
    span = _CURRENT.get()
    return "" if span is None else span.traceparent


def incoming(metadata: Mapping[str, str]) -> str:
    """The traceparent that a caller sent, "" when it sent none or one that is none (W3C Trace Context 3.2.2)."""
    given = metadata.get(TRACEPARENT, "")
    # Later versions may have more parts; those of this one come first (4.3).
    if len(given) > 55 and given[55:56] == "-" and given[:2] != "00":
        given = given[:55]
    return given if len(given) == 55 and _TRACEPARENT.fullmatch(given) else ""


def is_sampled(parent: str) -> bool:
    """Whether the caller records its part of the trace, and so asks for ours."""
    return bool(int(parent[-2:], 16) & _SAMPLED)


def ids(parent: str) -> tuple[str, str]:
    """The trace id and the span id of a traceparent."""
    return parent[3:35], parent[36:52]


class _Scope(AbstractContextManager[Span | None]):
    """A span for the time of a block, in which it is the current one."""

    __slots__ = ("_before", "_span")

    def __init__(self, span: Span, before: Span | None) -> None:
        self._span, self._before = span, before

    def __enter__(self) -> Span:
        _CURRENT.set(self._span)
        return self._span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _CURRENT.set(self._before)
        if error is not None:
            failed(self._span, error)
        self._span.end()


_NOTHING: AbstractContextManager[Span | None] = nullcontext()


def span(
    name: str, attributes: Attributes | None = None, kind: Kind = Kind.INTERNAL
) -> AbstractContextManager[Span | None]:
    """A span under the current one for the time of a block; nothing when there is no current one."""
    parent = _CURRENT.get()
    if parent is None or _backend is None:
        return _NOTHING
    return _Scope(_backend.start(name, kind, parent, attributes or {}), parent)


def database(system: str, operation: str, statement: str = "") -> AbstractContextManager[Span | None]:
    """As `span`, for an operation on a database. statement: its text, which has placeholders for values."""
    if _CURRENT.get() is None:
        return _NOTHING
    attributes: dict[str, Value] = {names.DB_SYSTEM_NAME: system, names.DB_OPERATION_NAME: operation}
    if statement:
        attributes[names.DB_QUERY_TEXT] = statement[:MOST_TEXT]
    return span(f"{operation} {system}", attributes, Kind.CLIENT)


def statement(system: str, sql: str) -> AbstractContextManager[Span | None]:
    """As `database`, for one statement: its first word is the operation."""
    if _CURRENT.get() is None:
        return _NOTHING
    return database(system, sql.split(None, 1)[0].upper() if sql else "", sql)


def waited(name: str, began_ns: int, attributes: Attributes) -> None:
    """Records a wait that is over now, if it was one: a span from `began_ns` (time.time_ns()) on."""
    parent = _CURRENT.get()
    if parent is None or _backend is None:
        return
    now = time.time_ns()
    if now - began_ns >= LEAST_WAIT_NS:
        _backend.start(name, Kind.INTERNAL, parent, attributes, began_ns).end(now)


def elsewhere(name: str, began_ns: int, ended_ns: int, attributes: Attributes) -> None:
    """Records what another process has done for the current span."""
    parent = _CURRENT.get()
    if parent is not None and _backend is not None:
        _backend.start(name, Kind.INTERNAL, parent, attributes, began_ns).end(ended_ns)


def together(
    name: str, spans: Sequence[Span | None], attributes: Attributes
) -> AbstractContextManager[Span | None]:
    """A span of work that is done at once for several calls: under the only one that is traced, else in a trace of its own with
    links to all of them."""
    traced = list(dict.fromkeys(s for s in spans if s is not None))
    if not traced or _backend is None:
        _CURRENT.set(None)
        return _NOTHING
    links = traced if len(traced) > 1 else ()
    made = _backend.start(name, Kind.INTERNAL, "" if links else traced[0], attributes, links=links)
    return _Scope(made, None)


def failed(span: Span, error: BaseException) -> None:
    """Notes an error in a span: its reason, or its type; messages may quote what callers sent, and stay out."""
    span.fail(str(getattr(error, "reason", "") or type(error).__name__))
