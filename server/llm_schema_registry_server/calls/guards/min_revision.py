"""A read that must see a write: waits until this instance has followed the change log as far as the caller asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ..call import Call
from ..guard import Guard, Rank, not_needed

MIN_REVISION = "x-registry-min-revision"
"""Metadata (gRPC) or header (HTTP): the revision that a write answered with in x-registry-revision."""


class MinRevision:
    """`reach` waits for a revision token; the call's deadline bounds it. Raises what it raises (RevisionUnknown)."""

    rank = Rank.MIN_REVISION
    on_cached = not_needed("the pipeline looks for no cached answer when a revision is asked for", quick=True)

    def __init__(self, reach: Callable[[str], Awaitable[None]]) -> None:
        self._reach = reach

    def __call__(self, call: Call) -> Guard:
        return _AtLeast(call, self._reach) if MIN_REVISION in call.metadata else Guard(call)

    def quick(self, call: Call) -> bool:
        """Decides for calls that ask for no revision."""
        return MIN_REVISION not in call.metadata


class _AtLeast(Guard):
    __slots__ = ("_reach",)

    def __init__(self, call: Call, reach: Callable[[str], Awaitable[None]]) -> None:
        super().__init__(call)
        self._reach = reach

    async def __aenter__(self) -> None:
        await self._reach(self.call.metadata[MIN_REVISION])
