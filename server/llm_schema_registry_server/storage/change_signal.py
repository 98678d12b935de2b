"""Wakes the tasks that wait for the change log to grow, within one process and one event loop."""

from __future__ import annotations

import asyncio


class ChangeSignal:
    """The newest committed sequence, and a way to wait until it passes a number.

    Must be used from one event loop. `advance` never moves backwards.
    """

    def __init__(self) -> None:
        self._newest = 0
        self._waiters: set[asyncio.Future[None]] = set()

    @property
    def newest(self) -> int:
        return self._newest

    def advance(self, sequence: int) -> None:
        """Note that changes up to `sequence` are committed."""
        if sequence <= self._newest:
            return
        self._newest = sequence
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self, after: int, timeout: float) -> bool:
        """Whether the newest sequence passed `after` within `timeout` seconds."""
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout
        while self._newest <= after:
            remaining = end - loop.time()
            if remaining <= 0:
                return False
            waiter = loop.create_future()
            self._waiters.add(waiter)
            try:
                # Not wait_for: before Python 3.12 it loses a cancellation that comes together with the result.
                async with asyncio.timeout(remaining):
                    await waiter
            except TimeoutError:
                return self._newest > after
            finally:
                self._waiters.discard(waiter)
        return True
