"""One call in flight, whatever the face: what guards and handlers know of it and what they learn."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import Code, DeadlineExceeded, RegistryError
from ..model.principal import Principal
from .operation import Operation, Resource, Resources
from .peer import NO_PROXIES, Peer, TrustedProxies

NOBODY = Principal("anonymous", anonymous=True)
"""The principal of a call that nobody has authenticated."""

REQUEST_ID = "x-request-id"
_ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._:\-]{1,64}")
# Ids need to be distinct, not secret: a random prefix for the process, then a counter.
_PREFIX = os.urandom(6).hex()
_COUNTER = itertools.count(1)

MOST_RESOURCES = 256
"""So many resources that a handler names are remembered; of a stream of requests there may be any number."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended: the name of its google.rpc code, `OK` or `NOT_FOUND`, and the reason of the error, "" when it went
    well or its caller left."""

    code: str
    reason: str = ""


OK = Outcome("OK")
CANCELLED = Outcome(Code.CANCELLED.name)
INTERNAL = Outcome(Code.INTERNAL.name, "INTERNAL")
DEADLINE = Outcome(DeadlineExceeded.code.name, DeadlineExceeded.reason)
# A timer of the event loop may fire so much before the point of time.monotonic() that it was set for.
_TIMER_SECONDS = 0.005


async def _nothing() -> None:
    """What `ready` does on a wire that tells its caller anyway."""


@dataclass(slots=True)
class Call:
    """One call in flight.

    `face` is the name of the face that it came through (`grpc`, `http`). Names in `metadata` are lower case. `connection`
    is the other end of the connection, or what tells it, for transports where asking costs; `peer` is who that is.
    `deadline` is a point of time.monotonic(), None when the caller may wait for ever.

    Handlers put what goes out as trailers (gRPC) or headers (HTTP) into `response_metadata`, name what they touch beyond
    what the request names (`touch`), and set `schema_id` to the id of the schema that the answer hands out, which counts as
    a read of it. A handler of a stream awaits `ready` when the stream stands but has nothing to send yet: the caller then
    gets the initial metadata. `push`, where a wire has it, sends one answer of a stream at once while the handler waits for
    the next one; False when the answer must go the usual way, because the wire has no room for it now.

    `resume_revision` is where a subscription goes on when it breaks here: everything before it was handed to the wire.
    `outcome` is None until the call has ended; a guard finds it when it is left.
    """

    operation: Operation
    metadata: Mapping[str, str]
    connection: str | Callable[[], str]
    face: str
    request_id: str
    deadline: float | None = None
    proxies: TrustedProxies = NO_PROXIES
    principal: Principal = NOBODY
    response_metadata: dict[str, str] = field(default_factory=dict)
    ready: Callable[[], Awaitable[None]] = _nothing
    push: Callable[[Any], bool] | None = None
    resources: Resources = ()
    """What the call touches, as far as it is known."""
    schema_id: str = ""
    outcome: Outcome | None = None
    resume_revision: str | None = None
    watchers: tuple[Callable[[Resource], None], ...] = ()
    """Who sees each resource that a handler names; see `watch`."""
    _peer: Peer | None = None
    # Set when they are first needed: a cached answer needs neither, and making its call is on the hot path.
    _selectors: tuple[Callable[[Resource], bool], ...] = field(init=False, repr=False, compare=False)
    _touched: set[Resource] = field(init=False, repr=False, compare=False)

    @property
    def peer(self) -> Peer:
        """Who calls."""
        if self._peer is None:
            connection = self.connection if isinstance(self.connection, str) else self.connection()
            self._peer = self.proxies.peer(connection, self.metadata)
        return self._peer

    def watch(self, watcher: Callable[[Resource], None]) -> None:
        """For guards that decide by resource: `watcher` sees each that is known now, and each that the handler names later,
        before it acts on it. It refuses one by raising a RegistryError."""
        for resource in self.resources:
            watcher(resource)
        self.watchers += (watcher,)

    def select(self, selector: Callable[[Resource], bool]) -> None:
        """For guards that decide item by item what a stream may tell its caller: `selector` sees the subject of each item
        before it is sent. False leaves the item out; a RegistryError ends the stream."""
        self._selectors = (*getattr(self, "_selectors", ()), selector)

    @property
    def looked_into(self) -> bool:
        """Whether a guard wants to see the items of the stream, one by one."""
        return bool(self.watchers) or bool(getattr(self, "_selectors", ()))

    def touch(self, resource: Resource) -> None:
        """Names a resource before the handler acts on it, or before the answer tells of it. Raises what a watcher raises."""
        try:
            touched = self._touched
        except AttributeError:
            touched = self._touched = set(self.resources)
        if resource in touched:
            return
        for watcher in self.watchers:
            watcher(resource)
        if len(self.resources) < MOST_RESOURCES:
            self.resources += (resource,)
            touched.add(resource)

    def shows(self, resource: Resource) -> bool:
        """Whether an item of a stream that tells of `resource` may be sent. It is not remembered: a stream has any number.
        Raises what a selector raises and, for an item that none leaves out, what a watcher raises."""
        for selector in getattr(self, "_selectors", ()):
            if not selector(resource):
                return False
        for watcher in self.watchers:
            watcher(resource)
        return True

    def touches(self, request: Any) -> None:
        """Names what one request of a stream of them names. Raises what a watcher raises."""
        for resource in self.operation.resources(request):
            self.touch(resource)

    def ended(self, error: BaseException | None) -> None:
        """Notes the outcome. An error that a guard makes of another one (a deadline of a cancellation) replaces it."""
        self.outcome = _outcome(error, self.deadline)


def _outcome(error: BaseException | None, deadline: float | None) -> Outcome:
    if error is None:
        return OK
    if isinstance(error, RegistryError):
        return Outcome(error.code.name, error.reason)
    if isinstance(error, asyncio.CancelledError):
        # Guards inside the one that enforces the deadline see how it does that.
        expired = deadline is not None and time.monotonic() >= deadline - _TIMER_SECONDS
        return DEADLINE if expired else CANCELLED
    return CANCELLED if isinstance(error, GeneratorExit) else INTERNAL


def request_id(metadata: Mapping[str, str]) -> str:
    """The caller's x-request-id when it is short and harmless in a log, otherwise a new one."""
    given = metadata.get(REQUEST_ID)
    if given is not None and _ACCEPTABLE_ID.fullmatch(given):
        return given
    return f"{_PREFIX}-{next(_COUNTER):x}"
