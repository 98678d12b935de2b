"""How many calls a caller may reset before they are answered."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

_BURST_SECONDS = 5.0
"""A caller may reset at once as many calls as are allowed in so many seconds."""
_MOST_CALLERS = 10_000


class ResetBudget:
    """Of each caller: `per_second` calls that are reset, and five times as many at once. Who spends more is barred until half of that is
    there again."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = per_second, clock
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()  # by caller: resets, as of when
        self._barred: set[str] = set()

    def spend(self, caller: str, resets: float = 1) -> bool:
        """Counts some more of `caller`; whether there was room for them."""
        now = self._clock()
        spent, since = self._spent.pop(caller, (0.0, now))
        spent = max(0.0, spent - (now - since) * self._rate) + resets
        most = self._rate * _BURST_SECONDS
        self._spent[caller] = min(spent, most + 1), now
        if len(self._spent) > _MOST_CALLERS:
            self._barred.discard(self._spent.popitem(last=False)[0])
        if spent > most:
            self._barred.add(caller)
        return spent <= most

    def barred(self, caller: str) -> bool:
        """Whether it has spent too much of late."""
        if caller not in self._barred:
            return False
        spent, since = self._spent[caller]
        if spent - (self._clock() - since) * self._rate > self._rate * _BURST_SECONDS / 2:
            return True
        self._barred.discard(caller)
        return False
