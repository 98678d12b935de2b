"""Several serving processes of one server: one registry, one page of series, and none that its callers miss."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest

from llm_schema_registry import SchemaRegistry
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry.v1.schema_registry_pb2_grpc import SchemaRegistryStub
from tests.api.helpers import V1
from tests.api.server import ServerProcess
from tests.support.postgres import Postgres
from tests.support.serving import Connection, processes, registration, series, total, until_events

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

GET = "schema_registry.v1.SchemaRegistry/GetSchema"
CALLS = "schema_registry_calls_total"
STEADY_CALLS = 200
"""Calls that are watched before and after something happens to a process."""


SQLITE, POSTGRES = pytest.param("sqlite", marks=pytest.mark.deep), "postgres"
"""The long tests run on one storage, and on the other one among the deep tests."""


@pytest.fixture(params=["postgres"])
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


@pytest.mark.parametrize("storage", ["sqlite", POSTGRES], indirect=True)
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


@pytest.mark.parametrize("storage", ["sqlite"], indirect=True)
def test_one_page_has_the_series_of_all_and_never_goes_back(server: ServerProcess) -> None:
    pids = processes(server)
    one, two = (Connection(server, pid) for pid in pids.values())
    schema_id = one.post("/api/v1/schemas", registration("paged", "t"))["schema_id"]
    for connection, calls in ((one, 7), (two, 5)):
        for _ in range(calls):
            connection.get(f"/api/v1/schemas/{schema_id}")

    shown = series(server)
    assert total(shown, CALLS, method=f"/{GET}", wire="http", code="OK") == 12
    assert total(shown, "schema_registry_call_seconds_count", method=f"/{GET}", wire="http") == 12
    assert total(shown, "schema_registry_serving_processes", state="ready") == 2
    assert total(shown, "schema_registry_serving_processes", state="missing") == 0
    assert total(shown, "schema_registry_subjects") <= 1  # the same from all, not the sum
    for number in ("0", "1"):
        assert total(shown, "schema_registry_serving_process_resident_bytes", process=number) > 1 << 20
        assert total(shown, "schema_registry_serving_process_cpu_seconds_total", process=number) > 0.1

    os.kill(pids[0], signal.SIGKILL)
    while total(now := series(server), "schema_registry_serving_processes", state="ready") < 2 or not total(
        now, "schema_registry_serving_process_restarts_total", why="crashed"
    ):
        assert total(now, CALLS, method=f"/{GET}", wire="http", code="OK") == 12
    two.get(f"/api/v1/schemas/{schema_id}")
    # A process tells the page that it has just made, for a moment.
    while (counted := total(series(server), CALLS, method=f"/{GET}", wire="http", code="OK")) != 13:
        assert counted == 12
    assert total(series(server), "schema_registry_serving_process_cpu_seconds_total", process="0") > total(
        shown, "schema_registry_serving_process_cpu_seconds_total", process="0"
    )
    named = httpx.get(server.metrics, params={"name[]": "schema_registry_serving_processes"}).text
    assert 'schema_registry_serving_processes{state="wanted"} 2.0' in named
    assert CALLS not in named
    for connection in (one, two):
        connection.close()
    assert server.stop() == 0


@pytest.mark.parametrize("storage", [SQLITE, POSTGRES], indirect=True)
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


@pytest.mark.parametrize("storage", [SQLITE, POSTGRES], indirect=True)
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


NATIVE_THREAD = "grpc-native-io"


def on_native(pid: int) -> bool:
    """Whether a process serves on the native engine, which has a thread of its own."""
    return any(path.read_text().strip() == NATIVE_THREAD for path in Path(f"/proc/{pid}/task").glob("*/comm"))


def test_the_engine_of_grpc_is_exchanged_under_load_by_one_setting(
    storage: dict[str, str], tmp_path: Path
) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text('grpc.engine = "native"\n')
    server = ServerProcess(tmp_path / "home", SERVER__WORKERS="2", CONFIG=str(settings), **storage)
    try:
        assert all(map(on_native, processes(server).values()))
        load = Load(server, bare=True)
        load.goes_on()
        settings.write_text('grpc.engine = "grpcio"\n')
        server.process.send_signal(signal.SIGUSR2)
        until_events(server, "rolled", 1)
        load.goes_on()
        load.end()

        assert load.failures == []
        assert not any(map(on_native, processes(server).values()))
        assert server.stop() == 0
    finally:
        if server.process.poll() is None:
            server.kill()
