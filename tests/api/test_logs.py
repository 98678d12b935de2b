"""The log of a real server: what of it is there is decided while it runs."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import httpx
import pytest

from .server import ServerProcess

WAIT_SECONDS = 20.0


def wait_for(server: ServerProcess, event: str, count: int) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while len(server.events(event)) < count:
        assert time.monotonic() < end, server.log.read_text()[-2000:]
        time.sleep(0.05)


@pytest.mark.slow
def test_levels_are_read_again_on_a_signal_and_nonsense_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('[logs]\nlevel = "warning"\naccess = 1.0\n')
    server = ServerProcess(tmp_path / "home", {"SCHEMA_REGISTRY_CONFIG": str(file)})

    def asks_once() -> None:
        assert httpx.get(f"{server.http}/api/v1/subjects").status_code == 200

    try:
        asks_once()
        file.write_text('[logs]\nlevel = "warning"\naccess = 1.0\n[logs.levels]\naccess = "info"\n')
        server.process.send_signal(signal.SIGUSR1)
        wait_for(server, "log_levels_set", 1)
        assert server.events("call") == []
        asks_once()
        wait_for(server, "call", 1)

        file.write_text('[logs]\nlevel = "loud"\n')
        server.process.send_signal(signal.SIGUSR1)
        wait_for(server, "log_levels_not_read", 1)
        asks_once()
        wait_for(server, "call", 2)
    finally:
        assert server.stop() == 0
