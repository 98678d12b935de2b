"""A receiver of traces: the official OTLP services, over gRPC and over HTTP, as a collector has them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as rpc

WAIT_SECONDS = 30.0


@dataclass(frozen=True)
class ReceivedSpan:
    """A span as it arrived."""

    name: str
    trace_id: str
    span_id: str
    parent: str
    kind: int
    attributes: Mapping[str, Any]
    links: Sequence[str]
    began: int
    ended: int
    failed: bool
    resource: Mapping[str, Any]


class Receiver:
    """What has arrived so far. headers: of each export."""

    def __init__(self) -> None:
        self.spans: list[ReceivedSpan] = []
        self.headers: list[Mapping[str, str]] = []
        self.endpoint = ""

    def take(self, request: service.ExportTraceServiceRequest, headers: Mapping[str, str]) -> None:
        self.headers.append(headers)
        for group in request.resource_spans:
            resource = _plain(group.resource.attributes)
            for scope in group.scope_spans:
                self.spans.extend(_read(span, resource) for span in scope.spans)

    def of(self, trace_id: str) -> list[ReceivedSpan]:
        """The spans of one trace, by when they began."""
        return sorted((s for s in tuple(self.spans) if s.trace_id == trace_id), key=lambda s: s.began)

    def wait(self, wanted: Callable[[], bool]) -> None:
        """Until it is so; raises AssertionError when it does not become so."""
        end = time.monotonic() + WAIT_SECONDS
        while not wanted():
            assert time.monotonic() < end, f"received only {[s.name for s in self.spans]}"
            time.sleep(0.05)

    def trace(self, trace_id: str, name: str) -> list[ReceivedSpan]:
        """The spans of a trace once the one called `name`, and all spans that others have as parents here, have arrived."""

        def whole() -> bool:
            found = self.of(trace_id)
            ids = {s.span_id for s in found}
            return any(s.name == name and (not s.parent or s.parent not in ids) for s in found)

        self.wait(whole)
        return self.of(trace_id)


def _read(span: Any, resource: Mapping[str, Any]) -> ReceivedSpan:
    return ReceivedSpan(
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.kind,
        _plain(span.attributes),
        [link.trace_id.hex() for link in span.links],
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        span.status.code == 2,
        resource,
    )


def _plain(attributes: Any) -> dict[str, Any]:
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in attributes}


class _Grpc(rpc.TraceServiceServicer):  # type: ignore[misc]  # generated without types
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def Export(self, request: Any, context: grpc.ServicerContext) -> Any:
        headers = {k: v for k, v in context.invocation_metadata() if isinstance(v, str)}
        self._receiver.take(request, headers)
        return service.ExportTraceServiceResponse()


@contextmanager
def over_grpc() -> Iterator[Receiver]:
    """A receiver on a free port."""
    receiver = Receiver()
    server = grpc.server(ThreadPoolExecutor(2))
    rpc.add_TraceServiceServicer_to_server(_Grpc(receiver), server)
    receiver.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield receiver
    finally:
        server.stop(1).wait()


@contextmanager
def over_http() -> Iterator[Receiver]:
    """A receiver on a free port; it takes binary protobuf at /v1/traces."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path == "/v1/traces":
                receiver.take(
                    service.ExportTraceServiceRequest.FromString(body),
                    {k.lower(): v for k, v in self.headers.items()},
                )
            self.send_response(200 if self.path == "/v1/traces" else 404)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Not on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
