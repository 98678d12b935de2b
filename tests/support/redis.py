"""Real Redis servers, each in a throw-away directory on a free port."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import redis

from .ports import HeldPort
from .processes import run
from .waiting import listening, until

ROOT = Path(__file__).parents[2]


def binary() -> str:
    """The redis-server program; its package is installed when it is missing."""
    found = shutil.which("redis-server")
    if found is None:
        subprocess.run(["sh", str(ROOT / "scripts" / "system-packages"), "redis-server"], check=True)
        found = shutil.which("redis-server")
    assert found is not None, "the package redis-server has no redis-server"
    return found


class RedisServer:
    """One server; `start` again after `kill` gives an empty one on the same port.

    options: as in redis.conf; ports other than its own as HeldPort.
    """

    def __init__(self, directory: Path, options: Mapping[str, str | HeldPort] | None = None) -> None:
        self._held = HeldPort()
        self.port = self._held.number
        self._directory = directory
        self._options: dict[str, str | HeldPort] = {
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
        return str(self._options["cluster-port"])

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
        arguments = [part for name, value in self._options.items() for part in (f"--{name}", str(value))]
        with (self._directory / "log").open("ab") as log:
            return run().spawn([binary(), *arguments], stdout=log, stderr=log)

    async def _listening(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._directory / "log").read_text()
        return await listening(self.port)
