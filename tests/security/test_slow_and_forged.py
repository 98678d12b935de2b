"""Callers that are slow on purpose, and headers that say what is not so."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

import httpx
import pytest

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.api.helpers import V1, register
from tests.api.server import ServerProcess
from tests.api.wires import GrpcWire, HttpWire, Wire
from tests.support.raw_http2 import DATA, END_HEADERS, HEADERS, RawHttp2

SLOW = 60
"""Connections of each kind."""


@pytest.fixture(scope="module", params=["native", "grpcio"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    made = ServerProcess(tmp_path_factory.mktemp("slow"), GRPC__ENGINE=request.param)
    yield made
    made.stop()


def dribbling(server: ServerProcess, stack: ExitStack) -> list[socket.socket]:
    """Connections that have begun a request and go on byte by byte: heads and bodies over HTTP, messages over gRPC."""
    heads = (
        b"GET /api/v1/subjects HTTP/1.1\r\nhost: x\r\nx-a: ",
        b"POST /api/v1/schemas HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n{",
        b"POST /api/v1/validate:batch HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n1",
    )
    found = []
    for number in range(SLOW):
        raw = stack.enter_context(socket.create_connection(("127.0.0.1", server.ports["http"]), timeout=10))
        raw.sendall(heads[number % len(heads)])
        found.append(raw)
    for _ in range(SLOW):
        caller = stack.enter_context(RawHttp2(server.ports["grpc"]))
        caller.send(HEADERS, END_HEADERS, caller.begin("/schema_registry.v1.SchemaRegistry/GetSchema"))
        caller.send(DATA, 0, struct.pack(">BI", 0, 100_000))
    return found


def test_slow_callers_do_not_hold_up_the_others(server: ServerProcess) -> None:
    stop = threading.Event()
    with ExitStack() as stack:
        slow = dribbling(server, stack)

        def dribble() -> None:
            while not stop.wait(0.05):
                for raw in slow:
                    try:
                        raw.send(b"1")
                    except OSError:
                        continue

        thread = threading.Thread(target=dribble)
        thread.start()
        try:
            wires: list[Wire] = [
                stack.enter_context(closing(w))
                for w in (GrpcWire("grpc", server.grpc), HttpWire(server.http))
            ]
            for number, wire in enumerate(wires):
                slowest = 0.0
                made = register(wire, f"beside.slow.{number}", V1)
                for _ in range(30):
                    began = time.monotonic()
                    wire.call("GetSchema", pb.GetSchemaRequest(schema_id=made.schema_id))
                    slowest = max(slowest, time.monotonic() - began)
                assert slowest < 5
        finally:
            stop.set()
            thread.join()
    assert server.events("call_crashed") == []


def test_an_address_that_nobody_trusted_tells_is_not_believed(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    server = ServerProcess(
        tmp_path_factory.mktemp("forged"),
        RATE_LIMITS__MODE="on",
        RATE_LIMITS__ANONYMOUS__PER_SECOND="0.1",
        RATE_LIMITS__ANONYMOUS__BURST="10",
    )
    try:
        with httpx.Client(base_url=server.http, trust_env=False) as client:
            answers = [
                client.get(
                    "/api/v1/subjects",
                    headers={
                        "x-forwarded-for": f"10.0.0.{n}", "forwarded": f"for=10.0.0.{n}", "x-real-ip": f"10.0.0.{n}",
                        "x-registry-actor": f"somebody-{n}", "x-request-id": f"request-{n}",
                    },
                ).status_code
                for n in range(25)
            ]  # fmt: skip
    finally:
        server.stop()
    assert answers.count(200) in (10, 11)
    assert answers.count(429) in (14, 15)
