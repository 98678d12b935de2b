"""Who makes a call: asks an authenticator and notes the principal in the call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from ...errors import InvalidRequest
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
    __slots__ = ("_authenticator",)

    def __init__(self, call: Call, authenticator: Authenticator) -> None:
        super().__init__(call)
        self._authenticator = authenticator

    async def __aenter__(self) -> None:
        self.call.principal = await self._authenticator.authenticate(self.call.metadata)
