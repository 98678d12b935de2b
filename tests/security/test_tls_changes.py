"""What happens on the listeners of TLS when files change, certificates expire and clients misbehave, while others work."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import httpx
import psutil
import pytest
from google.protobuf import duration_pb2, empty_pb2

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2_grpc
from tests.api.server import ServerProcess
from tests.api.wires import CallFailed, GrpcWire, HttpWire, Wire
from tests.support.authority import Authority, Pair, now
from tests.support.raw_http2 import RawHttp2
from tests.support.tls import TlsHome, refusal, serial, shake, until

pytestmark = pytest.mark.slow
WIRES = ("grpc", "http")


@pytest.fixture
def home(tmp_path: Path) -> TlsHome:
    return TlsHome(tmp_path)


@pytest.fixture
def start(home: TlsHome) -> Iterator[Callable[..., ServerProcess]]:
    """Starts servers that ask for certificates unless told otherwise."""
    running: list[ServerProcess] = []

    def start(**settings: str) -> ServerProcess:
        settings = {"client_certificates": "required", **settings}
        running.append(home.start(f"server{len(running)}", **settings))  # type: ignore[arg-type]
        return running[-1]

    yield start
    for server in running:
        assert server.stop() == 0
        assert server.events("call_crashed") == []
        assert "Traceback" not in server.log.read_text()


def admin(home: TlsHome, **options: Any) -> Pair:
    return home.clients.issue(uris=["spiffe://test/role/admin"], **options)


class Watch:
    """A stream of changes that a thread reads."""

    def __init__(self, wire: Wire) -> None:
        self.seen: list[str] = []
        self.failure: Exception | None = None
        self._wire = wire
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            request = pb.StreamRequest(heartbeat_interval=duration_pb2.Duration(seconds=1))
            for event in self._wire.listing("StreamSchemaChanges", request):
                self.seen.append(str(event))
        except Exception as error:
            self.failure = error

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def join(self) -> None:
        self._thread.join(10)


def watch(home: TlsHome, server: ServerProcess, wire: str, pair: Pair) -> Watch:
    made: GrpcWire | HttpWire = home.grpc(server, pair) if wire == "grpc" else home.http(server, pair)
    watching = Watch(made)
    until(lambda: watching.seen or watching.ended)
    return watching


def register(home: TlsHome, server: ServerProcess, pair: Pair, subject: str) -> None:
    caller = home.http(server, pair)
    caller.call(
        "RegisterSchema",
        pb.RegisterSchemaRequest(
            subject=subject, schema_content=b'{"type":"string"}', schema_type=pb.SCHEMA_TYPE_JSON
        ),
    )
    caller.close()


@pytest.mark.parametrize("wire", WIRES)
def test_the_certificate_is_replaced_while_streams_run(
    home: TlsHome, start: Callable[..., ServerProcess], wire: str
) -> None:
    server, pair = start(), admin(home)
    watching = watch(home, server, wire, pair)
    new = home.renew()
    until(lambda: serial(server.ports[wire], home.context(pair)) == new.read.serial_number)
    register(home, server, pair, "after.the.change")
    until(lambda: any("after.the.change" in event for event in watching.seen))
    assert not watching.ended


def test_sighup_has_the_files_read_at_once(home: TlsHome, start: Callable[..., ServerProcess]) -> None:
    server, pair = start(TLS__RELOAD_SECONDS="3600"), admin(home)
    new = home.renew()
    time.sleep(0.5)
    assert serial(server.ports["grpc"], home.context(pair)) != new.read.serial_number
    server.process.send_signal(signal.SIGHUP)
    for port in WIRES:
        until(lambda port=port: serial(server.ports[port], home.context(pair)) == new.read.serial_number)


def test_files_that_cannot_be_used_change_nothing(home: TlsHome, start: Callable[..., ServerProcess]) -> None:
    server, pair = start(), admin(home)
    before = serial(server.ports["http"], home.context(pair))
    other = home.authority.server()
    home.key.write_bytes(other.key)  # of another certificate: half of a change
    until(lambda: len(server.events("tls_files_not_read")) == 2)  # one for each listener, and no more
    time.sleep(0.5)
    lines = server.events("tls_files_not_read")
    assert len(lines) == 2
    assert str(home.key) in lines[0]["why"]
    assert serial(server.ports["http"], home.context(pair)) == before
    home.certificate.write_bytes(other.certificate)  # the other half
    until(lambda: serial(server.ports["http"], home.context(pair)) == other.read.serial_number)
    home.crl.unlink()
    until(lambda: len(server.events("tls_files_not_read")) == 4)
    assert refusal(server.ports["http"], home.context(pair)) == ""


@pytest.mark.parametrize("what", ["certificate", "key", "ca", "crl"])
def test_a_server_whose_files_cannot_be_used_does_not_start_and_says_which(home: TlsHome, what: str) -> None:
    file: Path = getattr(home, what)
    file.unlink()
    with pytest.raises(AssertionError, match="cannot speak TLS") as refused:
        home.start("never", client_certificates="required")
    assert str(file) in str(refused.value)
    assert "Traceback" not in str(refused.value)


def test_a_key_that_everyone_may_read_is_told(home: TlsHome, start: Callable[..., ServerProcess]) -> None:
    home.key.chmod(0o644)
    assert len(start().events("tls_key_exposed")) == 2


@pytest.mark.parametrize("wire", WIRES)
def test_who_is_revoked_is_cut_and_nobody_else(
    home: TlsHome, start: Callable[..., ServerProcess], wire: str
) -> None:
    server, bad, good = start(), admin(home), admin(home)
    cut, kept = watch(home, server, wire, bad), watch(home, server, wire, good)
    home.crl.write_bytes(home.clients.revocations(bad))
    until(lambda: cut.ended)
    assert cut.failure is not None
    until(lambda: "REVOKED" in refusal(server.ports[wire], home.context(bad)))
    register(home, server, good, "still.here")
    until(lambda: any("still.here" in event for event in kept.seen))
    assert not kept.ended
    (line,) = server.events("tls_connections_cut")
    assert (line["listener"], line["connections"]) == (wire, 1)
    home.crl.write_bytes(home.clients.revocations())
    until(lambda: refusal(server.ports[wire], home.context(bad)) == "")


@pytest.mark.parametrize("wire", WIRES)
def test_other_authorities_take_the_connections_of_the_old_ones_along(
    home: TlsHome, start: Callable[..., ServerProcess], wire: str
) -> None:
    server, pair = start(), admin(home)
    watching = watch(home, server, wire, pair)
    new = Authority("clients of tomorrow")
    home.crl.write_bytes(new.revocations() + home.clients.revocations())
    home.ca.write_bytes(new.pem)
    until(lambda: watching.ended)
    until(lambda: "UNKNOWN_CA" in refusal(server.ports[wire], home.context(pair)))
    assert refusal(server.ports[wire], home.context(new.issue(uris=["spiffe://test/role/admin"]))) == ""


def test_a_list_that_has_expired_lets_nobody_in(home: TlsHome, start: Callable[..., ServerProcess]) -> None:
    home.crl.write_bytes(home.clients.revocations(ends=now() - timedelta(minutes=1)))
    server, pair = start(), admin(home)
    for port in WIRES:
        assert refusal(server.ports[port], home.context(pair)) != ""
    assert {line["why"] for line in server.events("tls_refused")} == {"revocation list expired"}
    assert "revocation list" in {line["what"] for line in server.events("tls_expires")}


@pytest.mark.parametrize("wire", WIRES)
def test_a_stream_ends_when_the_certificate_expires_that_opened_it(
    home: TlsHome, start: Callable[..., ServerProcess], wire: str
) -> None:
    server, pair = start(), admin(home, ends=now() + timedelta(seconds=3))
    caller: GrpcWire | HttpWire = home.grpc(server, pair) if wire == "grpc" else home.http(server, pair)
    caller.call("HealthCheck", empty_pb2.Empty())
    watching = Watch(caller)
    until(lambda: watching.ended)
    assert isinstance(watching.failure, CallFailed)
    assert watching.failure.reason == "UNAUTHENTICATED"
    # A connection that stands counts no more than a new one, which ends in its handshake.
    with pytest.raises((CallFailed, httpx.ReadError), match=r"UNAUTHENTICATED|EXPIRED"):
        caller.call("HealthCheck", empty_pb2.Empty())
    caller.close()


def inner_ports(server: ServerProcess) -> set[int]:
    """Where the process listens beside the ports that it tells."""
    listening = {
        c.laddr.port
        for c in psutil.Process(server.process.pid).net_connections("tcp")
        if c.status == psutil.CONN_LISTEN
    }
    return listening - set(server.ports.values())


@pytest.mark.parametrize("kind", ["required", "optional"])
def test_nobody_comes_around_the_front(home: TlsHome, start: Callable[..., ServerProcess], kind: str) -> None:
    """A process of the same machine finds the port of an engine: it is let in nowhere, whatever it shows or says."""
    server = start(client_certificates=kind)
    ports = inner_ports(server)
    assert len(ports) == 2
    heard = set()
    for port in ports:
        plain = GrpcWire("around", f"127.0.0.1:{port}")
        web = HttpWire(f"http://127.0.0.1:{port}")
        for wire in (plain, web):
            try:
                wire.call("HealthCheck", empty_pb2.Empty())
                heard.add("let in")
            except CallFailed as failed:
                heard.add(failed.reason or failed.message.partition(";")[0])
            except Exception as error:
                heard.add(type(error).__name__)
            wire.close()
    assert "let in" not in heard
    assert "UNAUTHENTICATED" in heard


def test_slow_handshakes_are_cut(home: TlsHome, start: Callable[..., ServerProcess]) -> None:
    server = start(TLS__HANDSHAKE_SECONDS="1")
    for port in ("http",):
        for sent in (b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"):
            with socket.create_connection(("127.0.0.1", server.ports[port])) as idle:
                idle.sendall(sent)
                idle.settimeout(5)
                began = time.monotonic()
                with suppress(ConnectionResetError):
                    assert idle.recv(100) == b""
                assert 0.5 < time.monotonic() - began < 4


def test_handshakes_of_one_address_leave_room_for_others(
    home: TlsHome, start: Callable[..., ServerProcess]
) -> None:
    server, pair = start(TLS__HANDSHAKES="16", TLS__HANDSHAKE_SECONDS="30"), admin(home)
    port = server.ports["http"]
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
    until(lambda: "too many handshakes" in {line["why"] for line in server.events("tls_refused")})
    assert refusal(port, home.context(pair)) != ""
    assert refusal(port, home.context(pair), source="127.0.0.9") == ""
    for connection in idle:
        connection.close()
    until(lambda: refusal(port, home.context(pair)) == "")


def test_connections_of_one_address_are_bounded(home: TlsHome, start: Callable[..., ServerProcess]) -> None:
    server, pair = start(HTTP__CONNECTIONS_PER_ADDRESS="3"), admin(home)
    port = server.ports["http"]
    held = [shake(port, home.context(pair)) for _ in range(3)]
    assert refusal(port, home.context(pair)) != ""
    assert refusal(port, home.context(pair), source="127.0.0.9") == ""
    held.pop().close()
    until(lambda: refusal(port, home.context(pair)) == "")
    for connection in held:
        connection.close()


@pytest.mark.parametrize("engine", ["grpcio", "native"])
def test_who_resets_calls_is_cut_and_named_and_its_neighbours_are_not(
    home: TlsHome, start: Callable[..., ServerProcess], engine: str
) -> None:
    """What engines count for each address, they count for each caller behind TLS."""
    server = start(client_certificates="none", GRPC__ENGINE=engine, GRPC__RESETS_PER_SECOND="10")
    honest = Watch(home.grpc(server))
    until(lambda: honest.seen)
    attacker = RawHttp2(server.ports["grpc"], "127.0.0.9", context=home.context())
    request = pb.StreamRequest(heartbeat_interval=duration_pb2.Duration(seconds=1)).SerializeToString()
    attacker.socket.settimeout(10)
    with suppress(OSError):  # it is cut at some point
        for _ in range(500):
            attacker.call("/schema_registry.v1.SchemaRegistry/StreamSchemaChanges", request)
            time.sleep(0.005)  # it is begun
            attacker.cancel()
    with suppress(ConnectionError, ssl.SSLError):
        while attacker.socket.recv(1 << 16):
            pass
    attacker.socket.close()
    if engine == "grpcio":  # the native one ends such connections by itself
        until(lambda: server.events("connections_cut"))
        assert {line["peer"].partition(":")[0] for line in server.events("connections_cut")} == {"127.0.0.9"}
    assert not honest.ended


JUNK = {
    "junk": os.urandom(4000),
    "a record that never ends": b"\x16\x03\x01\xff\xff" + bytes(70_000),
    "ssl 2": b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + os.urandom(35),
    "an alert": b"\x15\x03\x03\x00\x02\x02\x28",
    "much": b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc" + bytes(2_000_000),
}


@pytest.mark.parametrize("what", JUNK)
def test_junk_ends_its_connection_and_nothing_else(
    home: TlsHome, start: Callable[..., ServerProcess], what: str
) -> None:
    server, pair = start(), admin(home)
    watching = watch(home, server, "grpc", pair)
    for port in WIRES:
        with socket.create_connection(("127.0.0.1", server.ports[port])) as connection:
            connection.settimeout(5)
            with suppress(ConnectionError):
                connection.sendall(JUNK[what])
                while connection.recv(65536):
                    pass
    register(home, server, pair, "unharmed")
    until(lambda: any("unharmed" in event for event in watching.seen))


def fill(connection: ssl.SSLSocket, request: bytes) -> None:
    """Sends until the other end takes no more. Raises an error when that happens."""
    connection.settimeout(2)
    for _ in range(20_000):
        connection.sendall(request * 50)


def test_a_client_that_reads_nothing_holds_up_nobody(
    home: TlsHome, start: Callable[..., ServerProcess]
) -> None:
    server, pair = start(), admin(home)
    context = home.context(pair)
    context.set_alpn_protocols(["http/1.1"])
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.connect(("127.0.0.1", server.ports["http"]))
    lazy = context.wrap_socket(plain, server_hostname="localhost")
    before = psutil.Process(server.process.pid).memory_info().rss
    with pytest.raises((TimeoutError, ConnectionError, ssl.SSLError)):
        fill(lazy, b"GET /api/v1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    caller = home.http(server, pair)
    for _ in range(50):
        caller.call("HealthCheck", empty_pb2.Empty())
    assert psutil.Process(server.process.pid).memory_info().rss - before < 64 << 20
    caller.close()
    lazy.close()


def test_who_leaves_without_an_answer_is_still_known(
    home: TlsHome, start: Callable[..., ServerProcess]
) -> None:
    server, pair = start(), admin(home)
    context = home.context(pair)
    context.set_alpn_protocols(["http/1.1"])
    for _ in range(50):
        with (
            socket.create_connection(("localhost", server.ports["http"])) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            secure.sendall(b"GET /api/v1/schemas/none HTTP/1.1\r\nHost: localhost\r\n\r\n")
    until(lambda: len(server.events("call_failed")) >= 15)  # the log has some of each second
    assert {line["code"] for line in server.events("call_failed")} == {"NOT_FOUND"}


def test_calls_in_flight_finish_when_the_server_stops(
    home: TlsHome, start: Callable[..., ServerProcess]
) -> None:
    server, pair = start(), admin(home)
    watching = [watch(home, server, wire, pair) for wire in WIRES]
    assert server.stop() == 0
    for one in watching:
        one.join()
        assert isinstance(one.failure, CallFailed), one.failure
        assert one.failure.reason == "SHUTTING_DOWN"


def test_trusted_proxies_are_known_by_the_far_end_of_their_connection(
    home: TlsHome, start: Callable[..., ServerProcess]
) -> None:
    server, pair = (
        start(PROXIES__TRUSTED="127.0.0.1"),
        home.clients.issue(uris=["spiffe://test/role/of-nobody"]),
    )
    for wire in (home.http(server, pair),):
        wire.client.headers["x-forwarded-for"] = "203.0.113.9"
        with pytest.raises(CallFailed, match="PERMISSION_DENIED"):
            wire.call("GetSchema", pb.GetSchemaRequest(schema_id="x"))
        wire.close()
    (line,) = server.events("call_failed")
    assert line["peer"].startswith("203.0.113.9 via 127.0.0.1:")


@pytest.mark.parametrize("engine", ["native", "grpcio"])
def test_each_call_is_known_by_the_certificate_of_its_connection(
    home: TlsHome, start: Callable[..., ServerProcess], engine: str
) -> None:
    """Streams of requests, health and the rest too, which the native engine hands on to another one over one socket; whatever callers
    say of themselves."""
    server = start(GRPC__ENGINE=engine)
    one, other = (
        home.grpc(server, admin(home)),
        home.grpc(server, home.clients.issue(uris=["spiffe://x/nobody"])),
    )
    done = one.call(
        "RegisterSchema",
        pb.RegisterSchemaRequest(
            subject="n", schema_content=b'{"type":"string"}', schema_type=pb.SCHEMA_TYPE_JSON
        ),
    )
    request = pb.ValidateDataRequest(schema_id=done.schema_id, data=b'"x"')
    forged = (("x-front-0000000000000000", "127.0.0.2:1"), ("x-forwarded-for", "127.0.0.2"))
    batch = schema_registry_pb2_grpc.SchemaRegistryStub(other.channel).BatchValidate
    for _ in range(3):
        assert [report.valid for report in one.batch("BatchValidate", [request])] == [True]
        with pytest.raises(grpc.RpcError) as refused:
            list(batch(iter([request]), metadata=forged))
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    lines = [e for e in server.events("call_failed") if e["method"] == "BatchValidate"]
    assert {str(e["peer"]).rpartition(":")[0] for e in lines} == {"127.0.0.1"}, (
        "the caller's, not the front's"
    )
    watching = Watch(one)
    until(lambda: watching.seen)
    other.close()
    one.close()


def test_metrics_speak_tls_when_they_are_asked_to(home: TlsHome, start: Callable[..., ServerProcess]) -> None:
    server, pair = start(TLS__LISTENERS="grpc,http,metrics"), admin(home)
    page = HttpWire(f"https://localhost:{server.ports['metrics']}", home.context(pair))
    assert "schema_registry_tls_connections" in page.client.get("/metrics").text
    page.close()
    assert refusal(server.ports["metrics"], home.context(), alpn=()) != ""  # type: ignore[arg-type]
    new = home.renew()
    until(lambda: _serial_of_page(home, server, pair) == new.read.serial_number)
    page = HttpWire(f"https://localhost:{server.ports['metrics']}", home.context(pair))
    assert page.client.get("/metrics").status_code == 200
    page.close()


def _serial_of_page(home: TlsHome, server: ServerProcess, pair: Pair) -> int:
    with (
        socket.create_connection(("localhost", server.ports["metrics"])) as plain,
        home.context(pair).wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        shown = secure.getpeercert()
        assert shown is not None
        return int(str(shown["serialNumber"]), 16)


def test_a_deadline_and_a_cancellation_go_through(home: TlsHome, start: Callable[..., ServerProcess]) -> None:
    server, pair = start(), admin(home)
    caller = home.grpc(server, pair)
    stub = caller.channel.unary_stream("/schema_registry.v1.SchemaRegistry/StreamSchemaChanges")
    request = pb.StreamRequest(heartbeat_interval=duration_pb2.Duration(seconds=1)).SerializeToString()
    with pytest.raises(grpc.RpcError) as late:
        list(stub(request, timeout=1.5))
    assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED  # type: ignore[attr-defined]
    call = stub(request, timeout=30)
    next(iter(call))
    call.cancel()
    until(lambda: _streams(server) == 0)
    caller.close()


def _streams(server: ServerProcess) -> float:
    page = HttpWire(f"http://127.0.0.1:{server.ports['metrics']}")
    lines = page.client.get("/metrics").text.splitlines()
    page.close()
    return sum(
        float(line.rpartition(" ")[2]) for line in lines if line.startswith("schema_registry_streams_open{")
    )
