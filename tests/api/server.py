"""A real server process for tests: `serve` on free ports, with its own database, that can be stopped or killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tests.support.forking import PACKAGES, Forked, forks
from tests.support.processes import run

START_SECONDS = 60.0
STOP_SECONDS = 30.0
ROOT = Path(__file__).resolve().parents[2]
HARMLESS = frozenset({"TMPDIR"})
"""Variables that a process may as well get after it has begun."""


class ServerProcess:
    """Made running; `home` holds its database, so that another one made with the same home goes on where it ended.

    `settings` are SCHEMA_REGISTRY_* variables without the prefix; `environment` has others. `root`: the checkout whose
    server it is. `python`: an interpreter that has a server installed, which then is the one that runs.
    """

    def __init__(
        self,
        home: Path,
        environment: Mapping[str, str] | None = None,
        root: Path = ROOT,
        python: str = "",
        **settings: str,
    ) -> None:
        home.mkdir(parents=True, exist_ok=True)
        ready = home / "ready.json"
        ready.unlink(missing_ok=True)
        self.log = home / "server.log"
        variables = {
            **{f"SCHEMA_REGISTRY_{part}__HOST": "127.0.0.1" for part in ("GRPC", "HTTP", "METRICS")},
            **{f"SCHEMA_REGISTRY_{part}__PORT": "0" for part in ("GRPC", "HTTP", "METRICS")},
            "SCHEMA_REGISTRY_STORAGE__PATH": str(home / "registry.db"),
            "SCHEMA_REGISTRY_DRAIN_SECONDS": "5",
            **{f"SCHEMA_REGISTRY_{name}": value for name, value in settings.items()},
        }
        sources = [*PACKAGES, *(str(root / part) for part in ("engines", "server", "clients/python"))]
        path = {} if python else {"PYTHONPATH": os.pathsep.join(sources)}
        measured = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
        whole = {
            "PATH": os.environ.get("PATH", ""),
            **path,
            **measured,
            **(environment or {}),
            **variables,
        }
        arguments = ["serve", "--ready-file", str(ready)]
        self.process: subprocess.Popen[bytes] | Forked
        with self.log.open("ab") as log:
            # Other variables, other sources and the measuring of coverage count from the start of Python on.
            if python or root != ROOT or measured or set(environment or {}) - HARMLESS:
                command = [python or sys.executable, "-m", "llm_schema_registry_server", *arguments]
                self.process = run().spawn(command, stdout=log, stderr=log, cwd=home, env=whole)
            else:
                self.process = forks().start(arguments, whole, home, log.fileno(), log.fileno())
        self._await_ready(ready)
        self.ports: Mapping[str, int] = json.loads(ready.read_text())

    @property
    def grpc(self) -> str:
        """The gRPC target."""
        return f"127.0.0.1:{self.ports['grpc']}"

    @property
    def http(self) -> str:
        """The base URL of the HTTP listener."""
        return f"http://127.0.0.1:{self.ports['http']}"

    @property
    def metrics(self) -> str:
        return f"http://127.0.0.1:{self.ports['metrics']}/metrics"

    def stop(self) -> int:
        """End it as an operator would; the exit status."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        return self.process.wait()

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def events(self, name: str) -> list[dict[str, object]]:
        """The lines of its structured log with this event name."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("event") == name]

    def _await_ready(self, ready: Path) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not ready.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                raise AssertionError(f"the server is not ready; its log:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.02)
