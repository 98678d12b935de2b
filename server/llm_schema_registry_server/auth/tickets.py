"""Tickets that stand for the credentials of one call where a caller cannot show them: the WebSockets of browsers.

A ticket holds what the caller has shown, encrypted and authenticated (AES-256-GCM, NIST SP 800-38D) for SECONDS. Whoever redeems it is
authenticated with that, by the same rules: what has been revoked meanwhile does not count. It is redeemed once, on whatever replica:
the lease of its number, which the store gives to one only, says so.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ..errors import LimitExceeded, Unauthenticated
from ..storage.leases import Lease
from ..storage.store import Store

SECONDS = 30
"""How long a ticket is good."""
SHOWN = ("authorization", "x-api-key", "x-registry-actor")
"""The headers that a ticket stands for."""

_PREFIX = "wst_"
_NUMBER_BYTES = 12
_LONGEST = 8192
"""Characters of a ticket: it stands in a URL."""
_LEASE_SECONDS = 2.0 * SECONDS
"""Longer than any ticket is good, wherever the clocks of replicas stand."""
_MOST_RELEASED = 16
_BAD = (
    "the ticket is not good: it was used, it has expired, or it is none of this registry; ask for another one"
)


class Tickets:
    """Those of one registry. secret: what replicas share, so that each redeems what another has made; None: each takes its own alone."""

    def __init__(
        self, store: Store, secret: bytes | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._store, self._clock = store, clock
        key = HKDF(SHA256(), 32, salt=None, info=b"schema-registry ticket 1").derive(secret or os.urandom(32))
        self._cipher = AESGCM(key)
        self._held: deque[tuple[float, Lease]] = deque()

    def make(self, metadata: Mapping[str, str]) -> tuple[str, float]:
        """A ticket for the credentials in the metadata of a call, and when it expires, in seconds since 1970. Raises LimitExceeded for
        credentials that are too long for a URL."""
        expires = self._clock() + SECONDS
        shown = {name: metadata[name] for name in SHOWN if name in metadata}
        number = os.urandom(_NUMBER_BYTES)
        sealed = self._cipher.encrypt(number, json.dumps([expires, shown]).encode(), self._registry)
        ticket = _PREFIX + urlsafe_b64encode(number + sealed).decode().rstrip("=")
        if len(ticket) > _LONGEST:
            raise LimitExceeded(
                f"the credentials of this call make a ticket of {len(ticket)} characters; the limit is {_LONGEST}",
                limit=_LONGEST,
            )
        return ticket, expires

    async def redeem(self, ticket: str) -> Mapping[str, str]:
        """The credentials that a ticket stands for, as headers. Raises Unauthenticated, and StorageUnavailable when nobody can tell whether it
        was used."""
        number, (expires, shown) = self._opened(ticket)
        if not self._clock() < expires <= self._clock() + _LEASE_SECONDS:
            raise Unauthenticated(_BAD)
        if not shown:  # it says nothing, and may say so again: nobody's tickets cost the storage nothing
            return shown
        async with self._store.write() as tx:
            for lease in self._done():
                await tx.release_lease(lease)
            taken = await tx.acquire_lease(f"ticket/{number.hex()}", secrets.token_hex(8), _LEASE_SECONDS)
        if taken is None:
            raise Unauthenticated(_BAD)
        self._held.append((self._monotonic() + _LEASE_SECONDS, taken))
        return shown

    @property
    def _registry(self) -> bytes:
        return self._store.registry_id.encode()

    def _opened(self, ticket: str) -> tuple[bytes, tuple[float, dict[str, str]]]:
        """The number of a ticket, and what is in it. Raises Unauthenticated."""
        if not (ticket.startswith(_PREFIX) and len(ticket) <= _LONGEST and ticket.isascii()):
            raise Unauthenticated(_BAD)
        text = ticket.removeprefix(_PREFIX)
        try:
            raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
            found: Any = json.loads(
                self._cipher.decrypt(raw[:_NUMBER_BYTES], raw[_NUMBER_BYTES:], self._registry)
            )
        except (ValueError, InvalidTag):
            raise Unauthenticated(_BAD) from None
        return raw[:_NUMBER_BYTES], (found[0], found[1])

    def _done(self) -> list[Lease]:
        """Leases of tickets that nobody could redeem any more, some at a time."""
        done: list[Lease] = []
        while self._held and len(done) < _MOST_RELEASED and self._held[0][0] <= self._monotonic():
            done.append(self._held.popleft()[1])
        return done

    def _monotonic(self) -> float:
        return asyncio.get_running_loop().time()
