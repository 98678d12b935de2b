"""A server: settings in, running listeners out."""

from __future__ import annotations

import asyncio
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

import uvloop

from . import __version__
from .allocator import give_memory_back
from .components import Components
from .errors import RegistryError
from .faces import make_servers
from .factories import make_tracing
from .garbage import GarbageCollection
from .ready_message import ready_message
from .registry.clock import SteadyClock
from .rpc.cached_answers import PreparedAnswers
from .rpc.convert import MessageConverter
from .running import CANNOT_START, begin_logs, read_levels, stop_signals, wanted_ports, write_ready
from .settings import ClockSettings, Settings
from .siblings.joining import CannotJoin, drain_with_parent, join
from .siblings.siblings import BEAT_SECONDS, Siblings
from .telemetry import logs, secrets, tracing
from .telemetry.collectors import LoopTasks
from .telemetry.loop_watch import LoopWatch, Stretch
from .transports.listener import ListenError
from .transports.ports import check_ports
from .transports.servers import Servers

_LOG = logs.get("app")
_READY_SECONDS = 0.1
"""Between two looks whether a serving process that starts is ready."""
_SWITCH_SECONDS = 0.0002
"""How long a thread that computes (a large body of JSON) may keep the interpreter while the event loop wants it, each time that the loop
goes on; Python's own is 5 ms."""


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
    """One server: `start`, then `drain`. siblings: who serves on the same ports."""

    def __init__(self, settings: Settings, siblings: Siblings | None = None) -> None:
        self._settings, self._siblings = settings, siblings
        self._tracing = make_tracing(settings.tracing, __version__)
        tracing.install(self._tracing)
        self._components = Components(settings, _make_clock(settings.clock), siblings)
        self._servers: Servers | None = None
        self._watch = LoopWatch(settings.logs.stall_seconds, _stalled)
        self._garbage = GarbageCollection()
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
        if self._siblings is None:  # else the supervisor holds them
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

    async def tell_ready(self) -> None:
        """Tells the supervisor as soon as calls are answered well here, and from then on, as long as the event loop turns."""
        assert self._siblings is not None
        while not await self._components.serves():  # noqa: ASYNC110 - the storage, too, may come and go
            await asyncio.sleep(_READY_SECONDS)
        while True:
            self._siblings.tell_ready()
            await asyncio.sleep(BEAT_SECONDS)

    def reload(self) -> None:
        """Read the files of TLS now."""
        if self._servers is not None:
            self._servers.reload()

    def watch(self) -> None:
        """To be called once it serves: have garbage collected in pieces, and tell from now on when the event loop makes callers wait."""
        self._garbage.start()
        self._components.metrics.read(LoopTasks(asyncio.get_running_loop()).collect)
        self._watch.start()

    async def drain(self) -> None:
        """Take no new calls, let those in flight finish, end streams with where to resume, and stop."""
        await self._components.stop_warming()
        if self._servers is not None:
            await self._servers.drain(self._settings.drain_seconds)
        if self._siblings is not None:
            await asyncio.to_thread(self._siblings.leave, self._components.metrics.registry)
        await self._components.stop()
        await self._watch.stop()
        await self._garbage.stop()
        if self._tracing is not None:
            tracing.install(None)
            await asyncio.to_thread(self._tracing.close)  # the spans of the last calls


def serve_as(member: Path, settings: Settings, again: Callable[[], Settings]) -> int:
    """Run one of several serving processes, until SIGTERM; answers with the exit code. member: the folder of their supervisor, and under it
    the number of the process. again: see `serve`."""
    drain_with_parent()
    try:
        siblings, shared = join(member.parent, int(member.name), settings)
    except (CannotJoin, ValueError) as error:
        print(f"schema-registry-server: cannot start a serving process: {error}", file=sys.stderr)
        return CANNOT_START
    try:
        return serve(shared, again=again, siblings=siblings)
    finally:
        siblings.remove_what_is_left()


def serve(
    settings: Settings,
    ready_file: Path | None = None,
    again: Callable[[], Settings] | None = None,
    siblings: Siblings | None = None,
) -> int:
    """Run a server until SIGTERM or SIGINT; answers with the exit code. again: reads the settings anew, for SIGUSR1. siblings: who serves
    on the same ports."""
    begin_logs(settings, {} if siblings is None else {"process": siblings.number})
    sys.setswitchinterval(_SWITCH_SECONDS)
    give_memory_back()
    return uvloop.run(_serve(settings, ready_file, again, siblings))


async def _serve(
    settings: Settings,
    ready_file: Path | None,
    again: Callable[[], Settings] | None,
    siblings: Siblings | None,
) -> int:
    asked_to_stop = stop_signals()
    if again is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, read_levels, again)
    try:
        app = App(settings, siblings)
        await app.start()
    except (RegistryError, ListenError) as error:
        print(secrets.masked(f"schema-registry-server: cannot start: {error}"), file=sys.stderr)
        return CANNOT_START
    except Exception:
        trace = secrets.masked(traceback.format_exc())
        print(f"{trace}schema-registry-server: cannot start: this is a fault of the server", file=sys.stderr)
        return CANNOT_START
    app.watch()
    if settings.tls.on:  # without TLS, a terminal that is closed takes its server along
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, app.reload)
    if ready_file is not None:
        write_ready(ready_file, app.ports)
    _LOG.info("serving", version=__version__, **{f"{name}_port": port for name, port in app.ports.items()})
    telling = None
    if siblings is not None:
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)  # it is for the supervisor, and may be sent to all
        telling = asyncio.create_task(app.tell_ready(), name="tell the supervisor")
    elif sys.stdout.isatty():
        print(ready_message(settings, app.ports), flush=True)
    await asked_to_stop.wait()
    await app.drain()
    if telling is not None:  # until now it was to be seen that the event loop turns
        telling.cancel()
    _LOG.info("stopped")
    return 0
