"""What a server and the supervisor of several serving processes have in common: their logs, the ports they want, the signals they obey, how they
tell that they are ready. Loads little: a supervisor stays small."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType

from .settings import Settings, SettingsError
from .settings.urls import secrets_of
from .telemetry import logs, secrets
from .transports.ports import WantedPort

CANNOT_START = 1

_LOG = logs.get("app")


def wanted_ports(settings: Settings) -> list[WantedPort]:
    """Where the server is to listen."""
    return [
        WantedPort("gRPC", "grpc", settings.grpc.host, settings.grpc.port),
        WantedPort("HTTP", "http", settings.http.host, settings.http.port),
        WantedPort("metrics", "metrics", settings.metrics.host, settings.metrics.port),
    ]


def begin_logs(settings: Settings, always: Mapping[str, object]) -> None:
    """From now on the log is as the settings say, without their secrets. always: what stands in each line."""
    secrets.hide(secrets_of(settings))
    logs.configure(
        settings.logs.level,
        settings.logs.format,
        lines_per_second=settings.logs.lines_per_second,
        levels=settings.logs.levels,
        always=always,
    )


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


def write_ready(file: Path, ports: Mapping[str, int]) -> None:
    """Tells the ports in a file."""
    part = file.with_suffix(file.suffix + ".part")
    part.write_text(json.dumps(dict(ports)))
    part.rename(file)  # whoever waits for the file finds it whole
