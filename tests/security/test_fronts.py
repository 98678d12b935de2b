"""Clients of HTTP/2 that make work and ask for nothing: the front cuts them before an engine sees it, with TLS and without, and nobody
else is."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from google.protobuf import empty_pb2

from tests.api.server import ServerProcess
from tests.api.wires import GrpcWire
from tests.support.raw_http2 import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    HEADERS,
    PING,
    PRIORITY,
    SETTINGS,
    RawHttp2,
)
from tests.support.tls import TlsHome, until

pytestmark = pytest.mark.slow
METHOD = "/schema_registry.v1.SchemaRegistry/GetSchema"


def reset(client: RawHttp2) -> None:
    client.call(METHOD, b"", reset=True)


def ping(client: RawHttp2) -> None:
    client.send(PING, 0, bytes(8), stream=0)


def settings(client: RawHttp2) -> None:
    client.send(SETTINGS, 0, b"", stream=0)


def priority(client: RawHttp2) -> None:
    client.send(PRIORITY, 0, bytes(4) + b"\x10", stream=1)


def empty(client: RawHttp2) -> None:
    client.send(DATA, 0, b"", stream=1)


def continuation(client: RawHttp2) -> None:
    client.send(CONTINUATION, 0, b"", stream=1)


ATTACKS: dict[str, Callable[[RawHttp2], None]] = {
    f.__name__: f for f in (reset, ping, settings, priority, empty, continuation)
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> TlsHome:
    return TlsHome(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module", params=["native", "grpcio"])
def server(
    request: pytest.FixtureRequest, home: TlsHome, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    server = home.start(
        str(tmp_path_factory.mktemp(request.param)),
        GRPC__ENGINE=request.param,
        GRPC__RESETS_PER_SECOND="5",
        GRPC__INCOMPLETE_CALLS_PER_ADDRESS="100",
    )
    yield server
    assert server.stop() == 0
    assert server.events("call_crashed") == []


@pytest.mark.parametrize("port", ["grpc", "http"])
@pytest.mark.parametrize("name", ATTACKS)
def test_who_sends_frames_that_carry_nothing_is_cut(
    home: TlsHome, server: ServerProcess, name: str, port: str
) -> None:
    source = f"127.0.1.{1 + 2 * list(ATTACKS).index(name) + (port == 'http')}"
    honest = home.grpc(server)
    assert honest.call("HealthCheck", empty_pb2.Empty())

    attacker = RawHttp2(server.ports[port], source, context=home.context())
    attacker.socket.settimeout(20)
    if name in ("empty", "continuation"):
        attacker.begin(METHOD)
    with suppress(ConnectionError, ssl.SSLError):
        for _ in range(20_000):
            ATTACKS[name](attacker)
        while attacker.socket.recv(1 << 16):  # a TimeoutError when it is not cut
            pass
    attacker.socket.close()

    assert honest.call("HealthCheck", empty_pb2.Empty())
    honest.close()


@pytest.mark.parametrize("port", ["grpc", "http"])
def test_who_begins_requests_that_never_come_is_cut(home: TlsHome, server: ServerProcess, port: str) -> None:
    honest = home.grpc(server)
    source = f"127.0.3.{1 + (port == 'http')}"
    attacker = RawHttp2(server.ports[port], source, context=home.context())
    attacker.socket.settimeout(20)
    with suppress(ConnectionError, ssl.SSLError):
        for _ in range(2_000):
            attacker.send(HEADERS, END_HEADERS, attacker.begin(METHOD))
        while attacker.socket.recv(1 << 16):  # a TimeoutError when it is not cut
            pass
    attacker.socket.close()

    def lines() -> list[dict[str, Any]]:
        return [e for e in server.events("connections_cut") if e["peer"].startswith(f"{source}:")]

    until(lines)
    # Over HTTP they may be refused before: each then counts as one that was reset.
    bounds = {"grpc.incomplete_calls_per_address", *(["grpc.resets_per_second"] if port == "http" else [])}
    assert lines()[0]["setting"] in bounds
    assert honest.call("HealthCheck", empty_pb2.Empty())
    honest.close()


def test_the_log_names_who_was_cut_and_the_setting(home: TlsHome, server: ServerProcess) -> None:
    def lines() -> list[dict[str, Any]]:
        """Of an attack; the log takes a few of a second, and who was cut is not let in again at once."""
        with suppress(ConnectionError, ssl.SSLError):
            attacker = RawHttp2(server.ports["grpc"], "127.0.1.99", context=home.context())
            with attacker.socket:
                for _ in range(20_000):
                    reset(attacker)
        return [e for e in server.events("connections_cut") if e["peer"].startswith("127.0.1.99:")]

    until(lines)
    assert lines()[0]["setting"] == "grpc.resets_per_second"


@pytest.fixture(scope="module", params=["native", "grpcio"])
def clear(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """A server in the clear, as callers from other machines have it."""
    server = ServerProcess(
        tmp_path_factory.mktemp("clear"),
        GRPC__ENGINE=request.param,
        GRPC__FRONT="on",
        GRPC__RESETS_PER_SECOND="5",
        TLS__HANDSHAKE_SECONDS="1",
    )
    yield server
    assert server.stop() == 0
    assert server.events("call_crashed") == []


def is_closed(server: ServerProcess, source: str, said: bytes) -> bool:
    """Whether a connection on which this is said is closed and nothing answered; raises TimeoutError when it stays open."""
    with (
        suppress(ConnectionError),
        socket.create_connection(("127.0.0.1", server.ports["grpc"]), 20, (source, 0)) as made,
    ):
        made.sendall(said)
        return made.recv(1) == b""
    return True


@pytest.mark.parametrize("said", [b"", b"PRI * HTTP/2"])
def test_who_does_not_say_that_it_speaks_http_2_is_closed(clear: ServerProcess, said: bytes) -> None:
    assert is_closed(clear, "127.0.4.1", said)


def test_who_says_something_else_again_and_again_is_not_let_in_for_a_while(clear: ServerProcess) -> None:
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + bytes([SETTINGS]) + bytes(5)
    assert not is_closed(clear, "127.0.4.2", preface)
    for _ in range(10):
        assert is_closed(clear, "127.0.4.2", b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    assert is_closed(clear, "127.0.4.2", preface)
    assert not is_closed(clear, "127.0.4.3", preface), "others are"
    assert [e for e in clear.events("connections_cut") if e["why"] == "another protocol"]


@pytest.mark.parametrize("name", ATTACKS)
def test_without_tls_too(clear: ServerProcess, name: str) -> None:
    honest = GrpcWire("grpc", clear.grpc)
    attacker = RawHttp2(clear.ports["grpc"], f"127.0.2.{1 + list(ATTACKS).index(name)}")
    attacker.socket.settimeout(20)
    if name in ("empty", "continuation"):
        attacker.begin(METHOD)
    with suppress(ConnectionError):
        for _ in range(20_000):
            ATTACKS[name](attacker)
        while attacker.socket.recv(1 << 16):  # a TimeoutError when it is not cut
            pass
    attacker.socket.close()

    assert honest.call("HealthCheck", empty_pb2.Empty())
    honest.close()


@pytest.mark.parametrize(
    "sent",
    [b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", b"\x16\x03\x01\x02\x00", bytes(100)],
    ids=["HTTP/1", "TLS", "zeros"],
)
def test_who_speaks_another_protocol_is_cut(clear: ServerProcess, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", clear.ports["grpc"])) as client:
        client.settimeout(20)
        client.sendall(sent)
        with suppress(ConnectionError):
            while client.recv(100):  # the server's SETTINGS, and then the end
                pass
    until(lambda: [e for e in clear.events("connections_cut") if e["why"] == "another protocol"])


@pytest.fixture(scope="module", params=["native", "grpcio"])
def few(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server where an address may have 20 calls without a message, and asks too much with the third call."""
    server = ServerProcess(
        tmp_path_factory.mktemp("few"),
        GRPC__ENGINE=request.param,
        GRPC__FRONT="on",
        GRPC__INCOMPLETE_CALLS_PER_ADDRESS="20",
        GRPC__REFUSALS_PER_SECOND="1",
        RATE_LIMITS__MODE="on",
        RATE_LIMITS__ANONYMOUS__PER_SECOND="1",
        RATE_LIMITS__ANONYMOUS__BURST="2",
    )
    yield server
    assert server.stop() == 0
    assert server.events("call_crashed") == []


