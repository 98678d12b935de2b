"""Spans over real sockets: a server of each engine exports to a receiver of the official OTLP services."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest
from websockets.sync.client import connect

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2_grpc as rpc
from tests.support.otlp import ReceivedSpan, Receiver, over_grpc, over_http

from .helpers import PROTOBUF, V1, register
from .server import ServerProcess
from .wires import GrpcWire, HttpWire

pytestmark = pytest.mark.slow

PATH = "schema_registry.v1.SchemaRegistry"
SERVER, CLIENT = 2, 3
"""SpanKind of the proto."""


class Caller:
    """A caller with a trace of its own: `header` is its traceparent, `trace_id` what spans of it have."""

    def __init__(self, *, sampled: bool = True) -> None:
        self.trace_id, self.span_id = secrets.token_hex(16), secrets.token_hex(8)
        self.header = f"00-{self.trace_id}-{self.span_id}-{'01' if sampled else '00'}"

    @property
    def metadata(self) -> list[tuple[str, str]]:
        return [("traceparent", self.header)]


@pytest.fixture(scope="module")
def collector() -> Iterator[Receiver]:
    with over_grpc() as receiver:
        yield receiver


@pytest.fixture(scope="module", params=["native", "grpcio"])
def traced(
    request: pytest.FixtureRequest, collector: Receiver, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    server = ServerProcess(
        tmp_path_factory.mktemp(request.param),
        GRPC__ENGINE=request.param,
        TRACING__ENDPOINT=collector.endpoint,
        TRACING__SAMPLE_RATIO="0",
        TRACING__HEADERS="x-team=registry",
        TRACING__ENVIRONMENT="test",
        LOGS__ACCESS="1",
    )
    yield server
    assert server.stop() == 0
    assert server.events("call_crashed") == []


def only(spans: list[ReceivedSpan], name: str) -> ReceivedSpan:
    found = [s for s in spans if s.name == name]
    assert len(found) == 1, (name, [s.name for s in spans])
    return found[0]


def test_a_registration_over_grpc_is_one_tree_of_spans(traced: ServerProcess, collector: Receiver) -> None:
    caller, subject = Caller(), f"traced.{secrets.token_hex(4)}"
    with grpc.insecure_channel(traced.grpc) as channel:
        stub = rpc.SchemaRegistryStub(channel)
        # Always parsed in a worker process.
        content = b'syntax = "proto3"; message M%s { string a = 1; }' % caller.span_id.encode()
        _, call = stub.RegisterSchema.with_call(
            pb.RegisterSchemaRequest(subject=subject, schema_type=PROTOBUF, schema_content=content),
            metadata=caller.metadata,
        )
    spans = collector.trace(caller.trace_id, f"{PATH}/RegisterSchema")

    root = only(spans, f"{PATH}/RegisterSchema")
    assert (root.kind, root.parent) == (SERVER, caller.span_id)
    assert root.attributes["rpc.response.status_code"] == "OK"
    assert root.attributes["schema_registry.subject"] == subject
    assert dict(call.trailing_metadata())["traceresponse"] == f"00-{root.trace_id}-{root.span_id}-01"
    append = only(spans, "append sqlite")
    assert (append.kind, append.parent) == (CLIENT, root.span_id)
    assert append.attributes["db.system.name"] == "sqlite"
    statements = [s for s in spans if s.parent == append.span_id]
    assert any(s.attributes.get("db.query.text", "").startswith("INSERT") for s in statements)
    inside = only(spans, "Parse in its process")
    waiting = only(spans, "worker Parse")
    assert inside.parent == waiting.span_id
    assert waiting.began <= inside.began <= inside.ended <= waiting.ended
    assert inside.attributes["process.pid"] != root.resource["process.pid"]
    assert only(spans, "cache parsed").attributes["schema_registry.cache.outcome"] == "computed"
    assert root.resource["service.name"] == "llm-schema-registry"
    assert root.resource["deployment.environment.name"] == "test"
    assert any(headers.get("x-team") == "registry" for headers in collector.headers)


def test_no_span_holds_a_content_or_a_value(traced: ServerProcess, collector: Receiver) -> None:
    caller, mark = Caller(), secrets.token_hex(8)
    with grpc.insecure_channel(traced.grpc) as channel:
        stub = rpc.SchemaRegistryStub(channel)
        schema = json.dumps({"type": "object", "description": mark}).encode()
        request = pb.RegisterSchemaRequest(
            subject=f"secret.{secrets.token_hex(4)}", schema_type=pb.SCHEMA_TYPE_JSON, schema_content=schema
        )
        stub.RegisterSchema(request, metadata=[*caller.metadata, ("authorization", f"Bearer {mark}")])
        request.schema_content = f'{{"type": "{mark}"}}'.encode()
        with pytest.raises(grpc.RpcError):
            stub.RegisterSchema(request, metadata=caller.metadata)

    def both() -> bool:
        return sum(s.kind == SERVER for s in collector.of(caller.trace_id)) == 2

    collector.wait(both)
    spans = collector.of(caller.trace_id)
    assert mark not in repr(spans)
    assert sum(s.failed for s in spans if s.kind == SERVER) == 1


@pytest.mark.parametrize("times", [1, 2], ids=["computed", "cached"])
def test_a_read_over_http_has_a_span_and_says_so(
    traced: ServerProcess, collector: Receiver, times: int
) -> None:
    wire = HttpWire(traced.http)
    made = register(wire, f"read.{secrets.token_hex(4)}", V1)
    wire.close()
    url = f"{traced.http}/api/v1/schemas/{made.schema_id}"
    for _ in range(times - 1):
        assert "traceresponse" not in httpx.get(url).headers
    caller = Caller()

    answer = httpx.get(url, headers={"traceparent": caller.header, "tracestate": "vendor=1"})
    spans = collector.trace(caller.trace_id, "GET /api/v1/schemas/{schema_id}")

    root = only(spans, "GET /api/v1/schemas/{schema_id}")
    assert answer.headers["traceresponse"] == f"00-{root.trace_id}-{root.span_id}-01"
    assert root.attributes["http.route"] == "/api/v1/schemas/{schema_id}"
    assert root.attributes.get("schema_registry.cached_answer", False) is (times == 2)
    assert root.parent == caller.span_id
    again = httpx.get(url)
    assert "traceresponse" not in again.headers, "the span of one call was cached with its answer"


def test_a_websocket_is_traced_by_its_handshake(traced: ServerProcess, collector: Receiver) -> None:
    caller = Caller()
    path = "/api/v1/schemas/subscribe"
    with connect(
        traced.http.replace("http", "ws") + path, additional_headers={"traceparent": caller.header}
    ) as ws:
        ws.send('{"subjects": ["*"], "from_revision": "0"}')
        ws.recv(timeout=20)

    root = only(collector.trace(caller.trace_id, f"GET {path}"), f"GET {path}")
    assert (root.kind, root.parent) == (SERVER, caller.span_id)


def test_a_caller_that_is_not_sampled_or_says_nonsense_is_not_traced_but_logged(
    traced: ServerProcess, collector: Receiver
) -> None:
    quiet, asked = Caller(sampled=False), Caller()
    url = f"{traced.http}/api/v1/subjects"
    before = len(collector.spans)
    assert "traceresponse" not in httpx.get(url, headers={"traceparent": quiet.header}).headers
    for bad in ("", "00", f"00-{'0' * 32}-{'1' * 16}-01", f"ff-{'1' * 32}-{'1' * 16}-01", "x" * 9000):
        assert "traceresponse" not in httpx.get(url, headers={"traceparent": bad}).headers
    httpx.get(url, headers={"traceparent": asked.header})
    collector.trace(asked.trace_id, "GET /api/v1/subjects")

    assert {s.trace_id for s in collector.spans[before:]} == {asked.trace_id}
    lines = traced.events("call")
    assert any(line.get("trace_id") == quiet.trace_id for line in lines)
    assert any(line.get("trace_id") == asked.trace_id for line in lines)


def test_calls_that_ask_to_be_traced_are_bounded(tmp_path: Path, collector: Receiver) -> None:
    server = ServerProcess(
        tmp_path,
        TRACING__ENDPOINT=collector.endpoint,
        TRACING__SAMPLE_RATIO="0",
        TRACING__ASKED_FOR_PER_SECOND="2",
    )
    began = time.monotonic()
    with httpx.Client() as client:
        traced = [
            "traceresponse"
            in client.get(f"{server.http}/api/v1/subjects", headers={"traceparent": Caller().header}).headers
            for _ in range(100)
        ]
    seconds = time.monotonic() - began
    assert server.stop() == 0

    assert 2 <= sum(traced) <= 2 * (seconds + 2)


def test_all_calls_of_their_own_are_traced_when_the_settings_say_so_and_go_out_over_http(
    tmp_path: Path,
) -> None:
    with over_http() as receiver:
        server = ServerProcess(
            tmp_path,
            TRACING__ENDPOINT=receiver.endpoint,
            TRACING__PROTOCOL="http",
            TRACING__SAMPLE_RATIO="1",
        )
        told = httpx.get(f"{server.http}/api/v1/subjects").headers["traceresponse"]
        page = ""

        def counted() -> bool:
            nonlocal page
            page = httpx.get(server.metrics).text
            return 'schema_registry_spans_total{outcome="exported"}' in page

        receiver.wait(lambda: bool(receiver.of(told[3:35])) and counted())
        exemplars = httpx.get(
            server.metrics, headers={"accept": "application/openmetrics-text; version=1.0.0"}
        )
        assert server.stop() == 0

    root = only(receiver.of(told[3:35]), "GET /api/v1/subjects")
    assert root.parent == ""
    assert f'trace_id="{root.trace_id}"' in exemplars.text
    assert " # {" not in page


def test_a_collector_that_is_away_holds_up_nobody(tmp_path: Path) -> None:
    server = ServerProcess(
        tmp_path,
        TRACING__ENDPOINT="http://127.0.0.1:9",
        TRACING__SAMPLE_RATIO="1",
        TRACING__TIMEOUT_SECONDS="1",
    )
    try:
        for _ in range(50):
            assert httpx.get(f"{server.http}/api/v1/subjects", timeout=10).status_code == 200
    finally:
        assert server.stop() == 0


@pytest.mark.parametrize("kind", ["blocking", "asyncio"])
def test_the_sdk_continues_the_trace_of_its_caller(
    traced: ServerProcess, collector: Receiver, kind: str
) -> None:
    program = Path(__file__).with_name("traced_client.py")
    done = subprocess.run(
        [sys.executable, str(program), traced.grpc, collector.endpoint, kind],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    trace_id = done.stdout.strip()

    collector.wait(lambda: {s.kind for s in collector.of(trace_id)} >= {SERVER, CLIENT})
    spans = collector.of(trace_id)
    (served,) = [s for s in spans if s.kind == SERVER]
    parent = next(s for s in spans if s.span_id == served.parent)
    assert parent.kind == CLIENT
    assert parent.resource["service.name"] == "caller"


def test_many_registrations_at_once_keep_their_traces_apart(
    traced: ServerProcess, collector: Receiver
) -> None:
    callers = {f"apart.{secrets.token_hex(4)}": Caller() for _ in range(20)}
    wire = GrpcWire("apart", traced.grpc)
    stub = rpc.SchemaRegistryStub(wire.channel)
    calls = [
        stub.RegisterSchema.future(
            pb.RegisterSchemaRequest(subject=name, schema_type=pb.SCHEMA_TYPE_JSON, schema_content=V1),
            metadata=caller.metadata,
        )
        for name, caller in callers.items()
    ]
    for call in calls:
        call.result()
    wire.close()
    for name, caller in callers.items():
        root = only(collector.trace(caller.trace_id, f"{PATH}/RegisterSchema"), f"{PATH}/RegisterSchema")
        assert root.attributes["schema_registry.subject"] == name
