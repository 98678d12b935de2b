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
from ..model.principal import Principal, Rights
from ..model.pushed import Pushed
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

NEVER_SECONDS = 10 * 365 * 86400.0
"""The deadline of a stream that has none, and may have to end while it waits: its credentials are revoked, its grants taken back."""

# Up to so many, a tuple is searched faster than a set is made.
_FEW_RESOURCES = 8


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


def _no_matter() -> None:
    """What `principal_changed` does where nothing depends on the principal."""


async def _nothing() -> None:
    """What `ready` does on a wire that tells its caller anyway, and `each_request` where requests are not counted."""


@dataclass(eq=False)
class Call:
    """One call in flight.

    `face` is the name of the face that it came through (`grpc`, `http`). Names in `metadata` are lower case. `connection`
    is the other end of the connection, or what tells it, for transports where asking costs; `peer` is who that is. `given_id` is its
    request id where the face knows it already; "" has it found when somebody asks for `request_id`.
    `deadline` is a point of time.monotonic(), None when the caller may wait for ever.

    Handlers put what goes out as trailers (gRPC) or headers (HTTP) into `response_metadata`, name what they touch beyond
    what the request names (`touch`), and set `schema_id` to the id of the schema that the answer hands out, which counts as
    a read of it. A handler of a stream awaits `ready` when the stream stands but has nothing to send yet: the caller then
    gets the initial metadata. `push`, where a wire has it, sends one answer of a stream at once while the handler waits for
    the next one, or says why not. `joins`: whether the wire writes one answer behind the other into a body of bytes, so that several that
    are ready may come as one (SharedAnswer.parts).

    `resume_revision` is where a subscription goes on when it breaks here: everything before it was handed to the wire.
    `outcome` is None until the call has ended; a guard finds it when it is left.

    What a call has only once something has happened to it is a default of the class until then (`init=False`, and no slots): a call is
    made for each cached answer, and would take half as long again to fill in.
    """

    operation: Operation
    metadata: Mapping[str, str]
    connection: str | Callable[[], str]
    face: str
    given_id: str = ""
    deadline: float | None = None
    proxies: TrustedProxies = NO_PROXIES
    principal: Principal = NOBODY
    response_metadata: dict[str, str] = field(default_factory=dict, init=False)
    ready: Callable[[], Awaitable[None]] = field(default=staticmethod(_nothing), init=False)
    push: Callable[[Any], Pushed] | None = field(default=None, init=False)
    joins: bool = field(default=False, init=False)
    resources: Resources = field(default=(), init=False)
    """What the call touches, as far as it is known."""
    named: int = field(default=0, init=False)
    """How many of `resources`, the first ones, the request itself names; of a stream of requests none."""
    complete: bool = field(default=False, init=False)
    """Whether `resources` are all that the call touches, because its answer is kept. A guard that sets it to False has the
    answer computed, as if it were not kept."""
    kept: bool = field(default=False, init=False)
    """Whether the answer was there before the call came."""
    schema_id: str = field(default="", init=False)
    outcome: Outcome | None = field(default=None, init=False)
    resume_revision: str | None = field(default=None, init=False)
    watchers: tuple[Callable[[Resource], None], ...] = field(default=(), init=False)
    """Who sees each resource that a handler names; see `watch`."""
    began: float = field(default_factory=time.perf_counter, init=False)
    """When its head was read, a point of time.perf_counter()."""
    traceparent: str = field(default="", init=False)
    """Its span, when it is traced (W3C Trace Context)."""
    route: tuple[str, str] | None = field(default=None, init=False)
    """Verb and path template, where a face has such (HTTP)."""
    own_metadata: tuple[tuple[str, str], ...] = field(default=(), init=False)
    """What goes out beside `response_metadata`, also with a kept answer and with a failure, because it is about this call alone:
    what is left of a rate limit."""
    counted: bool = field(default=False, init=False)
    """Whether the call has been counted against a rate limit."""
    each_request: Callable[[], Awaitable[None]] = field(default=staticmethod(_nothing), init=False)
    """To be awaited for each request of a stream of them, before anything is done for it. Raises what refuses it."""
    guesses: bool = field(default=False, init=False)
    """Whether it is refused because its caller has shown wrong credentials too often."""
    principal_changed: Callable[[], None] = field(default=staticmethod(_no_matter), init=False)
    """To be called when a stream has got another principal: what it may do is decided anew."""
    waits: Callable[[], None] | None = field(default=None, init=False)
    """Lets the wait that a stream is in now go by the deadline as it is now; None when it is in none."""
    answering: bool = field(default=False, init=False)
    """Whether a message of a stream went to the wire: a client can end such a stream only by resetting it."""
    _peer: Peer | None = field(default=None, init=False, repr=False)
    _rights: Rights | None = field(default=None, init=False, repr=False)
    selectors: tuple[Callable[[Resource], bool], ...] = field(default=(), init=False, repr=False)
    # Set when it is first needed: a cached answer does without, and making its call is on the hot path.
    _touched: set[Resource] = field(init=False, repr=False)
    _refused: Resources = field(default=(), init=False, repr=False)

    @property
    def request_id(self) -> str:
        """What names the call in logs and errors: the caller's own id when it is acceptable, otherwise a new one."""
        if not self.given_id:
            self.given_id = request_id(self.metadata)
        return self.given_id

    @property
    def peer(self) -> Peer:
        """Who calls."""
        if self._peer is None:
            connection = self.connection if isinstance(self.connection, str) else self.connection()
            self._peer = self.proxies.peer(connection, self.metadata)
        return self._peer

    def asks_too_much(self) -> None:
        """Notes that it was refused for that: who goes on asking is read more slowly."""
        connection = self.connection if isinstance(self.connection, str) else self.connection()
        self.proxies.refused(connection, self.metadata)

    @property
    def rights(self) -> Rights:
        """What the caller may do in this call: what its principal may, unless a guard has narrowed that."""
        return self._rights or self.principal

    @rights.setter
    def rights(self, rights: Rights) -> None:
        self._rights = rights

    @property
    def refused(self) -> Resources:
        """What the caller may not touch of that which the call has named, also where it was told that it is not there."""
        return self._refused

    def refuse(self, resource: Resource) -> None:
        """Notes that for the audit."""
        known = self.refused
        if len(known) < MOST_RESOURCES and (len(known) >= _FEW_RESOURCES or resource not in known):
            self._refused = (*known, resource)

    def watch(self, watcher: Callable[[Resource], None]) -> None:
        """For guards that decide by resource: `watcher` sees each that is known now, and each that the handler names later,
        before it acts on it. It refuses one by raising a RegistryError."""
        for resource in self.resources:
            watcher(resource)
        self.watchers += (watcher,)

    def select(self, selector: Callable[[Resource], bool]) -> None:
        """For guards that decide item by item what a stream may tell its caller: `selector` sees the subject of each item
        before it is sent. False leaves the item out; a RegistryError ends the stream."""
        self.selectors += (selector,)

    @property
    def looked_into(self) -> bool:
        """Whether a guard wants to see the items of the stream, one by one."""
        return bool(self.watchers or self.selectors)

    def touch(self, resource: Resource) -> None:
        """Names a resource before the handler acts on it, or before the answer tells of it. Raises what a watcher raises."""
        named = self.resources
        if len(named) < _FEW_RESOURCES:
            if resource in named:
                return
        elif resource in self._all_touched():
            return
        for watcher in self.watchers:
            watcher(resource)
        if len(named) < MOST_RESOURCES:
            self.resources = (*named, resource)
            if len(named) >= _FEW_RESOURCES:
                self._touched.add(resource)

    def _all_touched(self) -> set[Resource]:
        try:
            return self._touched
        except AttributeError:
            self._touched = set(self.resources)
            return self._touched

    def shows(self, resource: Resource) -> bool:
        """Whether an item of a stream that tells of `resource` may be sent. It is not remembered: a stream has any number.
        Raises what a selector raises and, for an item that none leaves out, what a watcher raises."""
        for selector in self.selectors:
            if not selector(resource):
                return False
        for watcher in self.watchers:
            watcher(resource)
        return True

    def touches(self, request: Any) -> None:
        """Names what one request of a stream of them names. Raises what a watcher raises."""
        for resource in self.operation.resources(request):
            self.touch(resource)

    def end_at(self, deadline: float | None) -> None:
        """Gives a stream another deadline, which counts at once."""
        self.deadline = deadline
        if self.waits is not None:
            self.waits()

    def over(self) -> None:
        """To be called when nobody acts for the call any more: what it would tell of knows the call in turn, and only Python's collector
        would free the two."""
        self.watchers = self.selectors = ()
        self.ready = self.each_request = _nothing
        self.principal_changed, self.push, self.waits = _no_matter, None, None

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
