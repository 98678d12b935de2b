"""Real Redis servers, each in a throw-away directory on a free port."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

import redis

from .waiting import listening, until

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def binary() -> str:
    """The redis-server program; its package is installed when it is missing."""
    found = shutil.which("redis-server")
    if found is None:
        subprocess.run(["sh", str(ROOT / "scripts" / "system-packages"), "redis-server"], check=True)
        found = shutil.which("redis-server")
    assert found is not None, "the package redis-server has no redis-server"
    return found


class RedisServer:
    """One server; `start` again after `kill` gives an empty one on the same port."""

    def __init__(
        self, directory: Path, options: Mapping[str, str] | None = None, *, tls: bool = False
    ) -> None:
        self.port = free_port()
        self._directory = directory
        self._options = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(directory),
            "save": "",
            "appendonly": "no",
            "daemonize": "no",
            **(options or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bus_port(self) -> str:
        """Where the nodes of a cluster talk to each other."""
        return self._options["cluster-port"]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        self._process = self._spawn()
        await until(self._listening)

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """It keeps its connections and answers nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def client(self) -> redis.Redis:
        """A client of the test's own, that blocks."""
        return redis.Redis(port=self.port)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def _spawn(self) -> subprocess.Popen[bytes]:
        arguments = [part for name, value in self._options.items() for part in (f"--{name}", value)]
        with (self._directory / "log").open("ab") as log:
            return subprocess.Popen([binary(), *arguments], stdout=log, stderr=log)

    async def _listening(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._directory / "log").read_text()
        return await listening(self.port)
