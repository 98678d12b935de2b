"""Spans of OpenTelemetry, exported with OTLP. Part of the extra `telemetry`; imported only when tracing is on."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.span import TraceState
from prometheus_client.core import Metric

from . import families as f
from . import names
from .budget import Sparingly
from .cells import Counts
from .tracing import Attributes, Kind, Span, ids

_KINDS = {Kind.INTERNAL: SpanKind.INTERNAL, Kind.SERVER: SpanKind.SERVER, Kind.CLIENT: SpanKind.CLIENT}
_NAME = "llm_schema_registry_server"
# Small batches: encoding one holds the interpreter, and with it the event loop.
_QUEUE, _BATCH, _EVERY_MILLIS = 4096, 128, 1000
_MOST_STATE = 512


@dataclass(frozen=True, slots=True)
class Options:
    """Where spans go and what they say of the process. headers: sent with each export. timeout_seconds: of one export."""

    endpoint: str
    protocol: Literal["grpc", "http"]
    service_name: str
    version: str
    environment: str = ""
    headers: Mapping[str, str] | None = None
    ca_file: str = ""
    timeout_seconds: float = 10.0


class OtelSpan:
    """A span of the SDK."""

    __slots__ = ("span", "traceparent")

    def __init__(self, span: trace.Span) -> None:
        self.span = span
        c = span.get_span_context()
        self.traceparent = f"00-{c.trace_id:032x}-{c.span_id:016x}-{int(c.trace_flags):02x}"

    def set(self, attributes: Attributes) -> None:
        self.span.set_attributes(dict(attributes))

    def fail(self, error_type: str, message: str = "") -> None:
        self.span.set_attribute(names.ERROR_TYPE, error_type)
        self.span.set_status(Status(StatusCode.ERROR, message or None))

    def end(self, end_ns: int | None = None) -> None:
        self.span.end(end_ns)


class OtelBackend:
    """Makes spans that a thread of its own exports. What is traced is decided by whoever starts the first span here."""

    def __init__(self, options: Options, exporter: SpanExporter | None = None) -> None:
        self.counts = Counts(f.SPANS)
        for logger in ("opentelemetry.exporter.otlp", "opentelemetry.sdk"):
            logging.getLogger(logger).addFilter(Sparingly())
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=_resource(options),
            span_limits=SpanLimits(
                max_span_attributes=64, max_events=128, max_links=64, max_attribute_length=1024
            ),
            shutdown_on_exit=False,
        )
        self._counting = _Counting(exporter or _exporter(options), self.counts)
        self._provider.add_span_processor(
            BatchSpanProcessor(
                self._counting,
                max_queue_size=_QUEUE,
                max_export_batch_size=_BATCH,
                schedule_delay_millis=_EVERY_MILLIS,
                export_timeout_millis=options.timeout_seconds * 1000,
            )
        )
        self._tracer = self._provider.get_tracer(_NAME, options.version)

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
        span = self._tracer.start_span(
            name,
            context=_context(parent, tracestate),
            kind=_KINDS[kind],
            attributes=dict(attributes),
            links=[Link(s.span.get_span_context()) for s in links if isinstance(s, OtelSpan)],
            start_time=start_ns,
        )
        return OtelSpan(span)

    def close(self) -> None:
        """Exports what is left, for as long as one export may take. Blocks."""
        self._provider.shutdown()

    def collect(self) -> Iterable[Metric]:
        """What became of the spans."""
        return self.counts.collect()


class _Counting(SpanExporter):
    """An exporter that counts."""

    def __init__(self, inner: SpanExporter, counts: Counts) -> None:
        self._inner, self._counts = inner, counts

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result = self._inner.export(spans)
        except Exception:
            self._counts.add("failed", by=len(spans))
            raise
        self._counts.add("exported" if result is SpanExportResult.SUCCESS else "failed", by=len(spans))
        return result

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._inner.force_flush(timeout_millis)


def _context(parent: Span | str, tracestate: str) -> Any:
    if isinstance(parent, OtelSpan):
        return trace.set_span_in_context(parent.span)
    if not isinstance(parent, str) or not parent:
        return trace.set_span_in_context(trace.INVALID_SPAN)
    trace_id, span_id = ids(parent)
    state = TraceState.from_header([tracestate]) if 0 < len(tracestate) <= _MOST_STATE else None
    remote = SpanContext(int(trace_id, 16), int(span_id, 16), True, TraceFlags(int(parent[-2:], 16)), state)
    return trace.set_span_in_context(NonRecordingSpan(remote))


def _resource(options: Options) -> Resource:
    known: dict[str, str | int] = {
        names.SERVICE_NAME: options.service_name,
        names.SERVICE_VERSION: options.version,
        names.SERVICE_INSTANCE_ID: f"{socket.gethostname()}-{os.getpid()}",
        names.PROCESS_PID: os.getpid(),
    }
    if options.environment:
        known[names.DEPLOYMENT_ENVIRONMENT_NAME] = options.environment
    return Resource.create({**known})


def _exporter(options: Options) -> SpanExporter:
    headers = dict(options.headers or {})
    if options.protocol == "http":
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as OverHttp

        return OverHttp(
            endpoint=_with_path(options.endpoint),
            headers=headers,
            timeout=options.timeout_seconds,
            certificate_file=options.ca_file or None,
        )
    import grpc
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as OverGrpc

    secure = options.endpoint.startswith("https://")
    credentials = None
    if secure:
        roots = None
        if options.ca_file:
            with open(options.ca_file, "rb") as file:
                roots = file.read()
        credentials = grpc.ssl_channel_credentials(roots)
    return OverGrpc(
        endpoint=options.endpoint,
        insecure=not secure,
        credentials=credentials,
        headers=headers,
        timeout=options.timeout_seconds,
    )


def _with_path(endpoint: str) -> str:
    """An endpoint of OTLP over HTTP; one without a path gets the one of the specification."""
    return endpoint if urlsplit(endpoint).path.strip("/") else f"{endpoint.rstrip('/')}/v1/traces"
