"""ListGrants, SetGrant, DeleteGrant: who has which role on which subjects. Nobody gives what he does not hold himself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..errors import GrantNotFound, InvalidRequest, LimitExceeded, PageTokenInvalid, PermissionDenied
from ..model.access import AccessChange, AccessKind
from ..model.change import format_revision
from ..model.grant import Grant, RoleGrant, StoredGrant
from ..model.principal import Actor
from ..model.timestamps import Clock
from ..storage.protocols.access import GrantKey
from ..storage.store import Store
from .access_changes import record_access, roles_noted
from .api_keys import Roles
from .fairness import Turns
from .paging import name_token, named_page

MOST_OF_A_HOLDER = 100
MOST_ON_A_PAGE = 1000
FIRST: GrantKey = ("", "", "")
_BATCH = 500

Take = Callable[[Sequence[Grant]], Iterable[Callable[[], None]]]
"""Takes all stored grants instead of those before; what it answers with is to be called by and by."""


@dataclass(frozen=True, slots=True)
class GrantRules:
    """roles: the permissions of a role, see ApiKeys. fixed: the grants of the settings. take: see Take. most: so many grants there
    may be."""

    roles: Roles
    fixed: Sequence[Grant]
    take: Take
    most: int


@dataclass(frozen=True, slots=True)
class GrantPage:
    """Some stored grants, the token of the next page, "" on the last, and on the first page the grants of the settings."""

    grants: Sequence[StoredGrant]
    next_token: str
    fixed: Sequence[Grant] = ()


@dataclass(frozen=True, slots=True)
class Given:
    """A grant after it was given. created: whether this call gave it; revision: of that, "" otherwise."""

    grant: StoredGrant
    created: bool
    revision: str = ""


class Grants:
    """The grants of a registry, in the storage and in the memory of this server."""

    def __init__(self, store: Store, rules: GrantRules, clock: Clock) -> None:
        self._store, self._rules, self._clock = store, rules, clock
        self._loading = asyncio.Lock()

    async def load(self) -> None:
        """Read all stored grants; from then on they count here. Of two that load, the later one reads what is newer."""
        async with self._loading:
            found: list[Grant] = []
            async with self._store.read() as tx:
                after = FIRST
                while batch := await tx.grants(after, _BATCH):
                    found += (stored.grant for stored in batch)
                    after = _key(batch[-1].grant)
                    await asyncio.sleep(0)
            turns = Turns()
            for tell in self._rules.take(found):
                tell()
                await turns.pause_if_due()

    async def list(self, holder: str, limit: int | None, page_token: str) -> GrantPage:
        """Raises InvalidRequest, PageTokenInvalid."""
        count, named = named_page(limit, page_token, most=MOST_ON_A_PAGE)
        after = _place(named) if named else (holder, "", "")
        if holder and after[0] != holder:
            raise PageTokenInvalid("page_token", "is of a list of another holder's grants")
        async with self._store.read_elsewhere() as tx:
            found = [g for g in await tx.grants(after, count + 1) if not holder or g.grant.holder == holder]
        shown = found[:count]
        return GrantPage(
            shown,
            name_token(json.dumps(_key(shown[-1].grant))) if len(found) > count else "",
            () if page_token else [g for g in self._rules.fixed if not holder or g.holder == holder],
        )

    async def give(self, grant: Grant, by: Actor) -> Given:
        """Raises InvalidRequest for a role that there is not, PermissionDenied when `by` does not hold all that it gives, LimitExceeded."""
        permissions = self._rules.roles(grant.role)
        if permissions is None:
            raise InvalidRequest("role", f"no role is called {grant.role[:80]!r}")
        for permission in sorted(permissions):
            if not by.allowed.where(permission).covers(grant.scope):
                raise PermissionDenied(
                    f"{by.name!r} cannot give role {grant.role!r} on {str(grant.scope)!r}: it holds {permission!r}, which "
                    f"{by.name!r} does not have there",
                    permission=permission,
                    principal=by.name,
                )
        stored, revision = StoredGrant(grant, by.name, self._clock()), ""
        async with self._store.write() as tx:
            known = [
                g
                for g in await tx.grants((grant.holder, "", ""), MOST_OF_A_HOLDER + 1)
                if g.grant.holder == grant.holder
            ]
            same = next((g for g in known if g.grant == grant), None)
            if same is not None:
                return Given(same, created=False)
            self._demand_room(
                len(known),
                MOST_OF_A_HOLDER,
                f"{grant.holder!r} has {MOST_OF_A_HOLDER} grants, which is the limit",
            )
            most = self._rules.most
            self._demand_room(
                await tx.count_grants(),
                most,
                f"there are {most} grants, which is the limit (setting auth.most_grants)",
            )
            await tx.put_grant(stored)
            revision = self._revision(
                await record_access(tx, _change(grant), by, stored.created_at, _noted(grant))
            )
        await self.load()
        return Given(stored, created=True, revision=revision)

    async def take_back(self, grant: Grant, by: Actor) -> str:
        """Answers with the revision. Raises GrantNotFound."""
        async with self._store.write() as tx:
            if not await tx.remove_grant(grant):
                raise GrantNotFound(*_key(grant))
            sequence = await record_access(tx, _change(grant), by, self._clock(), _noted(grant))
        await self.load()
        return self._revision(sequence)

    def _demand_room(self, count: int, most: int, full: str) -> None:
        if count >= most:
            raise LimitExceeded(f"{full}; take back those that are not needed", limit=most)

    def _revision(self, sequence: int) -> str:
        return format_revision(self._store.registry_id, sequence)


def _key(grant: Grant) -> GrantKey:
    return grant.holder, grant.role, str(grant.scope)


def _place(name: str) -> GrantKey:
    """The place that a page token names. Raises PageTokenInvalid."""
    try:
        match json.loads(name):
            case [str(holder), str(role), str(scope)]:
                return holder, role, scope
    except ValueError:
        pass  # the same answer for every way of being another list's
    raise PageTokenInvalid("page_token", "is of another list")


def _change(grant: Grant) -> AccessChange:
    return AccessChange(AccessKind.GRANTS, grant.holder)


def _noted(grant: Grant) -> Mapping[str, str]:
    return roles_noted([RoleGrant(grant.role, grant.scope)])
