"""Ends what a run of tests has started, however the run ends: `SIGKILL` lets no fixture clean up.

One process for each run. Pytest and each of its workers hold a connection to it and tell it what they start; the
connection of one that has died is closed by the system, and what it had started is ended. tests/support/processes.py is
the other side. Lines that are understood: `process PID`, `directory PATH`, and with `run ` before them when they belong
to the whole run; the first connection is the one of the run itself.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import socket
import sys
from pathlib import Path

import psutil

SECONDS_TO_END = 5.0


class Belongings:
    """What has been started and made by somebody, as he has told so far."""

    def __init__(self) -> None:
        self.unread = b""
        self._processes: list[psutil.Process] = []
        self._directories: list[str] = []

    def add(self, kind: str, value: str) -> None:
        if kind == "directory":
            self._directories = [*filter(os.path.exists, self._directories), value]
        elif kind == "process":
            self._processes = [process for process in self._processes if process.is_running()]
            with contextlib.suppress(psutil.NoSuchProcess):
                self._processes.append(psutil.Process(int(value)))
        else:
            raise ValueError(f"`process PID` or `directory PATH` is understood, not {kind!r}")

    def end(self) -> None:
        """SIGQUIT first, which ends PostgreSQL without a checkpoint and leaves none of its shared memory; then SIGKILL."""
        roots = [process for process in self._processes if process.is_running()]
        everybody = list(roots)
        for process in roots:
            with contextlib.suppress(psutil.NoSuchProcess):
                everybody += process.children(recursive=True)
        for process in everybody:
            _send(process, signal.SIGCONT)  # a test may have stopped it
        for process in roots:
            _send(process, signal.SIGQUIT)
        for process in psutil.wait_procs(everybody, timeout=SECONDS_TO_END)[1]:
            _send(process, signal.SIGKILL)
        for directory in self._directories:
            shutil.rmtree(directory, ignore_errors=True)


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def _received(connection: socket.socket) -> bytes:
    """b"" when the other side is gone."""
    try:
        return connection.recv(65536)
    except ConnectionError:
        return b""


def keep(listener: socket.socket) -> None:
    """Serve until the run's own connection is closed."""
    selector = selectors.DefaultSelector()
    run, _ = listener.accept()
    selector.register(run, selectors.EVENT_READ)
    selector.register(listener, selectors.EVENT_READ)
    known: dict[socket.socket, Belongings] = {run: Belongings()}
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                connection, _ = listener.accept()
                known[connection] = Belongings()
                selector.register(connection, selectors.EVENT_READ)
                continue
            connection = key.fileobj  # type: ignore[assignment]  # nothing else is registered
            data = _received(connection)
            if not data:
                selector.unregister(connection)
                known.pop(connection).end()
                connection.close()
                if connection is run:
                    for left in known.values():
                        left.end()
                    return
                continue
            *lines, known[connection].unread = (known[connection].unread + data).split(b"\n")
            for line in lines:
                owner = run if line.startswith(b"run ") else connection
                kind, _, value = line.removeprefix(b"run ").decode().partition(" ")
                known[owner].add(kind, value)
                with contextlib.suppress(OSError):  # who has died meanwhile is seen by the next read
                    connection.sendall(b"\n")  # from now on it is kept


if __name__ == "__main__":
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)  # they are meant for the run; its end is ours
    place = Path(sys.argv[1])
    with socket.socket(socket.AF_UNIX) as serving:
        serving.bind(str(place / "keeper"))
        serving.listen(64)
        print("ready", flush=True)
        keep(serving)
    shutil.rmtree(place, ignore_errors=True)
