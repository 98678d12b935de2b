"""What TLS costs: hot reads with and without it on each listener, handshakes, memory of idle connections, and honest callers beside a
flood of handshakes.

    python loadtest/tls.py [--runs 5] [--seconds 3] [--markdown loadtest/results/tls.md]

Needs h2load (apt-get install nghttp2-client). Each pair of rows is loaded in turn in every round, so that both see the same machine; a
figure is the median of the rounds. h2load shows no client certificate: calls with one are made by a caller of our own, beside its calls
without; and what knowing a caller by one costs a call is also measured without a network.
"""

from __future__ import annotations

import os
import socket
import ssl
import statistics
import tempfile
import threading
import time
import timeit
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import grpc
import rig
from cryptography.hazmat.primitives.serialization import Encoding
from hot_reads import PATH, SCHEMA, Subject, h2load

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2_grpc
from llm_schema_registry_server.auth.certificates import (
    CertificateNames,
    CertificatePrincipals,
)
from llm_schema_registry_server.auth.permissions import PERMISSIONS, Roles
from llm_schema_registry_server.calls.call import Call
from llm_schema_registry_server.calls.guards.authenticate import Authenticate, OpenAuthenticator
from llm_schema_registry_server.calls.peer import NO_PROXIES, BehindFront, Fronted, TrustedProxies
from llm_schema_registry_server.rpc import methods
from llm_schema_registry_server.transports.front.ends import Ends
from llm_schema_registry_server.transports.front.http2 import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEAD,
    HEAD_BYTES,
    HEADERS,
    PREFACE,
    SETTINGS,
    WINDOW_UPDATE,
    fields,
    frame,
    number,
)
from tests.support.authority import Authority, Pair

IDLE = 500
WARM_UP_SECONDS = 1.0
CONNECTIONS, UNDER_WAY = 8, 32


