"""A header that comes twice: lists of proxies are joined, and so are credentials, which are then refused; of anything else the last
one counts."""

from __future__ import annotations

import pytest

from llm_schema_registry_server.calls.peer import NO_PROXIES
from llm_schema_registry_server.transports.grpc.incoming import incoming
from llm_schema_registry_server.transports.http.asgi import headers
from tests.unit.transports.toy import METHODS

LINES = [
    ("x-forwarded-for", "203.0.113.9"),
    ("forwarded", "for=203.0.113.9"),
    ("x-request-id", "one"),
    ("x-forwarded-for", "10.9.9.9"),
    ("authorization", "Bearer one"),
    ("x-request-id", "two"),
    ("authorization", "Bearer two"),
    ("x-api-key", "one"),
    ("x-api-key", "two"),
    ("forwarded", "for=10.9.9.9"),
]
READ = {
    "x-forwarded-for": "203.0.113.9,10.9.9.9",
    "forwarded": "for=203.0.113.9,for=10.9.9.9",
    "x-request-id": "two",
    "authorization": "Bearer one,Bearer two",
    "x-api-key": "one,two",
}


def test_over_grpc() -> None:
    call = incoming(METHODS[0].operation, [*LINES, ("trace-bin", b"x")], "", None, NO_PROXIES)

    assert call.metadata == {**READ, "trace-bin": b"x"}


@pytest.mark.parametrize("written", [str.lower, str.upper, str.title])
def test_over_http(written: type[str]) -> None:
    lines = [(written(name).encode(), value.encode()) for name, value in LINES]

    assert headers({"headers": lines}) == READ
