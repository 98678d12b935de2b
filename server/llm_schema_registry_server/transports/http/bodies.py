"""Request bodies: read with limits of size, time and memory, and turned into messages without holding up others.

Bodies are read before a call begins and its own limits count, so that connections alone could fill the memory.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import ParamSpec

from google.protobuf.message import Message

from ...queues import caller as callers
from ...queues.caller import Caller
from ...queues.fair_queue import FairQueue, Queues, Ticket
from ..request_memory import size_class
from .asgi import Receive
from .errors import BodyTooSlow, RequestTooLarge, body_broken

P = ParamSpec("P")

BODY_SECONDS = 30.0
"""How long a body may take to arrive."""

# A body of 16 KiB that is nothing but small objects or list items takes up to 10 ms to read.
_LARGE = 16 * 1024
# So many empty lines take less than a millisecond.
_LINES_AT_A_TIME = 10_000


class Bodies:
    """The bodies that a server is reading or answering. `memory` is where they take their room, in bytes; large ones are turned
    into messages one after another, in a queue shown among `queues`."""

    def __init__(self, memory: FairQueue, queues: Queues) -> None:
        self._memory = memory
        # One thread: more would only take the loop's turns away.
        self._large = ThreadPoolExecutor(1, "large-bodies")
        self._turns = queues.add(
            FairQueue(
                "large_bodies",
                (1, 1, 1),
                queues.limits,
                what="large request bodies wait to be read",
                setting="queues.waiting",
            )
        )

    @property
    def held(self) -> int:
        """Bytes of requests that are held now."""
        return self._memory.held

    @asynccontextmanager
    async def read(
        self, receive: Receive, limit: int, setting: str, caller: str, length: int | None = None
    ) -> AsyncIterator[bytes]:
        """The whole body, held until the end of the context; what is done inside is done for `caller` (its key). length: see
        `body_length`; with so many bytes the body is whole, and its end is not asked for. At most one wait for the client to leave may follow then: to
        Granian a body whose end is asked for by two is one whose client has left.

        While there is no room it is not received further, so that its client waits. Raises RequestTooLarge as soon as it is over
        `limit` (which `setting` sets), LimitExceeded as FairQueue.take does, BodyTooSlow and InvalidRequest.
        """
        callers.bind(whose := Caller(caller))
        chunks: list[bytes] = []
        size = 0
        tickets: list[Ticket] = []
        try:
            try:
                async with asyncio.timeout(BODY_SECONDS):
                    more = True
                    while more and size != length:
                        event = await receive()
                        if event["type"] == "http.disconnect":
                            raise body_broken()
                        chunk = event.get("body", b"")
                        more = event.get("more_body", False)
                        if size + len(chunk) > limit:
                            raise RequestTooLarge("body", limit, setting)
                        size += len(chunk)
                        if chunk:
                            tickets.append(await self._memory.take(whose, size_class(size), len(chunk)))
                        chunks.append(chunk)
            except TimeoutError as error:
                raise BodyTooSlow(BODY_SECONDS) from error
            yield b"".join(chunks)
        finally:
            for ticket in tickets:
                ticket.release()

    async def message(
        self, size: int, make: Callable[P, Message], *args: P.args, **kwargs: P.kwargs
    ) -> Message:
        """Makes a message from `size` bytes of JSON: in a thread when they are many, so that other calls get turns."""
        if size <= _LARGE:
            return make(*args, **kwargs)
        loop = asyncio.get_running_loop()
        with await self._turns.take(callers.current()):
            return await loop.run_in_executor(self._large, partial(make, *args, **kwargs))

    def close(self) -> None:
        """Ends the thread; nothing is read any more."""
        self._large.shutdown(wait=False, cancel_futures=True)


async def lines(body: bytes) -> AsyncIterator[tuple[int, bytes]]:
    """The lines that are not empty, with their numbers from 1."""
    for number, line in enumerate(io.BytesIO(body), start=1):
        if line.strip():
            yield number, line
        if number % _LINES_AT_A_TIME == 0:
            await asyncio.sleep(0)
