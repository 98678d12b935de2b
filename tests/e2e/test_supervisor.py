"""What the supervisor of several serving processes does when it is told to, and what it refuses."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import psutil
import pytest

from llm_schema_registry import SchemaRegistry
from tests.api.helpers import get, register
from tests.api.server import ServerProcess
from tests.support.serving import Connection, processes, registration, until_events
from tests.support.tls import TlsHome, shake

from .test_start import command, errors

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[ServerProcess]:
    running = ServerProcess(tmp_path, SERVER__WORKERS="2")
    yield running
    if running.process.poll() is None:
        running.kill()


def test_a_restart_with_settings_that_cannot_be_used_is_given_up(tmp_path: Path) -> None:
    file = tmp_path / "registry.toml"
    file.write_text("[limits]\ntags = 3\n")
    server = ServerProcess(tmp_path, SERVER__WORKERS="2", CONFIG=str(file))
    try:
        before = processes(server)
        file.write_text("[limits]\ntags = -1\n")
        server.process.send_signal(signal.SIGUSR2)
        until_events(server, "roll_given_up", 1)
        assert processes(server) == before
        assert httpx.get(f"{server.http}/health/ready").status_code == 200

        file.write_text("[limits]\ntags = 1\n")
        server.process.send_signal(signal.SIGUSR2)
        until_events(server, "rolled", 1)
        refused = httpx.post(
            f"{server.http}/api/v1/schemas", json={**registration("tagged", "t"), "tags": ["a", "b"]}
        )
        assert "limits.tags" in refused.text
    finally:
        assert server.stop() == 0


def test_a_process_that_hangs_is_replaced(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, SERVER__WORKERS="2", SERVER__HANG_SECONDS="1")
    hanging = processes(server)[1]
    os.kill(hanging, signal.SIGSTOP)
    until_events(server, "serving_process_ready", 3)

    assert [event["pid"] for event in server.events("serving_process_hangs")] == [hanging]
    assert processes(server)[1] != hanging
    assert server.stop() == 0


def test_tls_is_spoken_read_anew_and_replaced_by_all(tmp_path: Path) -> None:
    home = TlsHome(tmp_path / "tls")
    server = home.start("two", SERVER__WORKERS="2", TLS__RELOAD_SECONDS="3600", AUTH__INSECURE="true")
    try:
        wires = [home.grpc(server), home.http(server)]
        schema_id = register(wires[0], "tls").schema_id
        for wire in wires:
            assert get(wire, schema_id).id == schema_id
        new = home.renew().read.serial_number
        server.process.send_signal(signal.SIGHUP)
        until_events(server, "tls_files_read", 4)  # two listeners of two processes
        for port in ("grpc", "http"):
            assert {serial(server, port, home) for _ in range(12)} == {new}

        server.process.send_signal(signal.SIGUSR2)
        until_events(server, "rolled", 1)
        credentials = grpc.ssl_channel_credentials(home.authority.pem)
        with SchemaRegistry(f"localhost:{server.ports['grpc']}", tls=credentials) as client:
            assert client.get_schema(schema_id).id == schema_id
        for wire in wires:
            wire.close()
    finally:
        assert server.stop() == 0


def serial(server: ServerProcess, listener: str, home: TlsHome) -> int:
    """Of the certificate that one of the processes shows."""
    with shake(server.ports[listener], home.context()) as connection:
        return int(str((connection.getpeercert() or {})["serialNumber"]), 16)


def test_stopping_drains_all_and_leaves_nothing(on_sqlite: ServerProcess) -> None:
    children = psutil.Process(on_sqlite.process.pid).children(recursive=True)
    pids = processes(on_sqlite)
    connections = [Connection(on_sqlite, pid) for pid in pids.values()]
    connections[0].post("/api/v1/schemas", registration("watched", "t"))
    watching = [each.lines("/api/v1/changes?from_revision=earliest") for each in connections]
    assert all(stream.readline() for stream in watching)

    assert on_sqlite.stop() == 0
    ends = [json.loads(stream.read().splitlines()[-1])["error"] for stream in watching]
    assert [end["error_code"] for end in ends] == ["SHUTTING_DOWN"] * 2
    for connection in connections:
        connection.close()
    assert psutil.wait_procs(children, timeout=30)[1] == []
    assert len(on_sqlite.events("stopped")) == 3


def test_a_second_signal_ends_all_at_once(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, SERVER__WORKERS="2", DRAIN_SECONDS="3600")
    children = psutil.Process(server.process.pid).children(recursive=True)
    with socket.create_connection(("127.0.0.1", server.ports["http"])) as slow:
        slow.sendall(b"POST /api/v1/schemas HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        server.process.terminate()
        until_events(server, "draining", 2)  # and one of them does not come to an end
        server.process.terminate()

        assert server.process.wait(60) == -signal.SIGTERM
        assert psutil.wait_procs(children, timeout=60)[1] == []


def test_a_supervisor_that_is_killed_takes_its_processes_along(on_sqlite: ServerProcess) -> None:
    children = psutil.Process(on_sqlite.process.pid).children(recursive=True)
    on_sqlite.kill()

    assert psutil.wait_procs(children, timeout=60)[1] == []


def test_what_several_processes_cannot_do_is_told_with_the_way_out(tmp_path: Path) -> None:
    several = {"SERVER__WORKERS": "2"}
    memory = command(tmp_path, "serve", **several, STORAGE__KIND="memory")
    front = command(tmp_path, "serve", **several, GRPC__FRONT="off")
    (tmp_path / "folder").mkdir()
    folder = command(tmp_path, "serve", **several, STORAGE__PATH=str(tmp_path / "folder"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = command(tmp_path, "serve", **several, HTTP__PORT=port)

    assert (memory.returncode, front.returncode) == (2, 2)
    assert "storage.kind to sqlite or postgres, or server.workers to 1" in errors(memory)
    assert "grpc.front to auto, or server.workers to 1" in errors(front)
    assert folder.returncode == 1
    assert errors(folder).count("cannot start") == 1  # not once for each process
    assert refused.returncode == 1
    assert port in errors(refused)
    assert "another program listens there" in errors(refused)
