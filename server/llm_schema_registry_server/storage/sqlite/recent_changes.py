"""The changes that this process has just committed: who follows the log needs not read them from the file again."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Any

from ..rows import change_of
from ..unreadable import log_page, tolerant
from ..values import LogPage

Row = tuple[Any, ...]
"""Sequence, and the cells of CHANGE_COLUMNS."""

_MOST = 2000
"""Changes that are held: whoever follows the log takes them at once."""
_decoded = tolerant(change_of)


class RecentChanges:
    """Those that nobody has read yet, once somebody follows the log, and without a gap: sequences that another process has used are
    one, and everything before it is dropped."""

    def __init__(self) -> None:
        self._rows: deque[Row] = deque(maxlen=_MOST)
        self._followed = False

    def read(self, upto: int) -> None:
        """Somebody follows the log, and has read it up to that sequence."""
        self._followed = True
        while self._rows and self._rows[0][0] <= upto:
            self._rows.popleft()

    def committed(self, rows: Sequence[Row]) -> None:
        """Adds what one group of transactions has appended, in order."""
        if not self._followed:
            return
        for row in rows:
            if self._rows and row[0] != self._rows[-1][0] + 1:
                self._rows.clear()
            self._rows.append(row)

    def forget(self) -> None:
        """Drops all: the log was changed otherwise than by appending to it."""
        self._rows.clear()

    def page(self, after: int, limit: int) -> LogPage | None:
        """At most `limit` changes after that sequence, decoded from what was written; None when the next one is not held."""
        rows = self._rows
        if not rows or not rows[0][0] <= after + 1 <= rows[-1][0]:
            return None
        start = after + 1 - rows[0][0]
        return log_page(after, list(map(_decoded, islice(rows, start, start + limit))))
