"""Grants and access policies in a SQLite store; see protocols/access.py for the meaning of each method."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from ...errors import ConcurrentUpdate
from ...model.grant import Grant, StoredGrant
from ...model.stored_policies import StoredPolicies
from ..access_rows import grant_key, grant_of, grant_row, policies_of, policies_row
from ..protocols.access import GrantKey
from ..unreadable import Unreadable, tolerant, whole_page
from . import queries
from .session import Session

_grant_or_not = tolerant(grant_of)


class SqliteAccessRead:
    _session: Session

    async def grants(self, after: GrantKey, limit: int) -> Sequence[StoredGrant]:
        async def fetch(count: int) -> Sequence[StoredGrant | Unreadable]:
            return await self._session.ordered(queries.GRANTS, (*after, count), _grant_or_not)

        return await whole_page(fetch, limit)

    async def count_grants(self) -> int:
        return int(self._session.row(queries.COUNT_GRANTS)[0])

    async def policies(self, version: int | None = None) -> StoredPolicies | None:
        if version is None:
            row = self._session.row(queries.NEWEST_POLICIES)
        else:
            row = self._session.row(queries.POLICIES, (version,))
        return None if row is None else policies_of(row)


class SqliteAccessWrite(SqliteAccessRead):
    async def put_grant(self, grant: StoredGrant) -> bool:
        return self._session.run(queries.PUT_GRANT, grant_row(grant)).rowcount > 0

    async def remove_grant(self, grant: Grant) -> bool:
        return self._session.run(queries.REMOVE_GRANT, grant_key(grant)).rowcount > 0

    async def add_policies(self, policies: StoredPolicies) -> None:
        try:
            self._session.run(queries.ADD_POLICIES, policies_row(policies))
        except sqlite3.IntegrityError as error:
            raise ConcurrentUpdate(
                f"version {policies.version} of the policies was set meanwhile; read them again"
            ) from error

    async def forget_policies(self, upto: int) -> None:
        self._session.run(queries.FORGET_POLICIES, (upto,))
