"""Who makes a call, with all that is granted to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ...auth.granting import GrantBook
from ...model.principal import Principal
from .authenticate import Authenticator, Certificates

_MOST_REMEMBERED = 10_000


class GrantedAuthenticator:
    """An authenticator around another one: its principals have what `book` grants to them. What has been made of a principal is
    remembered until grants change."""

    def __init__(self, inner: Authenticator, book: GrantBook) -> None:
        self._inner, self._book = inner, book
        # By the identity of the principals, which the inner one remembers by their credentials. Each entry keeps its principal
        # alive, so that no other one gets its identity.
        self._made: dict[int, tuple[Principal, Principal]] = {}
        book.derive(self._forget)

    def known(self, metadata: Mapping[str, str]) -> Principal | None:
        """The principal when it can be told without waiting. Raises Unauthenticated."""
        found = self._inner.known(metadata)
        if found is None:
            return None
        made = self._made.get(id(found))
        return made[1] if made is not None else self._make(found)

    async def authenticate(self, metadata: Mapping[str, str], address: str = "") -> Principal:
        """The principal. Raises what the inner one raises."""
        found = await self._inner.authenticate(metadata, address)
        made = self._made.get(id(found))
        return made[1] if made is not None else self._make(found)

    def watch(self, principal: Principal, watcher: Callable[[], None]) -> Callable[[], object]:
        """As the inner one."""
        return self._inner.watch(principal, watcher)

    def granted(self, found: Principal) -> Principal:
        """A principal that is known otherwise, with what is granted to it. The same object, as long as it is known, has the same answer until
        grants change."""
        made = self._made.get(id(found))
        return made[1] if made is not None else self._make(found)

    async def start(self) -> None:
        await self._inner.start()

    async def stop(self) -> None:
        await self._inner.stop()

    def _make(self, found: Principal) -> Principal:
        made = self._book.granted(found)
        if len(self._made) >= _MOST_REMEMBERED:
            self._made.clear()
        self._made[id(found)] = (found, made)
        return made

    def _forget(self) -> None:
        self._made.clear()


class GrantedCertificates:
    """Principals by certificate, with all that is granted to them."""

    def __init__(self, inner: Certificates, authenticator: GrantedAuthenticator) -> None:
        self._inner, self._authenticator = inner, authenticator

    def principal(self, certificate: bytes) -> Principal:
        """As the inner one."""
        return self._authenticator.granted(self._inner.principal(certificate))
