"""For whom work is done: what a queue needs to know of the call that the running task belongs to."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass

from llm_schema_engines.model.fast_init import fast_init


@fast_init
@dataclass(frozen=True, slots=True)
class Caller:
    """key: tells callers apart (an address, a principal); "" is the server itself, which is never refused and waits for as long
    as it takes. deadline: of the call, a point of time.monotonic(), None without one."""

    key: str = ""
    deadline: float | None = None


SERVER = Caller()
"""The server's own work: its change feed, its statistics, its health checks."""

_CURRENT: ContextVar[Caller] = ContextVar("caller", default=SERVER)


def current() -> Caller:
    """For whom the running asyncio task works."""
    return _CURRENT.get()


def bind(caller: Caller) -> None:
    """The running asyncio task, and those that it starts from now on, work for `caller`."""
    _CURRENT.set(caller)
