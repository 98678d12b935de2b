"""Numbers of the store for the metrics, read now and then by every server: found drops of conformance, and how far the dialect watch is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..storage.store import Store
from .profiles import Profiles
from .verdicts import Progress

FRESH = timedelta(days=7)
"""Drops of what was reported in this time count."""


@dataclass(frozen=True, slots=True)
class Observed:
    """drops: see OutcomesRead.count_drops. behind: changes that the dialect watch has not come to. pending: profiles that it has not applied to
    all versions."""

    drops: int
    behind: int
    pending: int


class Observing:
    """Reads them; `newest` is None before the first time."""

    def __init__(self, store: Store, profiles: Profiles, clock: Callable[[], datetime]) -> None:
        self._store, self._profiles, self._clock = store, profiles, clock
        self.newest: Observed | None = None

    async def read(self) -> None:
        """Read anew. Raises RegistryError."""
        async with self._store.read() as tx:
            drops = await tx.count_drops(self._clock() - FRESH)
            progress = Progress.read(await tx.profile_watch())
            newest = (await tx.change_bounds())[1]
            known = await self._profiles.all_in(tx)
        pending = sum(progress.judged.get(name, 0) < one.profile.version for name, one in known.items())
        self.newest = Observed(drops, max(0, newest - progress.sequence), pending)
