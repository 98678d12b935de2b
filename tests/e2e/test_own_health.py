"""`schema-registry-server health` asks the server that runs with the same settings, over whatever its HTTP listener speaks."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.server import ROOT, ServerProcess
from tests.support.tls import TlsHome

pytestmark = pytest.mark.slow


def health(port: int, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(str(ROOT / part) for part in ("engines", "server", "clients/python"))
    variables = {"HTTP__PORT": str(port), **settings}
    return subprocess.run(
        [sys.executable, "-m", "llm_schema_registry_server", "health", *arguments],
        env={"PYTHONPATH": path, **{f"SCHEMA_REGISTRY_{k}": v for k, v in variables.items()}},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_server_that_is_ready_is_told_and_one_that_is_not_there_too(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    port = server.ports["http"]
    # A container binds all addresses; the health check comes from inside.
    # It need not know of `serve --insecure`, since it listens nowhere.
    for host in ("127.0.0.1", "0.0.0.0", "localhost"):
        found = health(port, HTTP__HOST=host)
        assert (found.returncode, json.loads(found.stdout)["status"]) == (0, "HEALTHY"), found.stderr
    assert server.stop() == 0
    gone = health(port)
    assert (gone.returncode, gone.stdout) == (1, "")
    assert f"127.0.0.1:{port} does not answer" in json.loads(gone.stderr)["why"]


def test_a_server_that_is_not_ready_says_why(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    (tmp_path / "registry.db").rename(tmp_path / "away.db")  # noticed by the next look at the storage
    found = health(server.ports["http"])
    assert found.returncode == 1
    assert json.loads(found.stdout)["components"]["storage"] == "DOWN"
    server.stop()


def test_whoever_does_not_answer_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = health(silent.getsockname()[1], "--timeout", "0.3")
    assert found.returncode == 1
    assert "does not answer" in found.stderr


def test_a_port_that_the_system_chooses_cannot_be_asked() -> None:
    assert "http.port is 0" in health(0).stderr


@pytest.mark.parametrize("client_certificates", ["none", "optional", "required"])
def test_a_server_behind_tls_is_asked_over_tls(tmp_path: Path, client_certificates: str) -> None:
    """Its certificate names another host. Where every client has to show one, its own serves, if the clients' authority issued it."""
    home = TlsHome(tmp_path)
    both = client_certificates == "required"
    home.renew(home.clients.issue(purpose=None) if both else home.authority.server("registry.example"))
    server = home.start("one", client_certificates=client_certificates)
    asked = {"TLS__CERTIFICATE_FILE": str(home.certificate), "TLS__KEY_FILE": str(home.key)}
    if client_certificates != "none":
        asked |= {"TLS__CLIENT_CERTIFICATES": client_certificates, "TLS__CLIENT_CA_FILE": str(home.ca)}
    found = health(server.ports["http"], **asked)
    assert found.returncode == 0, found.stderr
    assert health(server.ports["http"]).returncode == 1  # without TLS
    server.stop()
