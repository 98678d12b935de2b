"""HTTP clients that do not read, vanish, come in thousands or dawdle: the server stays well and tells the others."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from google.protobuf.empty_pb2 import Empty

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.api.helpers import V1, register
from tests.api.server import ServerProcess
from tests.api.wires import HttpWire

CALLERS = 2000
GONE = struct.pack("ii", 1, 0)
"""SO_LINGER that makes close() a reset, as when the other machine loses its power."""

EVENTS = b"GET /api/v1/changes?from_revision=earliest&include_schema=true HTTP/1.1\r\nhost: x\r\n\r\n"
UPGRADE = (
    b"GET /api/v1/schemas/subscribe HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path, CHANGES__STALL_SECONDS="1")
    yield server
    assert server.stop() == 0
    assert server.events("call_crashed") == []


@pytest.fixture
def wire(server: ServerProcess) -> Iterator[HttpWire]:
    wire = HttpWire(server.http)
    yield wire
    wire.close()


def opened(server: ServerProcess) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.ports["http"]))


def subscribers(wire: HttpWire) -> int:
    return int(wire.call("HealthCheck", Empty()).components["changes"].details["subscribers"])


def until(condition: Callable[[], bool]) -> None:
    """Wait for what the server does by itself; the test's own time-out bounds it."""
    while not condition():
        time.sleep(0.02)


def framed(text: str) -> bytes:
    """A text message from a WebSocket client (RFC 6455 5.2), masked with zeros."""
    data = text.encode()
    assert len(data) < 126
    return bytes([0x81, 0x80 | len(data), 0, 0, 0, 0]) + data


def test_a_reader_of_events_that_does_not_read_is_let_go(server: ServerProcess, wire: HttpWire) -> None:
    for n in range(60):
        register(wire, "s", V1 + b" " * (200_000 + n))
    with opened(server) as lazy:
        lazy.sendall(EVENTS)
        assert lazy.recv(20).startswith(b"HTTP/1.1 200")
        until(lambda: subscribers(wire) == 0)
        assert register(wire, "other").version == "1.0.0"


def test_subscribers_that_vanish_leave_nothing_behind(server: ServerProcess, wire: HttpWire) -> None:
    register(wire, "s")
    connections = [opened(server) for _ in range(40)]
    for n, connection in enumerate(connections):
        connection.sendall(EVENTS if n % 2 else UPGRADE)
        connection.recv(4000)
        if n % 2 == 0:
            connection.sendall(framed('{"from_revision": "earliest"}'))
            connection.recv(4000)
    assert subscribers(wire) == 40
    for connection in connections:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, GONE)
        connection.close()
    until(lambda: subscribers(wire) == 0)

    assert register(wire, "t").version == "1.0.0"


def test_requests_cut_in_the_middle_store_nothing(server: ServerProcess, wire: HttpWire) -> None:
    body = json.dumps({"subject": "cut", "schema_type": "JSON", "schema": {"type": "string"}}).encode()
    head = b"POST /api/v1/schemas HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body)
    request = head + body
    for length in range(10, len(request) - 1, 7):
        with opened(server) as connection:
            connection.sendall(request[:length])
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, GONE)
    answer = wire.call("ListSubjects", pb.ListSubjectsRequest(prefix="cut"))

    assert list(answer.subjects) == []


async def test_thousands_of_connections_at_once_are_all_answered(server: ServerProcess) -> None:
    """Every connection is open before the first request is sent. On a busy machine some are told to try again, and do."""
    port = server.ports["http"]

    async def connected() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", port)

    async def called(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(b"GET /api/v1/subjects?limit=1 HTTP/1.1\r\nhost: x\r\n\r\n")
        status = (await reader.readline()).split()[1]
        writer.close()
        return status

    connections = [await connected() for _ in range(CALLERS)]
    statuses = Counter(await asyncio.gather(*(called(*connection) for connection in connections)))

    assert statuses.total() == CALLERS
    assert set(statuses) <= {b"200", b"429"}
    assert statuses[b"200"]
    refused = statuses[b"429"]
    while refused:
        connections = [await connected() for _ in range(min(refused, 100))]
        again = Counter(await asyncio.gather(*(called(*connection) for connection in connections)))
        assert set(again) <= {b"200", b"429"}
        refused -= again[b"200"]


def test_draining_tells_readers_of_events_where_to_resume(server: ServerProcess, wire: HttpWire) -> None:
    made = register(wire, "s")
    with opened(server) as reader:
        reader.sendall(EVENTS)
        stream = reader.makefile("rb")
        while made.revision.encode() not in stream.readline():
            pass
        server.process.terminate()
        rest = stream.read()

    assert b"event: error" in rest
    assert b"SHUTTING_DOWN" in rest
    assert made.revision.encode() in rest
    assert server.process.wait() == 0
