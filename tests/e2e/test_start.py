"""A server that cannot start says why, in one line, and leaves nothing running."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.server import ROOT, ServerProcess


def command(home: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run `schema-registry-server` with these arguments and SCHEMA_REGISTRY_* variables."""
    path = os.pathsep.join(str(ROOT / part) for part in ("engines", "server", "clients/python"))
    variables = {
        **{f"{part}__PORT": "0" for part in ("GRPC", "HTTP", "METRICS")},
        "STORAGE__PATH": str(home / "registry.db"),
        **settings,
    }
    return subprocess.run(
        [sys.executable, "-m", "llm_schema_registry_server", *arguments],
        cwd=home,
        env={"PYTHONPATH": path, **{f"SCHEMA_REGISTRY_{k}": v for k, v in variables.items()}},
        capture_output=True,
        text=True,
        check=False,
    )


def errors(done: subprocess.CompletedProcess[str]) -> str:
    """What it said on standard error beside its log."""
    return "\n".join(line for line in done.stderr.splitlines() if not line.startswith("{"))


@pytest.mark.parametrize(
    "content", [b"this is no database" * 1000, b"SQLite format 3\x00" + b"\xff" * 8192], ids=["text", "cut"]
)
def test_a_file_that_is_no_database_is_named_and_left_alone(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "registry.db").write_bytes(content)
    done = command(tmp_path, "serve")

    assert done.returncode == 1
    assert "registry.db" in errors(done)
    assert "Traceback" not in done.stderr
    assert (tmp_path / "registry.db").read_bytes() == content


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = str(taken.getsockname()[1])
        for listener in ("GRPC", "HTTP", "METRICS"):
            done = command(tmp_path, "serve", **{f"{listener}__PORT": port})
            assert done.returncode == 1, listener
            assert port in errors(done)
            assert "another program listens there" in errors(done)
            assert f"SCHEMA_REGISTRY_{listener}__PORT" in errors(done)
            assert "Traceback" not in done.stderr
            assert not (tmp_path / "registry.db").exists()  # nothing was created or migrated


@pytest.mark.parametrize(
    ("name", "value"), [("GRPC__PROT", "1"), ("GRPC__PORT", "many"), ("NOBODY", "1"), ("GRPC__ENGINE", "go")]
)
def test_a_setting_that_is_wrong_is_named(tmp_path: Path, name: str, value: str) -> None:
    done = command(tmp_path, "serve", **{name: value})

    assert done.returncode == 2
    assert f"SCHEMA_REGISTRY_{name}" in errors(done)
    assert "Traceback" not in done.stderr


def test_settings_in_force_are_printed(tmp_path: Path) -> None:
    done = command(tmp_path, "check-settings", LIMITS__PAGE="77")

    assert (done.returncode, json.loads(done.stdout)["limits"]["page"]) == (0, 77)


def test_a_stopped_server_starts_again_where_it_was(tmp_path: Path) -> None:
    for _ in range(2):
        assert ServerProcess(tmp_path).stop() == 0


def test_an_interrupt_stops_it_as_well_as_a_termination(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    server.process.send_signal(2)

    assert server.process.wait() == 0
