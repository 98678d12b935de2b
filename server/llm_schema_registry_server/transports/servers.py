"""All listeners of a server: started together, drained together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence

from ..telemetry import logs
from .front.listener import FrontListener
from .listener import Listener

_LOG = logs.get("transports")


class Servers:
    """`end_streams` is told once that the server is going: it ends every subscription with a resumable error."""

    def __init__(
        self, listeners: Sequence[Listener], end_streams: Callable[[], Coroutine[None, None, None]]
    ) -> None:
        self._listeners = tuple(listeners)
        self._end_streams = end_streams
        self._started: list[Listener] = []

    @property
    def ports(self) -> Mapping[str, int]:
        """The bound port of each listener by name."""
        return {listener.name: listener.port for listener in self._started}

    def reload(self) -> None:
        """Has the listeners that speak TLS read their files now."""
        for listener in self._listeners:
            if isinstance(listener, FrontListener):
                listener.reload()

    async def start(self) -> None:
        """Starts the listeners in order. When one cannot start, the others are closed and its error is raised."""
        try:
            for listener in self._listeners:
                await listener.start()
                self._started.append(listener)
                _LOG.info("listening", listener=listener.name, port=listener.port)
        except BaseException:
            await self.drain(0)
            raise

    async def drain(self, seconds: float) -> None:
        """Takes no new calls; calls in flight finish within `seconds`, streams end with a resumable error; closes."""
        _LOG.info("draining", seconds=seconds)
        started, self._started = self._started, []
        async with asyncio.TaskGroup() as group:
            for listener in reversed(started):
                group.create_task(listener.drain(seconds))
            group.create_task(self._end_streams())
        _LOG.info("drained")