class World:
    """Servers by name, and the files that they share."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self.authority = Authority()
        self.client = self.authority.issue(uris=["spiffe://loadtest/reader"])
        certificate, key = self.authority.server().write(self.folder, "server")
        self._ca = self.folder / "ca.pem"
        self._ca.write_bytes(self.authority.pem)
        self.tls = {"TLS__CERTIFICATE_FILE": str(certificate), "TLS__KEY_FILE": str(key)}
        self.asking = {
            **self.tls,
            "TLS__CLIENT_CERTIFICATES": "required",
            "TLS__CLIENT_CA_FILE": str(self._ca),
            "AUTH__CERTIFICATES__DEFAULT_ROLES": "admin",
            "RATE_LIMITS__MODE": "off",
        }

    def server(self, **settings: str) -> rig.Server:
        return self._stack.enter_context(rig.server(None, STORAGE__KIND="memory", **settings))

    def channel(self, server: rig.Server, secure: bool, pair: Pair | None = None) -> grpc.Channel:
        where = f"localhost:{server.port}"
        if not secure:
            return grpc.insecure_channel(where)
        shown = (pair.key, pair.certificate) if pair is not None else (None, None)
        return grpc.secure_channel(where, grpc.ssl_channel_credentials(self.authority.pem, *shown))

    def context(self, pair: Pair | None) -> ssl.SSLContext:
        made = ssl.create_default_context(cadata=self.authority.pem.decode())
        if pair is not None:
            made.load_cert_chain(*pair.write(self.folder, "shown"))
        return made


def registered(channel: grpc.Channel) -> str:
    stub = schema_registry_pb2_grpc.SchemaRegistryStub(channel)
    request = pb.RegisterSchemaRequest(
        subject="loadtest.orders", schema_content=SCHEMA, schema_type=pb.SCHEMA_TYPE_JSON
    )
    return str(stub.RegisterSchema(request).schema_id)


def subjects(world: World) -> list[tuple[Subject, Subject]]:
    """Each without TLS, and with it."""
    pairs = []
    for engine in ("grpcio", "native"):
        made: list[dict[str, Subject]] = []
        for secure in (False, True):
            server = world.server(GRPC__ENGINE=engine, **(world.tls if secure else {}))
            with world.channel(server, secure) as channel:
                schema_id = registered(channel)
            message = pb.GetSchemaRequest(schema_id=schema_id).SerializeToString()
            data = world.folder / f"{server.port}.bin"
            data.write_bytes(b"\0" + len(message).to_bytes(4, "big") + message)
            scheme, name = ("https", ", TLS") if secure else ("http", "")
            load = ["-d", str(data), "-H", "content-type: application/grpc", "-H", "te: trailers"]
            http = f"{scheme}://localhost:{server.http}/api/v1/schemas/{schema_id}"
            made.append(
                {
                    "grpc": Subject(
                        f"gRPC {engine}{name}",
                        "grpc",
                        server.process,
                        [*load, f"{scheme}://localhost:{server.port}{PATH}"],
                    ),
                    "http": Subject(f"HTTP/1.1{name}", "http", server.process, ["--h1", http]),
                    "h2": Subject(f"HTTP/2{name}", "grpc", server.process, [http]),
                }
            )
        kinds = ("grpc",) if engine == "grpcio" else ("grpc", "http", "h2")
        pairs += [(made[0][kind], made[1][kind]) for kind in kinds]
    return pairs


def reads(world: World, runs: int, seconds: float) -> list[str]:
    pairs = subjects(world)
    for pair in pairs:
        for subject in pair:
            h2load(subject, WARM_UP_SECONDS)
    for _ in range(runs):
        for pair in pairs:
            for subject in pair:
                run = h2load(subject, seconds)
                subject.rates.append(run.rate)
                subject.cpu.append(run.cpu_us)
    lines = [
        "| what | answers/s, median (lowest to highest) | server CPU per answer | of the rate without TLS |",
        "|---|---|---|---|",
    ]
    for plain, secure in pairs:
        share = statistics.median(b / a for a, b in zip(plain.rates, secure.rates, strict=True))
        for subject, told in ((plain, ""), (secure, f"{share:.0%}")):
            rates = subject.rates
            lines.append(
                f"| {subject.name} | {statistics.median(rates):,.0f} ({min(rates):,.0f} to {max(rates):,.0f}) | "
                f"{statistics.median(subject.cpu):.1f} us | {told} |"
            )
    return lines


class Caller:
    """GetSchema over connections of HTTP/2 whose frames are made once; each has a number of calls under way."""

    def __init__(self, port: int, schema_id: str, context: ssl.SSLContext) -> None:
        context.set_alpn_protocols(["h2"])
        message = pb.GetSchemaRequest(schema_id=schema_id).SerializeToString()
        self._block = fields(
            (
                (":method", "POST"),
                (":scheme", "https"),
                (":path", PATH),
                (":authority", "localhost"),
                ("content-type", "application/grpc"),
                ("te", "trailers"),
            )
        )
        self._body = b"\0" + len(message).to_bytes(4, "big") + message
        self._connections = [self._connected(port, context) for _ in range(CONNECTIONS)]
        self._streams = [1] * CONNECTIONS

    @staticmethod
    def _connected(port: int, context: ssl.SSLContext) -> ssl.SSLSocket:
        made = shaken(port, context)
        window = frame(WINDOW_UPDATE, 0, 0, number(0x7FFF_0000))
        made.sendall(PREFACE + frame(SETTINGS, 0, 0, b"") + window)
        return made

    def run(self, seconds: float) -> int:
        """Calls until it is time; how many were answered. Raises RuntimeError when one fails."""
        answered, end = 0, time.perf_counter() + seconds
        while time.perf_counter() < end:
            for place, connection in enumerate(self._connections):
                first = self._streams[place]
                self._streams[place] += 2 * UNDER_WAY
                connection.sendall(
                    b"".join(
                        frame(HEADERS, END_HEADERS, stream, self._block)
                        + frame(DATA, END_STREAM, stream, self._body)
                        for stream in range(first, first + 2 * UNDER_WAY, 2)
                    )
                )
            for connection in self._connections:
                answered += self._answers(connection)
        return answered

    @staticmethod
    def _answers(connection: ssl.SSLSocket) -> int:
        """Reads until all calls under way are answered."""
        data, ended, full = b"", 0, 0
        while ended < UNDER_WAY or data:
            data += connection.recv(1 << 16)
            at = 0
            while at + HEAD_BYTES <= len(data):
                high, low, kind, flags, _ = HEAD.unpack_from(data, at)
                end = at + HEAD_BYTES + (high << 8 | low)
                if end > len(data):
                    break
                full += kind == DATA
                ended += kind == HEADERS and flags & END_STREAM
                at = end
            data = data[at:]
        if full < UNDER_WAY:
            raise RuntimeError("a call was answered with an error")
        return ended


def certificates(world: World, runs: int, seconds: float) -> list[str]:
    """The native engine, with callers who show a certificate and with others, in turns."""
    rows: list[tuple[str, rig.Server, Caller, list[float], list[float]]] = []
    for name, settings, pair in (
        ("nobody shows a certificate", world.tls, None),
        ("everybody shows one", world.asking, world.client),
    ):
        server = world.server(GRPC__ENGINE="native", **settings)
        with world.channel(server, True, pair) as channel:
            schema_id = registered(channel)
        rows.append((name, server, Caller(server.port, schema_id, world.context(pair)), [], []))
    for round_ in range(runs + 1):
        for _, server, caller, rates, costs in rows:
            began, used = time.perf_counter(), server.cpu()[0]
            answered = caller.run(seconds)
            if round_:
                rates.append(answered / (time.perf_counter() - began))
                costs.append((server.cpu()[0] - used) / answered * 1e6)
    lines = ["| gRPC native, TLS | answers/s | server CPU per answer |", "|---|---|---|"]
    for name, _, _, rates, costs in rows:
        spread = f"({min(rates):,.0f} to {max(rates):,.0f})"
        lines.append(
            f"| {name} | {statistics.median(rates):,.0f} {spread} | {statistics.median(costs):.1f} us |"
        )
    return lines


def identity() -> list[str]:
    """What the guard that authenticates takes for a call, with what it is asked about."""
    authority = Authority()
    shown = authority.issue(uris=["spiffe://loadtest/reader"]).read.public_bytes(Encoding.DER)
    operation = next(iter(methods.load())).operation
    ends = Ends()
    ends.add("127.0.0.2:5", Fronted("203.0.113.7:4711", shown))
    names = CertificatePrincipals(
        CertificateNames(("uri",)), Roles(), {"uri:spiffe://loadtest/*": ("reader",)}
    )
    rows = (
        ("nobody", Authenticate(OpenAuthenticator(PERMISSIONS)), NO_PROXIES, "ipv4:203.0.113.7:4711"),
        (
            "the certificate of the connection",
            Authenticate(OpenAuthenticator(()), names),
            BehindFront(ends.find),
            "ipv4:127.0.0.2:5",
        ),
    )
    lines = ["| who is asked who calls | for each call |", "|---|---|"]
    for name, guard, proxies, connection in rows:

        def once(
            guard: Authenticate = guard, proxies: TrustedProxies = proxies, connection: str = connection
        ) -> None:
            guard.quick(Call(operation, {}, connection, "grpc", "id", None, proxies))

        best = min(timeit.repeat(once, number=20_000, repeat=7)) / 20_000
        lines.append(f"| {name} | {best * 1e6:.2f} us |")
    return lines


def shaken(port: int, context: ssl.SSLContext) -> ssl.SSLSocket:
    plain = socket.create_connection(("localhost", port))
    return context.wrap_socket(plain, server_hostname="localhost")


def handshakes(world: World, seconds: float) -> list[str]:
    lines = [
        "| handshakes | per second, one after the other | server CPU of each | resident memory of an idle connection |",
        "|---|---|---|---|",
    ]
    for name, settings, pair in (
        ("without a client certificate", world.tls, None),
        ("with one", world.asking, world.client),
    ):
        server, context = world.server(**settings), world.context(pair)
        for _ in range(50):
            shaken(server.http, context).close()
        count, began, used = 0, time.perf_counter(), server.cpu()[0]
        while time.perf_counter() - began < seconds:
            shaken(server.http, context).close()
            count += 1
        took, used = time.perf_counter() - began, server.cpu()[0] - used
        time.sleep(1)
        before = server.resident
        idle = [shaken(server.http, context) for _ in range(IDLE)]
        time.sleep(1)
        each = (server.resident - before) * 1024 / IDLE
        for connection in idle:
            connection.close()
        lines.append(f"| {name} | {count / took:,.0f} | {used / count * 1e6:,.0f} us | {each:.0f} KiB |")
    return lines


def flood(world: World, seconds: float) -> list[str]:
    """Honest calls before and during as many handshakes as two callers can begin, each from an address of its own."""
    server = world.server(**world.tls)
    stop = threading.Event()
    begun = [0, 0]

    def attack(number: int) -> None:
        context = world.context(None)
        while not stop.is_set():
            try:
                plain = socket.create_connection(("localhost", server.http), 5, (f"127.0.0.{8 + number}", 0))
                with context.wrap_socket(plain, server_hostname="localhost"):
                    begun[number] += 1
            except OSError:
                continue

    lines = ["| honest GetSchema over TLS | p50 | p99 | worst |", "|---|---|---|---|"]
    with world.channel(server, True) as channel:
        schema_id = registered(channel)
        stub = schema_registry_pb2_grpc.SchemaRegistryStub(channel)

        def honest(name: str) -> None:
            found: list[float] = []
            end = time.perf_counter() + seconds
            while time.perf_counter() < end:
                at = time.perf_counter()
                stub.GetSchema(pb.GetSchemaRequest(schema_id=schema_id))
                found.append((time.perf_counter() - at) * 1000)
                time.sleep(0.002)
            cuts = [rig.percentile(found, share) for share in (0.5, 0.99, 1.0)]
            lines.append(f"| {name} | " + " | ".join(f"{cut:.1f} ms" for cut in cuts) + " |")

        honest("alone")
        threads = [threading.Thread(target=attack, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        began = time.perf_counter()
        honest("beside a flood of handshakes")
        rate = sum(begun) / (time.perf_counter() - began)
        stop.set()
        for thread in threads:
            thread.join()
    return [*lines, "", f"The flood: {rate:,.0f} handshakes per second, by clients on the same processors."]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = rig.parser(__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    asked = parser.parse_args(arguments)
    lines = rig.head("TLS", os.getloadavg()[0])
    with ExitStack() as stack:
        lines += [*reads(World(stack), asked.runs, asked.seconds), ""]
    with ExitStack() as stack:
        lines += [*certificates(World(stack), asked.runs, asked.seconds), ""]
    lines += [*identity(), ""]
    with ExitStack() as stack:
        lines += [*handshakes(World(stack), asked.seconds), ""]
    with ExitStack() as stack:
        lines += flood(World(stack), asked.seconds)
    rig.publish(lines, asked.markdown)


if __name__ == "__main__":
    main()
