"""One server per gRPC engine for the whole session, and each wire to it. Tests keep apart by their subjects' names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from .server import ServerProcess
from .wires import GrpcWire, HttpWire, Wire

ENGINES = ("native", pytest.param("grpcio", marks=pytest.mark.slow))
"""`make quick` leaves out the second engine: whatever the wire, the rest of the server is the same."""
WIRES = (*ENGINES, "http")


class Servers:
    """Servers by engine, started when first asked for."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._running: dict[str, ServerProcess] = {}
        self._wires: dict[str, GrpcWire | HttpWire] = {}

    def __getitem__(self, engine: str) -> ServerProcess:
        if engine not in self._running:
            self._running[engine] = ServerProcess(
                self._home / engine,
                GRPC__ENGINE=engine,
                PROVIDERS__WATCH_SECONDS="0",  # tests put profiles, and watch the changes of others
            )
        return self._running[engine]

    def wire(self, name: str) -> Wire:
        if name not in self._wires:
            self._wires[name] = (
                HttpWire(self["native"].http) if name == "http" else GrpcWire(name, self[name].grpc)
            )
        return self._wires[name]

    def stop(self) -> dict[str, int]:
        for wire in self._wires.values():
            wire.close()
        return {engine: server.stop() for engine, server in self._running.items()}


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    servers = Servers(tmp_path_factory.mktemp("servers"))
    yield servers
    running = list(servers._running.values())
    assert set(servers.stop().values()) <= {0}
    for server in running:
        assert server.events("call_crashed") == [], "a call failed unexpectedly"


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, servers: Servers) -> ServerProcess:
    """The server of each gRPC engine."""
    return servers[request.param]


@pytest.fixture(params=WIRES)
def wire(request: pytest.FixtureRequest, servers: Servers) -> Wire:
    """The API over gRPC from each engine, and over HTTP."""
    return servers.wire(request.param)


@pytest.fixture
def name() -> Callable[[str], str]:
    """Makes subject names that no other test uses: name("a") is the same within one test."""
    unique = f"t{uuid4().hex[:12]}"
    return lambda text="s": f"{unique}.{text}"
