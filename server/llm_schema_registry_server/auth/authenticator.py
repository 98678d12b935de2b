"""From the metadata of a call to its principal, where callers show credentials."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass

from ..errors import LimitExceeded, Unauthenticated, Unavailable
from ..model.api_key import MARK
from ..model.principal import Principal
from ..queues.back_off import BackOff
from .key_ring import KeyRing, credential_of, refused
from .passwords import PasswordCheck, read_basic
from .standing import Standing, Standings, Watcher
from .token_check import TokenCheck

AUTHORIZATION = "authorization"
API_KEY = "x-api-key"
_MOST_CACHED = 10_000
_LONGEST_CACHED = 4096
"""Longer credentials are verified each time, so that those that are remembered take at most some 40 MB."""
GUESSES = "wrong credentials"
"""What there was too much of, as the error says of who must wait after wrong guesses."""
FREE_GUESSES = 10
"""Wrong API keys and passwords of one address, and wrong passwords of one user, that cost nothing."""
_ANY_KEY = frozenset({"", "key"})
"""What a caller who shows an API key as a password may give for the name of a user, beside the key's own name and id."""
_PAUSES = (0.0, 0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
"""Seconds before each try to verify a credential that is changed meanwhile: once here, once more when the change log tells of it,
and perhaps by the next change of who changes it."""
_LONGEST_USER = 255


@dataclass(frozen=True, slots=True)
class _Verified:
    """What was found of a credential. until: when it is to be verified anew, a point of the monotonic clock. signed_by: the set of
    keys that it was verified with; one that was taken out of the set takes along what it has signed."""

    principal: Principal
    standing: Standing
    until: float
    signed_by: object


@dataclass(frozen=True, slots=True)
class _Found:
    """What a credential was found to be, and for how many seconds that may be remembered. signed_by: see _Verified."""

    principal: Principal
    seconds: float
    signed_by: object = None


@dataclass(frozen=True, slots=True)
class CacheSeconds:
    """How long what was verified counts without being verified again, by kind of credential; TokenCheck tells of tokens."""

    keys: float = 60.0
    passwords: float = 300.0


class CredentialAuthenticator:
    """Bearer tokens (RFC 6750 2.1), API keys (`authorization: Bearer llmsr_...`, `authorization: ApiKey llmsr_...` or
    `x-api-key: llmsr_...`), and `authorization: Basic` (RFC 7617) with a user's password or an API key as the password; a call
    shows one at most. A call without credentials is `anonymous`.

    What was verified is remembered for a while, but does not count after it has expired, nor when its standing has ended.
    lockout_seconds: the longest that an address waits after wrong guesses; 0: never. clock: seconds since 1970.
    """

    def __init__(
        self,
        anonymous: Principal,
        standings: Standings,
        *,
        tokens: TokenCheck | None = None,
        keys: KeyRing | None = None,
        passwords: PasswordCheck | None = None,
        cache_seconds: CacheSeconds = CacheSeconds(),
        lockout_seconds: float = 60.0,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._anonymous, self._standings, self._clock = anonymous, standings, clock
        self._seconds, self._monotonic = cache_seconds, monotonic
        self._tokens, self._keys, self._passwords = tokens, keys, passwords
        # By address, and by ("user", name).
        self._guesses = BackOff(lockout_seconds, free=FREE_GUESSES, clock=monotonic)
        self._secret = os.urandom(32)
        self._verified: dict[str, _Verified] = {}

    def known(self, metadata: Mapping[str, str]) -> Principal | None:
        """The principal when it can be told without waiting. Raises Unauthenticated."""
        shown = self._shown(metadata)
        if shown is None:
            return self._anonymous
        found = self._verified.get(shown)
        if found is None and _is_basic(shown):
            found = self._verified.get(self._keyed(shown))
        if found is None:
            return None
        principal, standing = found.principal, found.standing
        if not standing.counts or self._monotonic() >= found.until:
            return None
        if (
            found.signed_by is not None
            and self._tokens is not None
            and found.signed_by is not self._tokens.keys
        ):
            return None
        if principal.expires is not None and self._clock() >= principal.expires:
            return None
        standing.used = True
        return principal

    async def authenticate(self, metadata: Mapping[str, str], address: str = "") -> Principal:
        """The principal. address: tells callers apart who must wait after wrong guesses; "" for one who need not. Raises
        Unauthenticated, LimitExceeded, and Unavailable when signing keys or API keys cannot be read."""
        principal = self.known(metadata)
        if principal is not None:
            return principal
        shown = self._shown(metadata)
        assert shown is not None  # or it would be anonymous
        for pause in _PAUSES:
            if pause:
                await asyncio.sleep(pause)
            generation = self._standings.generation
            found = await self._verify(shown, address)
            if not self._standings.ended_since(found.principal.credential, generation):
                self._remember(shown, found)
                return found.principal
        raise Unavailable("the credentials are being changed; try again")

    def watch(self, principal: Principal, watcher: Watcher) -> Callable[[], object]:
        """Have `watcher` called once when what this principal has shown must be verified anew; the answer ends that. To be called
        before anything is awaited after `authenticate`."""
        if not principal.credential:  # it has shown none here
            return _nothing
        return self._standings.of(principal.credential).watch(watcher)

    async def start(self) -> None:
        """Reads signing keys and users. Raises Unavailable when they are demanded and cannot be read."""
        if self._passwords is not None:
            await self._passwords.start()
        if self._tokens is not None:
            await self._tokens.start()

    async def stop(self) -> None:
        """Ends what `start` began."""
        if self._passwords is not None:
            await self._passwords.stop()
        if self._tokens is not None:
            await self._tokens.stop()

    def _shown(self, metadata: Mapping[str, str]) -> str | None:
        """What a call shows, as it would stand in `authorization`. Raises Unauthenticated for two credentials."""
        shown = metadata.get(AUTHORIZATION)
        if self._keys is None:
            return shown
        key = metadata.get(API_KEY)
        if key is None:
            return shown
        if shown is not None:
            raise Unauthenticated(f"two credentials are shown; send either `{AUTHORIZATION}` or `{API_KEY}`")
        return f"ApiKey {key}"

    def _remember(self, shown: str, found: _Found) -> None:
        # Only one way to write it: nobody fills the memory with what he has once.
        if len(shown) > _LONGEST_CACHED or len(shown.split(" ")) != 2 or shown != shown.strip():
            return
        standing = self._standings.of(found.principal.credential)
        name = self._keyed(shown) if _is_basic(shown) else shown
        self._verified.pop(name, None)
        until = self._monotonic() + found.seconds
        self._verified[name] = _Verified(found.principal, standing, until, found.signed_by)
        if len(self._verified) > _MOST_CACHED:
            del self._verified[next(iter(self._verified))]

    async def _verify(self, shown: str, address: str) -> _Found:
        scheme, _, credential = shown.strip().partition(" ")
        scheme, credential = scheme.lower(), credential.strip()
        if (
            credential
            and self._keys is not None
            and (scheme == "apikey" or (scheme == "bearer" and credential.startswith(MARK)))
        ):
            return _Found(await self._verify_key(self._keys, credential, address), self._seconds.keys)
        if credential and scheme == "bearer" and self._tokens is not None:
            return await self._verify_token(self._tokens, credential, address)
        if credential and scheme == "basic" and (self._passwords or self._keys):
            return await self._verify_basic(credential, address)
        raise Unauthenticated(f"credentials of this kind are not taken; {self.advice}")

    async def _verify_token(self, tokens: TokenCheck, token: str, address: str) -> _Found:
        if not tokens.asks(token):  # a signature cannot be guessed, and costs little
            principal, seconds = await tokens.verify(token)
            return _Found(principal, seconds, tokens.keys)
        self._demand_patience(address)
        try:
            return _Found(*await tokens.verify(token))
        except Unauthenticated:
            self._guessed(address)
            raise

    async def _verify_key(self, keys: KeyRing, secret: str, address: str) -> Principal:
        # Looked up also for who must wait: nobody finds 256 random bits, whoever shares an address with one who tries comes in with a
        # good key, and a look-up waits in the fair queues in the name of its address.
        try:
            return await keys.verify(secret)
        except Unauthenticated:
            wait = self._guesses.seconds_left(address)
            self._guessed(address)
            if wait:
                raise _patience(wait) from None
            raise

    async def _verify_basic(self, credential: str, address: str) -> _Found:
        user, password = read_basic(credential)
        if self._keys is not None and password.startswith(MARK):
            principal = await self._verify_key(self._keys, password, address)
            if (
                user not in _ANY_KEY
                and user != principal.name
                and credential_of(user) != principal.credential
            ):
                raise refused(
                    "it belongs to another name than that of the user; send its name, its id or `key`"
                )
            return _Found(principal, self._seconds.keys)
        if self._passwords is None:
            raise Unauthenticated("users with passwords are not known here; send an API key as the password")
        of_user = ("user", user[:_LONGEST_USER])

        def once_more() -> None:
            """Those who guess all at once wait for each other's turns, and meanwhile it has come out."""
            self._demand_patience(address, of_user)

        once_more()
        try:
            principal = await self._passwords.verify(user, password, once_more)
            return _Found(principal, self._seconds.passwords)
        except Unauthenticated:
            self._guessed(address, of_user)
            raise

    def _guessed(self, *guessers: Hashable) -> None:
        for guesser in filter(None, guessers):
            self._guesses.note(guesser)

    def _demand_patience(self, *guessers: Hashable) -> None:
        wait = max(map(self._guesses.seconds_left, guessers))
        if wait:
            raise _patience(wait)

    def _keyed(self, shown: str) -> str:
        """What a password is remembered by: in the memory of the process nobody finds it."""
        return hmac.new(self._secret, shown.encode(), hashlib.sha256).hexdigest()

    @property
    def advice(self) -> str:
        """What a caller may send."""
        forms = [
            *(["Bearer TOKEN"] if self._tokens else []),
            *([f"Bearer {MARK}..."] if self._keys else []),
            *(["Basic ..."] if self._passwords else []),
        ]
        return "send " + " or ".join(f"`{AUTHORIZATION}: {form}`" for form in forms)


def _patience(wait: float) -> LimitExceeded:
    return LimitExceeded(
        f"too many wrong credentials came from this address or for this user; try again in {wait:.0f} s",
        retry_seconds=wait,
        what=GUESSES,
    )


def _is_basic(shown: str) -> bool:
    return shown[:6].lower() == "basic "


def _nothing() -> None:
    """Ends the watch of a caller whose standing never ends."""
