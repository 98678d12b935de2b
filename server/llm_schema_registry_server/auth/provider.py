"""What a provider of OpenID Connect publishes about itself (OpenID Connect Discovery 1.0), and what it says of tokens (RFC 7662)."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote_plus

from ..errors import Unavailable
from ..model.principal import Principal
from ..queues import caller as callers
from ..queues.fair_queue import FairQueue, Queues
from ..telemetry import logs
from .fetching import Fault, demand_https, fetch
from .signing_keys import MOST_BYTES, KeySetError
from .tokens import MOST_TOKEN_BYTES, TokenVerifier, id_of, refused

_LOG = logs.get("auth.oidc")
_WELL_KNOWN = "/.well-known/openid-configuration"
_MOST_ANSWER_BYTES = 64 * 1024
AT_ONCE = 8
"""Questions to the provider at the same time."""
# RFC 6750 2.1; what is longer or has other characters no provider is asked about.
_OPAQUE = re.compile(r"[A-Za-z0-9._~+/-]{1,4096}=*")


class Provider:
    """One provider, by the address that is its name (`iss`). introspection_url: where it answers about tokens, if it does not publish
    that. Raises ValueError for an address that is not https, but for loopback."""

    def __init__(self, issuer: str, introspection_url: str = "") -> None:
        demand_https(issuer)
        if introspection_url:
            demand_https(introspection_url)
        self.issuer, self._introspection_url = issuer, introspection_url

    async def read_keys(self) -> bytes:
        """Its key set, from where it publishes that now. Raises KeySetError."""
        document = await self._discover()
        try:
            return await fetch(_address(document, "jwks_uri"), MOST_BYTES + 1)
        except Fault as error:
            raise KeySetError(str(error)) from error

    async def introspection_endpoint(self) -> str:
        """Where it answers about tokens. Raises Unavailable when that is not known."""
        if not self._introspection_url:
            try:
                self._introspection_url = _address(await self._discover(), "introspection_endpoint")
            except KeySetError as error:
                raise Unavailable(
                    "the provider of tokens cannot be asked now; try again", inside=str(error)
                ) from error
        return self._introspection_url

    async def _discover(self) -> Mapping[str, Any]:
        try:
            document = json.loads(await fetch(self.issuer.rstrip("/") + _WELL_KNOWN, _MOST_ANSWER_BYTES + 1))
        except Fault as error:
            raise KeySetError(str(error)) from error
        except (ValueError, RecursionError) as error:
            raise KeySetError("what the provider publishes about itself is not JSON") from error
        # Discovery 4.3: it must be just this, or somebody's tokens pass for another's.
        if not isinstance(document, dict) or document.get("issuer") != self.issuer:
            raise KeySetError("the provider says that it is another issuer than auth.oidc.issuer")
        return document


class Introspection:
    """Asks the provider about tokens. client_id, client_secret: what the server is called there. verifier: reads what it answers as
    the claims of a token. seconds: how long an answer counts."""

    def __init__(
        self,
        provider: Provider,
        client_id: str,
        client_secret: str,
        verifier: TokenVerifier,
        queues: Queues,
        *,
        seconds: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._provider, self._verifier, self.seconds, self._clock = provider, verifier, seconds, clock
        # RFC 6749 2.3.1: both are encoded as in a form before they become user and password.
        self._client = quote_plus(client_id), quote_plus(client_secret)
        self._queue = queues.add(
            FairQueue(
                "introspections",
                (AT_ONCE, AT_ONCE, AT_ONCE),
                queues.limits,
                what="tokens wait for their provider",
                setting="queues.waiting",
            )
        )
        self._troubled = False

    async def verify(self, token: str) -> Principal:
        """The principal of a token that the provider says is active. Raises Unauthenticated; Unavailable when it does not answer;
        LimitExceeded when too many wait."""
        if len(token) > MOST_TOKEN_BYTES or not _OPAQUE.fullmatch(token):
            raise refused("it is no token")
        endpoint = await self._provider.introspection_endpoint()
        with await self._queue.take(callers.current()):
            answer = await self._ask(endpoint, token)
        if answer.get("active") is not True:
            raise refused("its provider says that it is not active")
        return self._verifier.read(self._claims(answer), _token_id(token, answer))

    def _claims(self, answer: Mapping[str, Any]) -> Mapping[str, Any]:
        """RFC 7662 2.2 leaves all but `active` open. Who is meant and for whom it is must be said; what else is missing is known."""
        return {
            **answer,
            "iss": answer.get("iss", self._provider.issuer),
            "exp": answer.get("exp", self._clock() + self.seconds),
            "sub": answer.get("sub", answer.get("username")),
        }

    async def _ask(self, endpoint: str, token: str) -> Mapping[str, Any]:
        form = {"token": token, "token_type_hint": "access_token"}
        try:
            found = json.loads(await fetch(endpoint, _MOST_ANSWER_BYTES + 1, form=form, client=self._client))
            if not isinstance(found, dict):
                raise ValueError("no object")
        except (Fault, ValueError, RecursionError) as error:
            why = str(error) if isinstance(error, Fault) else "its answer is no JSON object"
            if not self._troubled:
                _LOG.warning("introspection_failed", why=why)
            self._troubled = True
            raise Unavailable("the provider of tokens does not answer now; try again", inside=why) from error
        self._troubled = False
        return found


def _token_id(token: str, answer: Mapping[str, Any]) -> str:
    """As of a JSON Web Token; of an opaque one without `jti`, the digest of all of it."""
    if token.count(".") == 2:
        return id_of(token, answer)
    return id_of(f"{token}.", answer)


def _address(document: Mapping[str, Any], name: str) -> str:
    url = document.get(name)
    if not isinstance(url, str):
        raise KeySetError(f"the provider publishes no `{name}`")
    try:
        demand_https(url)
    except ValueError as error:
        raise KeySetError(f"its `{name}` {error}") from error
    return url
