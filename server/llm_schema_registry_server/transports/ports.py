"""Asks for the ports of a server before anything else is done: a server that cannot listen touches no data."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from .listener import ListenError


@dataclass(frozen=True, slots=True)
class WantedPort:
    """`name`: what is served there, for people. `section`: of the settings that hold its `host` and `port`."""

    name: str
    section: str
    host: str
    port: int


def check_ports(wanted: Iterable[WantedPort]) -> None:
    """Raises ListenError, with the cause and the setting, for the first that cannot be had. Port 0, any free one, always can."""
    taken: dict[int, WantedPort] = {}
    for one in wanted:
        if not one.port:
            continue
        other = taken.setdefault(one.port, one)
        if other is not one and other.host == one.host:
            raise _refusal(one, f"{other.section}.port is {one.port}, too")
        try:
            _bind(one).close()
        except OSError as error:
            raise _refusal(one, _cause(error)) from error


@contextmanager
def held_ports(wanted: Iterable[WantedPort]) -> Iterator[Mapping[str, int]]:
    """Keeps ports, by section, from everybody but processes of the same user that share them (SO_REUSEPORT); for port 0 the system chooses
    one. Nobody is listening here. Raises ListenError."""
    with ExitStack() as held:
        ports = {}
        for one in wanted:
            try:
                bound = held.enter_context(_bind(one, shared=True))
            except OSError as error:
                raise _refusal(one, _cause(error)) from error
            ports[one.section] = int(bound.getsockname()[1])
        yield ports


def _bind(wanted: WantedPort, *, shared: bool = False) -> socket.socket:
    host = wanted.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((host, wanted.port))
    except BaseException:
        bound.close()
        raise
    return bound


def _cause(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return f"the host cannot be resolved ({error.strerror})"
    match error.errno:
        case errno.EADDRINUSE:
            return "another program listens there"
        case errno.EACCES:
            return "this user may not listen there (ports below 1024 need privileges)"
        case errno.EADDRNOTAVAIL:
            return "this machine has no such address"
        case number:
            return os.strerror(number) if number else str(error)


def _refusal(wanted: WantedPort, why: str) -> ListenError:
    where = f"{wanted.host}:{wanted.port}"
    variable = f"SCHEMA_REGISTRY_{wanted.section.upper()}__PORT"
    return ListenError(
        f"{wanted.name} cannot listen on {where}: {why}; stop it, or set {wanted.section}.port (variable {variable}) to "
        "another port"
        if why.startswith("another")
        else f"{wanted.name} cannot listen on {where}: {why}; settings {wanted.section}.host and {wanted.section}.port "
        f"(variable {variable})"
    )
