"""CreateApiKey and what else administrators do with API keys. Nobody gives a key more than what he may do himself."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from ..errors import (
    ApiKeyNameTaken,
    ApiKeyNotFound,
    InvalidRequest,
    LimitExceeded,
    PermissionDenied,
)
from ..model.access import AccessChange, AccessKind
from ..model.api_key import SECRET_BYTES, ApiKey, StoredSecret, secret_of
from ..model.audit import EFFECT, LESS
from ..model.change import format_revision
from ..model.grant import RoleGrant
from ..model.principal import Actor
from ..model.timestamps import Clock
from ..storage.store import ReadTx, Store, WriteTx
from .access_changes import Told, record_access, roles_noted
from .paging import name_token, named_page

MOST_GRANTS = 32
LONGEST_OVERLAP = timedelta(days=30)
MOST_ON_A_PAGE = 1000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/@-]{0,99}")
_ID_BYTES = 8
_ID = re.compile(r"[0-9a-f]{16}")

Roles = Callable[[str], frozenset[str] | None]
"""The permissions of a role; None when there is no role of this name."""
Granted = Callable[[str, frozenset[str]], Sequence[RoleGrant]]
"""What is granted to an API key by its name and by the roles that it carries everywhere, beside what it brings."""


@dataclass(frozen=True, slots=True)
class Made:
    """A key after a write, the revision of that, and the new secret if there is one."""

    key: ApiKey
    revision: str
    secret: str = ""

    def __repr__(self) -> str:
        return f"Made({self.key.key_id!r}, {self.revision!r})"


@dataclass(frozen=True, slots=True)
class KeyPage:
    """Some keys by name, and the token of the next page, "" on the last."""

    keys: Sequence[ApiKey]
    next_token: str = ""


class ApiKeys:
    """The keys of a registry. most: so many there may be. told: learns of each change (see Told)."""

    def __init__(
        self, store: Store, roles: Roles, granted: Granted, clock: Clock, told: Told, *, most: int
    ) -> None:
        self._store, self._roles, self._granted = store, roles, granted
        self._clock, self._told, self._most = clock, told, most

    async def create(
        self, name: str, grants: Sequence[RoleGrant], expires_at: datetime | None, by: Actor
    ) -> Made:
        """A new key, with its secret. Raises InvalidRequest, ApiKeyNameTaken, LimitExceeded, and PermissionDenied when it would
        have more than `by` has."""
        if not _NAME.fullmatch(name):
            raise InvalidRequest(
                "name", "must be 1 to 100 letters, digits and . _ - / @, a letter or digit first"
            )
        checked = self._checked(grants)
        self._demand_held(self._all_of(name, checked), by)
        now = self._clock()
        _demand_future(expires_at, now)
        secret = secret_of(os.urandom(SECRET_BYTES))
        key = ApiKey(
            key_id=os.urandom(_ID_BYTES).hex(),
            name=name,
            grants=checked,
            secret=StoredSecret.of(secret),
            created_at=now,
            created_by=by.name,
            updated_at=now,
            expires_at=expires_at,
        )
        async with self._store.write() as tx:
            if await tx.count_api_keys() >= self._most:
                raise LimitExceeded(
                    f"there are {self._most} API keys, which is the limit (setting auth.api_keys.most); delete those that "
                    "nobody uses",
                    limit=self._most,
                )
            if await tx.api_key_named(name) is not None:
                raise ApiKeyNameTaken(name)
            await tx.insert_api_key(key)
            revision = await self._record(tx, key, by, now)
        return self._made(key, revision, secret)

    async def get(self, key_id: str) -> ApiKey:
        """Raises ApiKeyNotFound."""
        async with self._store.read() as tx:
            found = await _found(tx, key_id)
        return _without_ended(found, self._clock())

    async def list(self, limit: int | None, page_token: str, name: str = "") -> KeyPage:
        """Some keys, or only the one with this name. Raises InvalidRequest, PageTokenInvalid."""
        count, after = named_page(limit, page_token, most=MOST_ON_A_PAGE)
        if name:
            return await self._only(name)
        async with self._store.read_elsewhere() as tx:
            found = await tx.api_keys(after, count + 1)
        now = self._clock()
        shown = [_without_ended(key, now) for key in found[:count]]
        return KeyPage(shown, name_token(shown[-1].name) if len(found) > count else "")

    async def _only(self, name: str) -> KeyPage:
        if not _NAME.fullmatch(name):  # which no key has
            return KeyPage(())
        async with self._store.read() as tx:
            found = await tx.api_key_named(name)
        return KeyPage(() if found is None else (_without_ended(found, self._clock()),))

    async def update(
        self,
        key_id: str,
        by: Actor,
        *,
        enabled: bool | None = None,
        grants: Sequence[RoleGrant] | None = None,
        expires_at: datetime | None = None,
        never_expires: bool = False,
    ) -> Made:
        """Change what is given. Whoever lets a key do something must be able to do it himself; to disable one, or to shorten its
        life, needs no more than the call. Raises ApiKeyNotFound, InvalidRequest, PermissionDenied."""
        if expires_at is not None and never_expires:
            raise InvalidRequest("never_expires", "contradicts expires_at")
        if enabled is None and grants is None and expires_at is None and not never_expires:
            raise InvalidRequest(
                "", "nothing to change is given: enabled, grants, expires_at or never_expires"
            )
        now = self._clock()
        _demand_future(expires_at, now)
        checked = None if grants is None else self._checked(grants)
        async with self._store.write() as tx:
            known = await _found(tx, key_id)
            ends = None if never_expires else expires_at or known.expires_at
            changed = replace(
                known,
                enabled=known.enabled if enabled is None else enabled,
                grants=known.grants if checked is None else checked,
                expires_at=ends,
                updated_at=now,
            )
            if _lets_more(known, changed):
                self._demand_held(self._all_of(known.name, changed.grants), by)
            elif checked is not None:
                before = self._all_of(known.name, known.grants)
                new = [g for g in self._all_of(known.name, checked) if g in checked or g not in before]
                self._demand_held(new, by)
            await tx.update_api_key(changed)
            less = not _lets_more(known, changed) and set(changed.grants) <= set(known.grants)
            revision = await self._record(tx, changed, by, now, less=less)
        return self._made(_without_ended(changed, now), revision)

    async def rotate(self, key_id: str, overlap: timedelta, by: Actor) -> Made:
        """A new secret for a key; the one before counts for `overlap` longer. Whoever gets it may do what the key may: so `by`
        must. Raises ApiKeyNotFound, InvalidRequest, PermissionDenied."""
        if not timedelta() <= overlap <= LONGEST_OVERLAP:
            raise InvalidRequest("overlap", f"must be 0 to {LONGEST_OVERLAP.days} days")
        secret, now = secret_of(os.urandom(SECRET_BYTES)), self._clock()
        async with self._store.write() as tx:
            known = await _found(tx, key_id)
            self._demand_held(self._all_of(known.name, known.grants), by)
            previous = replace(known.secret, valid_until=now + overlap) if overlap else None
            changed = replace(known, secret=StoredSecret.of(secret), previous=previous, updated_at=now)
            await tx.update_api_key(changed)
            revision = await self._record(tx, changed, by, now)
        return self._made(changed, revision, secret)

    async def delete(self, key_id: str, by: Actor) -> str:
        """Remove a key; answers with the revision. Raises ApiKeyNotFound."""
        async with self._store.write() as tx:
            known = await _found(tx, key_id)
            await tx.remove_api_key(key_id)
            sequence = await self._record(tx, known, by, self._clock())
        self._told(AccessChange(AccessKind.API_KEY, key_id))
        return self._revision(sequence)

    async def note_used(self, used: Mapping[str, datetime]) -> None:
        """When keys were used last, by id."""
        async with self._store.write() as tx:
            await tx.note_api_keys_used(used)

    def _checked(self, grants: Sequence[RoleGrant]) -> tuple[RoleGrant, ...]:
        if not 0 < len(grants) <= MOST_GRANTS:
            raise InvalidRequest("grants", f"must be 1 to {MOST_GRANTS}; there are {len(grants)}")
        for place, grant in enumerate(grants):
            if self._roles(grant.role) is None:
                raise InvalidRequest(f"grants[{place}].role", f"no role is called {grant.role[:80]!r}")
        return tuple(dict.fromkeys(grants))

    def _all_of(self, name: str, grants: Sequence[RoleGrant]) -> Sequence[RoleGrant]:
        """All that a key of this name with these grants has: also what is granted to its name, perhaps when another key was called so,
        and to the roles that it carries."""
        return *grants, *self._granted(name, frozenset(g.role for g in grants if g.scope.everything))

    def _demand_held(self, grants: Sequence[RoleGrant], by: Actor) -> None:
        """Raises PermissionDenied unless `by` holds all that these grants give. A role that is gone gives nothing."""
        for grant in grants:
            for permission in sorted(self._roles(grant.role) or ()):
                if not by.allowed.where(permission).covers(grant.scope):
                    raise PermissionDenied(
                        f"{by.name!r} cannot let a key have role {grant.role!r} on {str(grant.scope)!r}, be it by a grant to its name "
                        f"or to its roles: it gives {permission!r}, which {by.name!r} does not have there",
                        permission=permission,
                        principal=by.name,
                    )

    async def _record(self, tx: WriteTx, key: ApiKey, by: Actor, at: datetime, *, less: bool = False) -> int:
        """less: it may do less than before, and no more."""
        change = AccessChange(AccessKind.API_KEY, key.key_id)
        noted = {"name": key.name, "enabled": str(key.enabled).lower(), **roles_noted(key.grants)}
        if key.expires_at is not None:
            noted["expires"] = key.expires_at.isoformat()
        if less:
            noted[EFFECT] = LESS
        return await record_access(tx, change, by, at, noted)

    def _made(self, key: ApiKey, sequence: int, secret: str = "") -> Made:
        self._told(AccessChange(AccessKind.API_KEY, key.key_id))
        return Made(key, self._revision(sequence), secret)

    def _revision(self, sequence: int) -> str:
        return format_revision(self._store.registry_id, sequence)


async def _found(tx: ReadTx, key_id: str) -> ApiKey:
    # Nothing else is looked for: not every store can be asked for every text.
    found = await tx.api_key(key_id) if _ID.fullmatch(key_id) else None
    if found is None:
        raise ApiKeyNotFound(key_id)
    return found


def _lets_more(before: ApiKey, after: ApiKey) -> bool:
    """Whether a change lets a key do something that it could not do before."""
    revived = after.enabled and not before.enabled
    forever = datetime.max.replace(tzinfo=UTC)
    longer = (after.expires_at or forever) > (before.expires_at or forever)
    return revived or longer


def _demand_future(expires_at: datetime | None, now: datetime) -> None:
    if expires_at is not None and expires_at <= now:
        raise InvalidRequest(
            "expires_at", "lies in the past; to let a key count no more, disable or delete it"
        )


def _without_ended(key: ApiKey, now: datetime) -> ApiKey:
    """The key without a previous secret that has ended."""
    previous = key.previous
    ended = previous is not None and previous.valid_until is not None and previous.valid_until <= now
    return replace(key, previous=None) if ended else key
