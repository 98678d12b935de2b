"""Those who change one subject and have been overtaken by another one go on one at a time.

A registration is prepared on what it has read of its subject, and is prepared again when another one was faster. Of many at a time for one
subject only one gets through in each round; if all others prepared again at once, their work would grow with the square of their number.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ..model.subject import Subject
from ..queues import caller as callers
from ..queues.fair_queue import FairQueue, QueueLimits

_LIMITS = QueueLimits(waiting=1_000_000, per_caller=1_000_000, wait_seconds=math.inf)
"""Calls in flight are bounded, and a wait by its call's deadline."""


class Lines:
    """A line for each subject that several want to change at the moment; callers take turns in it by what their work has cost."""

    def __init__(self) -> None:
        self._lines: dict[Subject, tuple[FairQueue, int]] = {}  # and how many stand in it or have its turn

    def __len__(self) -> int:
        return len(self._lines)

    @asynccontextmanager
    async def turn(self, subject: Subject) -> AsyncIterator[None]:
        """Waits for the caller's turn and keeps it. Raises LimitExceeded when the deadline of its call comes before."""
        line, users = self._lines.get(subject) or (_line(), 0)
        self._lines[subject] = line, users + 1
        try:
            with await line.take(callers.current()):
                yield
        finally:
            line, users = self._lines[subject]
            if users > 1:
                self._lines[subject] = line, users - 1
            else:
                del self._lines[subject]


def _line() -> FairQueue:
    return FairQueue(
        "subject", (1, 1, 1), _LIMITS, what="registrations for this subject wait", setting="queues.waiting"
    )
