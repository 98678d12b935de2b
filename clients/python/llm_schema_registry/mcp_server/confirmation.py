"""Confirmations of what cannot be undone: a token that stands for one plan of one caller, for a short time.

The server keeps nothing. A token is an HMAC (RFC 2104, SHA-256) over the caller, the plan and the time when it expires: another
caller, another plan or a later call is refused. After the deed the plan is another one, so a token does its work once.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable

SECONDS = 120
"""How long a token is good."""
_PREFIX = "del_"
_MAC_BYTES, _TIME_BYTES = 24, 8
LONGEST = 64
"""Characters of a token."""


class Confirmations:
    """secret: what replicas share, so that each takes the tokens of the others; None: something that this process alone knows."""

    def __init__(self, secret: bytes | None = None, clock: Callable[[], float] = time.time) -> None:
        self._key = hmac.digest(
            secret or secrets.token_bytes(32), b"schema-registry mcp confirmation 1", "sha256"
        )
        self._clock = clock

    def make(self, caller: str, plan: str) -> str:
        """The token for a plan, as text that says all of it."""
        expires = int(self._clock()) + SECONDS
        return _PREFIX + urlsafe_b64encode(self._sealed(caller, plan, expires)).decode()

    def good(self, token: str, caller: str, plan: str) -> bool:
        """Whether a token was made for this plan of this caller, not too long ago."""
        if not (token.startswith(_PREFIX) and len(token) <= LONGEST and token.isascii()):
            return False
        try:
            given = urlsafe_b64decode(token.removeprefix(_PREFIX))
        except ValueError:
            return False
        expires = int.from_bytes(given[:_TIME_BYTES], "big")
        now = self._clock()
        if not now < expires <= now + SECONDS + 1:
            return False
        return hmac.compare_digest(given, self._sealed(caller, plan, expires))

    def _sealed(self, caller: str, plan: str, expires: int) -> bytes:
        when = expires.to_bytes(_TIME_BYTES, "big")
        known = hashlib.sha256(caller.encode()).digest() + hashlib.sha256(plan.encode()).digest()
        return when + hmac.digest(self._key, when + known, "sha256")[:_MAC_BYTES]
