"""RevokeToken and ListRevokedTokens: tokens that do not count any more, though their issuer's signature is good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..errors import InvalidRequest, LimitExceeded
from ..model.access import AccessChange, AccessKind
from ..model.api_key import RevokedToken
from ..model.change import format_revision
from ..model.principal import Actor
from ..model.timestamps import Clock
from ..storage.store import Store
from .access_changes import Told, record_access
from .api_keys import MOST_ON_A_PAGE
from .paging import name_token, named_page

FARTHEST = timedelta(days=400)
LONGEST_ID = 255
LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class Revoked:
    """A revocation, and the revision of the write."""

    token: RevokedToken
    revision: str


@dataclass(frozen=True, slots=True)
class RevokedPage:
    """Some revocations by token id, and the token of the next page, "" on the last."""

    tokens: Sequence[RevokedToken]
    next_token: str = ""


class Revoking:
    """The revoked tokens of a registry. most: so many are remembered, by each server in memory too. told: see Told.

    leeway: how much longer than it says a token counts.
    """

    def __init__(
        self, store: Store, clock: Clock, told: Told, *, most: int, leeway: timedelta = timedelta()
    ) -> None:
        self._store, self._clock, self._told, self._most, self._leeway = store, clock, told, most, leeway

    async def revoke(
        self, token_id: str, expires_at: datetime | None, by: Actor, *, principal: str = "", reason: str = ""
    ) -> Revoked:
        """Let a token count no more; again for the same token replaces who, when and why. Raises InvalidRequest, LimitExceeded."""
        if not (0 < len(token_id) <= LONGEST_ID and token_id.isprintable()):
            raise InvalidRequest("token_id", f"must be 1 to {LONGEST_ID} printable characters")
        if expires_at is None:
            raise InvalidRequest("expires_at", "is missing: when the token ends, which is its claim `exp`")
        if len(reason) > LONGEST_REASON or not (reason.isprintable() or not reason):
            raise InvalidRequest("reason", f"must be at most {LONGEST_REASON} printable characters")
        now = self._clock()
        if expires_at + self._leeway <= now:
            raise InvalidRequest("expires_at", "lies in the past: that token counts no more anyway")
        if expires_at > now + FARTHEST:
            raise InvalidRequest("expires_at", f"lies more than {FARTHEST.days} days ahead")
        revoked = RevokedToken(token_id, expires_at + self._leeway, now, by.name, principal, reason)
        change = AccessChange(AccessKind.TOKEN, token_id, revoked.expires_at)
        async with self._store.write() as tx:
            await tx.forget_revoked_tokens(now)
            known = await tx.revoked_token(token_id)
            if known is None and await tx.count_revoked_tokens() >= self._most:
                raise LimitExceeded(
                    f"{self._most} tokens are revoked, which is the limit (setting auth.revoked_tokens); replace the "
                    "issuer's key instead",
                    limit=self._most,
                )
            await tx.put_revoked_token(revoked)
            noted = {"of": principal, "reason": reason, "ends": revoked.expires_at.isoformat()}
            sequence = await record_access(tx, change, by, now, {k: v for k, v in noted.items() if v})
        self._told(change)
        return Revoked(revoked, format_revision(self._store.registry_id, sequence))

    async def list(self, limit: int | None, page_token: str) -> RevokedPage:
        """Raises InvalidRequest, PageTokenInvalid."""
        count, after = named_page(limit, page_token, most=MOST_ON_A_PAGE)
        async with self._store.read_elsewhere() as tx:
            found = await tx.revoked_tokens(after, count + 1)
        shown, now = found[:count], self._clock()
        return RevokedPage(
            [revoked for revoked in shown if revoked.expires_at > now],
            name_token(shown[-1].token_id) if len(found) > count else "",
        )

    async def forget_ended(self) -> None:
        """Remove what nobody needs any more."""
        async with self._store.write() as tx:
            await tx.forget_revoked_tokens(self._clock())
