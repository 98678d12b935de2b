"""How much the registry holds, and how often it is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from ...model.statistics import Statistics
from ...model.usage import Usage, Uses


class AccountingRead(Protocol):
    """The counts that are kept, and counting anew."""

    async def most_used(self, limit: int) -> Sequence[Usage]:
        """The versions with the greatest scores, greatest first; those that were never used are not among them."""
        ...

    async def count_everything(self, at: datetime, seconds: float) -> Statistics:
        """The statistics of what this view sees, told as of `at` (UTC). Reads every version, content and change once, and
        neither waits for writers nor makes them or the followers of the change log wait. Raises StorageUnavailable
        when one of its questions takes longer than `seconds`, where the back end can tell."""
        ...

    async def statistics(self) -> Statistics | None:
        """Those that `keep_statistics` kept last."""
        ...


class AccountingWrite(AccountingRead, Protocol):
    """Adds to the counts."""

    async def record_usage(self, uses: Mapping[str, Uses], at: datetime) -> None:
        """Add to how often versions were used, by schema id; counts of versions that are gone are dropped. No change of a
        version: neither its revision nor the change log tells of it. Raises ConcurrentUpdate when one of the versions is
        removed at this moment."""
        ...

    async def keep_statistics(self, statistics: Statistics) -> None:
        """Keep these instead of the ones before, for all servers of the store."""
        ...
