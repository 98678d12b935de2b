"""Grants and access policies that are managed at run time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ...model.grant import Grant, StoredGrant
from ...model.stored_policies import StoredPolicies

GrantKey = tuple[str, str, str]
"""Holder, role and scope of a grant, by which grants are sorted; `("", "", "")` comes before all of them."""


class AccessRead(Protocol):
    """Reads of them."""

    async def grants(self, after: GrantKey, limit: int) -> Sequence[StoredGrant]:
        """Up to `limit` grants behind this key, by key. Those that cannot be decoded are left out: a grant only ever allows."""
        ...

    async def count_grants(self) -> int: ...

    async def policies(self, version: int | None = None) -> StoredPolicies | None:
        """The policies of a version, None for the newest; None when there are none. Raises StorageDamaged when they cannot be decoded:
        policies also forbid."""
        ...


class AccessWrite(AccessRead, Protocol):
    """Writes of them."""

    async def put_grant(self, grant: StoredGrant) -> bool:
        """Add a grant; False, and nothing is changed, when it is there already."""
        ...

    async def remove_grant(self, grant: Grant) -> bool:
        """False when it is not there."""
        ...

    async def add_policies(self, policies: StoredPolicies) -> None:
        """Add a version. Raises ConcurrentUpdate when there is one with this number."""
        ...

    async def forget_policies(self, upto: int) -> None:
        """Remove the versions up to this one."""
        ...
