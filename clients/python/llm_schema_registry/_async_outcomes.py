"""The reporter of outcomes for asyncio code: a task that sends what was noted."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from ._asynchronous import AsyncTransport
from ._outcomes import INTERVAL, LAST_SECONDS, OutcomeBuffer
from .errors import RegistryError


class AsyncOutcomeReporter:
    """Sends what `buffer` holds every INTERVAL seconds, from the first `start` on."""

    def __init__(self, transport: AsyncTransport) -> None:
        self.buffer = OutcomeBuffer()
        self._transport = transport
        self._sending = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._task is None:
            with suppress(
                RuntimeError
            ):  # outside of an event loop: it is sent by `flush`, or when the client is closed
                self._task = asyncio.get_running_loop().create_task(self._run())

    async def flush(self, timeout: float | None = None) -> bool:
        """Send what waits; False when some of it has to wait on."""
        async with self._sending:
            while (call := self.buffer.next(timeout)) is not None:
                try:
                    await self._transport.unary(call)
                except RegistryError as error:
                    if self.buffer.failed(error):
                        return False
                else:
                    self.buffer.sent()
        return True

    async def close(self) -> None:
        """Send the rest, if the registry takes it at once."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self.buffer.waiting and not self._transport.closed:
            await self.flush(LAST_SECONDS)

    async def _run(self) -> None:
        while not self._transport.closed:
            await asyncio.sleep(INTERVAL)
            await self.flush()
