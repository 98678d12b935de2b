"""Answers with large contents are made in turns of the event loop.

To copy and serialize a megabyte takes a millisecond or two. When the contents of several such answers have been read in the same moment,
each of their calls would go on in the same turn of the loop, and everybody else's would wait for all of them.
"""

from __future__ import annotations

from ..queues import caller
from ..queues.turns import TASK_UNITS, CallTurns

LARGE = 64 * 1024
"""Bytes of contents from which on an answer takes a turn."""
_UNIT_BYTES = 16 * 1024
_ROUNDS = 8
"""A registration waits for the loop a dozen times: it is to be behind two large answers, not behind twelve."""


class LargeAnswers:
    """The turns of all calls that answer with large contents, whichever way they came; callers take turns."""

    def __init__(self) -> None:
        self._turns = CallTurns(_ROUNDS)

    async def turn(self, size: int) -> None:
        """Returns when an answer with contents of `size` bytes may be made: at once when it is small."""
        if size > LARGE:
            await self._turns.turn(lambda: caller.current().key, TASK_UNITS + size // _UNIT_BYTES)
