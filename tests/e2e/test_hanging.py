"""A server with damaged rows goes on, and every server ends when it is told to."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import httpx

from tests.api.server import ROOT, ServerProcess

HANGING = """
import asyncio, sys
from llm_schema_registry_server.running import stop_signals

async def main():
    asked = stop_signals()
    print("ready", flush=True)
    if sys.argv[1] == "hang":
        while True:
            pass
    await asked.wait()
    print("stopping", flush=True)
    while True:  # a drain that never ends
        pass

import uvloop
uvloop.run(main())
"""


def register(http: str, subject: str, title: str) -> int:
    schema = {"type": "object", "title": title}
    body = {"subject": subject, "schema_type": "JSON", "schema": schema}
    return httpx.post(f"{http}/api/v1/schemas", json=body, timeout=30).status_code


def test_a_server_with_unreadable_rows_answers_follows_and_stops(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    try:
        for number in range(30):
            assert register(server.http, f"s{number % 3}", str(number)) == 201
        assert register(server.http, "s0", "27") == 200  # there already
        with sqlite3.connect(tmp_path / "registry.db", timeout=10) as connection:
            connection.execute("UPDATE versions SET version = '1000000000.0.0' WHERE ordinal = 1")
            connection.execute("UPDATE changes SET facts = '{' WHERE sequence IN (5, 30)")
        connection.close()

        for _ in range(3):
            for path in ("subjects/s0/versions", "schemas", "subjects/s0/versions:list"):
                assert httpx.get(f"{server.http}/api/v1/{path}", timeout=30).status_code == 200
        damaged = httpx.get(f"{server.http}/api/v1/subjects/s0/versions/1", timeout=30)
        assert damaged.json()["error_code"] == "STORAGE_DAMAGED"
        assert register(server.http, "s0", "new") == 201
        assert register(server.http, "new", "new") == 201
        assert httpx.get(f"{server.http}/health", timeout=30).status_code == 200
        page = httpx.get(server.metrics, timeout=30).text
        assert 'schema_registry_unreadable_rows_total{table="versions"} 0.0' not in page
        assert {event["table"] for event in server.events("row_unreadable")} >= {"versions"}
    finally:
        assert server.stop() == 0


def test_a_lost_database_is_unhealthy_until_it_is_back(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    file = tmp_path / "registry.db"
    try:
        file.rename(tmp_path / "elsewhere")
        lost = httpx.get(f"{server.http}/health", timeout=30)
        (tmp_path / "elsewhere").rename(file)
        back = httpx.get(f"{server.http}/health", timeout=30)
    finally:
        assert server.stop() == 0

    assert (lost.status_code, lost.json()["status"]) == (503, "STATUS_UNHEALTHY")
    assert "is gone" in lost.json()["components"]["storage"]["message"]
    assert back.json()["status"] == "STATUS_HEALTHY"


def ended(process: subprocess.Popen[str], *, signals: int) -> int:
    for _ in range(signals):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
    try:
        return process.wait(30)
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def start(how: str) -> subprocess.Popen[str]:
    path = ":".join(str(ROOT / part) for part in ("engines", "server", "clients/python"))
    process = subprocess.Popen(
        [sys.executable, "-c", HANGING, how], stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": path}
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_second_signal_ends_a_server_whose_event_loop_hangs() -> None:
    assert ended(start("hang"), signals=2) == -signal.SIGTERM


def test_a_second_signal_ends_a_server_whose_drain_does_not_end() -> None:
    process = start("drain")
    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None
    assert process.stdout.readline() == "stopping\n"

    assert ended(process, signals=1) == -signal.SIGTERM
