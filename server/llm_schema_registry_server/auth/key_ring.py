"""API keys as credentials: from a secret to the principal that it names."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from datetime import UTC, datetime

from ..caches.single_flight import SingleFlight
from ..errors import Unauthenticated
from ..model.api_key import MARK, ApiKey, StoredSecret, digest_of, is_secret, prefix_of
from ..model.principal import Principal
from ..storage.store import Store
from .permissions import Roles
from .standing import KEYS, Standings

KIND = "key"
_NONE = StoredSecret("", digest_of(""))
"""What a secret is compared with that no key begins like."""


class KeyRing:
    """Looks secrets up in the store: by their prefix in an index, then by their digest in constant time.

    `clock` gives seconds since 1970. Calls that show the same secret at the same moment share one look-up, unless a credential
    has ended since it began.
    """

    def __init__(
        self, store: Store, roles: Roles, standings: Standings, clock: Callable[[], float] = time.time
    ) -> None:
        self._store, self._roles, self._standings, self._clock = store, roles, standings, clock
        self._flights: SingleFlight[tuple[int, str], Principal] = SingleFlight()

    async def verify(self, secret: str) -> Principal:
        """The principal of a secret. Raises Unauthenticated; StorageUnavailable when keys cannot be read."""
        if not is_secret(secret):
            raise refused(f"it has not the form {MARK}...")
        digest = digest_of(secret)
        flight = self._standings.generation, digest
        return await self._flights.run(flight, lambda: self._look_up(prefix_of(secret), digest))

    async def _look_up(self, prefix: str, digest: str) -> Principal:
        async with self._store.read() as tx:
            candidates = await tx.api_keys_with(prefix)
        found: tuple[ApiKey, StoredSecret] | None = None
        # Something is compared also when there is nothing, and everything when there is more than one.
        hmac.compare_digest(_NONE.digest, digest)
        for key in candidates:
            for stored in (key.secret, key.previous):
                if stored is not None and hmac.compare_digest(stored.digest, digest):
                    found = key, stored
        if found is None:
            raise refused("it is not known here")
        return self._principal(*found)

    def _principal(self, key: ApiKey, shown: StoredSecret) -> Principal:
        now = datetime.fromtimestamp(self._clock(), UTC)
        if not key.enabled:
            raise refused("it is disabled")
        if key.expires_at is not None and key.expires_at <= now:
            raise refused("it has expired")
        if shown.valid_until is not None and shown.valid_until <= now:
            raise refused("it was rotated; use the new secret")
        ends = [at.timestamp() for at in (key.expires_at, shown.valid_until) if at is not None]
        everywhere = frozenset(grant.role for grant in key.grants if grant.scope.everything)
        return Principal(
            key.name,
            self._roles.permissions(everywhere),
            expires=min(ends, default=None),
            kind=KIND,
            roles=everywhere,
            grants=tuple(grant for grant in key.grants if not grant.scope.everything),
            credential=credential_of(key.key_id),
        )


def credential_of(key_id: str) -> str:
    """What Principal.credential is for a key."""
    return KEYS + key_id


def refused(why: str) -> Unauthenticated:
    """The error of a key that does not count."""
    return Unauthenticated(f"the API key is refused: {why}")
