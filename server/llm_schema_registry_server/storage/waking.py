"""Wakes many tasks that have waited for one thing, such as a commit, a few in each turn of the event loop.

All that are woken together run in one piece before the loop looks at its sockets again: a hundred registrations that have become
durable together would have everybody else wait until the last of them is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

AT_ONCE = 8
"""Tasks that are woken in one turn: each may go on for half a millisecond or more."""


def in_turns(wakes: Sequence[Callable[[], None]]) -> None:
    """Calls all of them, in order, AT_ONCE in this turn of the loop and in each of the next ones."""
    _some(iter(wakes))


def _some(left: Iterator[Callable[[], None]]) -> None:
    count = 0
    for wake in islice(left, AT_ONCE):
        wake()
        count += 1
    if count == AT_ONCE:
        asyncio.get_running_loop().call_soon(_some, left)
