"""`make run` on a terminal ends with lines that a person can read."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def served(directory: Path, until: str, **variables: str) -> str:
    """What the server writes to a terminal up to the line with `until`; then it is stopped."""
    master, slave = pty.openpty()
    path = os.pathsep.join(str(ROOT / part) for part in ("engines", "server", "clients/python"))
    ports = {f"SCHEMA_REGISTRY_{part}__PORT": "0" for part in ("GRPC", "HTTP", "METRICS")}
    with subprocess.Popen(
        [sys.executable, "-m", "llm_schema_registry_server", "serve"],
        cwd=directory,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "PYTHONPATH": path, **ports, **variables},
    ) as server:
        os.close(slave)
        text = ""
        while until not in text and (data := os.read(master, 4096)):
            text += data.decode().replace("\r\n", "\n")
        server.send_signal(signal.SIGTERM)
        try:
            while os.read(master, 4096):
                pass
        except OSError:  # how Linux tells that the other end of a terminal was closed
            pass
        assert server.wait() == 0
    os.close(master)
    return text


def test_a_terminal_shows_what_listens_where_the_data_is_and_what_to_try(tmp_path: Path) -> None:
    text = served(tmp_path, until="Ctrl-C")
    assert "is ready." in text
    assert f"data     {tmp_path}/data/registry.db (SQLite)" in text
    for part in (
        "gRPC     127.0.0.1:",
        "HTTP     http://127.0.0.1:",
        "metrics  http://127.0.0.1:",
        " register ",
    ):
        assert part in text
    assert '"event"' not in text  # the log is text too


def test_the_log_of_a_terminal_is_json_when_the_settings_say_so(tmp_path: Path) -> None:
    text = served(
        tmp_path, until="Ctrl-C", SCHEMA_REGISTRY_LOGS__FORMAT="json", SCHEMA_REGISTRY_STORAGE__KIND="memory"
    )
    assert '"event": "serving"' in text
    assert "data     in memory" in text
