"""A thread with an event loop of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from threading import Thread
from typing import Any, TypeVar

import uvloop

R = TypeVar("R")


class Apart:
    """`start`, then `run` what is to happen there, then `stop`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None

    def start(self) -> None:
        """Starts the thread."""
        self._loop = uvloop.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name=self._name, daemon=True)
        self._thread.start()

    async def run(self, work: Coroutine[Any, Any, R]) -> R:
        """What a coroutine answers that runs there."""
        if self._loop is None:
            work.close()
            raise RuntimeError("it has not been started")
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def stop(self) -> None:
        """Ends the thread."""
        loop, self._loop = self._loop, None
        if loop is None or self._thread is None:
            return
        loop.call_soon_threadsafe(loop.stop)
        await asyncio.to_thread(self._thread.join)
        loop.close()
