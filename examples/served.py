"""A server of its own for as long as a `with` block lasts: free ports, a temporary database, its log kept until the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 60.0
STOP_SECONDS = 30.0


class NotServing(Exception):
    """The server ended, or did not say in time that it is ready; the message is the end of its log."""


@contextmanager
def server(**settings: str) -> Iterator[Mapping[str, int]]:
    """The bound ports (`grpc`, `http`, `metrics`) of a running server. `settings` as in SCHEMA_REGISTRY_* variables."""
    with tempfile.TemporaryDirectory(prefix="schema-registry-") as directory:
        home, log, ready = Path(directory), Path(directory, "log"), Path(directory, "ready.json")
        variables = {
            **{f"SCHEMA_REGISTRY_{part}__HOST": "127.0.0.1" for part in ("GRPC", "HTTP", "METRICS")},
            **{f"SCHEMA_REGISTRY_{part}__PORT": "0" for part in ("GRPC", "HTTP", "METRICS")},
            "SCHEMA_REGISTRY_STORAGE__PATH": str(home / "registry.db"),
            "SCHEMA_REGISTRY_LOGS__LEVEL": "warning",
            **{f"SCHEMA_REGISTRY_{name}": value for name, value in settings.items()},
        }
        command = [sys.executable, "-m", "llm_schema_registry_server", "serve", "--ready-file", str(ready)]
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, stdout=output, stderr=output, env={**os.environ, **variables}, start_new_session=True
            )
        try:
            yield _ports(process, ready, log)
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _ports(process: subprocess.Popen[bytes], ready: Path, log: Path) -> Mapping[str, int]:
    deadline = time.monotonic() + START_SECONDS
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise NotServing(log.read_text(errors="replace")[-2000:] or "the server said nothing")
        time.sleep(0.02)
    ports: Mapping[str, int] = json.loads(ready.read_text())
    return ports
