"""Answers of unary calls that grpc-core holds, because their callers have not taken them.

A handler hands its answer over and is done; grpc-core keeps it until the flow control of HTTP/2 lets it go, and tells when the call is
over. A client that never reads would make it keep as many answers as there may be calls. Small answers are not counted: a call takes
more than they do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ...errors import LimitExceeded
from ..unread import PER_CALLER_SETTING, TOTAL_SETTING

SMALL = 4096
"""Bytes up to which answers are not counted."""

_WAIT_SECONDS = 5.0
"""How long a large answer may wait for room."""


class HeldAnswers:
    """Bounds what callers leave untaken: each of them to `per_caller` bytes, all together to `total`. One that has nothing
    untaken always gets its answer."""

    def __init__(self, *, per_caller: int, total: int, wait_seconds: float = _WAIT_SECONDS) -> None:
        self._per_caller, self._total, self._wait_seconds = per_caller, total, wait_seconds
        self._held: dict[str, int] = {}
        self._waiting: dict[str, int] = {}
        self._freed = asyncio.Event()
        self.total = 0
        """Bytes that are held now."""

    async def hold(self, caller: str, size: int) -> Callable[[], None]:
        """Waits until an answer may be handed over, and notes it; what is returned is to be called when it was taken. Raises
        LimitExceeded when the caller takes too little."""
        if not self._fits(caller, size):
            await self._room(caller, size)
        self._held[caller] = self._held.get(caller, 0) + size
        self.total += size

        def release() -> None:
            left = self._held[caller] - size
            if left:
                self._held[caller] = left
            else:
                del self._held[caller]
            self.total -= size
            self._freed.set()

        return release

    def _fits(self, caller: str, size: int) -> bool:
        held = self._held.get(caller, 0)
        return not held or (held + size <= self._per_caller and self.total + size <= self._total)

    async def _room(self, caller: str, size: int) -> None:
        waiting = self._waiting.get(caller, 0)
        if waiting + size > self._per_caller:
            raise self._refusal(caller, size)
        self._waiting[caller] = waiting + size
        try:
            async with asyncio.timeout(self._wait_seconds):
                while not self._fits(caller, size):
                    self._freed.clear()
                    await self._freed.wait()
        except TimeoutError:
            raise self._refusal(caller, size) from None
        finally:
            left = self._waiting[caller] - size
            if left:
                self._waiting[caller] = left
            else:
                del self._waiting[caller]

    def _refusal(self, caller: str, size: int) -> LimitExceeded:
        held = self._held.get(caller, 0)
        own = max(held, self._waiting.get(caller, 0)) + size > self._per_caller
        limit, setting = (self._per_caller, PER_CALLER_SETTING) if own else (self._total, TOTAL_SETTING)
        return LimitExceeded(
            f"{held} bytes of answers to this caller are not taken; the limit is {limit} (setting {setting}): "
            "read them, then try again",
            limit=limit,
            retry_seconds=1.0,
        )
