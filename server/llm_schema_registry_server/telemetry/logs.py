"""Logs: events as JSON (or text) on stderr, each with the request id of its call. Content and credentials are left out."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal, TextIO

import structlog

from . import context, tracing
from .budget import LogBudget
from .secrets import masked

# Values under these names are never logged.
_SECRET_NAMES = frozenset(
    {"authorization", "password", "secret", "token", "api_key", "cookie", "content", "schema_content", "data"}
)
_HIDDEN = "(hidden)"
_LINES_OF_OUR_OWN = frozenset({"exception", "stack"})

LINES_PER_SECOND = 100
LEFT_OUT = "log_lines_left_out"
_MOST_KINDS = 1000
Level = Literal["debug", "info", "warning", "error"]
_LEVELLED: set[str] = set()
"""Modules that have a level of their own."""
_ALWAYS: dict[str, Any] = {}
"""What every line has."""
_WRITTEN: dict[str, float] = {}
_LEFT_OUT = [0.0]


def configure(
    level: Level = "info",
    format: Literal["auto", "json", "text"] = "auto",
    stream: TextIO | None = None,
    lines_per_second: int = LINES_PER_SECOND,
    levels: Mapping[str, Level] | None = None,
    always: Mapping[str, Any] | None = None,
) -> None:
    """Sends our events and those of libraries that use `logging` to `stream` (stderr) in one format.

    auto: text where the stream is a terminal, in colours unless NO_COLOR is set (no-color.org), JSON elsewhere. levels: of single
    modules. always: what every line has. Of each event at most `lines_per_second` are written; what is
    left out is told in one line when the second has passed.
    """
    output = stream or sys.stderr
    if format == "auto":
        format = "text" if output.isatty() else "json"
    shared: list[structlog.typing.Processor] = [
        _add_context,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _hide_secrets,
    ]
    if format == "json":
        last: list[structlog.typing.Processor] = [
            # Without local variables: they hold passwords, tokens and payloads.
            structlog.processors.ExceptionRenderer(
                structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
            ),
            structlog.processors.JSONRenderer(),
            _mask_secrets,
        ]
    else:
        colours = output.isatty() and not os.environ.get("NO_COLOR")
        last = [
            _show_controls,
            structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback),
            _mask_secrets,
        ]
    handler = _BudgetedHandler(output, lines_per_second)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    _ALWAYS.clear()
    _ALWAYS.update(always or {})
    set_levels(level, levels or {})
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def set_levels(level: Level, levels: Mapping[str, Level]) -> None:
    """From now on the least severe level that is written, and that of single modules (`storage.postgres`) and what is below them.
    Modules that are not named have the level of what they are in, also those that had one of their own until now."""
    logging.getLogger().setLevel(level.upper())
    for name in _LEVELLED - levels.keys():
        logging.getLogger(name).setLevel(logging.NOTSET)
    for name, own in levels.items():
        logging.getLogger(name).setLevel(own.upper())
    _LEVELLED.clear()
    _LEVELLED.update(levels)


class _BudgetedHandler(logging.StreamHandler[TextIO]):
    """Writes so many lines of each event in a second; of a library, so many of each of its loggers."""

    def __init__(self, stream: TextIO, lines: int) -> None:
        super().__init__(stream)
        self._budget = LogBudget(lines)
        self._kinds: set[tuple[str, str]] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """`logging` calls it for one record at a time."""
        for kind, lines in self._budget.overdue():
            get("telemetry.logs").warning(LEFT_OUT, of=kind, lines=lines, setting="logs.lines_per_second")
        if self._budget.take(self._kind(record)) is None:
            _LEFT_OUT[0] += 1
            return
        _WRITTEN[record.levelname.lower()] = _WRITTEN.get(record.levelname.lower(), 0) + 1
        super().emit(record)

    def _kind(self, record: logging.LogRecord) -> tuple[str, str]:
        event = str(record.msg.get("event", "")) if isinstance(record.msg, dict) else ""
        kind = (record.name, event)
        if kind in self._kinds:
            return kind
        if len(self._kinds) >= _MOST_KINDS:  # events whose names are texts
            return ("", "")
        self._kinds.add(kind)
        return kind


def get(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module; `name` is its dotted path in this package (`transports.grpc`)."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def bind_request(request_id: str, traceparent: str = "") -> None:
    """Adds the request id, and the ids of the trace, to every event that the current asyncio task logs from now on, also in worker
    processes. traceparent: of the call, or what its caller sent when it is not traced here; "" without any."""
    context.bind(context.CallContext(request_id, traceparent))


def trace_of(traceparent: str) -> Mapping[str, str]:
    """A place in a trace as lines have it; nothing for ""."""
    if not traceparent:
        return {}
    trace_id, span_id = tracing.ids(traceparent)
    return {"trace_id": trace_id, "span_id": span_id}


def written() -> Mapping[str, float]:
    """Lines written by this process, by level."""
    return dict(_WRITTEN)


def left_out() -> float:
    """Lines left out by this process because there were too many of their kind."""
    return _LEFT_OUT[0]


def _add_context(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in _ALWAYS.items():
        event.setdefault(name, value)
    now = context.current()
    if now.request_id:
        event.setdefault("request_id", now.request_id)
    for name, value in trace_of(tracing.traceparent() or now.traceparent).items():
        event.setdefault(name, value)
    if now.request_ids:
        event.setdefault("request_ids", list(now.request_ids))
    return event


def _show_controls(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Escapes what a terminal would obey: callers choose some of the texts."""
    for name, value in event.items():
        if isinstance(value, str) and name not in _LINES_OF_OUR_OWN and not value.isprintable():
            event[name] = "".join(c if c.isprintable() else repr(c)[1:-1] for c in value)
    return event


def _mask_secrets(_: Any, __: str, line: Any) -> Any:
    return masked(line)


def _hide_secrets(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name in _SECRET_NAMES & event.keys():
        event[name] = _HIDDEN
    return event
