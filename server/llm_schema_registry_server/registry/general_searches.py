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
    generation: int = 0


class GeneralSearches:
    """Remembers questions that more than ranking.MOST_HITS versions pass."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._generation = 0

    @property
    def generation(self) -> int:
        """Another number after each change of the registry that this instance knows of. Take it before a transaction begins."""
        return self._generation

    def changed(self) -> None:
        """What is remembered need not be true any more."""
        self._generation += 1

    def knows(self, wanted: SchemaFilter) -> bool:
        """Whether this was found out of late."""
        return self._of(wanted) is not None

    def total(self, wanted: SchemaFilter) -> tuple[int, int] | None:
        """How many versions passed it of late, and the generation in which they were counted; None when that is not known."""
        known = self._of(wanted)
        return None if known is None or known.total is None else (known.total, known.generation)

    def note(self, wanted: SchemaFilter, total: int | None = None, generation: int = 0) -> None:
        """So many versions pass it (None: more than are ranked), counted in that generation. Fewer than that are not remembered: they
        are counted each time."""
        if total is not None and total <= ranking.MOST_HITS:
            self._known.pop(repr(wanted), None)
            return
        self._known[repr(wanted)] = _Known(self._clock() + SECONDS, total, generation)
        if len(self._known) > MOST:
            self._known.popitem(last=False)

    def _of(self, wanted: SchemaFilter) -> _Known | None:
        known = self._known.get(repr(wanted))
        return known if known is not None and self._clock() < known.until else None
