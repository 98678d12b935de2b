"""A server: settings in, running listeners out."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from . import __version__
from .background import settle_memory
from .components import Components
from .errors import RegistryError
from .faces import make_servers
from .ready_message import ready_message
from .rpc.cached_answers import PreparedAnswers
from .rpc.convert import Convert
from .settings import Settings
from .telemetry import logs
from .transports.listener import ListenError
from .transports.ports import WantedPort, check_ports
from .transports.servers import Servers

CANNOT_START = 1

_LOG = logs.get("app")


def now() -> datetime:
    return datetime.now(UTC)


class App:
    """One server: `start`, then `drain`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._components = Components(settings, now)
        self._servers: Servers | None = None

    @property
    def ports(self) -> Mapping[str, int]:
        """The bound port of each listener by name; known after `start`."""
        return self._servers.ports if self._servers else {}

    async def start(self) -> None:
        """Ask for the ports, open the store, start the workers, serve. What was started is stopped again when a later step fails.

        Raises RegistryError or ListenError.
        """
        check_ports(wanted_ports(self._settings))
        components = self._components
        await components.start()
        try:
            wire = Convert(components.store.registry_id)
            self._servers = make_servers(self._settings, components, wire)
            await components.warm(PreparedAnswers(components.answers, wire))
            await self._servers.start()
        except BaseException:
            await components.stop()
            raise

    async def drain(self) -> None:
        """Take no new calls, let those in flight finish, end streams with where to resume, and stop."""
        await self._components.stop_warming()
        if self._servers is not None:
            await self._servers.drain(self._settings.drain_seconds)
        await self._components.stop()


def wanted_ports(settings: Settings) -> list[WantedPort]:
    """Where the server is to listen."""
    return [
        WantedPort("gRPC", "grpc", settings.grpc.host, settings.grpc.port),
        WantedPort("HTTP", "http", settings.http.host, settings.http.port),
        WantedPort("metrics", "metrics", settings.metrics.host, settings.metrics.port),
    ]


def serve(settings: Settings, ready_file: Path | None = None) -> int:
    """Run a server until SIGTERM or SIGINT; answers with the exit code."""
    logs.configure(settings.logs.level, settings.logs.format)
    return uvloop.run(_serve(settings, ready_file))


async def _serve(settings: Settings, ready_file: Path | None) -> int:
    asked_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop.set)
    try:
        app = App(settings)
        await app.start()
    except (RegistryError, ListenError) as error:
        print(f"schema-registry-server: cannot start: {error}", file=sys.stderr)
        return CANNOT_START
    settle_memory()
    if ready_file is not None:
        _write_ready(ready_file, app.ports)
    _LOG.info("serving", version=__version__, **{f"{name}_port": port for name, port in app.ports.items()})
    if sys.stdout.isatty():
        print(ready_message(settings, app.ports), flush=True)
    await asked_to_stop.wait()
    await app.drain()
    _LOG.info("stopped")
    return 0


def _write_ready(file: Path, ports: Mapping[str, int]) -> None:
    part = file.with_suffix(file.suffix + ".part")
    part.write_text(json.dumps(dict(ports)))
    part.rename(file)  # whoever waits for the file finds it whole
