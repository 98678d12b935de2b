"""WebSockets of browsers: a ticket in the URL stands for the credentials that cannot be shown, once."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from llm_schema_registry import SchemaRegistry
from tests.api.server import ServerProcess
from tests.support.tls import TlsHome
from tests.support.tokens import AUDIENCE, ISSUER, Issuer

ISSUING = Issuer("ES256")


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServerProcess, ServerProcess]]:
    """Two servers of one storage that ask for tokens and share the secret of tickets."""
    home = tmp_path_factory.mktemp("tickets")
    settings = {
        "AUTH__JWT__KEYS_FILE": str(ISSUING.write(home / "keys.json")),
        "AUTH__JWT__ISSUER": ISSUER,
        "AUTH__JWT__AUDIENCE": AUDIENCE,
        "AUTH__TICKET_SECRET": "0123456789abcdef0123456789abcdef",
        "STORAGE__PATH": str(home / "registry.db"),
    }
    first = ServerProcess(home / "one", **settings)
    second = ServerProcess(home / "two", **settings)
    yield first, second
    for server in (first, second):
        assert server.stop() == 0
        assert server.events("call_crashed") == []
        text = server.log.read_text()
        assert "wst_" not in text, "a ticket has no place in the log"
        assert "0123456789abcdef" not in text


def ticket_of(server: ServerProcess, **claims: Any) -> str:
    token = ISSUING.token(**{"roles": ["reader"], **claims})
    answer = httpx.post(
        f"{server.http}/api/v1/tickets", json={}, headers={"authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["ticket"])


@contextmanager
def socket(server: ServerProcess, query: str, **headers: str) -> Iterator[ClientConnection]:
    where = f"ws://127.0.0.1:{server.ports['http']}/api/v1/schemas/subscribe{query}"
    with connect(where, additional_headers=headers) as made:
        yield made


def heard(server: ServerProcess, query: str, **headers: str) -> str:
    """The reason of the error that a WebSocket begins with; "" when it begins with something else."""
    with socket(server, query, **headers) as made:
        made.send('{"heartbeat_interval":"1s"}')
        found = json.loads(made.recv(10))
    return str(found.get("error", {}).get("error_code", ""))


def test_a_ticket_opens_one_websocket(replicas: tuple[ServerProcess, ServerProcess]) -> None:
    server, _ = replicas
    ticket = ticket_of(server)
    page = {"origin": "https://ui.example"}  # a page of anywhere has shown that it knows the credentials
    assert heard(server, f"?ticket={ticket}", **page) == ""
    assert heard(server, f"?ticket={ticket}", **page) == "UNAUTHENTICATED"
    assert heard(server, "") == "UNAUTHENTICATED"


def test_a_ticket_is_taken_by_the_other_replica_and_then_by_none(
    replicas: tuple[ServerProcess, ServerProcess],
) -> None:
    one, other = replicas
    ticket = ticket_of(one)
    assert heard(other, f"?a=b&ticket={ticket}&c=d") == ""
    for server in replicas:
        assert heard(server, f"?ticket={ticket}") == "UNAUTHENTICATED"


def test_a_ticket_is_its_owner_and_no_more(replicas: tuple[ServerProcess, ServerProcess]) -> None:
    server, _ = replicas
    assert heard(server, f"?ticket={ticket_of(server, roles=['admin'])}") == ""
    assert heard(server, f"?ticket={ticket_of(server, roles=['nothing'])}") == "PERMISSION_DENIED"
    nobody = str(httpx.post(f"{server.http}/api/v1/tickets", json={}).json()["ticket"])
    assert heard(server, f"?ticket={nobody}") == "UNAUTHENTICATED"
    bad = httpx.post(f"{server.http}/api/v1/tickets", json={}, headers={"authorization": "Bearer x"})
    assert bad.status_code == 401


def test_a_ticket_ends_with_the_token_behind_it(replicas: tuple[ServerProcess, ServerProcess]) -> None:
    server, _ = replicas
    ticket = ticket_of(server, exp=time.time() - 28)  # with the leeway of 30 s: in 2 s
    time.sleep(3)
    assert heard(server, f"?ticket={ticket}") == "UNAUTHENTICATED"
    ticket = ticket_of(server, exp=time.time() - 27)
    with socket(server, f"?ticket={ticket}") as made:
        made.send('{"heartbeat_interval":"1s"}')
        text = ""
        while '"error"' not in text:
            text = str(made.recv(10))
    assert "UNAUTHENTICATED" in text


@pytest.mark.parametrize(
    "query",
    [
        "?ticket=",
        "?ticket=wst_AAAA",
        "?ticket=" + "A" * 20_000,
        "?ticket=%ff%fe",
        "?ticket=wst_%00",
        "?TICKET=x",
    ],
)
def test_what_is_no_ticket_opens_nothing(replicas: tuple[ServerProcess, ServerProcess], query: str) -> None:
    assert heard(replicas[0], query) == "UNAUTHENTICATED"


def test_two_credentials_are_none(replicas: tuple[ServerProcess, ServerProcess]) -> None:
    server, _ = replicas
    ticket, token = ticket_of(server), ISSUING.token(roles=["admin"])
    assert heard(server, f"?ticket={ticket}", authorization=f"Bearer {token}") == "UNAUTHENTICATED"
    assert heard(server, f"?ticket={ticket}&ticket={ticket_of(server)}") == "UNAUTHENTICATED"
    assert heard(server, f"?ticket={ticket}") == ""  # it was not used up by that


def test_a_ticket_counts_nowhere_else(replicas: tuple[ServerProcess, ServerProcess]) -> None:
    server, _ = replicas
    ticket = ticket_of(server)
    assert httpx.get(f"{server.http}/api/v1/subjects?ticket={ticket}").status_code in (400, 401)
    bearer = httpx.get(f"{server.http}/api/v1/subjects", headers={"authorization": f"Bearer {ticket}"})
    assert bearer.status_code == 401


def test_the_sdk_asks_for_tickets(replicas: tuple[ServerProcess, ServerProcess]) -> None:
    server, _ = replicas
    with SchemaRegistry(server.grpc, token=ISSUING.token(roles=["reader"])) as registry:
        given = registry.create_ticket()
    assert given.ticket not in repr(given)
    assert given.expires_at is not None
    assert heard(server, f"?ticket={given.ticket}") == ""


def test_an_open_server_and_one_of_certificates_take_tickets_that_say_nothing(tmp_path: Path) -> None:
    """So that a page need not know what its server asks for."""
    server = ServerProcess(tmp_path / "open")
    ticket = str(httpx.post(f"{server.http}/api/v1/tickets", json={}).json()["ticket"])
    assert heard(server, f"?ticket={ticket}") == ""
    assert heard(server, f"?ticket={ticket}", origin="https://evil.example") == "PERMISSION_DENIED"
    assert server.stop() == 0

    home = TlsHome(tmp_path / "tls")
    server = home.start("required", client_certificates="required")
    pair = home.clients.issue(uris=["spiffe://test/role/reader"])
    caller = home.http(server, pair)
    ticket = str(caller.client.post("/api/v1/tickets", json={}).json()["ticket"])
    caller.close()
    where = f"wss://localhost:{server.ports['http']}/api/v1/schemas/subscribe?ticket={ticket}"
    with connect(where, ssl=home.context(pair)) as made:
        made.send('{"heartbeat_interval":"1s"}')
        assert "error_code" not in str(made.recv(10))
    assert server.stop() == 0
