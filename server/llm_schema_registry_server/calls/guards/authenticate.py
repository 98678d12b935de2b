"""Who makes a call: asks an authenticator and notes the principal in the call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Protocol

from ...auth.authenticator import GUESSES
from ...errors import DeadlineExceeded, InvalidRequest, LimitExceeded, RegistryError, Unauthenticated
from ...model.principal import Principal
from ...queues.caller import SERVER, Caller, bind
from ..call import NEVER_SECONDS, Call
from ..guard import QUICK, Guard, Rank
from .queueing import address_key

ACTOR = "x-registry-actor"
# A timer of the event loop may fire so much before the point of time.monotonic() that it was set for.
_TIMER_SECONDS = 0.05
_LONGEST_ACTOR = 255


class Authenticator(Protocol):
    """From the metadata of a call to its principal."""

    def known(self, metadata: Mapping[str, str]) -> Principal | None:
        """The principal when it can be told without waiting, None otherwise. Raises Unauthenticated."""
        ...

    async def authenticate(self, metadata: Mapping[str, str], address: str = "") -> Principal:
        """The principal. address: tells callers apart that are nobody yet; "" for one whose guesses do not count. Raises
        Unauthenticated, and LimitExceeded when it must wait after wrong guesses."""
        ...

    def watch(self, principal: Principal, watcher: Callable[[], None]) -> Callable[[], object]:
        """Have `watcher` called once when what the principal has shown must be verified anew; the answer ends that. To be
        called before anything is awaited after `authenticate`."""
        ...

    async def start(self) -> None:
        """Reads what is needed to tell. Raises RegistryError when it cannot be read and must be."""
        ...

    async def stop(self) -> None:
        """Ends what `start` began."""
        ...


class OpenAuthenticator:
    """Lets everyone in with all `permissions`; the caller may say its name in x-registry-actor."""

    def __init__(self, permissions: Iterable[str]) -> None:
        self._permissions = frozenset(permissions)
        self._anonymous = Principal("anonymous", self._permissions, anonymous=True)

    def known(self, metadata: Mapping[str, str]) -> Principal:
        """Anonymous, or whoever the caller says. Raises InvalidRequest for a name that no log can carry."""
        actor = metadata.get(ACTOR)
        if actor is None:
            return self._anonymous
        if not (0 < len(actor) <= _LONGEST_ACTOR and actor.isprintable()):
            raise InvalidRequest(ACTOR, f"must be 1 to {_LONGEST_ACTOR} printable characters")
        return Principal(actor, self._permissions, anonymous=True)

    async def authenticate(self, metadata: Mapping[str, str], address: str = "") -> Principal:
        """As `known`: nothing is asked of anyone."""
        return self.known(metadata)

    def watch(self, principal: Principal, watcher: Callable[[], None]) -> Callable[[], object]:
        """Nothing ever ends."""
        return _nothing

    async def start(self) -> None:
        """Nothing is needed."""

    async def stop(self) -> None:
        """Nothing was begun."""


class BadCredentials(Protocol):
    """Bounds how many bad credentials an address may show."""

    def may_try(self, call: Call) -> None:
        """Before some are verified. Raises RateLimited."""
        ...

    def refused(self, call: Call) -> None:
        """Some were bad. Raises RateLimited when they were too many."""
        ...


class Certificates(Protocol):
    """From the certificate of a connection to a principal."""

    def principal(self, certificate: bytes) -> Principal:
        """Whom a verified certificate (DER) names. Raises Unauthenticated."""
        ...


def _nothing() -> None:
    """Ends a watch that was none."""


class Authenticate:
    """Authenticates every call, also those that need no permission: the audit wants to know who. Credentials that are shown count,
    and must be good; without any it is the certificate of the connection that counts, where `certificates` are asked for. `bad`
    counts those that are not good, where calls are limited."""

    rank, on_cached = Rank.AUTHENTICATE, QUICK

    def __init__(
        self,
        authenticator: Authenticator,
        certificates: Certificates | None = None,
        bad: BadCredentials | None = None,
    ) -> None:
        self._authenticator, self._certificates, self._bad = authenticator, certificates, bad

    def __call__(self, call: Call) -> Guard:
        return _Authenticated(call, self._authenticator, self._certificates, self._bad)

    def quick(self, call: Call) -> bool:
        """Notes the principal when the authenticator knows it already."""
        principal = _known(call, self._authenticator, self._bad)
        if principal is None:
            return False
        if self._certificates is not None:
            principal = _certified(call, principal, self._certificates)
        call.principal = principal
        return True


def _known(call: Call, authenticator: Authenticator, bad: BadCredentials | None) -> Principal | None:
    """See Authenticator.known."""
    try:
        return authenticator.known(call.metadata)
    except Unauthenticated:
        if bad is not None:
            bad.refused(call)
        raise


def _certified(call: Call, principal: Principal, certificates: Certificates) -> Principal:
    """Who calls, when the connection is asked too. Raises Unauthenticated."""
    peer = call.peer
    if peer.stranger:
        raise Unauthenticated(
            "this port is for the front of the server alone; connect to the one that speaks TLS"
        )
    return certificates.principal(peer.certificate) if principal.anonymous and peer.certificate else principal


class _Authenticated(Guard):
    """A stream is told of when what opened it counts no more: it ends, or goes on as whom it shows now."""

    __slots__ = (
        "_again",
        "_authenticator",
        "_bad",
        "_certificates",
        "_deadline",
        "_expires",
        "_refusal",
        "_unwatch",
    )

    def __init__(
        self,
        call: Call,
        authenticator: Authenticator,
        certificates: Certificates | None,
        bad: BadCredentials | None,
    ) -> None:
        super().__init__(call)
        self._authenticator, self._certificates, self._bad = authenticator, certificates, bad
        self._expires: float | None = None
        self._unwatch: Callable[[], object] = _nothing
        self._again: asyncio.Task[None] | None = None
        self._refusal: RegistryError | None = None

    async def __aenter__(self) -> None:
        call = self.call
        call.principal = await self._authenticate()
        self._deadline = call.deadline
        if call.operation.streams and not call.principal.anonymous:
            self._watch()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unwatch()
        if self._again is not None:
            self._again.cancel()
        if isinstance(error, DeadlineExceeded):
            if self._refusal is not None:
                raise self._refusal from error
            if self._expires is not None and time.monotonic() >= self._expires - _TIMER_SECONDS:
                raise Unauthenticated("the credentials have expired; come back with new ones") from error

    async def _authenticate(self, *, again: bool = False) -> Principal:
        """again: a stream that was let in already, for which the server asks by itself: it is no guess, and must not be refused as
        one too many."""
        call, bad = self.call, None if again else self._bad
        principal = _known(call, self._authenticator, bad)
        if principal is None:
            if bad is not None:
                bad.may_try(call)
            # Whoever is nobody yet waits for his turn like all others at his address.
            address = "" if again else address_key(call.peer.address)
            bind(SERVER if again else Caller(address, call.deadline))
            try:
                principal = await self._authenticator.authenticate(call.metadata, address)
            except LimitExceeded as refused:
                call.guesses = refused.metadata.get("what") == GUESSES
                raise
            except Unauthenticated:
                if bad is not None:
                    bad.refused(call)
                raise
        if self._certificates is not None:
            principal = _certified(call, principal, self._certificates)
        return principal

    def _watch(self) -> None:
        """The pipeline ends a stream at its deadline, whether it waits or has something to send."""
        call = self.call
        self._unwatch = self._authenticator.watch(call.principal, self._changed)
        ends = call.principal.expires
        seconds = NEVER_SECONDS if ends is None else max(0.0, ends - time.time())
        expires = time.monotonic() + seconds
        sooner = self._deadline is None or expires < self._deadline
        self._expires = expires if sooner else None
        call.end_at(expires if sooner else self._deadline)

    def _changed(self) -> None:
        self._again = asyncio.create_task(self._once_more(), name="authenticate a stream again")

    async def _once_more(self) -> None:
        goes_on = False
        try:
            self.call.principal = await self._authenticate(again=True)
            self._watch()
            self.call.principal_changed()
            goes_on = True
        except RegistryError as error:
            self._refusal = error
        finally:
            if not goes_on:
                self.call.end_at(time.monotonic())
