"""What a store has found out about questions, for a while."""

from __future__ import annotations

import time
from collections import OrderedDict

_SECONDS = 30.0
_MOST = 1000


class Remembered:
    """Numbers that were expensive to find out, and need not be true any more: for half a minute, by what they are of."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def note(self, what: str, number: int) -> None:
        self._known[what] = time.monotonic() + _SECONDS, number
        if len(self._known) > _MOST:
            self._known.popitem(last=False)

    def of(self, what: str) -> int | None:
        """None when it is not known, or not any more."""
        until, number = self._known.get(what, (0.0, 0))
        return number if until > time.monotonic() else None
