"""Pages of other sites whose own name leads to the user's machine (DNS rebinding) reach nothing of an open server there."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect
from websockets.typing import Origin

from llm_schema_registry_server.faces import own_hosts
from llm_schema_registry_server.settings import Settings
from tests.api.server import ServerProcess

EVIL = "evil.example:8080"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """An open server on loopback, which has a name of its own."""
    made = ServerProcess(tmp_path_factory.mktemp("rebound"), HTTP__HOSTS="Registry.example")
    yield made
    made.stop()
    assert made.events("call_crashed") == []


@pytest.mark.parametrize(
    ("verb", "path", "more"),
    [
        ("GET", "/api/v1/subjects", {}),
        ("GET", "/api/v1/changes", {}),
        ("POST", "/api/v1/schemas", {"json": {"subject": "s", "schema_type": "JSON", "schema": {}}}),
        ("DELETE", "/api/v1/subjects/s", {}),
        ("GET", "/health", {}),
    ],
)
def test_a_page_whose_name_leads_here_is_refused(
    server: ServerProcess, verb: str, path: str, more: dict[str, Any]
) -> None:
    headers = {"host": EVIL, "origin": f"http://{EVIL}"}  # to the browser it is the page's own site
    answer = httpx.request(verb, server.http + path, headers=headers, trust_env=False, **more)
    assert (answer.status_code, answer.json()["error_code"]) == (403, "PERMISSION_DENIED")
    assert "http.hosts" in answer.json()["message"]


def test_a_websocket_of_such_a_page_is_refused(server: ServerProcess) -> None:
    there = socket.create_connection(("127.0.0.1", server.ports["http"]))
    where = f"ws://{EVIL}/api/v1/schemas/subscribe"
    with connect(where, sock=there, origin=Origin(f"http://{EVIL}")) as made:
        made.send("{}")
        assert json.loads(made.recv(10))["error"]["error_code"] == "PERMISSION_DENIED"


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8080", "127.0.0.1", "[::1]:8080", "registry", "a.localhost", "host.docker.internal:8080",
     "registry.example", "REGISTRY.example.:8080"],
)  # fmt: skip
def test_names_that_are_nobody_elses_are_taken(server: ServerProcess, host: str) -> None:
    answer = httpx.get(f"{server.http}/api/v1/subjects", headers={"host": host}, trust_env=False)
    assert answer.status_code == 200, answer.text


KEYS: dict[str, Any] = {"api_keys": {"enabled": True}}


@pytest.mark.parametrize(
    ("settings", "guarded"),
    [
        ({}, True),
        ({"http": {"host": "localhost"}}, True),
        ({"http": {"host": "0.0.0.0"}, "auth": {"insecure": True}}, False),
        ({"auth": KEYS}, False),
        ({"auth": {**KEYS, "anonymous_roles": ["reader"]}}, True),
        ({"auth": {**KEYS, "grants": [{"to": "anonymous", "role": "reader", "on": ["a.*"]}]}}, True),
        ({"auth": {**KEYS, "grants": [{"to": "*", "role": "reader", "on": ["a.*"]}]}}, False),
    ],
)
def test_names_are_looked_at_where_strangers_get_something(settings: dict[str, Any], guarded: bool) -> None:
    assert (own_hosts(Settings.model_validate(settings)) is not None) is guarded
