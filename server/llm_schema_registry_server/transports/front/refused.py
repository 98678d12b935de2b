"""Who goes on asking although it is refused is read more slowly.

A call that is refused since its caller asks too much (RESOURCE_EXHAUSTED) costs little, but not nothing: some 50 microseconds of the event
loop. Ten thousand of them in a second would take half of it from everybody else.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

BURST_SECONDS = 5.0
"""As many refusals as are allowed in so many seconds may come at once."""
LONGEST_SECONDS = 5.0
"""A connection is not read for so long at most."""
_MOST_CALLERS = 10_000


class Refusals:
    """Calls of each address that are refused: `per_second` of them, and five times as many at once, without a pause."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = per_second, clock
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()  # by address: refusals, as of when

    def note(self, address: str) -> float:
        """Counts one more; see `pause`."""
        now = self._clock()
        spent, since = self._spent.pop(address, (0.0, now))
        spent = max(0.0, spent - (now - since) * self._rate) + 1
        spent = min(spent, self._rate * (BURST_SECONDS + LONGEST_SECONDS))
        self._spent[address] = spent, now
        if len(self._spent) > _MOST_CALLERS:
            self._spent.popitem(last=False)
        return max(0.0, spent / self._rate - BURST_SECONDS)

    def pause(self, address: str) -> float:
        """Seconds for which nothing more of an address should be read."""
        known = self._spent.get(address)
        if known is None:
            return 0.0
        spent, since = known
        return max(0.0, spent / self._rate - (self._clock() - since) - BURST_SECONDS)
