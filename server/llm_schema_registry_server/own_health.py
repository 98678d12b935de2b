"""How the server is that runs with these settings on this machine: what the health check of a container asks."""

from __future__ import annotations

import json
import ssl
import sys
from http.client import HTTPConnection, HTTPException, HTTPSConnection

from .settings import Settings

READY, NOT_READY = 0, 1
PATH = "/health/ready"

_ANY = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}
"""Addresses that stand for all of the machine's, and the one that always is among them."""
_MOST_BYTES = 64 * 1024


def own_health(settings: Settings, *, seconds: float) -> int:
    """Ask the HTTP listener for its readiness, print its answer, and return READY or NOT_READY.

    seconds: how long it may take. Whoever listens there is this machine's own server, and nothing secret is sent, so that its
    certificate is not verified: it names the host that clients know, not loopback.
    """
    host, port = _ANY.get(settings.http.host.strip("[]"), settings.http.host.strip("[]")), settings.http.port
    if not port:
        return _not_ready("http.port is 0: the system chose the port, and only `serve --ready-file` tells it")
    try:
        connection = _connection(settings, host, port, seconds)
        try:
            connection.request("GET", PATH)
            answer = connection.getresponse()
            print(answer.read(_MOST_BYTES).decode(errors="replace"))
        finally:
            connection.close()
    except (OSError, HTTPException) as error:
        return _not_ready(f"{host}:{port} does not answer: {error or type(error).__name__}")
    return READY if answer.status == 200 else NOT_READY


def _not_ready(why: str) -> int:
    print(json.dumps({"status": "UNKNOWN", "why": why}), file=sys.stderr)
    return NOT_READY


def _connection(settings: Settings, host: str, port: int, seconds: float) -> HTTPConnection:
    if not settings.tls.speaks("http"):
        return HTTPConnection(host, port, timeout=seconds)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    certificate = settings.tls.certificate_file
    if settings.tls.asks("http") == "required" and certificate is not None:
        # Our own certificate is all that this program has to show; it is taken where the clients' authority issued it.
        password = settings.tls.key_password
        context.load_cert_chain(
            certificate, settings.tls.key_file, password.get_secret_value() if password else None
        )
    return HTTPSConnection(host, port, timeout=seconds, context=context)
