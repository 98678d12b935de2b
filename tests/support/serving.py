"""The serving processes of one server (`server.workers`), told apart: which there are, and connections to one of them."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from tests.api.server import ServerProcess


def processes(server: ServerProcess) -> Mapping[int, int]:
    """The serving processes by number; those with the same number but one, when they replace each other, are left out."""
    found = {}
    for process in psutil.Process(server.process.pid).children():
        try:
            command = process.cmdline()
        except psutil.NoSuchProcess:
            continue
        if "--member" in command:
            found[int(command[command.index("--member") + 1].rpartition("/")[2])] = process.pid
    return found


class Connection:
    """HTTP to one process, over one connection."""

    def __init__(self, server: ServerProcess, pid: int) -> None:
        """Connections go to any process: those to others are closed again."""
        self._stream: HTTPResponse | None = None
        while True:
            self._connection = HTTPConnection("127.0.0.1", server.ports["http"], timeout=60)
            self.get("/health/live")
            own_port = self._connection.sock.getsockname()[1]
            if any(c.raddr and c.raddr.port == own_port for c in psutil.Process(pid).net_connections("tcp")):
                return
            self._connection.close()

    def get(self, path: str) -> Any:
        """The answer as JSON; of an error, too."""
        self._connection.request("GET", path)
        return self._read()

    def post(self, path: str, body: Any) -> Any:
        """The same."""
        self._connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        return self._read()

    def lines(self, path: str) -> HTTPResponse:
        """The lines of a stream (NDJSON), as they come; the first of them must be there, or come soon."""
        self._connection.request("GET", path, headers={"Accept": "application/x-ndjson"})
        self._stream = self._connection.getresponse()
        return self._stream

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
        self._connection.close()

    def _read(self) -> Any:
        return json.loads(self._connection.getresponse().read())


def series(server: ServerProcess) -> Mapping[tuple[str, tuple[tuple[str, str], ...]], float]:
    """What the page of series shows, by name and labels."""
    page = httpx.get(server.metrics, timeout=30).text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def total(shown: Mapping[tuple[str, tuple[tuple[str, str], ...]], float], name: str, **labels: str) -> float:
    """The sum of the series of a family that have these labels."""
    wanted = set(labels.items())
    return sum(value for (own, found), value in shown.items() if own == name and wanted <= set(found))


def registration(subject: str, title: str) -> dict[str, object]:
    return {"subject": subject, "schema_type": "JSON", "schema": {"type": "object", "title": title}}


def until_events(server: ServerProcess, name: str, count: int) -> None:
    """Waits for so many lines of the log."""
    while len(server.events(name)) < count:
        assert server.process.poll() is None, server.log.read_text()[-4000:]
        time.sleep(0.02)
