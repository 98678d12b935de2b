"""From the metadata of a call to its principal, where callers show credentials."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from cachetools import TTLCache

from ..errors import Unauthenticated
from ..model.principal import Principal
from .key_source import KeySource
from .permissions import Roles
from .tokens import TokenVerifier, UnknownKey, refused

AUTHORIZATION = "authorization"
_SCHEME = "bearer"
_MOST_CACHED = 10_000
_LONGEST_CACHED = 4096
"""Longer tokens are verified each time, so that those that are remembered take at most some 40 MB."""


class TokenAuthenticator:
    """Bearer tokens (RFC 6750 2.1). A call without credentials is anonymous, with what `anonymous_roles` may do.

    A token that was verified counts for `cache_seconds` without being verified again, and never after it has expired.
    """

    def __init__(
        self,
        source: KeySource,
        verifier: TokenVerifier,
        roles: Roles,
        *,
        anonymous_roles: frozenset[str] = frozenset(),
        cache_seconds: float = 60.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._source, self._verifier, self._clock = source, verifier, clock
        self._anonymous = Principal("anonymous", roles.permissions(anonymous_roles), anonymous=True)
        self._verified: TTLCache[str, Principal] = TTLCache(_MOST_CACHED, cache_seconds)
        self._keys: object = None

    def known(self, metadata: Mapping[str, str]) -> Principal | None:
        """The principal when it can be told without waiting. Raises Unauthenticated."""
        shown = metadata.get(AUTHORIZATION)
        if shown is None:
            return self._anonymous
        # Keys that were taken out of their set take the tokens that they have signed along.
        if self._keys is not self._source.known:
            self._verified.clear()
            self._keys = self._source.known
        principal = self._verified.get(shown)
        if principal is None or principal.expires is None or self._clock() >= principal.expires:
            return None
        return principal

    async def authenticate(self, metadata: Mapping[str, str]) -> Principal:
        """The principal. Raises Unauthenticated, and Unavailable when the keys cannot be read."""
        principal = self.known(metadata)
        if principal is not None:
            return principal
        shown = metadata[AUTHORIZATION]
        scheme, _, token = shown.strip().partition(" ")
        if scheme.lower() != _SCHEME or not token.strip():
            raise Unauthenticated(
                "credentials of this kind are not taken; send `authorization: Bearer TOKEN`"
            )
        token = token.strip()
        try:
            principal = self._verifier.verify(token, await self._source.keys())
        except UnknownKey:
            try:
                principal = self._verifier.verify(token, await self._source.newer())
            except UnknownKey as error:
                raise refused(str(error)) from error
        if len(shown) <= _LONGEST_CACHED:
            self._verified[shown] = principal
        return principal

    async def start(self) -> None:
        """Reads the keys. Raises Unavailable when the source demands them."""
        await self._source.start()

    async def stop(self) -> None:
        await self._source.stop()