def test_who_opens_calls_and_sends_no_message_is_cut(few: ServerProcess) -> None:
    with RawHttp2(few.ports["grpc"], "127.0.3.1") as patient:
        for _ in range(8):
            patient.send(HEADERS, END_HEADERS, patient.begin(METHOD))
        with RawHttp2(few.ports["grpc"], "127.0.3.2") as attacker:
            attacker.socket.settimeout(20)
            with suppress(ConnectionError):
                for _ in range(60):
                    attacker.send(HEADERS, END_HEADERS, attacker.begin(METHOD))
                while attacker.socket.recv(1 << 16):  # a TimeoutError when it is not cut
                    pass

        def told() -> list[dict[str, Any]]:
            return [e for e in few.events("connections_cut") if e["peer"].startswith("127.0.3.2:")]

        until(told)
        assert told()[0]["setting"] == "grpc.incomplete_calls_per_address"
        patient.send(PING, 0, bytes(8), stream=0)  # on a connection that is open still
        assert patient.socket.recv(1 << 16)


def test_who_goes_on_asking_although_it_is_refused_is_slowed_and_not_cut(few: ServerProcess) -> None:
    with RawHttp2(few.ports["grpc"], "127.0.3.3") as greedy:
        greedy.socket.settimeout(60)
        answered = b""
        for _ in range(20):
            greedy.call(METHOD, b"")
        greedy.send(PING, 0, b"the last", stream=0)
        while b"the last" not in answered:
            more = greedy.socket.recv(1 << 16)
            assert more, "it is not cut"
            answered += more
