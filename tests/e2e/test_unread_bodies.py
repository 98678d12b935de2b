"""Answers that are given before a body was read: whatever their status, the client sees them, and the connection does not wait for the body."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.api.server import ServerProcess

LONG = 5_000_000
LIMITED = {
    "RATE_LIMITS__MODE": "on",
    "RATE_LIMITS__ANONYMOUS__PER_SECOND": "0.01",
    "RATE_LIMITS__ANONYMOUS__BURST": "1",
}
CASES = {
    "no-host": ("open", "GET /api/v1/subjects HTTP/1.1", "", 400),
    "who": ("closed", "GET /api/v1/subjects HTTP/1.1", "", 401),
    "foreign-page": ("open", "POST /api/v1/schemas HTTP/1.1", "origin: http://elsewhere.example", 403),
    "no-mount": ("open", "POST /nowhere HTTP/1.1", "", 404),
    "no-route": ("open", "POST /api/v1/nothing HTTP/1.1", "", 404),
    "not-there": ("open", "GET /api/v1/schemas/none HTTP/1.1", "", 404),
    "verb": ("open", "DELETE /api/v1/schemas HTTP/1.1", "", 405),
    "too-large": ("open", "POST /api/v1/schemas HTTP/1.1", "", 413),
    "packed": ("open", "POST /api/v1/schemas HTTP/1.1", "content-encoding: gzip", 415),
    "rate": ("limited", "GET /api/v1/subjects HTTP/1.1", "", 429),
    "options": ("open", "OPTIONS /api/v1/schemas HTTP/1.1", "", 204),
    "fine": ("open", "GET /api/v1/subjects HTTP/1.1", "", 200),
}
"""The server that is asked, the request, a header, and the status of the answer."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, ServerProcess]]:
    settings = {
        "open": {"HTTP__MAX_BODY_BYTES": "100000"},
        "closed": {"AUTH__API_KEYS__ENABLED": "true"},
        "limited": LIMITED,
    }

    def started(name: str) -> ServerProcess:
        return ServerProcess(Path(tmp_path_factory.mktemp(name)), **settings[name])

    made = {name: started(name) for name in settings}
    assert status_of(made["limited"], "GET /api/v1/subjects HTTP/1.1") == b"200"
    yield made
    for server in made.values():
        assert server.stop() == 0
        assert server.events("call_crashed") == []


def head(request: str, *headers: str) -> bytes:
    host = [] if "x-no-host" in headers else ["host: x"]
    return "\r\n".join((request, *host, *filter(None, headers), "", "")).encode()


def status_of(server: ServerProcess, request: str) -> bytes:
    with socket.create_connection(("127.0.0.1", server.ports["http"]), timeout=30) as connection:
        connection.sendall(head(request))
        return connection.recv(65536)[9:12]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    ("length", "sent"),
    [
        (f"content-length: {LONG}", LONG),
        (f"content-length: {LONG}", 150_000),
        ("transfer-encoding: chunked", 150_000),
    ],
    ids=["all-sent", "some-sent", "chunked"],
)
def test_the_answer_is_seen_and_is_the_last_one_after_a_long_body(
    servers: dict[str, ServerProcess], case: str, length: str, sent: int
) -> None:
    name, request, header, status = CASES[case]
    body = b"x" * sent if length.startswith("content") else b"%x\r\n%b\r\n" % (sent, b"x" * sent)
    extra = (header, length) if case != "no-host" else ("x-no-host", length)

    with socket.create_connection(("127.0.0.1", servers[name].ports["http"]), timeout=30) as connection:
        with suppress(OSError):  # the server has thrown away what it takes, and has gone
            connection.sendall(head(request, *extra) + body)
        found = bytearray()
        # Raises when the answer is lost to a reset, or the connection stays.
        while part := connection.recv(65536):
            found += part

    assert found.startswith(b"HTTP/1.1 %d" % status), found[:200]
    assert found.lower().count(b"\r\nconnection: close\r\n") == 1


@pytest.mark.parametrize("case", sorted(set(CASES) - {"too-large", "no-host"}))
def test_a_connection_goes_on_after_a_short_body(servers: dict[str, ServerProcess], case: str) -> None:
    name, request, header, status = CASES[case]
    with socket.create_connection(("127.0.0.1", servers[name].ports["http"]), timeout=30) as connection:
        for _ in range(3):
            connection.sendall(head(request, header, "content-length: 2000") + b"x" * 2000)
            found = b""
            while b"\r\n\r\n" not in found:
                part = connection.recv(65536)
                assert part, "closed"
                found += part
            top, _, body = found.partition(b"\r\n\r\n")
            assert top.startswith(b"HTTP/1.1 %d" % status), found
            lengths = [
                line.partition(b":")[2]
                for line in top.lower().split(b"\r\n")
                if line.startswith(b"content-length")
            ]
            left = int(lengths[0]) - len(body) if lengths else 0
            while left > 0:
                left -= len(connection.recv(left))


def test_who_waits_to_be_asked_for_the_body_is_answered_and_is_not_asked(
    servers: dict[str, ServerProcess],
) -> None:
    with socket.create_connection(("127.0.0.1", servers["open"].ports["http"]), timeout=30) as connection:
        connection.sendall(
            head("POST /api/v1/nothing HTTP/1.1", "expect: 100-continue", f"content-length: {LONG}")
        )
        found = bytearray()
        while part := connection.recv(65536):
            found += part

    assert found.startswith(b"HTTP/1.1 404")
    assert b"100 Continue" not in found


def test_a_kept_answer_to_a_request_with_a_body_is_the_last_one_too(
    servers: dict[str, ServerProcess],
) -> None:
    for _ in range(3):  # the first one keeps it
        with socket.create_connection(("127.0.0.1", servers["open"].ports["http"]), timeout=30) as connection:
            connection.sendall(head("GET /api/v1/subjects/none/versions HTTP/1.1", f"content-length: {LONG}"))
            found = bytearray()
            while part := connection.recv(65536):
                found += part
        assert found.lower().count(b"\r\nconnection: close\r\n") == 1
