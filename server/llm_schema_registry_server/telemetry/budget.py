"""How many lines of a kind a log takes in a second: what callers can cause must not fill a disk or slow the others."""

from __future__ import annotations

import logging
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


def minutes() -> float:
    """A clock for a budget of lines in a minute."""
    return time.monotonic() / 60


class Sparingly(logging.Filter):
    """For the logger of a library: at most one line a minute of each kind, the text before the first colon being the kind; of at
    most so many kinds."""

    _MOST_KINDS = 100

    def __init__(self) -> None:
        super().__init__()
        self._budget = LogBudget(1, minutes)
        self._kinds: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written."""
        kind = record.getMessage().partition(":")[0]
        if kind not in self._kinds:
            if len(self._kinds) >= self._MOST_KINDS:
                kind = ""
            self._kinds.add(kind)
        return self._budget.take(kind) is not None
