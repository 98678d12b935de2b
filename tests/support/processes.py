"""Starts what tests need beside them so that nothing outlives the run, not even one that is killed (see keeper.py), and
starts what all workers of a run share only once."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

PLACE = "REGISTRY_TESTS_RUN"
"""The environment variable that tells the workers of a run where its files are."""
PREFIX = "registry-tests-"
KEEPER = Path(__file__).with_name("keeper.py")
YOUNG_SECONDS = 60.0
"""A run younger than this may not have its keeper yet."""
PR_SET_PDEATHSIG = 1

Shared = Mapping[str, Any]
"""What a worker tells the others about something it has started: plain JSON."""


class Run:
    """The files of a run, and the connection to its keeper. Closed when this process ends, however it does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keeper: subprocess.Popen[bytes] | None = None
        self._started: list[subprocess.Popen[bytes]] = []
        if PLACE in os.environ:
            self.place = Path(os.environ[PLACE])
        else:
            remove_stale()
            self.place = Path(tempfile.mkdtemp(prefix=PREFIX))
            self.place.chmod(0o711)  # PostgreSQL runs as somebody else and has to reach its files
            self._keeper = self._start_keeper()
            os.environ[PLACE] = str(self.place)
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(str(self.place / "keeper"))

    def _start_keeper(self) -> subprocess.Popen[bytes]:
        keeper = subprocess.Popen(
            [sys.executable, str(KEEPER), str(self.place)],
            stdout=subprocess.PIPE,
            cwd="/",
            start_new_session=True,
        )
        assert keeper.stdout is not None
        assert keeper.stdout.readline() == b"ready\n", "the keeper of the tests' servers did not start"
        keeper.stdout.close()
        return keeper

    def spawn(self, command: Sequence[str], *, shared: bool = False, **options: Any) -> subprocess.Popen[Any]:
        """Start a process that ends with this one, or with the run if it is shared. Options are those of Popen."""
        options = {"cwd": self.place, **options, "start_new_session": True}
        process: subprocess.Popen[Any] = subprocess.Popen(command, **options)
        self._tell("process", process.pid, shared)
        if shared:
            self._started.append(process)
        return process

    def keep(self, pid: int) -> None:
        """A process that somebody else has started ends with this one."""
        self._tell("process", pid, False)

    def directory(self, name: str, *, shared: bool = False) -> Path:
        """A new directory that goes with this process, or with the run if it is shared."""
        made = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.place))
        self._tell("directory", made, shared)
        return made

    def once(self, name: str, start: Callable[[], Shared]) -> Shared:
        """What `start` answered when the first worker of this run called it; the others wait until it has."""
        told = self.place / f"{name}.json"
        with (self.place / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not told.exists():
                told.write_text(json.dumps(start()))
            found: Shared = json.loads(told.read_text())
            return found

    def end(self) -> None:
        """Close the connection. If this process began the run: return when everything of it is gone."""
        self._connection.close()
        if self._keeper is not None:
            self._keeper.wait()
            del os.environ[PLACE]
        for process in self._started:
            process.poll()

    def _tell(self, kind: str, value: object, shared: bool) -> None:
        with self._lock:
            self._connection.sendall(f"{'run ' if shared else ''}{kind} {value}\n".encode())
            assert self._connection.recv(1) == b"\n", "the keeper of the tests' servers is gone"


_run: Run | None = None
_making = threading.Lock()


def run() -> Run:
    """The run that this process belongs to; begun by the first call unless a parent has begun it."""
    global _run
    with _making:
        if _run is None:
            _run = Run()
        return _run


def end_run() -> None:
    """End what this process has started; nothing if it never called `run`."""
    global _run
    with _making:
        if _run is not None:
            _run.end()
            _run = None


def die_with_parent() -> None:
    """From now on this process is killed when the one that started it dies."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")


def remove_stale() -> None:
    """Remove what runs have left whose keeper was killed too, and end the servers in their directories."""
    for place in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - place.stat().st_mtime > YOUNG_SECONDS and not _is_kept(place):
                for process in psutil.process_iter(["cwd"]):
                    if Path(process.info["cwd"] or "/").is_relative_to(place):
                        with contextlib.suppress(psutil.Error):
                            process.kill()
                shutil.rmtree(place, ignore_errors=True)


def _is_kept(place: Path) -> bool:
    """Whether the keeper of a run lives."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(place / "keeper"))
        except OSError:
            return False
        return True
