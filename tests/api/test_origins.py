"""Pages of other sites change nothing and watch nothing in the name of who looks at them."""

from __future__ import annotations

import json

import httpx
import pytest
from websockets.sync.client import connect

from .server import ServerProcess

SCHEMA = {"subject": "of.a.page", "schema_type": "JSON", "schema_content": "eyJ0eXBlIjoic3RyaW5nIn0="}


def hosts(server: ServerProcess) -> tuple[str, str]:
    """Of the server itself: its URL, and the one for WebSockets."""
    where = f"127.0.0.1:{server.ports['http']}"
    return f"http://{where}", f"ws://{where}/api/v1/schemas/subscribe"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1", "http://localhost:8080", ""]
)
def test_a_page_of_another_site_is_refused(engine: ServerProcess, origin: str) -> None:
    own, socket = hosts(engine)
    for kind in ("application/json", "text/plain", "application/x-www-form-urlencoded"):
        headers = {"origin": origin, "content-type": kind}
        answer = httpx.post(f"{own}/api/v1/schemas", content=json.dumps(SCHEMA), headers=headers)
        assert (answer.status_code, answer.json()["error_code"]) == (403, "PERMISSION_DENIED")
    with connect(socket, additional_headers={"origin": origin}) as asked:
        asked.send("{}")
        assert "PERMISSION_DENIED" in str(asked.recv(5))


def test_the_own_page_no_page_and_who_shows_credentials_are_let_in(engine: ServerProcess) -> None:
    own, socket = hosts(engine)
    for headers in ({"origin": own}, {}, {"origin": "https://evil.example", "authorization": "Bearer x"}):
        assert httpx.post(f"{own}/api/v1/schemas", json=SCHEMA, headers=headers).status_code in (200, 201)
    with connect(socket, origin=own) as asked:  # type: ignore[arg-type]  # a str of its own
        asked.send('{"heartbeat_interval":"1s"}')
        assert "PERMISSION_DENIED" not in str(asked.recv(5))


def test_a_page_of_another_site_may_ask_and_reads_nothing(engine: ServerProcess) -> None:
    own, _ = hosts(engine)
    answer = httpx.get(f"{own}/api/v1/subjects", headers={"origin": "https://evil.example"})
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.slow
def test_pages_of_sites_that_the_settings_name_are_let_in(tmp_path: object) -> None:
    from pathlib import Path

    server = ServerProcess(
        Path(str(tmp_path)) / "s", HTTP__ORIGINS="https://ui.example, https://other.example"
    )
    own, _ = hosts(server)
    for origin, status in (("https://ui.example", 201), ("https://ui.example.evil", 403)):
        answer = httpx.post(f"{own}/api/v1/schemas", json=SCHEMA, headers={"origin": origin})
        assert answer.status_code == status
    assert server.stop() == 0
