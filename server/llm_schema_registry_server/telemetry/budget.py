"""How many lines of a kind a log takes in a second: what callers can cause must not fill a disk or slow the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence


class LogBudget:
    """At most `lines` of each kind in a second; the next line that is written says how many were left out.

    Kinds must be few (methods, reasons): each takes an entry in memory.
    """

    def __init__(self, lines: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._lines = lines
        self._clock = clock
        self._second: dict[Hashable, tuple[int, int]] = {}
        self._left_out: dict[Hashable, int] = {}

    def take(self, kind: Hashable) -> int | None:
        """None: leave this line out. Otherwise write it; the number says how many were left out before it."""
        now = int(self._clock())
        second, used = self._second.get(kind, (now, 0))
        if second != now:
            used = 0
        if used >= self._lines:
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return None
        self._second[kind] = (now, used + 1)
        return self._left_out.pop(kind, 0)

    def overdue(self) -> Sequence[tuple[Hashable, int]]:
        """Kinds of which lines were left out in a second that has passed, and how many; they are not told again."""
        if not self._left_out:
            return ()
        now = int(self._clock())
        passed = [kind for kind in self._left_out if self._second[kind][0] != now]
        return [(kind, self._left_out.pop(kind)) for kind in passed]
