"""Proxies between a client and a server, which do to their bytes what a test asks for."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Self


class Proxy(ABC):
    """`async with`: listens on `port` and deals with each connection in `answer`, ended at the end if it still goes on."""

    def __init__(self, port: int) -> None:
        self.target = port
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self.port = 0

    @abstractmethod
    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection; it is closed afterwards."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        with suppress(OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
            await self.answer(reader, writer)
        self._open.discard(task)
        writer.close()


class SlowProxy(Proxy):
    """Passes bytes on to a port; each piece of an answer waits for `delay` seconds first."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.delay = 0.0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self.target)
        asking = asyncio.create_task(_pump(reader, inner_writer))
        try:
            while data := await inner_reader.read(65536):
                await asyncio.sleep(self.delay)
                writer.write(data)
                await writer.drain()
        finally:
            asking.cancel()
            inner_writer.close()


class CountingProxy(Proxy):
    """Passes bytes on to a port and counts how often the other side had to wait for an answer: the round trips."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.trips = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self.target)
        waiting = False

        async def ask() -> None:
            nonlocal waiting
            while data := await reader.read(65536):
                self.trips += not waiting
                waiting = True
                inner_writer.write(data)
                await inner_writer.drain()
            inner_writer.close()

        asking = asyncio.create_task(ask())
        try:
            while data := await inner_reader.read(65536):
                waiting = False
                writer.write(data)
                await writer.drain()
        finally:
            asking.cancel()
            inner_writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()
