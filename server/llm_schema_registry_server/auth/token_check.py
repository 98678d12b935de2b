"""Bearer tokens as credentials: with the keys of their issuer, and without those that were revoked."""

from __future__ import annotations

from collections.abc import Container

from ..model.principal import Principal
from .key_source import KeySource
from .provider import Introspection
from .tokens import TokenVerifier, UnknownKey, refused, token_of


class TokenCheck:
    """Verifies tokens with the keys that `source` has, or asks their provider: about all (`asks_always`), or those that are no JSON
    Web Tokens. revoked: the ids of those that do not count any more. seconds: for so long a token that was verified here counts."""

    def __init__(
        self,
        source: KeySource,
        verifier: TokenVerifier,
        revoked: Container[str] = (),
        *,
        seconds: float = 60.0,
        introspection: Introspection | None = None,
        asks_always: bool = False,
    ) -> None:
        self._source, self._verifier, self._revoked, self._seconds = source, verifier, revoked, seconds
        self._introspection, self._asks_always = introspection, asks_always

    @property
    def keys(self) -> object:
        """The keys as they were read last: what was verified with others does not count."""
        return self._source.known

    def asks(self, token: str) -> bool:
        """Whether somebody else is asked about this token, who is not to be asked about guesses."""
        return self._introspection is not None and (self._asks_always or token.count(".") != 2)

    async def verify(self, token: str) -> tuple[Principal, float]:
        """The principal of a token, and for how many seconds that may be remembered. Raises Unauthenticated, and Unavailable when the
        keys cannot be read or the provider does not answer."""
        if self._introspection is not None and self.asks(token):
            principal, seconds = await self._introspection.verify(token), self._introspection.seconds
        else:
            principal, seconds = await self._verify_here(token), self._seconds
        if token_of(principal.credential) in self._revoked:
            raise refused("it was revoked")
        return principal, seconds

    async def _verify_here(self, token: str) -> Principal:
        try:
            return self._verifier.verify(token, await self._source.keys())
        except UnknownKey:
            try:
                return self._verifier.verify(token, await self._source.newer())
            except UnknownKey as error:
                raise refused(str(error)) from error

    async def start(self) -> None:
        """Reads the keys. Raises Unavailable when the source demands them."""
        await self._source.start()

    async def stop(self) -> None:
        await self._source.stop()
