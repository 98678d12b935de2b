"""How much a context may hold: checked in the transaction that adds a version, under the lock of all who add to the context."""

from __future__ import annotations

from ..errors import QuotaExceeded
from ..model.quota import ContextUsage, Quota
from ..model.schema import SchemaVersion
from ..storage.store import Store, WriteTx
from ..storage.values import Precondition


async def fits(tx: WriteTx, quota: Quota, version: SchemaVersion, precondition: Precondition) -> bool:
    """Whether a version may be added, whose subject is locked; False when nobody has counted yet what the context holds (`begin`).
    Raises QuotaExceeded when it may not."""
    context = version.subject.context
    held = await tx.context_usage(context)
    if held is None:
        return False
    more = ContextUsage(int(precondition.stamp[0] == 0), 1, version.size)
    for what, limit, now, added in quota.passed(held, more):
        raise QuotaExceeded(context, what, limit, now, added)
    return True


async def begin(store: Store, context: str) -> None:
    """Count what a context holds, once for all."""
    async with store.write() as tx:
        await tx.count_context(context)
