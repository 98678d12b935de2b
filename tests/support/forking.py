"""Servers that are forked from a process that has imported all that they need (preloaded.py), as objects that tests use like those
of `subprocess`."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from .processes import run

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("preloaded.py")
PACKAGES = tuple(filter(None, [os.environ.get("TEST_PACKAGES")]))
"""Folders with packages that servers take before those of the environment."""
SOURCES = PACKAGES + tuple(str(ROOT / part) for part in ("engines", "server", "clients/python"))


class Forked:
    """A running process; what it has in common with subprocess.Popen means the same."""

    def __init__(self, pid: int, told: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._told = told
        self._waiting = threading.Lock()
        self._pidfd = os.pidfd_open(pid)  # a number may belong to another one by the time of a signal

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        with self._waiting:
            if self.returncode is None:
                if not select.select([self._told], [], [], timeout)[0]:
                    raise subprocess.TimeoutExpired(["schema-registry-server"], timeout or 0.0)
                status = self._told.recv(100)
                assert status, "the process that forks servers is gone, and nobody knows how this one ended"
                self.returncode = int(status)
                self._told.close()
                os.close(self._pidfd)
            return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Forks:
    """The process that forks, begun by the first server that is asked for, and ended with this one."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        with theirs:
            self._process = run().spawn(
                [sys.executable, "-P", str(PROGRAM)],  # the folder of this file holds a redis.py, too
                stdin=theirs,
                stdout=subprocess.DEVNULL,
                env={
                    "PATH": os.environ.get("PATH", ""),
                    "PYTHONPATH": os.pathsep.join(SOURCES),
                },
            )

    def start(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        stdout: int,
        stderr: int,
    ) -> Forked:
        """`python -m llm_schema_registry_server ARGUMENTS`, in a folder, with an environment and two files."""
        asked = {
            "arguments": ["schema-registry-server", *arguments],
            "environment": dict(environment),
            "folder": str(folder),
        }
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with self._lock, theirs:
            files = [theirs.fileno(), stdout, stderr]
            socket.send_fds(self._control, [json.dumps(asked).encode()], files)
        pid = ours.recv(100)
        assert pid, "the process that forks servers is gone"
        forked = Forked(int(pid), ours)
        run().keep(forked.pid)
        return forked


_forks: Forks | None = None
_making = threading.Lock()


def forks() -> Forks:
    """Those of this process."""
    global _forks
    with _making:
        if _forks is None:
            _forks = Forks()
        return _forks
