"""Callers who offend again and again, whose work ends processes or whose passwords are wrong, wait longer each time before they may go
on."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

FIRST_SECONDS = 1.0
"""The wait after the first offence that is not free; it doubles with each further one. Everybody may have bad luck."""
MOST_CALLERS = 10_000
"""So many are remembered; who offended longest ago is forgotten first."""


@dataclass(slots=True)
class _Record:
    """count: of offences in a row. at, until: when the last one was, and the end of the wait, on the clock."""

    count: int = 0
    at: float = 0.0
    until: float = 0.0


class BackOff:
    """How long each caller, by any key, has to wait for its offences.

    longest: seconds of the longest wait; who has not offended for so long begins anew. 0: nobody waits. free: offences that
    cost nothing.
    """

    def __init__(self, longest: float, *, free: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        self._longest, self._free = longest, free
        self._clock = clock
        self._records: OrderedDict[Hashable, _Record] = OrderedDict()

    def __len__(self) -> int:
        return len(self._records)

    def seconds_left(self, key: Hashable) -> float:
        """For how long a caller still has to wait; 0 for most."""
        record = self._records.get(key)
        return 0.0 if record is None else max(0.0, record.until - self._clock())

    def note(self, key: Hashable) -> None:
        """An offence."""
        now = self._clock()
        record = self._records.pop(key, None)
        if record is None or now - max(record.at, record.until) > self._longest:
            record = _Record()
        self._records[key] = record
        if len(self._records) > MOST_CALLERS:
            self._records.popitem(last=False)
        record.count, record.at = record.count + 1, now
        if record.count > self._free:
            wait = FIRST_SECONDS * 2.0 ** min(record.count - self._free - 1, 30)
            record.until = max(record.until, now + min(self._longest, wait))
