"""What the work of each caller has turned out to cost."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from .fair_queue import Cost

MOST_CALLERS = 10_000
"""So many are remembered; whoever was heard of longest ago is forgotten first."""


@dataclass(slots=True)
class _Record:
    """dear_until: a point of time on the clock."""

    dear_until: float = 0.0


class CostHistory:
    """Remembers whose work was dear, by any key: for `share` times as long as it took, at most for `longest` seconds.

    dear_seconds: from how many seconds on a piece of work is dear. So one key can spend at most one part in `share` of the time
    as work whose cost is not known yet.
    """

    def __init__(
        self,
        dear_seconds: float,
        *,
        share: float = 50.0,
        longest: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._dear_seconds = dear_seconds
        self._share = share
        self._longest = longest
        self._clock = clock
        self._records: OrderedDict[Hashable, _Record] = OrderedDict()

    def __len__(self) -> int:
        return len(self._records)

    def cost(self, key: Hashable) -> Cost:
        """What to expect: DEAR soon after work that was, CHEAP when there was only cheap work, USUAL when nothing is known."""
        record = self._records.get(key)
        if record is None:
            return Cost.USUAL
        return Cost.DEAR if record.dear_until > self._clock() else Cost.CHEAP

    def note(self, key: Hashable, seconds: float) -> None:
        """One piece of work of `key` took so many seconds."""
        record = self._records.get(key)
        if record is None:
            record = self._records[key] = _Record()
            if len(self._records) > MOST_CALLERS:
                self._records.popitem(last=False)
        else:
            self._records.move_to_end(key)
        if seconds >= self._dear_seconds:
            until = self._clock() + min(self._longest, self._share * seconds)
            record.dear_until = max(record.dear_until, until)
