"""Callers with credentials, over every wire; and two servers on one storage."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from tests.api.server import ROOT, ServerProcess
from tests.api.wires import GrpcWire, HttpWire, Wire
from tests.support.postgres import shared_server

ENGINES = ("native", "grpcio")
WIRES = (*ENGINES, "http")


class Carrying(
    grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor, grpc.StreamStreamClientInterceptor
):
    """Puts metadata into every call."""

    def __init__(self, metadata: Mapping[str, str]) -> None:
        self._metadata = tuple(metadata.items())

    def _call(self, proceed: Any, details: Any, request: Any) -> Any:
        return proceed(details._replace(metadata=(*(details.metadata or ()), *self._metadata)), request)

    intercept_unary_unary = intercept_unary_stream = intercept_stream_stream = _call


@contextmanager
def caller(wire: str, server: ServerProcess, headers: Mapping[str, str]) -> Iterator[Wire]:
    """A wire to a server whose calls carry headers. Over gRPC the server decides the engine."""
    if wire == "http":
        http = HttpWire(server.http)
        http.client.headers.update(headers)
        try:
            yield http
        finally:
            http.close()
        return
    found = GrpcWire(wire, server.grpc)
    channel = found.channel
    found.channel = grpc.intercept_channel(channel, Carrying(headers))
    try:
        yield found
    finally:
        channel.close()


def bearer(credential: str) -> dict[str, str]:
    return {"authorization": f"Bearer {credential}"}


class Replicas:
    """A server of each engine on the same storage; `settings` are those of both."""

    def __init__(self, home: Path, storage: str, **settings: str) -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        if storage == "postgres":
            self.settings = {
                "STORAGE__KIND": "postgres",
                "STORAGE__POSTGRES__DSN": asyncio.run(shared_server().empty_database()),
                **settings,
            }
        else:
            self.settings = {"STORAGE__PATH": str(home / "registry.db"), **settings}
        self.settings["WORKERS__PROCESSES"] = "1"  # nothing that is asked here depends on how many there are
        self.servers: dict[str, ServerProcess] = {}

    def start(self) -> None:
        for engine in ENGINES:
            self.servers[engine] = ServerProcess(self.home / engine, GRPC__ENGINE=engine, **self.settings)

    def of(self, wire: str) -> ServerProcess:
        """The server that a wire leads to."""
        return self.servers["native" if wire == "http" else wire]

    def create_key(self, *arguments: str) -> dict[str, Any]:
        """As an operator makes a key, without asking a server."""
        done = subprocess.run(
            [sys.executable, "-m", "llm_schema_registry_server", "create-key", *arguments],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": os.pathsep.join(str(ROOT / p) for p in ("engines", "server", "clients/python")),
                **{f"SCHEMA_REGISTRY_{name}": value for name, value in self.settings.items()},
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        made: dict[str, Any] = json.loads(done.stdout)
        return made

    def logs(self) -> str:
        return "".join(server.log.read_text() for server in self.servers.values())

    def stop(self) -> None:
        for server in self.servers.values():
            server.stop()
            assert server.events("call_crashed") == []
