"""How much the registry holds, and how often it is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from ...model.quota import ContextUsage
from ...model.statistics import Statistics
from ...model.usage import Usage, Uses


class AccountingRead(Protocol):
    """Reads of counts, and counting everything."""

    async def most_used(self, limit: int) -> Sequence[Usage]:
        """The versions with the greatest scores, greatest first; those that were never used are not among them."""
        ...

    async def count_everything(self, at: datetime, seconds: float) -> Statistics:
        """The statistics of what this transaction sees, dated `at` (UTC). Reads every version, content and change once; neither
        waits for writers nor blocks them or the readers of the change log. Raises StorageUnavailable when one of its
        statements takes longer than `seconds`, where the back end has such a limit."""
        ...

    async def statistics(self) -> Statistics | None:
        """Those that `save_statistics` stored last."""
        ...


class AccountingWrite(AccountingRead, Protocol):
    """Adds to the counts."""

    async def context_usage(self, context: str) -> ContextUsage | None:
        """What a context holds, with what this transaction has added: nobody else adds to it or removes from it until the end. To
        be called when the subject is locked. None where it is not counted yet: `count_context` begins that."""
        ...

    async def count_context(self, context: str) -> None:
        """Count what a context holds, and go on counting. In a transaction of its own: it waits until nobody adds to the context.
        Takes time in proportion to what it holds, unless it is counted already."""
        ...

    async def record_usage(self, uses: Mapping[str, Uses], at: datetime) -> None:
        """Add to how often versions were used, by schema id; counts of versions that are gone are dropped. Uses that were
        counted far in the future of `at` are moved there (model.usage.greatest_score). It
        changes no version: neither its revision nor the change log. Raises ConcurrentUpdate when one of the versions is
        removed at this moment."""
        ...

    async def save_statistics(self, statistics: Statistics) -> None:
        """Store these instead of the ones before, for all servers of the store."""
        ...
