"""Who makes a call: asks an authenticator and notes the principal in the call."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Protocol

from ...errors import DeadlineExceeded, InvalidRequest, Unauthenticated
from ...model.principal import Principal
from ..call import Call
from ..guard import QUICK, Guard, Rank

ACTOR = "x-registry-actor"
_LONGEST_ACTOR = 255


class Authenticator(Protocol):
    """From the metadata of a call to its principal."""

    def known(self, metadata: Mapping[str, str]) -> Principal | None:
        """The principal when it can be told without waiting, None otherwise. Raises Unauthenticated."""
        ...

    async def authenticate(self, metadata: Mapping[str, str]) -> Principal:
        """The principal. Raises Unauthenticated."""
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

    async def authenticate(self, metadata: Mapping[str, str]) -> Principal:
        """As `known`: nothing is asked of anyone."""
        return self.known(metadata)

    async def start(self) -> None:
        """Nothing is needed."""

    async def stop(self) -> None:
        """Nothing was begun."""


class Authenticate:
    """Authenticates every call, also those that need no permission: the audit wants to know who."""

    rank, on_cached = Rank.AUTHENTICATE, QUICK

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    def __call__(self, call: Call) -> Guard:
        return _Authenticated(call, self._authenticator)

    def quick(self, call: Call) -> bool:
        """Notes the principal when the authenticator knows it already."""
        principal = self._authenticator.known(call.metadata)
        if principal is None:
            return False
        call.principal = principal
        return True


class _Authenticated(Guard):
    __slots__ = ("_authenticator", "_expires")

    def __init__(self, call: Call, authenticator: Authenticator) -> None:
        super().__init__(call)
        self._authenticator = authenticator
        self._expires: float | None = None

    async def __aenter__(self) -> None:
        call = self.call
        call.principal = await self._authenticator.authenticate(call.metadata)
        if call.operation.streams and call.principal.expires is not None:
            # The pipeline ends a stream at its deadline, whether it waits or has something to send.
            expires = time.monotonic() + max(0.0, call.principal.expires - time.time())
            if call.deadline is None or expires < call.deadline:
                call.deadline = self._expires = expires

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._expires is not None and isinstance(error, DeadlineExceeded):
            raise Unauthenticated("the credentials have expired; come back with new ones") from error
