"""Request bodies: read with limits of size, time and memory, and turned into messages without holding up others.

Bodies are read before a call begins and its own limits count, so that connections alone could fill the memory.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from functools import partial
from types import TracebackType
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
_LEAST_ROOM, _SHARE = 16_384, 8
"""What a piece of a body takes at least after the first one: so many bytes, and this part of what has come."""


class _HeldBody(AbstractAsyncContextManager[bytes]):
    # A class, for each request with a body has one: what contextlib makes of a generator costs more.
    __slots__ = ("_caller", "_length", "_limit", "_memory", "_receive", "_setting", "_tickets")

    def __init__(
        self, memory: FairQueue, receive: Receive, limit: int, setting: str, caller: str, length: int | None
    ) -> None:
        self._memory, self._receive = memory, receive
        self._limit, self._setting, self._length = limit, setting, length
        self._caller = Caller(caller)
        self._tickets: list[Ticket] = []

    async def __aenter__(self) -> bytes:
        callers.bind(self._caller)
        try:
            async with asyncio.timeout(BODY_SECONDS):
                return await self._whole()
        except TimeoutError as error:
            self._let_go()
            raise BodyTooSlow(BODY_SECONDS) from error
        except BaseException:
            self._let_go()
            raise

    async def _whole(self) -> bytes:
        chunks: list[bytes] = []
        size, taken, more = 0, 0, True
        while more and size != self._length:
            event = await self._receive()
            if event["type"] == "http.disconnect":
                raise body_broken()
            chunk: bytes = event.get("body", b"")
            more = event.get("more_body", False)
            if size + len(chunk) > self._limit:
                raise RequestTooLarge("body", self._limit, self._setting)
            size += len(chunk)
            if size > taken:
                # The first piece is all of most bodies. Later ones take some more than they need: a body in pieces of a byte has not a
                # ticket for each.
                room = size - taken
                if taken:
                    most = self._limit if self._length is None else self._length
                    room = max(room, min(max(size // _SHARE, _LEAST_ROOM), most - taken))
                asked = self._caller, size_class(size), room
                self._tickets.append(self._memory.take_now(*asked) or await self._memory.take(*asked))
                taken += room
            if chunk:
                chunks.append(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._let_go()

    def _let_go(self) -> None:
        for ticket in self._tickets:
            ticket.release()
        self._tickets.clear()


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

    def read(
        self, receive: Receive, limit: int, setting: str, caller: str, length: int | None = None
    ) -> AbstractAsyncContextManager[bytes]:
        """The whole body, held until the end of the context; what is done inside is done for `caller` (its key). length: see
        `body_length`; with so many bytes the body is whole, and its end is not asked for. At most one wait for the client to leave may follow then: to
        Granian a body whose end is asked for by two is one whose client has left.

        While there is no room it is not received further, so that its client waits. Raises RequestTooLarge as soon as it is over
        `limit` (which `setting` sets), LimitExceeded as FairQueue.take does, BodyTooSlow and InvalidRequest.
        """
        return _HeldBody(self._memory, receive, limit, setting, caller, length)

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
