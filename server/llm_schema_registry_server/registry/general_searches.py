"""Which questions so many versions pass that they are not ranked, and how many those were, for a while."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from ..storage import ranking
from ..storage.values import SchemaFilter

SECONDS = 30.0
"""So long it is remembered: what is counted is at most so old. Counting a hundred thousand versions takes a database as long as
hundreds of pages."""
MOST = 1000
"""Questions that are remembered."""


@dataclass(slots=True)
class _Known:
    until: float
    total: int | None = None


class GeneralSearches:
    """Remembers questions that more than ranking.MOST_HITS versions pass."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def knows(self, wanted: SchemaFilter) -> bool:
        """Whether this was found out of late."""
        return self._of(wanted) is not None

    def total(self, wanted: SchemaFilter) -> int | None:
        """How many versions passed it of late; None when that is not known."""
        known = self._of(wanted)
        return None if known is None else known.total

    def note(self, wanted: SchemaFilter, total: int | None = None) -> None:
        """So many versions pass it (None: more than are ranked). Fewer than that are not remembered: they are counted each time."""
        if total is not None and total <= ranking.MOST_HITS:
            self._known.pop(repr(wanted), None)
            return
        self._known[repr(wanted)] = _Known(self._clock() + SECONDS, total)
        if len(self._known) > MOST:
            self._known.popitem(last=False)

    def _of(self, wanted: SchemaFilter) -> _Known | None:
        known = self._known.get(repr(wanted))
        return known if known is not None and self._clock() < known.until else None
