"""A server: settings in, running listeners out."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType

import uvloop

from . import __version__
from .background import settle_memory
from .components import Components
from .errors import RegistryError
from .faces import make_servers
from .factories import make_tracing
from .ready_message import ready_message
from .registry.clock import SteadyClock
from .rpc.cached_answers import PreparedAnswers
from .rpc.convert import MessageConverter
from .settings import ClockSettings, Settings, SettingsError
from .settings.urls import secrets_of
from .telemetry import logs, secrets, tracing
from .telemetry.collectors import LoopTasks
from .telemetry.loop_watch import LoopWatch, Stretch
from .transports.listener import ListenError
from .transports.ports import WantedPort, check_ports
from .transports.servers import Servers

CANNOT_START = 1

_LOG = logs.get("app")
_SWITCH_SECONDS = 0.001
"""How long a thread that computes (a large body of JSON) may keep the interpreter while the event loop wants it, each time that the loop
goes on; Python's own is five times as long."""


def _make_clock(settings: ClockSettings) -> SteadyClock:
    believed_after = settings.believed_after_seconds

    def leapt(seconds: float) -> None:
        _LOG.warning(
            "clock_leapt",
            seconds=round(seconds),
            why="the machine's clock is ahead of the time that has passed; it is believed when it stays so for "
            f"{believed_after:g} s (setting clock.believed_after_seconds)",
        )

    return SteadyClock(leapt, leap_seconds=settings.leap_seconds, believed_after_seconds=believed_after)


def _stalled(stretch: Stretch) -> None:
    _LOG.warning(
        "event_loop_stalled",
        seconds=round(stretch.seconds, 4),
        processor_seconds=round(stretch.processor_seconds, 4),
        code=stretch.code,
    )


class App:
    """One server: `start`, then `drain`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._tracing = make_tracing(settings.tracing, __version__)
        tracing.install(self._tracing)
        self._components = Components(settings, _make_clock(settings.clock))
        self._servers: Servers | None = None
        self._watch = LoopWatch(settings.logs.stall_seconds, _stalled)
        self._components.metrics.read_loop(self._watch.late, self._watch.busy)
        if self._tracing is not None:
            self._components.metrics.read(self._tracing.collect)

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
            wire = MessageConverter(components.store.registry_id)
            self._servers = make_servers(self._settings, components, wire)
            await components.warm(PreparedAnswers(components.answers, wire))
            await self._servers.start()
        except BaseException:
            await components.stop()
            raise

    def reload(self) -> None:
        """Read the files of TLS now."""
        if self._servers is not None:
            self._servers.reload()

    def watch(self) -> None:
        """Tell from now on when the event loop makes callers wait."""
        self._components.metrics.read(LoopTasks(asyncio.get_running_loop()).collect)
        self._watch.start()

    async def drain(self) -> None:
        """Take no new calls, let those in flight finish, end streams with where to resume, and stop."""
        await self._components.stop_warming()
        if self._servers is not None:
            await self._servers.drain(self._settings.drain_seconds)
        await self._components.stop()
        await self._watch.stop()
        if self._tracing is not None:
            tracing.install(None)
            await asyncio.to_thread(self._tracing.close)  # the spans of the last calls


def wanted_ports(settings: Settings) -> list[WantedPort]:
    """Where the server is to listen."""
    return [
        WantedPort("gRPC", "grpc", settings.grpc.host, settings.grpc.port),
        WantedPort("HTTP", "http", settings.http.host, settings.http.port),
        WantedPort("metrics", "metrics", settings.metrics.host, settings.metrics.port),
    ]


def serve(
    settings: Settings, ready_file: Path | None = None, again: Callable[[], Settings] | None = None
) -> int:
    """Run a server until SIGTERM or SIGINT; answers with the exit code. again: reads the settings anew, for SIGUSR1."""
    secrets.hide(secrets_of(settings))
    logs.configure(
        settings.logs.level,
        settings.logs.format,
        lines_per_second=settings.logs.lines_per_second,
        levels=settings.logs.levels,
    )
    sys.setswitchinterval(_SWITCH_SECONDS)
    return uvloop.run(_serve(settings, ready_file, again))


def read_levels(again: Callable[[], Settings]) -> None:
    """Takes the log levels from the settings as they are now; all else in them waits for the next start. Settings that cannot be used
    are told in the log and change nothing."""
    try:
        wanted = again().logs
    except SettingsError as error:
        _LOG.error("log_levels_not_read", error=str(error))
        return
    logs.set_levels(wanted.level, wanted.levels)
    _LOG.warning("log_levels_set", root=wanted.level, modules=dict(wanted.levels))


def stop_signals() -> asyncio.Event:
    """An event that SIGTERM or SIGINT sets; the signal after it ends the process at once, also when the event loop hangs."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT)

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)
        loop.call_soon_threadsafe(asked.set)

    for number in numbers:
        # Not loop.add_signal_handler: that only acts when the loop has its turn.
        signal.signal(number, stop)
    return asked


async def _serve(settings: Settings, ready_file: Path | None, again: Callable[[], Settings] | None) -> int:
    asked_to_stop = stop_signals()
    if again is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, read_levels, again)
    try:
        app = App(settings)
        await app.start()
    except (RegistryError, ListenError) as error:
        print(secrets.masked(f"schema-registry-server: cannot start: {error}"), file=sys.stderr)
        return CANNOT_START
    except Exception:
        trace = secrets.masked(traceback.format_exc())
        print(f"{trace}schema-registry-server: cannot start: this is a fault of the server", file=sys.stderr)
        return CANNOT_START
    settle_memory()
    app.watch()
    if settings.tls.on:  # without TLS, a terminal that is closed takes its server along
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, app.reload)
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
