"""The metrics listener: /metrics, on a port and in a thread of its own, so that a busy loop can still be seen."""

from __future__ import annotations

import asyncio
from threading import Thread
from wsgiref.simple_server import WSGIServer

from prometheus_client import start_http_server

from ..telemetry.metrics import Metrics
from .listener import ListenError


class MetricsListener:
    """Serves the page of series."""

    name = "metrics"

    def __init__(self, metrics: Metrics, host: str, port: int) -> None:
        self._metrics = metrics
        self._host = host
        self._port = port
        self._server: tuple[WSGIServer, Thread] | None = None

    @property
    def port(self) -> int:
        """The bound port; what was asked for before the start."""
        return self._port

    async def start(self) -> None:
        """Binds and serves. Raises ListenError."""
        try:
            self._server = start_http_server(self._port, self._host, self._metrics.registry)
        except OSError as error:
            raise ListenError(f"metrics cannot listen on {self._host}:{self._port}: {error}") from error
        self._port = self._server[0].server_port

    async def drain(self, seconds: float) -> None:
        """Closes."""
        if self._server is not None:
            server, thread = self._server
            await asyncio.to_thread(server.shutdown)
            server.server_close()
            await asyncio.to_thread(thread.join)
