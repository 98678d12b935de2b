"""Servers that speak TLS, and clients of them: good ones through libraries, others by a handshake of their own."""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import suppress
from pathlib import Path

import grpc

from tests.api.server import ServerProcess
from tests.api.wires import GrpcWire, HttpWire

from .authority import Authority, Pair

SECONDS = 10.0
ROLES = """
[auth.certificates.roles]
"uri:spiffe://test/role/admin" = ["admin"]
"uri:spiffe://test/role/developer" = ["developer"]
"uri:spiffe://test/role/reader" = ["reader"]
"uri:spiffe://test/role/service" = ["service"]
"uri:spiffe://test/role/two-*" = ["service"]
"uri:spiffe://test/*/two-?" = ["counter"]
"dns:*.workers.test" = ["reader"]
"email:ops@example.test" = ["admin"]

[[auth.grants]]
to = "cert:uri:spiffe://test/role/granted"
role = "developer"
on = ["granted.*"]
"""


class TlsHome:
    """The files of a server in `directory`, whose certificate is of `authority`, and which asks for certificates of `clients`."""

    def __init__(self, directory: Path, authority: Authority | None = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.authority, self.clients = authority or Authority("servers"), Authority("clients")
        self.ca, self.crl = directory / "clients.pem", directory / "revoked.pem"
        self.roles = directory / "settings.toml"
        self.ca.write_bytes(self.clients.pem)
        self.crl.write_bytes(self.clients.revocations())
        self.roles.write_text(ROLES)
        self.renew()

    def renew(self, pair: Pair | None = None) -> Pair:
        """Gives the server another certificate."""
        made = pair or self.authority.server()
        self.certificate, self.key = made.write(self.directory, "server")
        return made

    def start(self, name: str, *, client_certificates: str = "none", **settings: str) -> ServerProcess:
        """A server that looks at its files every 0.1 s."""
        asked: dict[str, str] = {}
        if client_certificates != "none":
            asked = {
                "TLS__CLIENT_CERTIFICATES": client_certificates,
                "TLS__CLIENT_CA_FILE": str(self.ca),
                "TLS__REVOCATION_FILE": str(self.crl),
                "AUTH__ROLES__COUNTER": "metrics:read",
            }
        return ServerProcess(
            self.directory / name,
            CONFIG=str(self.roles),
            TLS__CERTIFICATE_FILE=str(self.certificate),
            TLS__KEY_FILE=str(self.key),
            **{"TLS__RELOAD_SECONDS": "0.1", "WORKERS__PROCESSES": "1", **asked, **settings},
        )

    def grpc(self, server: ServerProcess, pair: Pair | None = None) -> GrpcWire:
        """A client of gRPC that shows a certificate, or none."""
        shown = (pair.key, pair.certificate) if pair is not None else (None, None)
        credentials = grpc.ssl_channel_credentials(self.authority.pem, *shown)
        return GrpcWire("grpc", f"localhost:{server.ports['grpc']}", credentials)

    def http(self, server: ServerProcess, pair: Pair | None = None) -> HttpWire:
        """A client of HTTP that does."""
        return HttpWire(f"https://localhost:{server.ports['http']}", self.context(pair))

    def context(self, pair: Pair | None = None, *, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        """Of a client that trusts the server's authority. version: the only one that it speaks."""
        context = ssl.create_default_context(cadata=self.authority.pem.decode())
        if version is not None:
            context.minimum_version = context.maximum_version = version
        if pair is not None:
            files = pair.write(self.directory / "shown", str(pair.read.serial_number))
            context.load_cert_chain(*files)
        return context


def shake(
    port: int,
    context: ssl.SSLContext,
    *,
    alpn: tuple[str, ...] = ("h2",),
    source: str = "127.0.0.1",
) -> ssl.SSLSocket:
    """A connection after its handshake. Raises ssl.SSLError, and ConnectionError, when the server refuses, whenever it does so: in TLS 1.3
    a client is done before the server has looked at its certificate."""
    plain = socket.create_connection(("localhost", port), SECONDS, (source, 0))
    try:
        if alpn:
            context.set_alpn_protocols(list(alpn))
        secure = context.wrap_socket(plain, server_hostname="localhost")
    except BaseException:
        plain.close()
        raise
    # Both protocols begin with something of the server once it has something of the client.
    secure.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5))
    try:
        if not secure.recv(9):
            raise ConnectionResetError("the server has closed")
    except BaseException:
        secure.close()
        raise
    return secure


def refusal(port: int, context: ssl.SSLContext, **options: str) -> str:
    """What a client hears that is refused; "" when it is let in."""
    try:
        shake(port, context, **options).close()  # type: ignore[arg-type]  # only `source` is given
    except ssl.SSLError as error:
        return error.reason or str(error)
    except ConnectionError as error:
        return type(error).__name__
    return ""


def until(condition: object, seconds: float = SECONDS) -> None:
    """Waits until a callable answers something true."""
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def serial(port: int, context: ssl.SSLContext) -> int:
    """The serial number of the certificate that a server shows."""
    with suppress(OSError), shake(port, context) as connection:
        shown = connection.getpeercert()
        assert shown is not None
        return int(str(shown["serialNumber"]), 16)
    return 0
