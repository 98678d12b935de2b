"""Logs: events as JSON (or text) on stderr, each with the request id of its call. Content and credentials are left out."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO

import structlog

from . import context
from .budget import LogBudget
from .secrets import masked

# Values under these names are never logged.
_SECRET_NAMES = frozenset(
    {"authorization", "password", "secret", "token", "api_key", "cookie", "content", "schema_content", "data"}
)
_HIDDEN = "(hidden)"

LINES_PER_SECOND = 100
LEFT_OUT = "log_lines_left_out"
_MOST_KINDS = 1000


def configure(
    level: Literal["debug", "info", "warning", "error"] = "info",
    format: Literal["auto", "json", "text"] = "auto",
    stream: TextIO | None = None,
    lines_per_second: int = LINES_PER_SECOND,
) -> None:
    """Sends our events and those of libraries that use `logging` to `stream` (stderr) in one format.

    auto: text where the stream is a terminal, JSON elsewhere. Of each event at most `lines_per_second` are written; what is
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
        last = [
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
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
    root.setLevel(level.upper())
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
        if self._budget.take(self._kind(record)) is not None:
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


def bind_request(request_id: str) -> None:
    """Adds the request id to every event that the current asyncio task logs from now on, also in worker processes."""
    context.bind(context.CallContext(request_id))


def _add_context(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    now = context.current()
    if now.request_id:
        event.setdefault("request_id", now.request_id)
    if now.traceparent:
        event.setdefault("traceparent", now.traceparent)
    if now.request_ids:
        event.setdefault("request_ids", list(now.request_ids))
    return event


def _mask_secrets(_: Any, __: str, line: Any) -> Any:
    return masked(line)


def _hide_secrets(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name in _SECRET_NAMES & event.keys():
        event[name] = _HIDDEN
    return event
