"""Several serving processes of one server: one registry, one page of series, and none that its callers miss."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import psutil
import pytest

from llm_schema_registry import SchemaRegistry
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry.v1.schema_registry_pb2_grpc import SchemaRegistryStub
from tests.api.helpers import V1
from tests.api.server import ServerProcess
from tests.support.postgres import Postgres
from tests.support.serving import Connection, processes, series, total

from .test_start import command, errors

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

GET = "schema_registry.v1.SchemaRegistry/GetSchema"
CALLS = "schema_registry_calls_total"
STEADY_CALLS = 200
"""Calls that are watched before and after something happens to a process."""


@pytest.fixture(params=["sqlite", "postgres"])
def storage(request: pytest.FixtureRequest) -> dict[str, str]:
    """Settings of either storage that processes can share."""
    if request.param == "sqlite":
        return {}
    postgres: Postgres = request.getfixturevalue("postgres")
    dsn = asyncio.run(postgres.create_database())
    return {"STORAGE__KIND": "postgres", "STORAGE__POSTGRES__DSN": dsn}


@pytest.fixture
def server(storage: dict[str, str], tmp_path: Path) -> Iterator[ServerProcess]:
    running = ServerProcess(tmp_path, SERVER__WORKERS="2", **storage)
    yield running
    if running.process.poll() is None:
        running.kill()


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[ServerProcess]:
    running = ServerProcess(tmp_path, SERVER__WORKERS="2")
    yield running
    if running.process.poll() is None:
        running.kill()


def registration(subject: str, title: str) -> dict[str, object]:
    return {"subject": subject, "schema_type": "JSON", "schema": {"type": "object", "title": title}}


def until_events(server: ServerProcess, name: str, count: int) -> None:
    """Waits for so many lines of the log."""
    while len(server.events(name)) < count:
        assert server.process.poll() is None, server.log.read_text()[-4000:]
        time.sleep(0.02)


class Load:
    """Callers with clients of their own that call again and again, and what went wrong. bare: two of them try nothing again, one over gRPC and
    one over HTTP."""

    def __init__(self, server: ServerProcess, callers: int = 6, *, bare: bool = False) -> None:
        self.failures: list[BaseException] = []
        self.calls = itertools.count()
        self.done = 0
        self._going = True
        self._target, self._http = server.grpc, server.http
        with SchemaRegistry(server.grpc) as client:
            self._schema_id = client.register_schema("load", V1, "JSON").schema_id
        self._threads = [threading.Thread(target=self._call, args=(n,)) for n in range(callers)]
        if bare:
            self._threads += [
                threading.Thread(target=call) for call in (self._call_over_grpc, self._call_over_http)
            ]
        for thread in self._threads:
            thread.start()

    def _call(self, number: int) -> None:
        try:
            with SchemaRegistry(self._target) as client:
                while self._going:
                    assert client.get_schema(self._schema_id).subject == "load"
                    if number == 0:
                        client.register_schema(f"load-{number}", V1 + b" " * next(self.calls), "JSON")
                    self.done = next(self.calls)
                    time.sleep(0.002)
        except BaseException as error:
            self.failures.append(error)

    def _call_over_grpc(self) -> None:
        try:
            with grpc.insecure_channel(self._target) as channel:
                stub, request = SchemaRegistryStub(channel), pb.GetSchemaRequest(schema_id=self._schema_id)
                while self._going:
                    assert stub.GetSchema(request, timeout=30).schema.subject == "load"
                    time.sleep(0.002)
        except BaseException as error:
            self.failures.append(error)

    def _call_over_http(self) -> None:
        try:
            with httpx.Client(base_url=self._http, timeout=30) as client:
                while self._going:
                    client.get(f"/api/v1/schemas/{self._schema_id}").raise_for_status()
                    time.sleep(0.002)
        except BaseException as error:
            self.failures.append(error)

    def goes_on(self) -> None:
        """Waits for some more calls."""
        wanted = self.done + STEADY_CALLS
        while self.done < wanted and not self.failures:
            time.sleep(0.01)

    def end(self) -> None:
        self._going = False
        for thread in self._threads:
            thread.join()


def test_each_process_knows_at_once_what_another_one_has_written(server: ServerProcess) -> None:
    one, two = (Connection(server, pid) for pid in processes(server).values())
    watching = Connection(server, processes(server)[1])
    first = one.post("/api/v1/schemas", registration("shared", "first"))
    told = watching.lines("/api/v1/changes?from_revision=earliest")
    assert first["schema_id"] in told.readline().decode()
    for number in range(5):
        made = one.post("/api/v1/schemas", registration("shared", f"t{number}"))
        while True:  # an answer that it has kept is dropped, and no sooner than the change is told
            newest = two.get("/api/v1/subjects/shared/versions/latest")
            if newest["schema"]["id"] == made["schema_id"]:
                break
        assert made["schema_id"] in told.readline().decode()
    again = two.post("/api/v1/schemas", registration("shared", "t4"))

    assert again["schema_id"] == made["schema_id"]
    for connection in (one, two, watching):
        connection.close()
    assert server.stop() == 0


def test_one_page_has_the_series_of_all_and_never_goes_back(on_sqlite: ServerProcess) -> None:
    pids = processes(on_sqlite)
    one, two = (Connection(on_sqlite, pid) for pid in pids.values())
    schema_id = one.post("/api/v1/schemas", registration("paged", "t"))["schema_id"]
    for connection, calls in ((one, 7), (two, 5)):
        for _ in range(calls):
            connection.get(f"/api/v1/schemas/{schema_id}")

    shown = series(on_sqlite)
    assert total(shown, CALLS, method=f"/{GET}", wire="http", code="OK") == 12
    assert total(shown, "schema_registry_call_seconds_count", method=f"/{GET}", wire="http") == 12
    assert total(shown, "schema_registry_serving_processes", state="ready") == 2
    assert total(shown, "schema_registry_serving_processes", state="missing") == 0
    assert total(shown, "schema_registry_subjects") <= 1  # the same from all, not the sum
    for number in ("0", "1"):
        assert total(shown, "schema_registry_serving_process_resident_bytes", process=number) > 1 << 20
        assert total(shown, "schema_registry_serving_process_cpu_seconds_total", process=number) > 0.1

    os.kill(pids[0], signal.SIGKILL)
    while total(
        now := series(on_sqlite), "schema_registry_serving_processes", state="ready"
    ) < 2 or not total(now, "schema_registry_serving_process_restarts_total", why="crashed"):
        assert total(now, CALLS, method=f"/{GET}", wire="http", code="OK") == 12
    two.get(f"/api/v1/schemas/{schema_id}")
    assert total(series(on_sqlite), CALLS, method=f"/{GET}", wire="http", code="OK") == 13
    assert total(series(on_sqlite), "schema_registry_serving_process_cpu_seconds_total", process="0") > total(
        shown, "schema_registry_serving_process_cpu_seconds_total", process="0"
    )
    named = httpx.get(on_sqlite.metrics, params={"name[]": "schema_registry_serving_processes"}).text
    assert 'schema_registry_serving_processes{state="wanted"} 2.0' in named
    assert CALLS not in named
    for connection in (one, two):
        connection.close()
    assert on_sqlite.stop() == 0


def test_a_process_that_is_killed_is_missed_by_no_client_and_comes_back(server: ServerProcess) -> None:
    before, load = processes(server), Load(server)
    load.goes_on()
    for number, pid in before.items():
        os.kill(pid, signal.SIGKILL)
        load.goes_on()
        until_events(server, "serving_process_ready", 3 + number)
        load.goes_on()
    load.end()

    assert load.failures == []
    assert set(before.values()).isdisjoint(processes(server).values())
    assert [event["cause"] for event in server.events("serving_process_ended")] == ["signal SIGKILL"] * 2
    assert httpx.get(f"{server.http}/health/ready").json()["components"]["processes"] == "UP"
    assert server.stop() == 0


def test_a_rolling_restart_replaces_all_and_no_client_notices(server: ServerProcess) -> None:
    before, load = processes(server), Load(server, bare=True)
    load.goes_on()
    shown = total(series(server), CALLS, code="OK")
    server.process.send_signal(signal.SIGUSR2)
    counts = [shown]
    while not server.events("rolled"):
        counts.append(total(series(server), CALLS, code="OK"))
    load.goes_on()
    load.end()

    assert load.failures == []
    assert counts == sorted(counts)
    assert set(before.values()).isdisjoint(processes(server).values())
    assert total(series(server), "schema_registry_serving_process_restarts_total", why="rolled") == 2
    assert server.events("call_crashed") == []
    assert server.stop() == 0


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
