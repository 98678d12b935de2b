"""Grants and access policies in a memory store; see protocols/access.py for the meaning of each method."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import ConcurrentUpdate
from ...model.grant import Grant, StoredGrant
from ...model.stored_policies import StoredPolicies
from ..access_rows import grant_key
from ..protocols.access import GrantKey
from .tables import Tables


class MemoryAccessRead:
    _tables: Tables

    async def grants(self, after: GrantKey, limit: int) -> Sequence[StoredGrant]:
        found = (item for item in self._tables.grants.items() if item[0] > after)
        return [grant for _, grant in sorted(found, key=lambda item: item[0])[:limit]]

    async def count_grants(self) -> int:
        return sum(1 for _ in self._tables.grants)

    async def policies(self, version: int | None = None) -> StoredPolicies | None:
        wanted = max(self._tables.policies, default=0) if version is None else version
        return self._tables.policies.get(wanted)


class MemoryAccessWrite(MemoryAccessRead):
    async def put_grant(self, grant: StoredGrant) -> bool:
        key = grant_key(grant.grant)
        if key in self._tables.grants:
            return False
        self._tables.grants[key] = grant
        return True

    async def remove_grant(self, grant: Grant) -> bool:
        known = grant_key(grant) in self._tables.grants
        self._tables.grants.remove(grant_key(grant))
        return known

    async def add_policies(self, policies: StoredPolicies) -> None:
        if policies.version in self._tables.policies:
            raise ConcurrentUpdate(
                f"version {policies.version} of the policies was set meanwhile; read them again"
            )
        self._tables.policies[policies.version] = policies

    async def forget_policies(self, upto: int) -> None:
        for version in list(self._tables.policies):
            if version <= upto:
                self._tables.policies.remove(version)
