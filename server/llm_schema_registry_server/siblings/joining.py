"""How a process becomes one of the serving processes of a server."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from ..settings import Settings
from .place import Place
from .siblings import Siblings

_PR_SET_PDEATHSIG = 1


class CannotJoin(Exception):
    """There is no supervisor (any more) in the place that was named, or settings have changed that all processes share."""


def fixed(settings: Settings) -> dict[str, str]:
    """The settings that are the same for all processes as long as their supervisor lives, by name."""
    return {
        "server.workers": str(settings.server.workers),
        "storage.kind": settings.storage.kind,
        "grpc.host": settings.grpc.host,
        "grpc.port": str(settings.grpc.port),
        "http.host": settings.http.host,
        "http.port": str(settings.http.port),
        "metrics.host": settings.metrics.host,
        "metrics.port": str(settings.metrics.port),
    }


def drain_with_parent() -> None:
    """From now on this process drains when its parent ends, however that does: prctl(2), to be called before anybody looks whether it is
    still there."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def join(place: Path, number: int, settings: Settings) -> tuple[Siblings, Settings]:
    """Its siblings, and the settings that all of them share: the ports that the supervisor holds, and a secret for what one hands out and
    another takes (tickets), unless the settings have one.

    Raises CannotJoin.
    """
    try:
        found = Place(place)
        state = found.read()
        secret = found.secret
    except (OSError, ValueError) as error:
        raise CannotJoin(f"no supervisor has told anything in {place}: {error}") from error
    if os.getppid() != state.supervisor:
        raise CannotJoin(f"the supervisor, process {state.supervisor}, has ended")
    for name, now in fixed(settings).items():
        if now != (before := state.fixed.get(name, now)):
            raise CannotJoin(
                f"{name} was {before} and is {now}: such a change takes a restart of the whole server (SIGTERM, and start it again)"
            )
    return Siblings(found, number), _shared(settings, state.ports, secret)


def _shared(settings: Settings, ports: Mapping[str, int], secret: str) -> Settings:
    auth = settings.auth
    if auth.ticket_secret is None:
        auth = auth.model_copy(update={"ticket_secret": SecretStr(secret)})
    return settings.model_copy(
        update={
            "auth": auth,
            "grpc": settings.grpc.model_copy(update={"port": ports["grpc"]}),
            "http": settings.http.model_copy(update={"port": ports["http"]}),
            "metrics": settings.metrics.model_copy(update={"port": ports["metrics"]}),
        }
    )
