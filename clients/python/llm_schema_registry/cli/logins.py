"""Logins that a profile keeps: tokens that renew themselves, in the configuration file, one process at a time."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import Unauthenticated
from .oauth import Client, LoginFailed, Provider, ProviderError, Tokens
from .profiles import ConfigFile, Login, Profile, config_path, load, save

try:
    import fcntl
except ImportError:  # Windows: two processes that renew at once each get a token, and one of them is kept
    fcntl = None  # type: ignore[assignment]

EARLY_SECONDS = 30.0
"""So long before its end a token is renewed."""


@dataclass(frozen=True, slots=True)
class Renewing:
    """The token of a profile, for each call anew: asked of the provider shortly before the one that is kept ends."""

    profile: str

    def __call__(self) -> str:
        """Raises Unauthenticated when there is none and none can be had."""
        known = load().profiles.get(self.profile)
        if known is None or known.login is None or known.token is None:
            raise _ended(self.profile)
        return known.token if not due(known.login) else self._renewed()

    def _renewed(self) -> str:
        with locked():
            config = load()  # another process may have been faster
            known = config.profiles.get(self.profile)
            if known is None or known.login is None or known.token is None:
                raise _ended(self.profile)
            if not due(known.login):
                return known.token
            try:
                tokens = renewed(known.login)
            except ProviderError as error:
                raise _ended(self.profile, str(error)) from error
            except LoginFailed as error:  # the provider is away
                if known.login.expires_at is None or time.time() < known.login.expires_at:
                    return known.token
                raise _ended(self.profile, str(error)) from error
            keep(config, self.profile, tokens, known.login)
            return tokens.access


def due(login: Login) -> bool:
    """Whether a token must be renewed before it is used."""
    return login.expires_at is not None and time.time() >= login.expires_at - EARLY_SECONDS


def renewed(login: Login) -> Tokens:
    """New tokens in the place of those of a login. Raises LoginFailed."""
    client = Client(login.client_id, login.client_secret)
    if login.refresh_token:
        return Provider(login.issuer).refresh(client, login.refresh_token)
    if login.client_secret:
        return Provider(login.issuer).client_credentials(client, login.scope or "", login.audience or "")
    raise ProviderError("no refresh token", "the provider has given none")


def keep(config: ConfigFile, name: str, tokens: Tokens, login: Login) -> Profile:
    """Write tokens into a profile, which is made when there is none, and is in use when no other one is."""
    new = dataclasses.replace(
        config.profiles.get(name, Profile()),
        token=tokens.access,
        login=dataclasses.replace(login, refresh_token=tokens.refresh, expires_at=tokens.expires_at),
    )
    save(dataclasses.replace(config, default=config.default or name, profiles={**config.profiles, name: new}))
    return new


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """One process at a time changes the file."""
    path = config_path().with_suffix(".lock")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _ended(profile: str, why: str = "") -> Unauthenticated:
    return Unauthenticated(
        f"the login of profile {profile!r} has ended{f': {why}' if why else ''}; `schema-registry login` begins another one"
    )
